"""Ids that are floats, as whole numbers become where one of them is missing."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.corpus.corpora import jsonl, parquet, read_all, read_indexed, reasons, source, write


def table(ids):
    return pa.table({"id": ids, "text": [f"t{n}" for n in range(len(ids))]})


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.float16()])
def test_floats_that_are_whole_numbers_are_these(tmp_path, caplog, kind):
    ids = pa.array([5.0, -0.0, None, 1.5, float("nan"), float("inf"), 12.0]).cast(kind)
    write(tmp_path / "c" / "a.parquet", parquet(table(ids)))
    write(tmp_path / "c" / "b.parquet", parquet(table(pa.array([7, 8]))))
    origin = source(tmp_path / "c", id="id")
    documents, rejects, _ = read_indexed(origin, tmp_path / "i")
    assert [row["doc_id"] for row in documents] == ["5", "0", "1.5", "12", "7", "8"]
    assert reasons(rejects) == ["missing_id", "missing_id", "invalid_id"]
    (line,) = [line for line in caplog.messages if "floats" in line]
    assert line.endswith(
        "a.parquet: the ids in 'id' are floats: whole numbers become such, 5.0 is 5"
    )


def test_a_float_that_stands_for_many_whole_numbers_is_no_id(tmp_path):
    path = write(tmp_path / "c.parquet", parquet(table([2.0**53 - 1, 2.0**53])))
    documents, rejects = read_all(source(path, id="id"))
    assert [row["doc_id"] for row in documents] == [str(2**53 - 1)]
    assert "the id is a float of 2^53 or more" in rejects[0]["message"]


def test_numbers_of_json_too(tmp_path, caplog):
    path = write(
        tmp_path / "c.jsonl",
        b"".join(
            b'{"id": %s, "text": "t"}\n' % one
            for one in (b"1", b"2.0", b"3e0", b"4.50", b"1e400", b'"5.0"', b"-6.00", b"true", b"-0")
        ),
    )
    documents, *_ = read_indexed(source(path, id="id"), tmp_path / "i")
    found = [row["doc_id"] for row in documents]
    assert found == ["1", "2", "3", "4.50", "1e400", "5.0", "-6", "true", "0"]
    assert "the ids in 'id' are floats" in caplog.text
    caplog.clear()
    read_indexed(source(write(path, jsonl([{"id": 1, "text": "a"}])), id="id"), tmp_path / "i")
    assert "floats" not in caplog.text


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_those_of_ids_of_several_columns_too(tmp_path, form):
    rows = [{"fuente": "a", "n": 1.0, "text": "x"}, {"fuente": "b", "n": 2.0, "text": "y"}]
    path = write(tmp_path / f"c.{form}", jsonl(rows) if form == "jsonl" else parquet(rows))
    documents, _ = read_all(source(path, id=["fuente", "n"]))
    assert [row["doc_id"] for row in documents] == ["a/1", "b/2"]


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        ([dt.date(2024, 5, 2)], "2024-05-02"),
        ([dt.datetime(2024, 5, 2, 1)], "2024-05-02 01:00:00.000000"),
        ([Decimal("1.50")], "1.50"),
        ([True], "true"),
        (pa.array(["a"]).dictionary_encode(), "a"),
    ],
)
def test_ids_of_other_types(tmp_path, ids, named):
    path = write(tmp_path / "c.parquet", parquet(table(ids)))
    assert [row["doc_id"] for row in read_all(source(path, id="id"))[0]] == [named]


@pytest.mark.parametrize("id", ["id", ["day", "id"]])
@pytest.mark.parametrize("kind", [pa.timestamp, lambda unit: pa.timestamp(unit, "UTC")])
def test_one_moment_is_one_id_in_whatever_unit_and_zone_it_is_stored(tmp_path, kind, id):
    moment = dt.datetime(2024, 5, 2, 10, 30, 1)
    arrays = [pa.array([moment], kind(unit)) for unit in ("s", "ms", "us", "ns")]
    if arrays[0].type.tz:
        zones = ("Europe/Madrid", "+09:00")
        arrays += [a.cast(pa.timestamp("us", z)) for a, z in zip(arrays, zones, strict=False)]
    for n, array in enumerate(arrays):
        values = table(array).append_column("day", pa.array(["x"]))
        with pa.ipc.new_file(tmp_path / f"{n}.arrow", values.schema) as out:
            out.write_table(values)
    found = {row["doc_id"] for row in read_all(source(tmp_path, id=id))[0]}
    assert len(found) == 1 and "2024-05-02 10:30:01.000000" in found.pop()


def test_nanoseconds_and_times_of_day_as_ids(tmp_path):
    fine = pa.array([1714645800123456789, 1714645800123456000, None], pa.timestamp("ns"))
    path = write(tmp_path / "c.parquet", parquet(table(fine)))
    found = [row["doc_id"] for row in read_all(source(path, id="id"))[0]]
    assert found == ["2024-05-02 10:30:00.123456789", "2024-05-02 10:30:00.123456"]
    for kind in (pa.time32("ms"), pa.time64("us"), pa.time64("ns")):
        write(path, parquet(table(pa.array([dt.time(1, 2)], kind))))
        assert read_all(source(path, id="id"))[0][0]["doc_id"] == "01:02:00.000000"


def test_decimals_that_are_whole_numbers_are_these(tmp_path):
    ids = [Decimal(3), Decimal("3.5"), Decimal(2**53 + 1), Decimal(0)]
    path = write(tmp_path / "c.parquet", parquet(table(pa.array(ids, pa.decimal128(38, 10)))))
    found = [row["doc_id"] for row in read_all(source(path, id="id"))[0]]
    assert found == ["3", "3.5000000000", str(2**53 + 1), "0"]
