import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus.input_files import Shard, Slice
from nocturna.tasks.corpus.inputs import freeze_inputs
from nocturna.tasks.corpus.read_shard import read_shard
from nocturna.tasks.corpus.shards import cut_shards
from nocturna.tasks.errors import NocturnaError, UsageError
from tests.corpus.corpora import (
    ENCODERS,
    compressed,
    jsonl,
    parquet,
    read_all,
    source,
    texts,
    write,
)

LINE_FORMATS = ["jsonl", "json", "csv", "tsv", "txt"]
FILES = [f"{f}{c}" for f in LINE_FORMATS for c in ("", ".gz", ".zst")] + ["parquet", "arrow"]


def corpus(rows: int, seed: int = 0) -> list[dict]:
    """Rows whose texts have every length, quotes, commas, tabs, emojis and line breaks."""
    dice = random.Random(seed)
    alphabet = 'aeñ, ;"\t\n🙂|{}[]:\\'
    return [
        {"id": f"{i:05}", "text": f"{i}" + "".join(dice.choices(alphabet, k=dice.randint(0, 90)))}
        for i in range(rows)
    ]


@pytest.mark.parametrize("name", FILES)
def test_shards_of_any_size_hold_every_row_once_and_in_order(tmp_path, name):
    rows = corpus(2003)
    form, _, ending = name.partition(".")
    data = compressed(ENCODERS[form](rows), f".{ending}")
    path = write(tmp_path / f"corpus.{name}", data)
    origin = source(path, id=None if form == "txt" else "id")
    wanted = [row["text"].replace("\n", " ") if form == "txt" else row["text"] for row in rows]
    whole, rejects = read_all(origin, 10_000)
    assert texts(whole) == wanted
    assert rejects == []
    if form != "txt":
        assert [row["doc_id"] for row in whole] == [row["id"] for row in rows]
    for size in (1, 7, 250, 999, 2002, 2003):
        if size == 1 and form != "jsonl":
            continue
        documents, _ = read_all(origin, size)
        assert documents == whole


@pytest.mark.parametrize("name", FILES)
def test_a_shard_is_read_by_itself(tmp_path, name):
    form, _, ending = name.partition(".")
    data = compressed(ENCODERS[form](corpus(1500)), f".{ending}")
    origin = source(write(tmp_path / f"corpus.{name}", data))
    inputs = freeze_inputs(origin)
    shards = cut_shards(origin, inputs, 100)
    in_order = [read_shard(origin, inputs, shard) for shard in shards]
    shuffled = list(shards)
    random.Random(1).shuffle(shuffled)
    for shard in shuffled:
        alone = read_shard(origin, inputs, shard)
        assert alone.documents == in_order[shard.index].documents
        assert alone.digest == in_order[shard.index].digest


def test_reading_goes_on_in_the_middle_of_a_gz(tmp_path):
    rows = corpus(3000)
    origin = source(write(tmp_path / "c.jsonl.gz", compressed(jsonl(rows), ".gz")), id="id")
    inputs = freeze_inputs(origin)
    shards = cut_shards(origin, inputs, 100)
    rest = [read_shard(origin, inputs, shard).documents.to_pylist() for shard in shards[20:]]
    assert texts([row for part in rest for row in part]) == texts(rows[2000:])


def test_source_rows_are_line_numbers_and_blank_lines_count(tmp_path):
    data = b'{"text": "a"}\n\n   \r\n{"text": "b"}\n\n{"text": "c"}'
    documents, _ = read_all(source(write(tmp_path / "c.jsonl", data)), 1)
    assert [(row["text"], row["source_row"]) for row in documents] == [("a", 1), ("b", 4), ("c", 6)]


@pytest.mark.parametrize("rows", [1, 999, 1000, 1001, 5000, 120_000])
def test_without_a_size_a_run_has_few_shards(tmp_path, rows):
    data = jsonl([{"text": "hola"}]) * rows
    origin = source(write(tmp_path / "c.jsonl", data))
    shards = cut_shards(origin, freeze_inputs(origin))
    assert sum(shard.rows for shard in shards) == rows
    assert len(shards) <= 500
    assert len(shards) <= -(-rows // 750)


def test_a_very_long_input_is_planned_with_few_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("nocturna.tasks.corpus.shards._GRAINS", 8)
    data = jsonl([{"text": f"{i}"} for i in range(30_000)])
    origin = source(write(tmp_path / "c.jsonl", data))
    inputs = freeze_inputs(origin)
    shards = cut_shards(origin, inputs)
    read = [
        row for s in shards for row in texts(read_shard(origin, inputs, s).documents.to_pylist())
    ]
    assert read == [f"{i}" for i in range(30_000)]


def test_the_bytes_of_a_shard_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("nocturna.tasks.corpus.shards.SHARD_BYTES", 100_000)
    monkeypatch.setattr("nocturna.tasks.corpus.shards._GRAIN_BYTES", 10_000)
    rows = [{"text": f"{i:03000}"} for i in range(200)] + [{"text": "y" * 300_000}]
    for name, data in (("c.jsonl", jsonl(rows)), ("c.parquet", parquet(rows, 50))):
        origin = source(write(tmp_path / name, data))
        shards = cut_shards(origin, freeze_inputs(origin))
        assert sum(shard.rows for shard in shards) == 201
        assert len(shards) >= 7
        if name == "c.jsonl":
            assert shards[-1].rows == 1


def test_many_small_files_share_shards(tmp_path):
    for i in range(300):
        write(tmp_path / "corpus" / f"{i:03}.txt", f"uno {i}\ndos {i}\n")
    shards = cut_shards(source(tmp_path / "corpus"), freeze_inputs(source(tmp_path / "corpus")))
    assert [shard.rows for shard in shards] == [600]
    documents, _ = read_all(source(tmp_path / "corpus"), 100)
    assert texts(documents) == [f"{n} {i}" for i in range(300) for n in ("uno", "dos")]
    files, _ = read_all(source(tmp_path / "corpus", format="files"))
    assert [row["doc_id"] for row in files] == [f"{i:03}.txt" for i in range(300)]
    assert files[7]["text"] == "uno 7\ndos 7\n"


def test_parquet_row_groups_are_split_and_shared(tmp_path):
    rows = [{"text": f"{i}"} for i in range(1000)]
    for group in (1000, 300, 10):
        origin = source(write(tmp_path / f"{group}.parquet", parquet(rows, group)))
        inputs = freeze_inputs(origin)
        shards = cut_shards(origin, inputs, 250)
        assert max(shard.rows for shard in shards) <= 250
        assert len(shards) <= 8
        assert texts(read_all(origin, 250)[0]) == texts(rows)


def test_a_plan_and_a_file_that_disagree_are_an_error(tmp_path):
    origin = source(write(tmp_path / "c.jsonl", jsonl([{"text": "a"}, {"text": "b"}])))
    inputs = freeze_inputs(origin)
    wrong = Shard(0, (Slice(0, 0, 28, 1, 3),), 3)
    with pytest.raises(NocturnaError, match="changed while the run was going on"):
        read_shard(origin, inputs, wrong)


def test_a_corpus_without_rows_is_one_line(tmp_path):
    origin = source(write(tmp_path / "c.jsonl", b"\n\n"))
    with pytest.raises(UsageError, match=r"c\.jsonl: the corpus has no rows"):
        cut_shards(origin, freeze_inputs(origin))


@pytest.mark.parametrize("rows", [2, 20, 300, 1999, 4001])
@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_a_small_corpus_keeps_every_worker_busy(tmp_path, rows, format):
    texts_of = [{"text": "palabra " * (1 + i % 7)} for i in range(rows)]
    path = tmp_path / f"c.{format}"
    if format == "parquet":
        pq.write_table(pa.Table.from_pylist(texts_of), path)
    elif format == "csv":
        path.write_text("text\n" + "".join(f"{row['text']}\n" for row in texts_of))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in texts_of))
    origin = source(path)
    for workers in (1, 2, 8):
        shards = cut_shards(origin, freeze_inputs(origin), workers=workers)
        sizes = [shard.rows for shard in shards]
        assert sum(sizes) == rows
        assert len(sizes) >= min(rows, workers)
        if rows >= 20:
            assert len(sizes) % workers == 0
            assert max(sizes) <= min(1100, 1.2 * rows / len(sizes) + 2)
    many = cut_shards(origin, freeze_inputs(origin), workers=2)
    read = [read_shard(origin, freeze_inputs(origin), s).documents["text"] for s in many]
    assert [t for some in read for t in some.to_pylist()] == [row["text"] for row in texts_of]
