"""Each item of bad input has a stated outcome, the same in every format that can hold it."""

import json

import pyarrow as pa
import pytest

from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    delimited,
    jsonl,
    parquet,
    read_all,
    read_indexed,
    reasons,
    source,
    texts,
    write,
)

TEXT_COLUMN = ["jsonl", "json", "csv", "tsv", "parquet"]


def stored(form, rows):
    if form == "parquet":
        return parquet(rows)
    if form in ("csv", "tsv"):
        return delimited(rows, "," if form == "csv" else "\t")
    return jsonl(rows) if form == "jsonl" else json.dumps(rows).encode()


@pytest.mark.parametrize("form", TEXT_COLUMN)
def test_empty_and_white_texts_keep_their_row(tmp_path, form):
    rows = [
        {"id": f"{i}", "text": t} for i, t in enumerate(["a", "", "  \n\t", "\u00a0\u2003", "b"])
    ]
    documents, rejects = read_all(
        source(write(tmp_path / f"c.{form}", stored(form, rows)), id="id")
    )
    assert [(row["doc_id"], row["error_code"]) for row in documents] == [
        ("0", None),
        ("1", "empty_text"),
        ("2", "empty_text"),
        ("3", "empty_text"),
        ("4", None),
    ]
    assert rejects == []


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_null_texts_keep_their_row(tmp_path, form):
    rows = [{"id": "1", "text": "a"}, {"id": "2", "text": None}]
    documents, _ = read_all(source(write(tmp_path / f"c.{form}", stored(form, rows)), id="id"))
    assert [row["error_code"] for row in documents] == [None, "null_text"]


@pytest.mark.parametrize("form", TEXT_COLUMN)
def test_nul_bytes_are_part_of_a_text(tmp_path, form):
    rows = [{"id": "1", "text": "a\x00b"}, {"id": "2", "text": "\x00"}]
    documents, rejects = read_all(source(write(tmp_path / f"c.{form}", stored(form, rows))))
    assert texts(documents) == ["a\x00b", "\x00"]
    assert rejects == []


@pytest.mark.parametrize("form", [*TEXT_COLUMN, "txt"])
def test_a_document_of_20_mb_is_too_long_or_read_whole(tmp_path, form):
    long = "El código de comercio. " * 870_000
    rows = [{"id": "1", "text": "a"}, {"id": "2", "text": long}, {"id": "3", "text": "b"}]
    data = f"a\n{long}\nb\n".encode() if form == "txt" else stored(form, rows)
    path = write(tmp_path / f"c.{form}", data)
    documents, rejects = read_all(source(path))
    assert [row["error_code"] for row in documents] == [None, "too_long", None]
    assert (
        documents[1]["error_message"] == "20,010,000 characters, more than max_chars (10,000,000)"
    )
    documents, _ = read_all(source(path, max_chars=30_000_000))
    assert [len(row["text"]) for row in documents] == [1, len(long), 1]
    assert documents[1]["text"] == long
    assert rejects == []


def test_a_file_over_the_limit_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr("nocturna.tasks.corpus.whole_texts.MAX_RECORD", 1_000_000)
    write(tmp_path / "a.txt", "x" * 999_999)
    write(tmp_path / "b.txt", "x" * 1_000_001)
    documents, rejects = read_all(source(tmp_path, format="files"))
    assert [row["doc_id"] for row in documents] == ["a.txt"]
    assert reasons(rejects) == ["file_too_long"]


def test_lone_surrogates_keep_their_row_and_pairs_are_characters(tmp_path):
    data = '{"text": "\\ud83d"}\n{"text": "\\ud83d\\ude42"}\n{"text": "x\\udc00y"}\n'
    documents, rejects = read_all(source(write(tmp_path / "c.jsonl", data)))
    assert [row["error_code"] for row in documents] == ["invalid_unicode", None, "invalid_unicode"]
    assert texts(documents) == [None, "🙂", None]
    assert documents[2]["error_message"].startswith("a lone surrogate at character 2")
    assert rejects == []


@pytest.mark.parametrize("form", TEXT_COLUMN)
def test_an_id_column_that_is_not_unique_is_described(tmp_path, form):
    rows = [{"id": ["a", "b"][i % 2], "text": f"{i}"} for i in range(10)]
    path = write(tmp_path / f"c.{form}", stored(form, rows))
    documents, rejects, summary = read_indexed(source(path, id="id"), tmp_path / "i", 3)
    assert [(row["doc_id"], row["text"]) for row in documents] == [("a", "0"), ("b", "1")]
    assert reasons(rejects) == ["duplicate_id"] * 8
    assert (summary.id_column, summary.duplicates, summary.read) == ("id", 8, 10)
    assert summary.example.doc_id == "a"
    assert (summary.example.first_uri, summary.example.again_uri) == (str(path), str(path))
    assert summary.example.again_row - summary.example.first_row == 2


@pytest.mark.parametrize("form", TEXT_COLUMN)
@pytest.mark.parametrize("missing", ["text", "id", "keep"])
def test_a_missing_column_is_one_line(tmp_path, form, missing):
    path = write(tmp_path / f"c.{form}", stored(form, [{"uno": "a", "dos": "b"}]))
    values = {"text": "uno"} | ({missing: ("tres",) if missing == "keep" else "tres"})
    with pytest.raises(UsageError) as error:
        read_all(source(path, **values))
    assert str(error.value) == (
        f"{path}: no column 'tres' for `{missing}`; the columns are 'uno', 'dos'"
    )


@pytest.mark.parametrize("form", ["text", "files"])
def test_formats_without_columns_have_no_id(tmp_path, form):
    path = write(tmp_path / "c.txt", "a\n")
    for values in ({"id": "id"}, {"keep": ("k",)}):
        with pytest.raises(
            UsageError, match=r"c\.txt: no column '(id|k)': here a (line|file) is a"
        ):
            read_all(source(path, format=form, **values))


def test_a_column_whose_name_repeats_in_parquet_is_one_line(tmp_path):
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    path = write(tmp_path / "c.parquet", parquet(table))
    with pytest.raises(UsageError, match="2 columns are named 'text'; rename all but one"):
        read_all(source(path))


def test_every_row_is_accounted_for_whatever_is_in_it(tmp_path):
    good = jsonl([{"id": f"{i}", "text": f"texto {i}"} for i in range(300)]).splitlines()
    bad = [
        b'{"id": "x"',
        b"[]",
        b'{"id": null, "text": "a"}',
        b'{"id": "3", "text": "otra"}',
        b'{"id": "n1", "text": null}',
        b'{"id": "n2"}',
        b'{"id": "n3", "text": 5}',
        b"\xff\xfe",
        b'{"id": "n4", "text": "\\ud800"}',
        b'{"id": "n5", "text": " "}',
        b"   ",
        b"",
    ]
    lines = [*good[:100], *bad, *good[100:]]
    path = write(tmp_path / "c.jsonl", b"\n".join(lines))
    for size in (1, 17, 1000):
        documents, rejects, summary = read_indexed(source(path, id="id"), tmp_path / "i", size)
        assert summary.read == 310 == len(documents) + len(rejects)
        assert summary.failed == {
            "empty_text": 1,
            "invalid_unicode": 1,
            "missing_text": 1,
            "not_text": 1,
            "null_text": 1,
        }
        assert summary.reasons == {
            "duplicate_id": 1,
            "encoding": 1,
            "invalid_json": 1,
            "missing_id": 1,
            "not_an_object": 1,
        }
        rows = sorted(row["source_row"] for row in [*documents, *rejects])
        assert rows == [n for n in range(1, 313) if n not in (111, 112)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": "\x8f", "text": "uno", "k": "dos"}',
        b'{"id": "b\\u00e9\xff", "text": "uno", "k": "dos"}',
        b'{"id": "b", "text": "uno", "k": "\xc3"}',
        b'{"id": "b", "text": "uno", "k": "\xc3\\u00e9"}',
        b'{"id": "b", "text": "uno", "k": "\\x"}',
        b'{"id": "\\ud8", "text": "uno", "k": "dos"}',
        b'{"id": "b", "\xff": 1, "text": "uno", "k": "dos"}',
        b'{"id": "b", "text": "uno", "k": {"\xff": 1}}',
    ],
)
def test_bytes_that_are_no_text_anywhere_in_a_line_put_that_line_aside(tmp_path, line):
    good = jsonl([{"id": f"g{n}", "text": "bien", "k": "x"} for n in range(20)])
    path = write(tmp_path / "c.jsonl", good + line + b"\n" + good.replace(b'"g', b'"h'))
    documents, rejects = read_all(source(path, id="id", keep=("k",)))
    assert len(documents) == 40 and len(rejects) == 1
    assert rejects[0]["source_row"] == 21 and rejects[0]["raw"] == line
