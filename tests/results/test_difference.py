from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus.lots import index_file
from nocturna.tasks.corpus.staged_rows import index_table, write_table
from nocturna.tasks.results.difference import (
    Difference,
    dead_rows,
    describe,
    find_difference,
    wanted_by_chunk,
)
from nocturna.tasks.results.fates import Answer, Wanted
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.result_rows import ShardScores
from nocturna.tasks.results.snapshots import publish
from tests.results.examples import COLUMNS, SCHEMA, documents, part_of, rows_of, scores_of

CONFIG = Wanted(
    answers=tuple(Answer(score.name, score.config) for score in COLUMNS.scores),
    columns=SCHEMA,
)


def index(layout, run_id, chunks):
    """The index of a corpus as the corpus stage leaves it, a table of documents a chunk."""
    layout.index(run_id).mkdir(parents=True)
    for number, docs in enumerate(chunks):
        write_table(index_table(docs), index_file(layout.index(run_id), number))


def publish_shards(layout, run_id, shards):
    parts = [part_of(layout, run_id, n, docs) for n, docs in enumerate(shards)]
    return publish(layout, run_id, parts, SCHEMA)


def counts_of(difference):
    names = ("new", "changed", "reconfigured", "retried", "unchanged", "vanished")
    return {name: getattr(difference, name) for name in names if getattr(difference, name)}


def wanted(layout, run_id, chunk):
    """The documents of a chunk that get a new row."""
    ids = pq.read_table(index_file(layout.index(run_id), chunk))["doc_id"]
    found = dict(wanted_by_chunk(layout, run_id)).get(chunk)
    return ids.take(found["position"]).to_pylist() if found else []


def test_a_first_night_scores_everything(layout):
    index(layout, "night-1", [documents("ab"), documents("cd")])
    difference = find_difference(layout, "night-1", CONFIG)
    assert (difference.base, counts_of(difference)) == (0, {"new": 4})
    assert [wanted(layout, "night-1", n) for n in (0, 1)] == [["a", "b"], ["c", "d"]]
    assert dead_rows(layout, "night-1") == {}


def test_a_night_scores_what_is_new_or_changed_and_nothing_else(layout):
    first = publish_shards(layout, "night-1", [documents("abc"), documents("def")])
    changed = pa.concat_tables([documents("a"), documents("b", version=1), documents("xd")])
    index(layout, "night-2", [changed, documents("e")])
    difference = find_difference(layout, "night-2", CONFIG)
    assert difference.base == 1
    assert counts_of(difference) == {"new": 1, "changed": 1, "unchanged": 3, "vanished": 2}
    assert (difference.to_score, difference.carried) == (2, 5)
    assert wanted(layout, "night-2", 0) == ["b", "x"]
    assert wanted(layout, "night-2", 1) == []
    dead = {name: rows.tolist() for name, rows in dead_rows(layout, "night-2").items()}
    assert dead == {first.parts[0].name: [1]}


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("38", "38.0", True),
        ("38", "38,00", True),
        ("007", "7", True),
        ("el país/007", "El País/7", True),
        ("100000", "1e+05", True),
        ("a1", " a1 ", True),
        ("Núm", "Nu\u0301m", True),
        ("0F8FAD5B-d9cb-469f-a165-70867728950e", "0f8fad5bd9cb469fa16570867728950e", True),
        ("op-0001", "op-1", True),
        ("2024-05-02", "2024-05-02 00:00:00.000000", True),
        ("2024-05-02 10:00:00.000000Z", "2024-05-02T10:00:00+00:00", True),
        ("38", "380", False),
        ("1.05", "1.5", False),
        ("a-1", "a1", False),
        ("1.0.2", "1.2", False),
        ("9007199254740993", "9007199254740992", False),
    ],
)
def test_an_id_in_another_spelling_is_told(layout, before, now, same):
    publish_shards(layout, "night-1", [documents("ab"), documents([before, "c"])])
    again = documents([before]).set_column(0, "doc_id", pa.array([now]))
    index(layout, "night-2", [documents("abc"), pa.concat_tables([documents("x"), again])])
    difference = find_difference(layout, "night-2", CONFIG)
    assert counts_of(difference) == {"new": 2, "unchanged": 3, "vanished": 1}
    assert difference.respelt == ((1, before, now) if same else (0, "", ""))


def test_vanished_rows_are_dropped_if_the_job_says_so(layout):
    first = publish_shards(layout, "night-1", [documents("abc"), documents("def")])
    index(layout, "night-2", [documents("ad")])
    difference = find_difference(layout, "night-2", CONFIG, drop_vanished=True)
    assert (difference.vanished, difference.carried) == (4, 2)
    dead = {name: rows.tolist() for name, rows in dead_rows(layout, "night-2").items()}
    assert dead == {first.parts[0].name: [1, 2], first.parts[1].name: [1, 2]}


def test_a_score_of_another_configuration_is_computed_again_and_no_other(layout):
    publish_shards(layout, "night-1", [documents("ab")])
    index(layout, "night-2", [documents("ab")])
    sentiment, topic = CONFIG.answers
    other = replace(CONFIG, answers=(sentiment, replace(topic, config="beef")))
    difference = find_difference(layout, "night-2", other)
    assert counts_of(difference) == {"reconfigured": 2}
    assert difference.asked == {"sentiment": 0, "topic": 2}
    assert dict(wanted_by_chunk(layout, "night-2"))[0]["needs"].to_pylist() == [2, 2]


def test_everything_is_scored_again_on_request(layout):
    publish_shards(layout, "night-1", [documents("ab")])
    index(layout, "night-2", [documents("abc")])
    difference = find_difference(layout, "night-2", CONFIG, full=True)
    assert counts_of(difference) == {"new": 1, "retried": 2}


def test_what_a_night_has_to_do_is_said_in_one_line():
    night = Difference(3, 12, 3, 0, 0, 0, 985, 2, drop_vanished=False)
    assert describe(night) == (
        "15 of 1,000 documents to score: 12 new, 3 changed; 2 rows of vanished documents kept"
    )
    asked = {"sentiment": 0, "topic": 1000}
    other = Difference(3, 0, 0, 1000, 0, 0, 0, 0, drop_vanished=True, asked=asked)
    assert describe(other) == "1,000 of 1,000 documents to score: 1,000 for topic anew"
    kept = Difference(3, 0, 0, 0, 0, 2, 9, 0, False)
    assert describe(kept) == "0 of 11 documents to score; 2 with other kept columns"
    assert describe(Difference(3, 0, 0, 0, 0, 0, 9, 0, False)) == "0 of 9 documents to score"


def test_a_document_that_failed_is_tried_again_unless_it_would_fail_for_the_same_reason(layout):
    docs = documents(["empty", "unlucky", "mended"])
    docs = docs.set_column(5, docs.schema.field(5), pa.array(["empty_text", None, "empty_text"]))
    scores = scores_of(docs)
    unlucky = ShardScores(**{**vars(scores), "errors": {1: ("out_of_memory", "too long")}})
    part = write_part(rows_of(docs, "night-1", unlucky), layout.work("night-1"), "night-1", 0)
    publish(layout, "night-1", [part], SCHEMA)

    docs = docs.set_column(5, docs.schema.field(5), pa.array(["empty_text", None, None]))
    index(layout, "night-2", [docs])
    difference = find_difference(layout, "night-2", CONFIG)
    assert counts_of(difference) == {"retried": 2, "unchanged": 1}
    assert wanted(layout, "night-2", 0) == ["unlucky", "mended"]


def test_a_document_that_can_no_longer_be_scored_is_not_carried(layout):
    publish_shards(layout, "night-1", [documents("a")])
    docs = documents("a")
    docs = docs.set_column(5, docs.schema.field(5), pa.array(["too_long"]))
    index(layout, "night-2", [docs])
    assert counts_of(find_difference(layout, "night-2", CONFIG)) == {"retried": 1}


def test_repeated_ids_that_went_to_quarantine_do_not_count(layout):
    publish_shards(layout, "night-1", [documents("a")])
    index(layout, "night-2", [documents("ab")])
    path = layout.index("night-2") / "index-000000.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("disposition")
    marked = table.set_column(at, table.schema.field(at), pa.array(["score", "duplicate_id"]))
    pq.write_table(marked, path)
    assert counts_of(find_difference(layout, "night-2", CONFIG)) == {"unchanged": 1}


@pytest.mark.parametrize("bucket_rows", [20, 100, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_found_agrees_with_a_plain_comparison(layout, seed, bucket_rows):
    """Random corpora, compared with a dictionary, in one bucket and in several."""
    random = np.random.default_rng(seed)
    before = {f"d{i}": int(random.integers(2)) for i in random.permutation(300)[:200]}
    after = {f"d{i}": int(random.integers(2)) for i in random.permutation(300)[:200]}
    one, other = ([documents([d], v) for d, v in corpus.items()] for corpus in (before, after))
    cuts = ((0, 90), (90, 91), (91, 200))
    tables = [pa.concat_tables(one[first:stop]) for first, stop in cuts]
    first_night = publish_shards(layout, "night-1", tables)
    index(layout, "night-2", [pa.concat_tables(other[:50]), pa.concat_tables(other[50:])])
    drop = bool(seed % 2)
    difference = find_difference(
        layout, "night-2", CONFIG, drop_vanished=drop, bucket_rows=bucket_rows
    )
    both = before.keys() & after.keys()
    assert difference.new == len(after.keys() - before.keys())
    assert difference.vanished == len(before.keys() - after.keys())
    assert difference.changed == sum(before[d] != after[d] for d in both)
    assert difference.unchanged == sum(before[d] == after[d] for d in both)
    found = [*wanted(layout, "night-2", 0), *wanted(layout, "night-2", 1)]
    assert found == [d for d, v in after.items() if before.get(d) != v]
    leaves = [after.get(d, None if drop else v) != v for d, v in before.items()]
    dead = {
        part.name: rows
        for part, (first, stop) in zip(first_night.parts, cuts, strict=True)
        if (rows := np.flatnonzero(leaves[first:stop]).tolist())
    }
    assert {name: rows.tolist() for name, rows in dead_rows(layout, "night-2").items()} == dead
