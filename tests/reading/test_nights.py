"""`nocturna history` and `nocturna diff`: what the nights say side by side."""

import csv
import io
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.reading import changes
from nocturna.tasks.reading.changes import difference
from nocturna.tasks.reading.views import view_of
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.snapshots import publish
from tests.results.examples import documents, rows_of, run_of


def labels(job, night: int, score: str) -> dict[str, str]:
    table = pq.read_table(list(view_of(job, night).parts))
    return dict(zip(table["doc_id"].to_pylist(), table[score].to_pylist(), strict=True))


def test_history_has_the_shares_that_each_night_published(job, nocturna):
    rows = list(csv.DictReader(io.StringIO(nocturna("history", job, "--csv").out)))
    assert len(rows) == 3 * 5
    for night in (1, 2, 3):
        counted = Counter(labels(job, night, "sentiment").values())
        for row in rows:
            if row["score"] == "sentiment" and row["snapshot"] == str(night):
                assert int(row["documents"]) == counted[row["label"]]
                assert float(row["share"]) == pytest.approx(counted[row["label"]] / counted.total())


def test_history_is_a_line_a_label_with_the_last_nights(job, nocturna):
    done = nocturna("history", job, "--score", "topic", "-n", 2)
    lines = done.out.splitlines()
    assert "1: 2026" not in lines[0] and "3: 2026-11-03" in lines[0] and len(lines) == 3
    shares = [
        Counter(labels(job, n, "topic").values())["política"] / m for n, m in ((2, 6), (3, 5))
    ]
    assert (
        f"{shares[0]:.1%}" in lines[1]
        and f"{(shares[1] - shares[0]) * 100:+.1f} points" in lines[1]
    )


def test_a_diff_tells_every_document_whose_label_is_another(job):
    for score in ("sentiment", "topic"):
        then, now = labels(job, 2, score), labels(job, 3, score)
        found = difference(view_of(job, 2), view_of(job, 3), most=100, only=score)
        assert (found.new, found.gone, found.changed_text) == (0, 1, 5)
        told = {c.doc_id: (c.before, c.after, c.why) for c in found.changes}
        other = {i: (then[i], now[i], "new text") for i in now if then[i] != now[i]}
        assert told == {**other, "a": (then["a"], None, "gone")}
        assert sum(move.documents for move in found.moved) == len(told)


def test_new_documents_explain_shares_too(job):
    found = difference(view_of(job, 1), view_of(job, 2), most=100, only="topic")
    now = labels(job, 2, "topic")
    assert {(c.doc_id, c.after, c.why) for c in found.changes} == {
        (i, now[i], "new document") for i in ("e", "f")
    }


@pytest.fixture
def pair(tmp_path):
    """Publishes two nights of one document and returns why its sentiment is another."""

    def why(then: pa.Table, now: pa.Table) -> list[str]:
        layout = layout_of(tmp_path / "out", "prensa")
        for number, table in enumerate((then, now)):
            run = run_of(number)
            publish(layout, run, [write_part(table, layout.work(run), run, 0)], table.schema)
        found = difference(view_of(layout.root, 1), view_of(layout.root, 2), only="sentiment")
        return [change.why for change in found.changes]

    return why


def row(version: int = 0, label: str | None = "POS", config: str = "a", **more: str) -> pa.Table:
    """One row of a label, whatever the text says."""
    table = rows_of(documents(["a"], version), run_of(0))
    values = {"sentiment": label, "sentiment_config": config, "status": "ok", **more}
    for name, value in values.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(name), pa.array([value], pa.string()))
    return table


@pytest.mark.parametrize(
    ("then", "now", "reasons"),
    [
        ({}, {}, []),
        ({}, {"version": 1}, []),
        ({}, {"label": "NEG", "version": 1}, [changes.TEXT]),
        ({}, {"label": "NEG", "config": "b"}, [changes.CONFIG]),
        ({}, {"label": "NEG", "config": "b", "version": 1}, [changes.BOTH]),
        ({}, {"label": "NEG"}, [changes.AGAIN]),
        ({}, {"label": None, "status": "failed"}, [changes.FAILED]),
        ({"label": None, "status": "failed"}, {}, [changes.WORKED]),
        ({"label": None}, {}, [changes.ASKED]),
        ({}, {"label": None}, [changes.UNASKED]),
    ],
)
def test_why_a_label_is_another(pair, then, now, reasons):
    assert pair(row(**then), row(**now)) == reasons


def test_a_diff_for_a_person_and_for_a_program(job, nocturna):
    done = nocturna("diff", job)
    assert "before     snapshot 2 of 2026-11-02T02:30, 6 documents" in done.out
    assert "documents  0 new, 1 gone, 5 with another text" in done.out and "gone" in done.out
    found = nocturna("diff", job, "2026-11-01", run_of(1), "--json").json
    assert (found["before"]["snapshot"], found["after"]["rows"], found["new"]) == (1, 6, 2)
    same = nocturna("diff", job, "2", "2")
    assert "No document changed its label." in same.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["history", "--score", "tema"], "--score tema: no such score; there are sentiment, topic"),
        (["diff", "1", "2", "--score", "tema"], "--score tema: no such score"),
        (["diff", "9"], "no snapshot '9'"),
        (["diff", "1", "1999-01-01"], "no snapshot '1999-01-01'"),
    ],
)
def test_what_is_not_there_is_one_line(job, nocturna, arguments, words):
    command, *rest = arguments
    done = nocturna(command, job, *rest)
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1
