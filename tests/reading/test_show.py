"""`nocturna show`: documents by label and by how sure their scores are."""

import json

import pyarrow.parquet as pq
import pytest

from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.snapshots import publish
from tests.results.examples import documents, rows_of, run_of


@pytest.fixture(scope="module")
def rows(job) -> list[dict]:
    return pq.read_table(job / "results").to_pylist()


def shown(nocturna, *arguments) -> list[dict]:
    done = nocturna("show", *arguments, "--json")
    assert done.code == 0, done.err
    return done.json["documents"]


def test_documents_of_one_label_or_another(job, rows, nocturna):
    for label in ("política", "computación e IA"):
        ids = {row["doc_id"] for row in rows if row["topic"] == label}
        assert {row["doc_id"] for row in shown(nocturna, job, "--topic", label)} == ids
    both = shown(nocturna, "--topic=POLÍTICA", "--topic", "computación e IA", job)
    assert len(both) == len(rows)
    some = {row["sentiment"] for row in shown(nocturna, job, "--sentiment", rows[0]["sentiment"])}
    assert some == {rows[0]["sentiment"]}


def test_how_sure_is_the_lowest_of_the_scores(job, rows, nocturna):
    lowest = {r["doc_id"]: min(r["sentiment_score"], r["topic_score"]) for r in rows}
    rising = sorted(lowest, key=lowest.__getitem__)
    assert [r["doc_id"] for r in shown(nocturna, job, "--least-sure")] == rising
    assert [r["doc_id"] for r in shown(nocturna, job, "--surest", "-n", 2)] == rising[:-3:-1]
    topic = {r["doc_id"]: r["topic_score"] for r in rows if r["topic"] == rows[0]["topic"]}
    named = shown(nocturna, job, "--topic", rows[0]["topic"], "--surest")
    assert [r["doc_id"] for r in named] == sorted(topic, key=topic.__getitem__, reverse=True)


def test_a_sample_is_the_same_each_time_and_not_the_order_of_the_source(job, nocturna):
    drawn = shown(nocturna, job, "--sample", "-n", "3")
    assert drawn == shown(nocturna, job, "--sample", "-n", "3") and len(drawn) == 3
    assert drawn != shown(nocturna, job, "-n", "3")


def test_a_person_reads_id_scores_and_source(job, rows, nocturna):
    done = nocturna("show", job, "-n", "1")
    first = min(rows, key=lambda row: row["source_row"])
    words = f"{first['doc_id']}  sentiment {first['sentiment']} {first['sentiment_score']:.2f}"
    assert words in done.out and "corpus.jsonl, row 1" in done.out
    assert "1 of 5 documents" in done.out


def test_the_text_is_shown_where_it_is_kept_and_cut(tmp_path, nocturna):
    layout = layout_of(tmp_path / "out", "prensa")
    table = rows_of(documents(["a"]), run_of(0))
    table = table.append_column("text", [["\x1b[31mHola. " * 100]])
    publish(layout, run_of(0), [write_part(table, tmp_path, run_of(0), 0)], table.schema)
    done = nocturna("show", layout.root)
    assert "\\x1b[31mHola. \\x1b" in done.out and "… (1,100 characters)" in done.out
    whole = shown(nocturna, layout.root)[0]["text"]
    assert (
        whole == "\x1b[31mHola. " * 100
        and json.dumps(whole) in nocturna("show", layout.root, "--json").out
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--topic", "nada"], "--topic nada: no such label; there are política, computación e IA"),
        (["--tema", "a"], "--tema: no score of that name; there are sentiment, topic"),
        (["--topic"], "--topic: needs a label"),
        (["--surest", "--sample"], "--surest and --sample: give one of them"),
        (["--at", "7"], "no snapshot '7'"),
    ],
)
def test_what_is_not_there_is_one_line(job, nocturna, arguments, words):
    done = nocturna("show", job, *arguments)
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["history", "a" * 300], "name of a file is too long"),
        (["query", "{job}", "select '\udcf3'"], "is not UTF-8; write it so"),
        (["history", "s3://"], "s3://: name the output folder of a job"),
        (["show", "file://{job}"], "file:// is no place for results"),
    ],
)
def test_an_argument_that_no_system_takes_is_named_in_a_line(job, nocturna, arguments, said):
    done = nocturna(*[str(word).format(job=job) for word in arguments])
    assert done.code == 2 and said in done.err and done.err.count("\n") == 1
    assert "unexpected" not in done.err


def test_a_current_folder_that_is_gone_is_said(tmp_path, monkeypatch, nocturna):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = nocturna("score", "a.jsonl")
    assert done.code == 2 and done.err == (
        "nocturna: the current folder is gone; change to one that is there\n"
    )
