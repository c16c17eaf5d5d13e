"""`nocturna init`: a job file that a night runs as it is."""

import json
import os

import pytest
import yaml

from nocturna import read_job
from tests.conftest import SAMPLES
from tests.web import SECRETS, web_server

WANTED = {
    "notas.csv": ("texto", "codigo", ("fecha",)),
    "opiniones.jsonl": ("text", "id", ("sentiment", "topic", "lang", "kind")),
    "con-errores.jsonl": ("text", "id", ()),
}


@pytest.mark.parametrize("name", WANTED)
def test_each_bundled_corpus_gets_a_job_file_that_is_one(nocturna, tmp_path, name):
    done = nocturna("init", SAMPLES / name)
    assert done.code == 0, done.err
    path = tmp_path / f"{name.split('.')[0]}.yaml"
    job, text = read_job(path), path.read_text(encoding="utf-8")
    assert (job.source.text, job.source.id, job.source.keep) == WANTED[name]
    assert job.language == "es" and list(job.scores) == ["sentiment"]
    assert max(map(len, text.splitlines())) <= 140
    whole = yaml.safe_load(text.replace("\n# ", "\n").partition("\nname:")[2].join(["name:", ""]))
    assert {"output", "summaries"} <= set(whole), "what stands behind a # is ready to be used"
    for line in ("Languages of", "Scoring takes about", "guessed"):
        assert line in text
    assert f"next: nocturna score --job {path.name}" in done.out


@pytest.mark.usefixtures("engine")
def test_a_night_runs_the_file_as_it_is(nocturna, tmp_path):
    (tmp_path / "jobs").mkdir()
    corpus = os.path.relpath(SAMPLES / "notas.csv", tmp_path)
    made = nocturna("init", corpus, "-o", "jobs/noche.yaml", "--name", "noche", "--json")
    assert made.code == 0, made.err
    assert made.json["rows"] == 40 and made.json["job"]["name"] == "noche"
    assert made.json["speed"]["texts"] == 40 and made.json["seconds"] > 0
    assert made.json["languages"]["es"] > 0.8 and made.json["summaries_usd"]["online"] > 0
    said = yaml.safe_load((tmp_path / "jobs" / "noche.yaml").read_text(encoding="utf-8"))
    assert said["source"]["path"] == os.path.relpath(SAMPLES / "notas.csv", tmp_path / "jobs")
    done = nocturna("score", "--job", "jobs/noche.yaml", "--json")
    assert done.code == 0 and done.json["counts"]["scored"] == 40, done.err


def test_what_an_option_says_is_written_and_not_guessed(nocturna, tmp_path, small_models):
    given = ["--text", "{titulo}. {texto}", "--no-sentiment", "--labels", "política,economía"]
    given += ["--topic-model", small_models["encoder"], "--method", "embedding", "--keep-text"]
    done = nocturna("init", SAMPLES / "notas.csv", *given, "-o", "j.yaml", "--keep", "titulo")
    assert done.code == 0, done.err
    job = read_job(tmp_path / "j.yaml")
    assert (job.source.text, job.source.id) == ("{titulo}. {texto}", "codigo")
    assert job.source.keep == ("titulo",) and job.output.keep_text
    assert list(job.scores) == ["topic"] and job.scores["topic"].names == ("política", "economía")
    assert "# output" not in (tmp_path / "j.yaml").read_text(encoding="utf-8")


def test_a_file_that_is_there_stays_without_force(nocturna, tmp_path):
    mine = tmp_path / "notas.yaml"
    mine.write_text("mine")
    done = nocturna("init", SAMPLES / "notas.csv")
    assert done.code == 2 and "--force" in done.err and mine.read_text() == "mine"
    assert nocturna("init", SAMPLES / "notas.csv", "--force").code == 0
    assert read_job(mine).source.text == "texto"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "nocturna init: name a corpus"),
        (["nada.jsonl"], "not found"),
        (["numeros.csv"], "no column 'text' for `text`; the columns are 'a', 'b'"),
        (["votos.csv"], "no column holds texts; the columns are text, b; name one with --text"),
        (["cuerpos.json"], "jq -c '.data[]' cuerpos.json"),
        (["numeros.csv", "-o", "nada/j.yaml"], "no such folder"),
        (["numeros.csv", "--text", "c"], "no column 'c'"),
        (["numeros.csv", "--language", "español"], "language"),
        (["notas.csv", "--limit", "10"], "--limit: it is for one run and stands in no file"),
    ],
)
def test_what_cannot_be_described_is_one_line(nocturna, tmp_path, arguments, part):
    (tmp_path / "numeros.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "votos.csv").write_text("text,b\n1,2\n3,4\n")
    (tmp_path / "cuerpos.json").write_text(json.dumps({"data": [{"cuerpo": "Hola a todos."}]}))
    done = nocturna("init", *arguments)
    assert done.code == 2 and part in done.err and done.err.count("\n") == 1
    assert not list(tmp_path.glob("*.yaml"))


def test_a_corpus_in_another_language_and_one_of_lines(nocturna, tmp_path):
    lines = [
        "Der Stadtrat hat gestern Abend den Haushalt beschlossen.",
        "Es regnet heute in Berlin.",
    ]
    (tmp_path / "notes.txt").write_text("\n".join(lines * 5), encoding="utf-8")
    assert nocturna("init", "notes.txt").code == 0
    text = (tmp_path / "notes.yaml").read_text(encoding="utf-8")
    job = read_job(tmp_path / "notes.yaml")
    assert job.language == "de" and "the bundled models know es, en, pt and fr" in text
    assert "a document has no columns here" in text and job.source.id is None


def test_a_secret_of_the_address_is_not_written(nocturna, tmp_path):
    with web_server() as web:
        web.files["notas.csv"] = (SAMPLES / "notas.csv").read_bytes()
        done = nocturna("init", web.address("notas.csv"), "-o", "j.yaml")
    assert done.code == 0, done.err
    text = (tmp_path / "j.yaml").read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS if secret in text + done.out + done.err]
    assert yaml.safe_load(text)["source"]["path"] == web.shown("notas.csv")
    assert "name the whole address" in text


def test_without_the_hub_the_time_is_not_known(nocturna, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    given = ["--sentiment-model", "uno/que-no-hay"]
    done = nocturna("init", SAMPLES / "notas.csv", *given, "-o", "j.yaml")
    assert done.code == 0, done.err
    assert "How long a night takes is not known: model uno/que-no-hay" in done.out
    assert read_job(tmp_path / "j.yaml").scores["sentiment"].model == "uno/que-no-hay"
