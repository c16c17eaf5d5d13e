import hashlib
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus import lots, one_input
from nocturna.tasks.corpus.document_tables import DOCUMENT_SCHEMA, REJECT_SCHEMA
from nocturna.tasks.corpus.in_memory import read_in_memory
from nocturna.tasks.corpus.index import build_index, kept_schema
from nocturna.tasks.corpus.inputs import look_at
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files
from tests.corpus.corpora import (
    compressed,
    delimited,
    jsonl,
    parquet,
    read_indexed,
    reasons,
    source,
    staged_in,
    texts,
    write,
)


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_documents_without_an_id_are_named_by_content_and_occurrence(tmp_path, size):
    write(tmp_path / "c" / "1.jsonl", jsonl([{"text": t} for t in ("a", "b", "a")]))
    write(tmp_path / "c" / "2.jsonl", jsonl([{"text": t} for t in ("b", "a", "c", "a")]))
    documents, rejects, summary = read_indexed(source(tmp_path / "c"), tmp_path / "i", size)
    a, b, c = map(hash_of, "abc")
    assert [row["doc_id"] for row in documents] == [
        f"{a}-1",
        f"{b}-1",
        f"{a}-2",
        f"{b}-2",
        f"{a}-3",
        f"{c}-1",
        f"{a}-4",
    ]
    assert (rejects, summary.duplicates, summary.example) == ([], 0, None)


def test_names_do_not_depend_on_where_documents_are(tmp_path):
    rows = [{"text": t} for t in ("uno", "dos", "tres", "dos")]
    write(tmp_path / "a" / "c.jsonl", jsonl(rows))
    write(tmp_path / "b" / "c.jsonl", b"\n\n" + jsonl([{"text": "nuevo"}, *rows]))
    first, *_ = read_indexed(source(tmp_path / "a"), tmp_path / "ia", 2)
    second, *_ = read_indexed(source(tmp_path / "b"), tmp_path / "ib", 3)
    assert [row["doc_id"] for row in second][1:] == [row["doc_id"] for row in first]


def test_documents_that_fail_are_named_too(tmp_path):
    data = b'{"text": null}\n{"text": " "}\n{"text": null}\n{"text": 3}\n{"text": "a"}\n'
    documents, _, summary = read_indexed(source(write(tmp_path / "c.jsonl", data)), tmp_path / "i")
    empty, space, three = hash_of(""), hash_of(" "), hash_of("3")
    assert [row["doc_id"] for row in documents] == [
        f"{empty}-1",
        f"{space}-1",
        f"{empty}-2",
        f"{three}-1",
        f"{hash_of('a')}-1",
    ]
    assert summary.failed == {"empty_text": 1, "not_text": 1, "null_text": 2}
    assert summary.documents == 5


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_of_documents_with_one_id_the_first_stays(tmp_path, size):
    one = write(tmp_path / "c" / "1.jsonl", jsonl([{"id": i, "text": f"a{i}"} for i in (1, 2, 1)]))
    two = write(
        tmp_path / "c" / "2.jsonl",
        b'{"id": 3, "text": null}\nrota\n{"id": 3, "text": "b"}\n'
        b'{"id": "1", "text": " "}\n{"id": 4, "text": "d"}\n',
    )
    documents, rejects, summary = read_indexed(
        source(tmp_path / "c", id="id"), tmp_path / "i", size
    )
    assert [row["doc_id"] for row in documents] == ["1", "2", "3", "4"]
    assert [row["error_code"] for row in documents] == [None, None, "null_text", None]
    places = [(row["source_uri"], row["source_row"], row["reason"]) for row in rejects]
    assert places == [
        (str(one), 3, "duplicate_id"),
        (str(two), 2, "invalid_json"),
        (str(two), 3, "duplicate_id"),
        (str(two), 4, "duplicate_id"),
    ]
    assert rejects[0]["message"] == f"the id '1' is already that of {one}, row 1"
    assert rejects[2]["message"] == f"the id '3' is already that of {two}, row 1"
    assert (summary.read, summary.documents, summary.rejected) == (8, 4, 4)
    assert summary.reasons == {"duplicate_id": 3, "invalid_json": 1}
    assert summary.failed == {"null_text": 1}
    assert (summary.duplicates, summary.id_column) == (3, "id")
    again = summary.example
    assert (again.doc_id, again.first_uri, again.first_row) == ("1", str(one), 1)
    assert (again.again_uri, again.again_row) == (str(one), 3)


def test_the_index_lists_every_document_in_reading_order(tmp_path):
    path = write(tmp_path / "c.csv", delimited([{"id": i % 4, "text": f"{i}"} for i in range(10)]))
    read_indexed(source(path, id="id"), tmp_path / "i", 5)
    tables = [pq.read_table(p) for p in sorted((tmp_path / "i").glob("index-*.parquet"))]
    rows = pa.concat_tables(tables).to_pylist()
    assert [row["doc_id"] for row in rows] == [f"{i % 4}" for i in range(10)]
    assert [row["disposition"] for row in rows] == ["score"] * 4 + ["duplicate_id"] * 6
    assert [row["source_row"] for row in rows] == list(range(2, 12))
    assert rows[9]["content_hash"] == hash_of("9")


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path, monkeypatch):
    path = write(tmp_path / "c.jsonl", jsonl([{"text": "uno"}]))

    def look_and_change(origin, file, format):
        write(path, jsonl([{"text": "dos"}]))
        return look_at(origin, file, format)

    monkeypatch.setattr(one_input, "look_at", look_and_change)
    with pytest.raises(NocturnaError, match="changed while it was being read; run again"):
        staged_in(source(path), tmp_path / "s")
    assert not list((tmp_path / "s").glob("[!.]*"))


def test_numbers_that_become_text_are_as_they_were_written(tmp_path):
    write(tmp_path / "c" / "a.jsonl", b'{"text": "x", "n": 1.50}\n{"text": "y", "n": 2}\n')
    write(tmp_path / "c" / "b.jsonl", b'{"text": "z", "n": 1e2}\n{"text": "v", "n": "uno"}\n')
    for size in (1, 2, 3, 100):
        documents, *_ = read_indexed(source(tmp_path / "c", keep=("n",)), tmp_path / "i", size)
        assert [row["n"] for row in documents] == ["1.50", "2", "1e2", "uno"]


def test_an_input_that_is_the_same_is_not_read_and_another_one_is(tmp_path, monkeypatch):
    read = []
    before = one_input.look_at
    monkeypatch.setattr(
        one_input, "look_at", lambda s, f, n: read.append(f.name) or before(s, f, n)
    )
    for name in "abc":
        write(tmp_path / "c" / f"{name}.jsonl", jsonl([{"text": name}]))
    time.sleep(0.1)  # a file that was written just now may change again unseen
    origin = source(tmp_path / "c")
    first = staged_in(origin, tmp_path / "s")
    assert read == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert staged_in(origin, tmp_path / "s").lots == first.lots
    assert len(read) == 3
    write(tmp_path / "c" / "b.jsonl", jsonl([{"text": "B"}]))
    staged = staged_in(origin, tmp_path / "s")
    assert read[3:] == ["b.jsonl"]
    build = tmp_path / "i"
    build.mkdir()
    build_index(staged, build, files.link_or_copy)
    tables = [pq.read_table(path) for path in sorted(build.glob("index-*.parquet"))]
    found = pa.concat_tables(tables)["content_hash"].to_pylist()
    assert found == [hash_of("a"), hash_of("B"), hash_of("c")]
    staged_in(source(tmp_path / "c", max_chars=5), tmp_path / "s")
    assert len(read) == 7
    monkeypatch.setattr(lots, "_code_of", lambda format: "another version of the format")
    staged_in(source(tmp_path / "c", max_chars=5), tmp_path / "s")
    assert len(read) == 10


@pytest.mark.parametrize("harm", ["cut", "flip", "gone", "record", "other"])
def test_what_is_damaged_on_the_shelf_is_staged_again(tmp_path, harm):
    path = write(tmp_path / "c.jsonl", jsonl([{"text": "uno"}, {"text": "dos"}]))
    time.sleep(0.1)
    ((folder, lot),) = staged_in(source(path), tmp_path / "s").lots
    index, record = folder / "index-000000.parquet", folder / "lot.json.zst"
    data = index.read_bytes()
    match harm:
        case "cut":
            index.write_bytes(data[:-20])
        case "flip":
            index.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
        case "gone":
            index.unlink()
        case "record":
            record.write_bytes(record.read_bytes()[:-9])
        case "other":
            record.write_bytes(compressed(b'{"format": 99}', ".zst"))
    ((_, again),) = staged_in(source(path), tmp_path / "s").lots
    assert again == lot and index.read_bytes() == data


def test_kept_columns_have_one_type_across_files(tmp_path):
    for name, values in (("a", [None, None]), ("b", [1, 2]), ("c", [1.5, None])):
        write(
            tmp_path / "c" / f"{name}.parquet", parquet(pa.table({"text": ["x", "y"], "n": values}))
        )
    documents, *_ = read_indexed(source(tmp_path / "c", keep=("n",)), tmp_path / "i", 2)
    assert [row["n"] for row in documents] == [None, None, 1.0, 2.0, 1.5, None]
    assert kept_schema(tmp_path / "i") == pa.schema([("n", pa.float64())])
    write(tmp_path / "c" / "d.parquet", parquet(pa.table({"text": ["x"], "n": ["siete"]})))
    documents, *_ = read_indexed(source(tmp_path / "c", keep=("n",)), tmp_path / "i", 2)
    assert [row["n"] for row in documents] == [None, None, "1", "2", "1.5", None, "siete"]


def test_kept_columns_that_do_not_go_together_are_text_within_a_shard_too(tmp_path):
    write(tmp_path / "c" / "a.parquet", parquet([{"text": "x", "n": 1}]))
    write(tmp_path / "c" / "b.jsonl", jsonl([{"text": "y", "n": "uno"}]))
    for size in (1, 10):
        documents, *_ = read_indexed(source(tmp_path / "c", keep=("n",)), tmp_path / "i", size)
        assert [row["n"] for row in documents] == ["1", "uno"]


def test_schemas_are_the_agreed_ones(tmp_path):
    path = write(tmp_path / "c.jsonl", jsonl([{"text": "a", "k": 1}]) + b"rota\n")
    origin = source(path, keep=("k",))
    documents, rejects = read_in_memory(origin)
    assert documents.schema == pa.schema([*DOCUMENT_SCHEMA, ("kept.k", pa.int64())])
    assert rejects.schema == REJECT_SCHEMA


def test_an_index_made_again_holds_nothing_of_the_one_before(tmp_path):
    path = write(tmp_path / "c.jsonl", jsonl([{"id": i, "text": f"{i}"} for i in range(10)]))
    read_indexed(source(path, id="id"), tmp_path / "i", 1)
    documents, rejects, _ = read_indexed(source(path, id="id"), tmp_path / "i", 5)
    assert (len(documents), rejects) == (10, [])


def test_a_folder_name_with_glob_characters(tmp_path):
    path = write(tmp_path / "c.jsonl", jsonl([{"text": "a"}, {"text": "a"}]))
    documents, *_ = read_indexed(source(path), tmp_path / "índice [1]*? 'x'")
    assert [row["doc_id"][-2:] for row in documents] == ["-1", "-2"]


def test_a_shard_of_rejects_only(tmp_path):
    path = write(tmp_path / "c.jsonl", b'{"text": "a", "k": 1}\nx\ny\n')
    documents, rejects, summary = read_indexed(source(path, keep=("k",)), tmp_path / "i", 1)
    assert (texts(documents), reasons(rejects)) == (["a"], ["invalid_json"] * 2)
    assert summary.reasons == {"invalid_json": 2}
