"""Nothing leaves the machine, nothing forks a threaded process, and no secret is left anywhere.

Covers the night cases telemetry, forked-copy and secret-in-parameters with inputs of our own.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from fsspec import AbstractFileSystem

from nocturna.tasks.job.job import Job
from tests.corpus.corpora import jsonl
from tests.models import TEXTS
from tests.web import SECRETS, web_server

GUARD = Path(__file__).with_name("guard")
ROWS = [{"id": f"d{i}", "text": text} for i, text in enumerate(TEXTS)]


def guarded(room: Path, **more: str) -> dict[str, str]:
    """The environment of a user who never said anything about statistics, under guard."""
    choices = ("DO_NOT_TRACK", "HF_HUB", "PREFECT", "HF_DATASETS", "CI", "NOCTURNA_SOURCES")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(choices)}
    (room / "home").mkdir(exist_ok=True)
    own = {"HOME": str(room / "home"), "GUARD_NOTES": str(room / "notes"), **more}
    return {**kept, "PYTHONPATH": str(GUARD), "PREFECT_HOME": str(room / "engine"), **own}


def notes(room: Path) -> list[str]:
    """What the guard noted; at least that it stood."""
    lines = (room / "notes").read_text().splitlines()
    assert any(line.startswith("guarded") for line in lines)
    return [line for line in lines if not line.startswith("guarded")]


def files_that_hold(room: Path, *secrets: str) -> list[str]:
    found = [path for path in room.rglob("*") if path.is_file() and not path.is_symlink()]
    assert found
    return [str(p) for p in found if any(s.encode() in p.read_bytes() for s in secrets)]


class Watch(threading.Thread):
    """Looks at the arguments of every process that one has started, until it ends."""

    def __init__(self, process: subprocess.Popen) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.seen: set[str] = set()
        self.own = ""

    def run(self) -> None:
        while self.process.poll() is None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    group = os.getsid(int(path.parent.name))
                    line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                except (OSError, ValueError):
                    continue
                if path.parent.name == str(self.process.pid):
                    self.own = line or self.own
                elif group == self.process.pid:
                    self.seen.add(line)
            time.sleep(0.1)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A signed file scored with the bundled model in two processes, in a home of its own."""
    room = tmp_path_factory.mktemp("night")
    with web_server() as web:
        web.files["textos.jsonl"] = jsonl(ROWS)
        command = [str(Path(sys.executable).with_name("nocturna")), "score"]
        options = ["--id", "id", "--processes", "2", "--shard-size", "4"]
        process = subprocess.Popen(
            [*command, web.address("textos.jsonl"), *options, "--name", "web", "--json"],
            cwd=room,
            env=guarded(room),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        watch = Watch(process)
        watch.start()
        out, err = process.communicate(timeout=300)
        watch.join()
    return room, process.returncode, out, err, {*watch.seen, watch.own}


def test_secret_in_parameters_is_read_and_stands_nowhere(night):
    room, code, out, err, seen = night
    assert code == 0, err
    rows = pd.read_parquet(room / "out/web/results")
    assert sorted(rows.doc_id) == sorted(row["id"] for row in ROWS)
    assert (rows.source_uri.str.startswith("http://127.0.0.1:")).all()
    assert (room / "engine").is_dir()
    assert files_that_hold(room, *SECRETS) == []
    assert not [secret for secret in SECRETS if secret in out + err]
    assert any("spawn_main" in line for line in seen)
    assert any("score http://127.0.0.1:" in line for line in seen)
    assert not [line for line in seen if any(secret in line for secret in SECRETS)]


def test_telemetry_reaches_no_host_and_leaves_nothing_in_home(night):
    room, *_ = night
    assert notes(room) == []
    assert not [p for p in (room / "home").rglob("*") if "intel" in str(p) or "telemetry" in str(p)]


def test_forked_copy_there_is_none_and_the_lock_is_free(night):
    room, code, *_ = night
    assert code == 0
    assert not [line for line in notes(room) if "fork" in line]
    with (room / "out/web/.lock").open("r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.slow
def test_serve_is_as_closed(tmp_path):
    with web_server() as web:
        web.files["textos.jsonl"] = jsonl(ROWS)
        values = {
            "name": "web",
            "source": {"path": web.address("textos.jsonl"), "id": "id"},
            "compute": {"processes": 2},
            "shard_size": 4,
        }
        (tmp_path / "web.yaml").write_text(json.dumps(values), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("nocturna")), "serve", "web.yaml"]
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(
                [*command, "--cron", "* * * * *"],
                cwd=tmp_path,
                env=guarded(tmp_path),
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            watch = Watch(process)
            watch.start()
            until = time.monotonic() + 300
            while not (tmp_path / "out/web/results").exists() and time.monotonic() < until:
                time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            process.wait(120)
    assert len(pd.read_parquet(tmp_path / "out/web/results")) == len(ROWS)
    (tmp_path / "web.yaml").unlink()
    assert files_that_hold(tmp_path, *SECRETS) == []
    assert not [line for line in watch.seen if any(secret in line for secret in SECRETS)]
    assert notes(tmp_path) == []


class Odd(AbstractFileSystem):
    """A store whose driver repeats the whole address in an error of its own."""

    protocol = "odd"
    cachable = False

    def info(self, path, **kwargs):
        raise KeyError(f"no answer for odd://ana:clave-7781@{path}?sig=firma/99+34")


@pytest.fixture(scope="module")
def web():
    fsspec.register_implementation("odd", Odd, clobber=True)
    with web_server() as served:
        served.files["textos.jsonl"] = jsonl(ROWS)
        yield served


@pytest.mark.parametrize(
    ("address", "options", "code", "said"),
    [
        ("nada.jsonl", [], 2, "nada.jsonl: not found"),
        ("403/textos.jsonl", [], 2, "HTTP 403"),
        ("503/textos.jsonl", [], 1, "HTTP 503"),
        ("textos.jsonl", ["--text", "cuerpo"], 2, "no column 'cuerpo'"),
        ("textos.jsonl", ["--dry-run"], 0, ""),
        ("s3://AK-5512:clave-7781@cubo/t.jsonl?Signature=firma%2F99%2B34", [], 2, "s3://cubo/t"),
        ("gs://cubo/t.jsonl?X-Goog-Signature=firma/99+34", [], 2, "gs://cubo/t.jsonl"),
        ("az://caja/t.jsonl?sv=1&sig=firma%2F99%2B34", [], 2, "az://caja/t.jsonl"),
        ("odd://ana:clave-7781@cubo/t.jsonl?sig=firma/99+34", [], 1, "the store failed: KeyError"),
    ],
)
def test_secret_in_parameters_stands_nowhere_after_a_run_that_fails(
    engine, web, nocturna, small_models, tmp_path, monkeypatch, caplog, address, options, code, said
):
    monkeypatch.setenv("NOCTURNA_DEBUG", "1")
    monkeypatch.setattr("time.sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.1)))
    given = address if "://" in address else web.address(address)
    models = ["--sentiment-model", small_models["sentiment"]]
    done = nocturna("score", given, "--name", "web", "--id", "id", *models, *options)
    assert (done.code, said in done.err) == (code, True), done.err
    shown = done.out + done.err + caplog.text
    assert not [secret for secret in SECRETS if secret in shown]
    assert files_that_hold(engine, *SECRETS) == []
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"clave" in p.read_bytes()]


@pytest.mark.usefixtures("engine")
def test_another_nights_signature_goes_on_with_the_same_corpus(
    web, nocturna, small_models, tmp_path
):
    options = ["--name", "web", "--id", "id", "--sentiment-model", small_models["sentiment"]]
    web.answers.clear()
    first = nocturna("score", web.address("textos.jsonl"), *options, "--json")
    assert first.json["counts"]["scored"] == len(ROWS), first.err
    assert web.answers == [("textos.jsonl", 200)], "it was not fetched once"
    web.also = "otra"
    signed_anew = web.address("textos.jsonl", query="?X-Amz-Signature=otra")
    again = nocturna("score", signed_anew, *options, "--json")
    assert again.code == 0 and again.json["counts"]["scored"] == 0, again.err
    assert len(pd.read_parquet(tmp_path / "out/web/results")) == len(ROWS)


def test_a_job_says_its_source_as_it_may_be_shown(nocturna, tmp_path):
    values = {"source": {"path": "https://ana:clave-7781@h.org/a.jsonl?sig=firma/99+34"}}
    (tmp_path / "web.yaml").write_text(json.dumps(values), encoding="utf-8")
    done = nocturna("jobs", "web.yaml", "--json")
    assert done.json[0]["job"]["source"]["path"] == "https://h.org/a.jsonl"
    assert not [secret for secret in SECRETS if secret in done.out + done.err]
    assert Job.model_validate({"name": "web", **values}).source.addresses[0].endswith("firma/99+34")
