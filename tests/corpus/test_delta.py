"""Delta tables as corpora: the live files of a version, with the columns of their partitions."""

import datetime as dt
import json
import os
import time

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from nocturna.tasks.corpus import staging
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    inputs_of,
    jsonl,
    parquet,
    read_all,
    read_indexed,
    source,
    staged_in,
    texts,
    write,
)


def rows(ids, word):
    return pa.table({"id": ids, "text": [f"{i} {word}" for i in ids]})


@pytest.fixture
def table(tmp_path):
    """A table that was overwritten once and had a row deleted."""
    path = tmp_path / "tabla"
    write_deltalake(path, rows(["1", "2", "3"], "borrador"))
    write_deltalake(path, rows(["1", "2", "3", "4"], "final"), mode="overwrite")
    DeltaTable(path).delete("id = '4'")
    return path


@pytest.mark.parametrize("form", ["{}", "file://{}"])
@pytest.mark.parametrize("named", [{"id": "id"}, {}])
def test_delta_table_as_source(table, caplog, form, named):
    documents, rejects = read_all(source(form.format(table), **named))
    assert (texts(documents), rejects) == (["1 final", "2 final", "3 final"], [])
    assert "left out 2 files: 2 no longer part of the table" in caplog.text


@pytest.mark.parametrize(("counts", "wanted"), [("first", "v0"), ("last", "v5")])
def test_rows_of_a_table_count_in_the_order_in_which_it_got_them(tmp_path, counts, wanted):
    for n in range(6):
        more = pa.table({"id": [1], "text": [f"v{n}"], "p": [n % 2]})
        write_deltalake(tmp_path / "t", more, mode="append", partition_by=["p"])
        time.sleep(0.002)
    found, rejects, _ = read_indexed(
        source(tmp_path / "t", id="id", on_repeat=counts), tmp_path / "i"
    )
    assert (texts(found), rejects) == ([wanted], [])


def test_a_version_of_a_table(table):
    assert len(read_all(source(table, delta_version=1))[0]) == 4
    assert texts(read_all(source(table, delta_version=0))[0])[0] == "1 borrador"
    with pytest.raises(
        UsageError, match=r"tabla: the Delta table cannot be read: .* version 9"
    ) as e:
        inputs_of(source(table, delta_version=9))
    assert "\n" not in str(e.value)
    for path in (table / "_delta_log", write(table.parent / "c.jsonl", jsonl([{"text": "a"}]))):
        with pytest.raises(UsageError, match="is no Delta table; leave `delta_version` out"):
            inputs_of(source(path, delta_version=1))


def test_a_table_of_which_every_row_was_deleted_is_told(table):
    DeltaTable(table).delete()
    with pytest.raises(UsageError, match="tabla: the Delta table has no rows"):
        inputs_of(source(table))


def test_the_columns_of_partitions_are_columns(tmp_path):
    days = [dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.date(2024, 1, 2)]
    of = {"day": days, "part": ["a b/ñ=%", None, None], "n": [1, 2, 2]}
    made = rows(["1", "2", "3"], "x")
    for name, values in of.items():
        made = made.append_column(name, pa.array(values))
    write_deltalake(tmp_path / "t", made, partition_by=list(of))
    for keep in (tuple(of), ("*",)):
        documents, *_ = read_indexed(source(tmp_path / "t", id="id", keep=keep), tmp_path / "i")
        found = {row["doc_id"]: {name: row[name] for name in of} for row in documents}
        assert found == {f"{n + 1}": {name: of[name][n] for name in of} for n in range(3)}
    documents, _ = read_all(source(tmp_path / "t", id="{part}-{id}", keep=("n",)))
    assert [row["doc_id"] for row in documents] == ["a b/ñ=%-1"]
    documents, _ = read_all(source(tmp_path / "t", id="n", include=("day=2024-01-01/",)))
    assert [row["doc_id"] for row in documents] == ["1"]


def test_a_live_file_that_is_the_same_is_not_read_again(table, monkeypatch):
    read = []

    def reading(listed, collector):
        read.append(listed[0].name)
        return real(listed, collector)

    real = staging.read_input
    monkeypatch.setattr(staging, "read_input", reading)
    for file in table.glob("*.parquet"):
        os.utime(file)
    time.sleep(0.06)
    staged_in(source(table, id="id"), table.parent / "s")
    before = {*read}
    write_deltalake(table, rows(["5"], "nueva"), mode="append")
    staged = staged_in(source(table, id="id"), table.parent / "s")
    assert (len(before), len(read), staged.rows) == (1, 2, 4)
    assert read[1] not in before


MASK = {  # that of the protocol's own example: rows 3, 4, 7, 11, 18 and 29
    "storageType": "i",
    "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
    "sizeInBytes": 40,
    "cardinality": 6,
}


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        (
            {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]},
            "uses deletionVectors, so that",
        ),
        ({"mode": "name"}, r"uses columnMapping \(name\), so that its files alone do not say"),
    ],
)
def test_a_table_whose_files_do_not_say_its_rows_is_refused(tmp_path, protocol, said):
    write_deltalake(tmp_path / "t", rows([f"{n}" for n in range(30)], "x"))
    log = tmp_path / "t" / "_delta_log"
    (first,) = map(json.loads, [p for p in (log / f"{0:020}.json").open() if '"add"' in p])
    mode = protocol.pop("mode", None)
    if mode:
        lines = [json.loads(line) for line in (log / f"{0:020}.json").open()]
        about = next(line for line in lines if "metaData" in line)
        about["metaData"]["configuration"] = {"delta.columnMapping.mode": mode}
        schema = json.loads(about["metaData"]["schemaString"])
        for number, field in enumerate(schema["fields"], 1):
            physical = {"delta.columnMapping.id": number}
            field["metadata"] = physical | {"delta.columnMapping.physicalName": f"col-{number}"}
        about["metaData"]["schemaString"] = json.dumps(schema)
        change = [{"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}, about]
    else:
        change = [
            {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **protocol}},
            {"remove": {"path": first["add"]["path"], "dataChange": True, "deletionTimestamp": 1}},
            {"add": {**first["add"], "deletionVector": MASK}},
        ]
    (log / f"{1:020}.json").write_text("\n".join(map(json.dumps, change)))
    with pytest.raises(UsageError, match=said) as line:
        inputs_of(source(tmp_path / "t"))
    assert "\n" not in str(line.value)


def test_a_table_that_is_not_whole_is_one_line(table):
    lost = next(iter(DeltaTable(table).file_uris()))
    os.unlink(lost)  # noqa: PTH108
    with pytest.raises(UsageError, match="is not in its folder; if a vacuum removed it, name a"):
        inputs_of(source(table))
    write(table / "_delta_log" / f"{3:020}.json", "{no")
    with pytest.raises(UsageError, match="tabla: the Delta table cannot be read: ") as line:
        inputs_of(source(table))
    assert "\n" not in str(line.value)


def test_what_holds_a_table_or_is_inside_of_one_is_refused(table, caplog):
    write(table / "data" / "a.parquet", parquet([{"text": "a"}]))
    for folder in (table.parent, table / "data"):
        with pytest.raises(
            UsageError, match=r"tabla: is a Delta table, .*; name its folder by itself"
        ):
            inputs_of(source(folder))
    assert len(inputs_of(source(f"{table}/*.parquet"))) == 3
    assert "lies in a Delta table" in caplog.text
