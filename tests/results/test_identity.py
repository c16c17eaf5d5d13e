"""What a night would lose of what is published: a table of changes, and which are accidents."""

from dataclasses import replace

import pytest

from nocturna.tasks.results.identity import (
    Identity,
    accidents,
    identity_from,
    identity_of,
    same_source,
)
from tests.results.examples import SCHEMA

LAST = Identity(
    source="/d/prensa.jsonl",
    id="id",
    text="cuerpo",
    scores={"sentiment": ("NEG", "NEU", "POS"), "topic": ("a", "b")},
    columns=("fecha", "text", "summary"),
    documents=100,
)
TOPIC = LAST.scores["topic"]


def scores(**changes):
    found = {**LAST.scores, **changes}
    return {"scores": {name: labels for name, labels in found.items() if labels}}


ORDINARY = {
    "the same": {},
    "other order of labels": scores(topic=("b", "a")),
    "a further score": scores(emotion=("joy", "anger")),
    "more columns": {"columns": (*LAST.columns, "autor")},
    "grown": {"documents": 5000},
    "shrunk a little": {"documents": 80},
    "folder that holds it": {"source": "/d"},
    "glob that holds it": {"source": "/d/*.jsonl"},
}
NOT_KNOWN = {
    "labels of a model that only the Hub knows": {"scores": {**LAST.scores, "sentiment": None}},
    "columns": {"columns": None},
}
ACCIDENTS = {
    "other labels": (scores(topic=("a", "c")), "without 'b' and with 'c'", "--replace"),
    "a label more": (scores(topic=("a", "b", "c")), "with 'c'", "--replace"),
    "a label less": (scores(topic=("a",)), "without 'b'", "--replace"),
    "other sentiment model": (
        scores(sentiment=("LABEL_0", "LABEL_1")),
        "'LABEL_0', 'LABEL_1'",
        "--replace",
    ),
    "sentiment off": (scores(sentiment=()), "the score 'sentiment' would vanish", "--replace"),
    "a number in its place": (
        {"scores": {**LAST.scores, "sentiment": ()}},
        "without 'NEG', 'NEU', 'POS'",
        "--replace",
    ),
    "topics off": (scores(topic=()), "the score 'topic' would vanish", "--replace"),
    "kept column": ({"columns": ("text", "summary")}, "vanish: 'fecha'", "--replace"),
    "text no longer kept": ({"columns": ("fecha", "summary")}, "vanish: 'text'", "--replace"),
    "no summaries": ({"columns": ("fecha", "text")}, "vanish: 'summary'", "--replace"),
    "other id": ({"id": "codigo"}, "rows would double", "--replace"),
    "no id": ({"id": ""}, "by their text: rows would double", "--replace"),
    "other text": ({"text": "titular"}, "'cuerpo' and would be 'titular'", "--replace"),
    "other place": ({"source": "/otra/prensa.jsonl"}, "/otra/prensa.jsonl", "--same-source"),
    "one file of it": ({"source": "/d/prensa.jsonl/uno"}, "prensa.jsonl/uno", "--same-source"),
    "shrunk": ({"documents": 79}, "shrunk by 21%, from 100 documents to 79", "--allow-shrink"),
}


@pytest.mark.parametrize("change", ORDINARY)
def test_an_ordinary_change_is_no_accident(change):
    assert accidents(LAST, replace(LAST, **ORDINARY[change]), 0.0, 0.2) == []


@pytest.mark.parametrize("change", ACCIDENTS)
def test_an_accident_says_what_would_be_lost_and_which_option_allows_it(change):
    values, said, option = ACCIDENTS[change]
    (found,) = accidents(LAST, replace(LAST, **values), 0.0, 0.2)
    assert said in found.what
    assert option in found.options
    assert option in found.advice
    assert "\n" not in found.what + found.advice


def test_several_accidents_are_all_said():
    tonight = replace(LAST, id="", text="x", columns=(), documents=1, **scores(topic=()))
    assert len(accidents(LAST, tonight, 1.0, 0.2)) == 5


def test_the_same_documents_at_another_place_are_the_same_corpus():
    moved = replace(LAST, source="/otra/prensa.jsonl")
    assert accidents(LAST, moved, 0.9, 0.2) == []
    assert accidents(LAST, moved, 0.1, 0.2) != []
    smaller = replace(moved, documents=10)
    assert [a.options for a in accidents(LAST, smaller, 0.9, 0.2)] == [("--allow-shrink",)]


def test_files_named_by_their_day_are_one_source_and_may_be_of_any_size():
    days = [replace(LAST, source=f"/d/dia-2026-11-{d:02}.jsonl", documents=d) for d in (29, 3)]
    assert accidents(days[0], days[1], 0.0, 0.2) == []
    same_day = replace(days[0], documents=3)
    assert [a.options for a in accidents(days[0], same_day, 1.0, 0.2)] == [("--allow-shrink",)]


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("/d/2026/11/24/a.csv", "/d/2026/11/25/a.csv", True),
        ("/d/fecha=2026-11-24/a.csv", "/d/fecha=2026-11-25/a.csv", True),
        ("/d/dia20261124.csv", "/d/dia20261125.csv", True),
        ("s3://b/2026-10.parquet", "s3://b/2026-11.parquet", True),
        ("/d/lote-17.csv", "/d/lote-18.csv", False),
        ("/d/2025.csv", "/d/2026.csv", False),
        ("/d/dia-2026-11-24.csv", "/otra/dia-2026-11-25.csv", False),
        ("s3://b/a.csv", "s3://b", True),
        ("s3://b/a.csv", "s3://bb", False),
    ],
)
def test_what_counts_as_the_same_source(before, now, same):
    assert same_source(before, now) is same


def test_before_the_corpus_is_read_nothing_is_said_of_it():
    tonight = replace(LAST, source="/otra", documents=1)
    assert accidents(LAST, tonight) == []


def test_what_is_not_known_of_last_night_is_not_compared():
    from_columns = identity_of(SCHEMA)
    assert from_columns.scores["topic"] and from_columns.source is None
    tonight = replace(from_columns, source="/x", id="", text="t", documents=1)
    assert accidents(from_columns, tonight, 0.0, 0.2) == []
    for not_known in NOT_KNOWN.values():
        assert accidents(LAST, replace(LAST, **not_known), 1.0, 0.2) == []
    lost = replace(tonight, scores={})
    assert len(accidents(from_columns, lost, 0.0, 0.2)) == len(from_columns.scores)


@pytest.mark.parametrize("odd", [None, "x", [], {"scores": 3}, {"documents": "many"}])
def test_a_record_that_cannot_be_read_is_none(odd):
    assert identity_from(odd) is None


def test_the_record_of_a_newer_version_is_read_as_far_as_it_is_known():
    assert identity_from({"source": "/d", "scores": {"t": ["a"]}, "mood": 1}).scores == {
        "t": ("a",)
    }
