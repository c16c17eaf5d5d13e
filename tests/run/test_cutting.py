"""The documents that need something, cut into shards with all that they need."""

import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus import lot_writer
from nocturna.tasks.corpus.index import build_index, kept_schema
from nocturna.tasks.corpus.staging import Shelf, stage
from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.results import files
from nocturna.tasks.results.difference import find_difference
from nocturna.tasks.results.fates import Answer, Wanted
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.snapshots import publish
from nocturna.tasks.run import cutting
from nocturna.tasks.run.cutting import cut_shards, shard_file
from nocturna.tasks.run.known_texts import known_texts
from nocturna.tasks.run.shelf import drop_texts
from tests.benchmarks.schedule import Cluster, simulate
from tests.corpus.corpora import chunks_of, jsonl, source, write
from tests.results.examples import COLUMNS, SCHEMA, rows_of, run_of

ANSWERS = tuple(Answer(score.name, score.config) for score in COLUMNS.scores)


@pytest.fixture
def layout(tmp_path):
    return layout_of(tmp_path / "out", "prensa")


def night(layout, origin, number, size=None, workers=1, answers=ANSWERS, chunk=None):
    """Stages, compares and cuts; the documents of each shard, and what was staged."""
    run_id = run_of(number)
    with chunks_of(chunk):
        known = known_texts(layout, answers)
        staged = stage(origin, Shelf(layout.staged, files.put_folder), (), known)
    layout.index(run_id).mkdir(parents=True)
    build_index(staged, layout.index(run_id), files.link_or_copy)
    find_difference(layout, run_id, Wanted(answers, columns=SCHEMA))
    kept = kept_schema(layout.index(run_id))
    rows = cut_shards(layout, run_id, staged, kept, size, workers)
    shards = [pq.read_table(shard_file(layout, run_id, n)) for n in range(len(rows))]
    assert [shard.num_rows for shard in shards] == list(rows)
    drop_texts(staged)
    return shards, staged


def publish_all(layout, number, shards):
    run_id = run_of(number)
    tables = [rows_of(shard.drop_columns(["needs", "part", "row"]), run_id) for shard in shards]
    parts = [write_part(table, layout.work(run_id), run_id, at) for at, table in enumerate(tables)]
    publish(layout, run_id, parts, SCHEMA)


def texts_of(shards):
    return [text for shard in shards for text in shard["text"].to_pylist()]


def corpus(tmp_path, texts, name="c.jsonl"):
    rows = [{"id": f"d{at}", "text": text} for at, text in enumerate(texts)]
    return source(write(tmp_path / name, jsonl(rows)), id="id")


@pytest.mark.parametrize("chunk", [3, 1000])
def test_shards_hold_every_wanted_document_once_and_in_order(tmp_path, layout, chunk):
    texts = [f"{at} " + "palabra " * (at % 9) for at in range(50)]
    for number, (size, workers) in enumerate([(None, 1), (None, 4), (7, 1), (1, 2), (50, 1)]):
        shards, _ = night(layout, corpus(tmp_path, texts), number, size, workers, chunk=chunk)
        assert texts_of(shards) == texts
        wanted = {None: workers, 7: 8, 1: 50, 50: 1}[size]
        assert len(shards) == wanted


@pytest.mark.parametrize("rows", [2, 20, 300, 1999, 4001])
def test_few_documents_keep_every_worker_busy(tmp_path, layout, rows):
    texts = ["palabra " * (1 + at % 7) for at in range(rows)]
    for number, workers in enumerate((1, 2, 8)):
        shards, _ = night(layout, corpus(tmp_path, texts), number, workers=workers)
        sizes = [shard.num_rows for shard in shards]
        assert sum(sizes) == rows and len(sizes) >= min(rows, workers)
        if rows >= 20:
            assert len(sizes) % workers == 0
            assert max(sizes) <= min(1100, 1.2 * rows / len(sizes) + 2)


@pytest.mark.parametrize("workers", [8, 100, 1000])
def test_many_workers_are_used_to_the_end_though_some_die(workers):
    for seed in range(3):
        ran = simulate(Cluster(10**8, workers, deaths=0.01), seed)
        assert ran.efficiency >= 0.9 and ran.shards % workers == 0
    assert simulate(Cluster(10**8, workers, deaths=1.0), 0).again > 0


def test_the_bytes_of_a_shard_are_bounded(tmp_path, layout, monkeypatch):
    monkeypatch.setattr(cutting, "SHARD_BYTES", 100_000)
    texts = [f"{at:03000}" for at in range(200)] + ["y" * 300_000]
    shards, _ = night(layout, corpus(tmp_path, texts), 0)
    assert texts_of(shards) == texts
    assert len(shards) >= 7 and shards[-1].num_rows == 1
    assert all(sum(map(len, texts_of([shard]))) <= 100_000 for shard in shards[:-1])


def test_a_night_keeps_the_texts_that_it_needs_and_no_others(tmp_path, layout, monkeypatch):
    kept = []
    before = lot_writer.texts_table
    monkeypatch.setattr(
        lot_writer, "texts_table", lambda *given: kept.append(before(*given)) or kept[-1]
    )
    texts = [f"Texto {at}" for at in range(30)]
    shards, _ = night(layout, corpus(tmp_path, texts), 0)
    publish_all(layout, 0, shards)
    assert [table.num_rows for table in kept] == [30]
    changed = [*texts[:10], "otro", *texts[11:], "nuevo", "Texto 3"]
    shards, staged = night(layout, corpus(tmp_path, changed), 1)
    assert [table["text"].to_pylist() for table in kept[1:]] == [["otro", "nuevo", "Texto 3"]]
    assert texts_of(shards) == ["otro", "nuevo", "Texto 3"]
    assert not list(layout.staged.rglob("texts-*"))
    assert len(kept) == 2 and staged.rows == 32


def test_a_new_score_reads_an_input_that_did_not_change_again_for_its_texts(tmp_path, layout):
    texts = [f"Texto {at}" for at in range(30)]
    origin = corpus(tmp_path, texts)
    time.sleep(0.1)
    shards, _ = night(layout, origin, 0, chunk=7)
    publish_all(layout, 0, shards)
    shards, staged = night(layout, origin, 1)
    assert shards == [] and len(staged.lots[0][1].chunks) == 5
    other = (ANSWERS[0], Answer("topic", "another"))
    shards, _ = night(layout, origin, 2, answers=other)
    assert texts_of(shards) == texts
    assert [shard["needs"].to_pylist() for shard in shards] == [[2] * 30]


def test_texts_without_ids_are_kept_where_one_more_of_them_is_new(tmp_path, layout):
    def lines(texts):
        return source(write(tmp_path / "c.txt", "".join(f"{text}\n" for text in texts)))

    shards, _ = night(layout, lines(["uno", "dos", "uno"]), 0)
    publish_all(layout, 0, shards)
    shards, _ = night(layout, lines(["uno", "dos", "uno", "uno", "tres"]), 1)
    assert texts_of(shards) == ["uno", "tres"]
    assert [name[-2:] for shard in shards for name in shard["doc_id"].to_pylist()] == ["-3", "-1"]


def test_a_source_that_changed_since_it_was_staged_is_not_read_for_its_texts(tmp_path, layout):
    origin = corpus(tmp_path, ["uno", "dos"])
    time.sleep(0.1)
    shards, _ = night(layout, origin, 0)
    publish_all(layout, 0, shards)
    staged = stage(origin, Shelf(layout.staged, files.put_folder))
    corpus(tmp_path, ["uno", "DOS"])
    with pytest.raises(NocturnaError, match=r"c\.jsonl: changed while the run was going on"):
        staged.again(0)
    write(tmp_path / "c.jsonl", b"")
    (tmp_path / "c.jsonl").unlink()
    with pytest.raises(UsageError, match="not found"):
        staged.again(0)


def test_kept_columns_come_from_tonight_and_texts_from_the_row_before(tmp_path, layout):
    rows = [{"id": "a", "text": "uno", "k": 1}]
    origin = source(write(tmp_path / "c.jsonl", jsonl(rows)), id="id", keep=("k",))
    ((shard,), _) = night(layout, origin, 0)
    assert shard["kept.k"].type == pa.int64() and shard["kept.k"].to_pylist() == [1]
