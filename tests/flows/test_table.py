"""A job with a Delta table, end to end, as its user runs it."""

import json
import re
import sys

import pandas as pd
import pytest
from deltalake import DeltaTable

from tests.flows.test_score import write_corpus
from tests.models import TEXTS
from tests.s3 import s3_server

pytestmark = pytest.mark.usefixtures("engine")


def check_equal(table: str, results) -> None:
    found = DeltaTable(table).to_pandas().sort_values("doc_id", ignore_index=True)
    expected = pd.read_parquet(results).sort_values("doc_id", ignore_index=True)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.slow
def test_a_table_shows_the_rows_of_every_night(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    arguments = ["score", corpus, *models, "--id", "id", "--table", "tablas/prensa"]
    first = nocturna(*arguments)
    assert first.code == 0, first.err
    results, table = tmp_path / "out" / "prensa" / "results", str(tmp_path / "tablas" / "prensa")
    assert f"table       {table}\n" in first.out
    assert re.search(r"table version +0", first.out)
    line = re.search(r"DeltaTable\(.*\)\.to_pandas\(\)", first.out)
    assert len(eval(line.group(), {"DeltaTable": DeltaTable})) == len(TEXTS)

    write_corpus(corpus, [*TEXTS[:-1], "Un texto que cambió.", "Un texto nuevo."])
    second = nocturna(*arguments, "--json").json
    assert second["table"] == {"uri": table, "version": 1}
    check_equal(table, results)
    run = tmp_path / "out" / "prensa" / "runs" / second["run_id"] / "manifest.json"
    assert json.loads(run.read_text(encoding="utf-8"))["table"] == second["table"]


def test_what_a_store_refuses_is_published_here_and_caught_up(
    nocturna, models, tmp_path, monkeypatch
):
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        corpus = write_corpus(tmp_path / "prensa.jsonl")
        arguments = ["score", corpus, *models, "--id", "id", "--table", "s3://tarde/prensa"]
        refused = nocturna(*arguments)
        assert refused.code == 1
        (line,) = [text for text in refused.err.splitlines() if text.startswith("nocturna: ")]
        assert "s3://tarde/prensa: the store refuses: NoSuchBucket" in line
        results = tmp_path / "out" / "prensa" / "results"
        assert f"snapshot 1 is published in {results}" in line
        assert len(pd.read_parquet(results)) == len(TEXTS)
        (run,) = nocturna("runs", "--json").json
        assert (run["status"], run["table"]) == ("published", None)

        server.make_bucket("tarde")
        again = nocturna(*arguments, "--json")
        assert again.code == 0, again.err
        assert again.json["counts"]["carried"] == len(TEXTS), "nothing is scored again"
        check_equal("s3://tarde/prensa", results)


def test_a_run_that_is_accepted_reaches_the_table(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl", [*TEXTS, "", " ", "", "\t"])
    table = tmp_path / "tabla"
    assert nocturna("score", corpus, *models, "--id", "id", "--table", table).code == 3
    assert not table.exists()
    (run,) = nocturna("runs", "--json").json
    done = nocturna("publish", run["run_id"], "--accept", "blank rows are known", "--json")
    assert done.json["table"] == {"uri": str(table), "version": 0}
    check_equal(str(table), tmp_path / "out" / "prensa" / "results")


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_a_missing_package_is_said_before_any_work(nocturna, models, tmp_path, monkeypatch, more):
    monkeypatch.setitem(sys.modules, "deltalake", None)
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    done = nocturna("score", corpus, *models, "--table", "tabla", *more)
    assert done.code == 2
    assert done.err.strip().splitlines()[-1] == (
        "nocturna: output.table needs deltalake: pip install 'nocturna[delta]'"
    )
    assert not (tmp_path / "out" / "prensa" / "runs").exists()


@pytest.mark.parametrize(
    ("table", "parts"),
    [
        ("nube://cubo/t", ["output.table", "nube:// is no place for a table", "s3://"]),
        ("s3://clave:secreta@cubo/t", ["output.table", "credentials come from the environment"]),
        ("s3://cubo/t?sig=secreta", ["output.table", "no query string"]),
        ("out/prensa/tabla", ["output.table", "is in the output folder"]),
        ("tabla %20", ["output.table", "'%20'", "name another place"]),
        ("tablas [1]/x", ["output.table", "'['", "name another place"]),
        ("", ["output.table"]),
    ],
)
def test_a_table_that_cannot_be_is_one_line(nocturna, models, tmp_path, table, parts):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    done = nocturna("score", corpus, *models, "--table", table)
    assert done.code == 2
    line = done.err.strip().splitlines()[-1]
    assert all(part in line for part in parts), line
    assert "secreta" not in done.err


def test_a_kept_column_that_no_table_can_hold_is_said_before_any_work(nocturna, models, tmp_path):
    corpus = tmp_path / "prensa.parquet"
    frame = pd.DataFrame({"text": TEXTS, "clave": pd.array(range(len(TEXTS)), dtype="UInt64")})
    frame.to_parquet(corpus)
    done = nocturna("score", corpus, *models, "--keep", "clave", "--table", "tabla")
    assert done.code == 2
    assert "output.table: column 'clave' is uint64" in done.err
    assert not (tmp_path / "out" / "prensa" / "results").exists()
