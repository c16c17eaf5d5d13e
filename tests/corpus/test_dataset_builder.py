import pytest

import nocturna
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import jsonl, parquet, source, write


def test_a_corpus_is_a_data_set_with_every_row(tmp_path):
    write(
        tmp_path / "c" / "a.jsonl",
        jsonl([{"id": 7, "cuerpo": "uno", "n": 1}, {"id": 8, "cuerpo": " ", "n": 2}]) + b"rota\n",
    )
    write(tmp_path / "c" / "b.parquet", parquet([{"id": "x", "cuerpo": "dos", "n": 2.5}]))
    write(tmp_path / "c" / "c.csv", "id,cuerpo,n\n7,otra vez,4\n")
    rows = nocturna.read_corpus(tmp_path / "c", text="cuerpo", id="id", keep=("n",))
    found = list(rows)
    assert [row["doc_id"] for row in found] == ["7", "8", "x", None, None]
    assert [row["text"] for row in found] == ["uno", None, "dos", None, None]
    assert [row["error_code"] for row in found] == [
        *(None, "empty_text", None),
        *("invalid_json", "duplicate_id"),
    ]
    assert [row["n"] for row in found] == ["1", "2", "2.5", None, None]
    assert rows.column_names == [
        *("doc_id", "text", "source_uri", "source_row", "error_code", "error_message", "n")
    ]
    kept = rows.filter(lambda row: row["error_code"] is None).map(
        lambda row: {"size": len(row["text"])}
    )
    assert [row["size"] for row in kept] == [3, 3]
    with pytest.raises(UsageError, match="no column 'text' for `text`"):
        nocturna.read_corpus(tmp_path / "c" / "a.jsonl")


def test_a_data_set_can_be_read_twice_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "t").mkdir()
    path = write(tmp_path / "c.jsonl", jsonl([{"text": f"{n}"} for n in range(40)]))
    rows = nocturna.read_corpus(path)
    path.unlink()
    assert [row["text"] for row in rows] == [row["text"] for row in rows]
    assert source(path).path == str(path)
    del rows
    assert not list((tmp_path / "t").glob("nocturna-corpus-*"))
