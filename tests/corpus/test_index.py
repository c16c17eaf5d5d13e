import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus.document_tables import DOCUMENT_SCHEMA, REJECT_SCHEMA
from nocturna.tasks.corpus.index import build_index, kept_schema, open_shard
from nocturna.tasks.corpus.inputs import freeze_inputs
from nocturna.tasks.corpus.shards import cut_shards
from nocturna.tasks.errors import NocturnaError
from tests.corpus.corpora import (
    delimited,
    jsonl,
    parquet,
    read_indexed,
    reasons,
    source,
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
    assert sum(s.documents for s in summary.shards) == 4
    assert sum(s.rejected for s in summary.shards) == 4


def test_the_index_lists_every_document_in_reading_order(tmp_path):
    path = write(tmp_path / "c.csv", delimited([{"id": i % 4, "text": f"{i}"} for i in range(10)]))
    read_indexed(source(path, id="id"), tmp_path / "i", 5)
    tables = [pq.read_table(p) for p in sorted((tmp_path / "i").glob("index-*.parquet"))]
    rows = pa.concat_tables(tables).to_pylist()
    assert [row["doc_id"] for row in rows] == [f"{i % 4}" for i in range(10)]
    assert [row["disposition"] for row in rows] == ["score"] * 4 + ["duplicate_id"] * 6
    assert [row["source_row"] for row in rows] == list(range(2, 12))
    assert rows[9]["content_hash"] == hash_of("9")


@pytest.mark.parametrize(
    "change",
    [
        '{"id": "2", "text": "DOS", "k": "x"}',
        '{"id": "9", "text": "dos", "k": "x"}',
        '{"id": "2", "text": "dos", "k": "y"}',
        '{"id": "2", "text": "dos", "k":  X }',
    ],
)
def test_a_shard_that_changed_is_not_scored(tmp_path, change):
    rows = [{"id": f"{i}", "text": t, "k": "x"} for i, t in enumerate(("uno", "dos", "tres"), 1)]
    path = write(tmp_path / "c.jsonl", jsonl(rows))
    origin = source(path, id="id", keep=("k",))
    inputs = freeze_inputs(origin)
    shards = cut_shards(origin, inputs)
    summary = build_index(origin, inputs, shards, tmp_path / "i")
    assert open_shard(origin, inputs, shards[0], summary, tmp_path / "i").documents.num_rows == 3
    lines = path.read_bytes().split(b"\n")
    assert len(lines[1]) == len(change)
    lines[1] = change.encode()
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(NocturnaError, match=r"c\.jsonl: changed while the run was going on"):
        open_shard(origin, inputs, shards[0], summary, tmp_path / "i")


def test_a_file_that_changed_while_it_was_planned_is_noticed(tmp_path):
    path = write(tmp_path / "c.jsonl", jsonl([{"text": "uno"}]))
    origin = source(path)
    inputs = freeze_inputs(origin)
    write(path, jsonl([{"text": "dos"}]))
    shards = cut_shards(origin, inputs)
    with pytest.raises(NocturnaError, match="changed while it was being read; run again"):
        build_index(origin, inputs, shards, tmp_path / "i")


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
    inputs = freeze_inputs(origin)
    shards = cut_shards(origin, inputs)
    summary = build_index(origin, inputs, shards, tmp_path / "i")
    rows = open_shard(origin, inputs, shards[0], summary, tmp_path / "i")
    assert rows.documents.schema == pa.schema([*DOCUMENT_SCHEMA, ("kept.k", pa.int64())])
    assert rows.rejects.schema == REJECT_SCHEMA


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
