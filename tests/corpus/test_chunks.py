import random

import pytest

from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    ENCODERS,
    compressed,
    parquet,
    read_all,
    source,
    staged_in,
    texts,
    write,
)

LINE_FORMATS = ["jsonl", "json", "csv", "tsv", "txt"]
FILES = [f"{f}{c}" for f in LINE_FORMATS for c in ("", ".gz", ".zst", ".bz2", ".xz")] + [
    "parquet",
    "arrow",
]


def corpus(rows: int, seed: int = 0) -> list[dict]:
    """Rows whose texts have every length, quotes, commas, tabs, emojis and line breaks."""
    dice = random.Random(seed)
    alphabet = 'aeñ, ;"\t\n🙂|{}[]:\\'
    return [
        {"id": f"{i:05}", "text": f"{i}" + "".join(dice.choices(alphabet, k=dice.randint(0, 90)))}
        for i in range(rows)
    ]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name.endswith((".bz2", ".xz")) else ())
        for name in FILES
    ],
)
def test_chunks_of_any_size_hold_every_row_once_and_in_order(tmp_path, name):
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


def test_source_rows_are_line_numbers_and_blank_lines_count(tmp_path):
    data = b'{"text": "a"}\n\n   \r\n{"text": "b"}\n\n{"text": "c"}'
    documents, _ = read_all(source(write(tmp_path / "c.jsonl", data)), 1)
    assert [(row["text"], row["source_row"]) for row in documents] == [("a", 1), ("b", 4), ("c", 6)]


def test_many_small_files_share_shards(tmp_path):
    for i in range(300):
        write(tmp_path / "corpus" / f"{i:03}.txt", f"uno {i}\ndos {i}\n")
    chunks = list(staged_in(source(tmp_path / "corpus"), tmp_path / "s").chunks())
    assert sum(chunk.documents for _, _, chunk in chunks) == 600
    assert len(chunks) < 20
    documents, _ = read_all(source(tmp_path / "corpus"), 100)
    assert texts(documents) == [f"{n} {i}" for i in range(300) for n in ("uno", "dos")]
    files, _ = read_all(source(tmp_path / "corpus", format="files"))
    assert [row["doc_id"] for row in files] == [f"{i:03}.txt" for i in range(300)]
    assert files[7]["text"] == "uno 7\ndos 7\n"


def test_parquet_row_groups_are_read_in_any_chunks(tmp_path):
    rows = [{"text": f"{i}"} for i in range(1000)]
    for group in (1000, 300, 10):
        origin = source(write(tmp_path / f"{group}.parquet", parquet(rows, group)))
        assert texts(read_all(origin, 250)[0]) == texts(rows)


def test_a_corpus_without_rows_is_one_line(tmp_path):
    origin = source(write(tmp_path / "c.jsonl", b"\n\n"))
    with pytest.raises(UsageError, match=r"c\.jsonl: the corpus has no rows"):
        read_all(origin)
