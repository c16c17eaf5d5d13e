"""Jobs whose results are in an object store, end to end, as their user runs them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest

import nocturna as public
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.lease import VARIABLE
from nocturna.tasks.results.object_store import ObjectStore
from tests.flows.test_score import write_corpus
from tests.models import TEXTS
from tests.test_readme import ROOT, blocks

COMMAND = str(Path(sys.executable).with_name("nocturna"))
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.fixture
def out(s3) -> str:
    """An address that nothing was put under."""
    return s3


def published(out: str) -> list[str]:
    return sorted(ObjectStore(f"{out}/prensa").listed("log/"))


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_two_nights_on_two_machines_and_everybody_who_reads(
    nocturna, models, tmp_path, monkeypatch, out
):
    place = f"{out}/prensa"
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    arguments = ["score", corpus, *models, "--id", "id", "--out", out]
    first = nocturna(*arguments)
    assert first.code == 0, first.err
    assert f"results     {place}\n" in first.out
    for line in re.findall(r"(?:duckdb\.|nocturna\.read_).*\)(?=\n)", first.out):
        assert len(eval(line, {"nocturna": public, "duckdb": duckdb})) == len(TEXTS), line
    assert not (tmp_path / "out").exists()

    monkeypatch.setenv("NOCTURNA_CACHE", str(tmp_path / "otra"))
    write_corpus(corpus, [*TEXTS[:-1], "Un texto que cambió.", "Un texto nuevo."])
    second = nocturna(*arguments, "--json")
    assert second.code == 0, second.err
    counts = second.json["counts"]
    assert (counts["scored"], counts["carried"]) == (2, len(TEXTS) - 1)
    assert second.json["results"] == place
    assert nocturna(*arguments, "--dry-run").out.startswith("0 of ")

    asked = nocturna("query", place, "select count(*) as n from results", "--json")
    assert asked.json == [{"n": len(TEXTS) + 1}]
    then = nocturna("query", place, "select count(*) as n from results", "--at", 1, "--json")
    assert then.json == [{"n": len(TEXTS)}]
    assert nocturna("show", place, "-n", 2, "--json").json["found"] == len(TEXTS) + 1
    runs = nocturna("runs", "--out", out, "--json").json
    assert [run["status"] for run in runs] == ["published", "published"]
    assert nocturna("runs", "show", second.json["run_id"], "--out", out).code == 0
    assert nocturna("history", place).code == nocturna("diff", place).code == 0
    assert nocturna("explain", place, "d000", "--json").code == 0
    assert nocturna("columns", place).code == 0
    assert nocturna("report", place).code == 0 and (tmp_path / "prensa-2.html").exists()
    assert nocturna("runs", "clean", "--out", out, "--dry-run").code == 0
    assert nocturna("runs", "clean", "--out", out).code == 0

    assert len(nocturna("rollback", place, "--list", "--json").json) == 1
    assert nocturna("rollback", place).code == 0
    assert len(public.read_results(f"{out}/prensa")) == len(TEXTS)
    assert published(out) == [f"log/0000000{n}.json" for n in (1, 2, 3)]


@pytest.mark.usefixtures("engine")
def test_the_lines_of_the_page_read_what_is_published(nocturna, models, tmp_path, out):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    done = nocturna("score", corpus, *models, "--id", "id", "--out", out)
    assert done.code == 0, done.err
    (code,) = [block for block in blocks("python", PAGE) if "s3://" in block]
    names: dict[str, object] = {}
    exec(code.replace("s3://cubo/out", out), names)
    frame, table, counted = names["rows"], names["table"], names["relation"]
    assert isinstance(frame, pd.DataFrame) and isinstance(table, pl.DataFrame)
    assert isinstance(counted, duckdb.DuckDBPyRelation)
    assert len(frame) == len(table) == len(TEXTS)
    assert counted.count("doc_id").fetchall() == [(len(TEXTS),)]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "http://example.org/out"], "http:// is no place for results; give a folder"),
        (["--out", "file:///tmp/out"], "file:// is no place for results; give a folder"),
        (["--out", "s3://clave:secreta@cubo/out"], "credentials come from the environment"),
        (["--part", "1/2"], "--part: shares are put together in a folder"),
        (["--out", "s3://ninguno/out"], "s3://ninguno/out/prensa: the store refuses: NoSuchBucket"),
    ],
)
def test_what_cannot_be_is_one_line(nocturna, models, tmp_path, out, arguments, said):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    ended = nocturna("score", corpus, *models, "--id", "id", "--out", out, *arguments)
    assert ended.code in (1, 2)
    (line,) = [text for text in ended.err.splitlines() if text.startswith("nocturna")]
    assert said in line and "secreta" not in line


def test_a_place_where_nothing_is_published_is_one_line(nocturna, out):
    place = f"{out}/prensa"
    for words in (["query", place, "select 1"], ["columns", place], ["rollback", place]):
        ended = nocturna(*words)
        assert ended.code == 2, ended
        assert re.search("nothing is published|no results here", ended.err)
    ended = nocturna("query", "s3://cubo", "select 1")
    assert ended.code == 2 and "such as s3://cubo/out/prensa" in ended.err


class Machine:
    """A machine with a cache of its own, on which a command runs in a process of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "NOCTURNA_CACHE": str(folder / name),
            "PREFECT_HOME": str(folder / f"{name}-engine"),
            VARIABLE: "2",
        }

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


@pytest.mark.slow
def test_a_night_that_was_stopped_past_its_lease_publishes_nothing(
    models, tmp_path, monkeypatch, out
):
    """SIGSTOP holds a real night up after its plan, another machine publishes, SIGCONT."""
    held, other = Machine(tmp_path, "una"), Machine(tmp_path, "otra")
    corpus = write_corpus(tmp_path / "prensa.jsonl", TEXTS * 20)
    arguments = ["score", corpus, *models, "--id", "id", "--out", out, "--shard-size", 10]
    night = held.start(*arguments)
    monkeypatch.setenv("NOCTURNA_CACHE", held.environment["NOCTURNA_CACHE"])
    runs = layout_of(out, "prensa").runs
    while not list(runs.glob("*/plan.json")):
        assert night.poll() is None, night.communicate()
        time.sleep(0.002)
    night.send_signal(signal.SIGSTOP)
    assert published(out) == []
    early = other.start(*arguments)
    said = early.communicate(timeout=120)[1]
    assert early.returncode in (0, 75), said
    if early.returncode == 75:
        assert "holds this place since" in said and "or for 2 s after it died" in said
        time.sleep(5)
        later = other.start(*arguments)
        assert later.wait(120) == 0, later.communicate()
    rows = public.read_results(f"{out}/prensa")
    assert len(rows) == len(TEXTS) * 20 and published(out)[-1:] == ["log/00000002.json"]
    night.send_signal(signal.SIGCONT)
    _, said = night.communicate(timeout=120)
    assert night.returncode == 1, said
    assert "was held up for longer than its lease of 2 s, and another one works there" in said
    assert published(out) == ["log/00000001.json", "log/00000002.json"], "a fence and a snapshot"
    assert json.loads(ObjectStore(f"{out}/prensa").get("log/00000001.json")[0])["fence"] == 2
    pd.testing.assert_frame_equal(public.read_results(f"{out}/prensa"), rows)
    again = held.start(*arguments, "--json")
    told, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert json.loads(told)["counts"]["carried"] == len(rows), "what the other one scored"


@pytest.mark.slow
def test_of_two_commands_that_race_one_waits_its_turn(models, tmp_path, out):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    machines = [Machine(tmp_path, "una"), Machine(tmp_path, "otra")]
    arguments = ["score", corpus, *models, "--id", "id", "--out", out]
    for turn in range(3):
        write_corpus(corpus, [*TEXTS[:-1], f"Texto de la noche {turn}."])
        racing = [machine.start(*arguments) for machine in machines]
        ended = [(night.communicate(timeout=180)[1], night.returncode) for night in racing]
        assert {code for _, code in ended} <= {0, 75} and 0 in {code for _, code in ended}, ended
        rows = public.read_results(f"{out}/prensa")
        assert len(rows) == len(TEXTS) and rows.doc_id.is_unique
    numbers = [int(name[4:12]) for name in published(out)]
    assert numbers == [*range(1, len(numbers) + 1)] and 3 <= len(numbers) <= 6
