"""What is shown of an address, and that nothing secret of one is."""

import json
import pickle
import random
import subprocess
import sys
from urllib.parse import quote

import pytest

from nocturna.tasks.addresses import redact, without_secrets
from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.job_file import job_name_of, make_job

SIGNED = "https://ana:clave-7781@h.org/a.jsonl?X-Amz-Credential=AK/2026&X-Amz-Signature=firma-9934"
SECRETS = ("clave-7781", "firma-9934", "AK/2026")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://ana:clave@example.org/a.csv", "https://example.org/a.csv"),
        ("HTTPS://ana:clave@example.org/a.csv", "HTTPS://example.org/a.csv"),
        ("https://ana:cl@ve@example.org/a.csv", "https://example.org/a.csv"),
        ("https://ana:cl?ve@example.org/a.csv", "https://example.org/a.csv"),
        ("https://example.org/a.csv?X-Amz-Signature=ab&x=1", "https://example.org/a.csv"),
        ("https://example.org/a.csv?tokenAb12", "https://example.org/a.csv"),
        ("https://example.org/a.csv#access_token=ab", "https://example.org/a.csv"),
        ("https://example.org:8443/a@b.csv?sig=a/b@c", "https://example.org:8443/a@b.csv"),
        ("http://[::1]:8080/a@b.csv", "http://[::1]:8080/a@b.csv"),
        ("https://c.example.org/a.csv?sv=2024&sig=a%2Fb/c=", "https://c.example.org/a.csv"),
        ("s3://CLAVE:se/cre+to@cubo/a.csv", "s3://cubo/a.csv"),
        ("s3://CLAVE:123/45@cubo/a.csv", "s3://cubo/a.csv"),
        ("s3://token@cubo/a.csv", "s3://cubo/a.csv"),
        ("s3://cubo/a.csv?AWSAccessKeyId=AK&Signature=s", "s3://cubo/a.csv"),
        ("gs://cubo/a.csv?X-Goog-Signature=ab12", "gs://cubo/a.csv"),
        ("az://caja/a.csv?sv=2024&sig=ab12", "az://caja/a.csv"),
        ("abfs://caja@cuenta.dfs.core.windows.net/a?sig=b", "abfs://caja@cuenta.dfs.core.windows.net/a"),
        ("simplecache::https://ana:clave@h/a.csv?sig=b", "simplecache::https://h/a.csv"),
        ("zip://a.csv::https://ana:clave@h/a.zip?sig=b::c", "zip://a.csv::https://h/a.zip"),
        ("sftp://ana:clave@h:22/a.csv", "sftp://h:22/a.csv"),
        ("s3://cubo/a?.csv", "s3://cubo/a?.csv"),
        ("s3://cubo/año/a@b.csv", "s3://cubo/año/a@b.csv"),
        ("http://localhost:8080/a@b.csv", "http://localhost:8080/a@b.csv"),
        ("hf://datasets/org/cosas@main/a.csv", "hf://datasets/org/cosas@main/a.csv"),
        ("/local/a?b=c.csv", "/local/a?b=c.csv"),
    ],
)  # fmt: skip
def test_secrets_are_no_part_of_what_is_shown(address, shown):
    assert redact(address) == shown


def test_redacting_twice_changes_nothing():
    dice = random.Random(1)
    for _ in range(20_000):
        scheme = dice.choice(["http", "https", "s3", "abfs", "sftp", "hf", "zip://a::http"])
        address = f"{scheme}://" + "".join(dice.choices("ab:@/?#=&[]1", k=dice.randint(0, 14)))
        assert redact(redact(address)) == redact(address), address


def test_a_job_holds_no_secret_in_any_form_that_is_written_down():
    job = Job.model_validate({"name": "web", "source": {"path": SIGNED}})
    assert job.source.path == "https://h.org/a.jsonl"
    assert job.source.addresses == (SIGNED,)
    shown = f"{job!r} {job} {job.model_dump()} {job.model_dump_json()} {vars(job.source)}"
    assert not [secret for secret in SECRETS if secret in shown]
    assert pickle.loads(pickle.dumps(job)).source.addresses == (SIGNED,)


def test_a_job_that_was_written_down_finds_its_secrets_again_here_and_in_children(monkeypatch):
    monkeypatch.delenv("NOCTURNA_SOURCES", raising=False)
    written = make_job({"name": "web", "source": {"path": SIGNED}}, "x").model_dump_json()
    other = SIGNED.replace("firma-9934", "firma-0001")
    make_job({"name": "otro", "source": {"path": other}}, "x")
    assert Job.model_validate_json(written).source.addresses == (SIGNED,)
    code = (
        "import sys; from nocturna.tasks.job.job import Job\n"
        "print(Job.model_validate_json(sys.argv[1]).source.addresses[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, written], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == SIGNED
    make_job({"name": "web", "source": {"path": other}}, "x")  # tomorrow's signature
    assert Job.model_validate_json(written).source.addresses == (other,)


@pytest.mark.parametrize(
    "values",
    [
        {"source": {"dataset": "https://ana:clave-7781@huggingface.co/d"}},
        {"scores": {"sentiment": {"model": "https://ana:clave-7781@huggingface.co/m"}}},
        {"scores": {"topic": {"labels": "a,b", "model": "https://h/m?token=clave-7781"}}},
        {"output": {"table": "s3://AK:clave-7781/b@cubo/t"}},
        {"output": {"table": "s3://cubo/t?key=clave-7781"}},
        {"source": {"path": SIGNED, "txet": "clave-7781"}},
    ],
)
def test_where_no_secret_belongs_it_is_refused_and_not_repeated(values):
    with pytest.raises(UsageError) as error:
        make_job({"name": "j", "source": {"path": "a"}} | values, "j.yaml")
    assert "clave-7781" not in str(error.value)


def test_a_name_is_not_made_of_a_signature():
    address = "https://h/textos.jsonl?X-Amz-Credential=AK/2026/s3/aws4_request&X-Amz-Signature=f"
    assert job_name_of(address) == "textos"


def test_what_a_library_said_loses_its_secrets(monkeypatch):
    Job.model_validate({"name": "web", "source": {"path": SIGNED}})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "llave/muy-larga")
    said = [
        f"404, url='{SIGNED}'",
        "user clave-7781 is unknown",
        f"query: sig={quote('AK/2026', '')}",
        "Authorization: Basic YW5hOmNsYXZlLTc3ODE=",
        "GET https://otra.org/b?sig=firma-1 -> https://pepe:x@otra.org/c",
        "signed with llave/muy-larga",
    ]
    for text in said:
        shown = str(NocturnaError(text))
        assert shown == without_secrets(shown)
        for secret in (*SECRETS, quote("AK/2026", ""), "YW5h", "firma-1", "pepe", "llave"):
            assert secret not in shown
    assert str(NocturnaError("give s3://cubo/x or http://h:80/a.csv: it's")) == (
        "give s3://cubo/x or http://h:80/a.csv: it's"
    )
    assert str(pickle.loads(pickle.dumps(UsageError("a: b")))) == "a: b"


def test_a_variable_that_somebody_else_filled_does_no_harm(monkeypatch):
    for value in ("", "{", "[]", json.dumps({"web https://h.org/a.jsonl": "x"})):
        monkeypatch.setenv("NOCTURNA_SOURCES", value)
        Job.model_validate({"name": "web", "source": {"path": SIGNED}})
