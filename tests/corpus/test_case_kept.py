"""Kept columns and ids whose names or types are not what a single file would make them."""

import datetime as dt
import itertools
import uuid
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus.in_memory import read_in_memory
from nocturna.tasks.corpus.index import kept_schema
from nocturna.tasks.corpus.kept_types import Seen, common_type, converted
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import jsonl, parquet, read_all, read_indexed, source, write

BIG = 2**53 + 1
OURS = ["text", "doc_id", "content_hash", "source_uri", "source_row", "error_code", "error_message"]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_kept_our_names(tmp_path, form):
    row = {"id": "n1", "text": "uno", **{name: f"de {name}" for name in OURS[1:]}}
    path = write(tmp_path / f"c.{form}", jsonl([row]) if form == "jsonl" else parquet([row]))
    origin = source(path, id="id", keep=tuple(OURS))
    (documents, _) = read_in_memory(origin)
    (found,) = documents.to_pylist()
    assert {name: found[f"kept.{name}"] for name in OURS} == {name: row[name] for name in OURS}
    own = (found["doc_id"], found["text"], found["source_row"], found["error_code"])
    assert own == ("n1", "uno", 1, None)


def tables(folder, column, *values):
    """A file for each array of values."""
    for number, array in enumerate(values):
        names = [f"{number}-{at}" for at in range(len(array))]
        table = pa.table({"id": names, "text": names, column: array})
        write(folder / f"{number}.parquet", parquet(table))
    return source(folder, id="id", keep=(column,))


def kept(tmp_path, *values):
    """The values of a column as scoring gets them, the same whatever the shards are."""
    origin = tables(tmp_path / "c", "k", *values)
    seen = []
    for size in (1, 100):
        documents, *_ = read_indexed(origin, tmp_path / "i", size)
        index = [pq.read_table(path)["kept.k"] for path in sorted((tmp_path / "i").glob("index-*"))]
        assert len({str(column.type) for column in index}) == 1
        seen.append([row["k"] for row in documents])
    assert seen[0] == seen[1]
    return seen[0], kept_schema(tmp_path / "i").field("k").type


def test_kept_int_and_double(tmp_path, caplog):
    found, kind = kept(tmp_path, pa.array([BIG, 7]), pa.array([8.0, 9.5, None]))
    assert (found, kind) == ([str(BIG), "7", "8", "9.5", None], pa.string())
    said = [line for line in caplog.messages if "kept as text" in line]
    assert len(said) == 2 and "'k' is int64 in" in said[0] and "double in" in said[0]


def test_kept_int_new_file_double(tmp_path, caplog):
    found, kind = kept(tmp_path, pa.array([10, 25]), pa.array([12.5]))
    assert (found, kind) == ([10.0, 25.0, 12.5], pa.float64())
    assert not caplog.messages


NAIVE, UTC = pa.timestamp("us"), pa.timestamp("us", "UTC")
DAY = dt.date(2024, 1, 2)


@pytest.mark.parametrize(
    ("a", "b", "kind", "values"),
    [
        (pa.array([1], pa.int32()), pa.array([BIG]), pa.int64(), [1, BIG]),
        (pa.array([2**64 - 1], pa.uint64()), pa.array([-1]), pa.decimal128(20), [2**64 - 1, -1]),
        (pa.array([7], pa.uint64()), pa.array([-1]), pa.int64(), [7, -1]),
        (pa.array([1], pa.int16()), pa.array([0.5], pa.float32()), pa.float64(), [1, 0.5]),
        (
            pa.array([Decimal("1.10")]),
            pa.array([7], pa.int32()),
            pa.decimal128(12, 2),
            [Decimal("1.10"), Decimal("7.00")],
        ),
        (pa.array([Decimal("1.10")]), pa.array([0.5]), pa.string(), ["1.10", "0.5"]),
        (pa.array([True]), pa.array([1]), pa.string(), ["true", "1"]),
        (pa.array(["a"]), pa.array([1.0]), pa.string(), ["a", "1"]),
        (pa.array([None]), pa.array([3]), pa.int64(), [None, 3]),
        (pa.array([DAY]), pa.array(["x"]), pa.string(), ["2024-01-02", "x"]),
        (
            pa.array([DAY]),
            pa.array([dt.datetime(2024, 1, 2, 3)], pa.timestamp("s")),
            NAIVE,
            [dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 2, 3)],
        ),
        (
            pa.array([dt.datetime(2024, 1, 2)], NAIVE),
            pa.array([dt.datetime(2024, 1, 2)], UTC),
            pa.string(),
            ["2024-01-02 00:00:00.000000", "2024-01-02 00:00:00.000000Z"],
        ),
        (pa.array([[1]]), pa.array([[0.5]]), pa.string(), ["[1]", "[0.5]"]),
        (pa.array([b"a\xff"]), pa.array([1]), pa.string(), ["61ff", "1"]),
    ],
)
def test_kept_columns_of_two_types_keep_every_value(tmp_path, a, b, kind, values):
    for one, other, wanted in ((a, b, values), (b, a, values[::-1])):
        assert kept(tmp_path, one, other) == (wanted, kind)


def test_two_types_always_have_a_common_one():
    kinds = [pa.int8(), pa.int64(), pa.uint64(), pa.float16(), pa.float64(), pa.bool_()]
    kinds += [pa.decimal128(5, 2), pa.decimal256(70, 3), pa.string(), pa.large_string()]
    kinds += [pa.binary(), pa.binary(4), pa.date32(), pa.time64("us"), NAIVE, UTC]
    kinds += [pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.duration("s"), pa.null()]
    for a, b in itertools.permutations(kinds, 2):
        common = common_type({a: Seen("a", -1, 2**64), b: Seen("b", -1, 2**64)})
        for kind in (a, b):
            assert len(converted(pa.nulls(1, kind), common)) == 1


def test_kept_times_out_of_range_are_one_line(tmp_path):
    far = pa.array([2**60], pa.timestamp("s"))
    path = write(tmp_path / "c.arrow", stream(pa.table({"text": ["a"], "k": far})))
    with pytest.raises(
        UsageError, match=r"c\.arrow: the kept column 'k' holds what cannot be kept"
    ):
        read_indexed(source(path, keep=("k",)), tmp_path / "i")


def stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_int96_far_dates(tmp_path):
    times = [dt.datetime(2024, 5, 2, 10, 30), dt.datetime(9999, 12, 31), dt.datetime(1, 1, 1)]
    table = pa.table({"text": ["a", "b", "c"], "until": pa.array(times, pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "c.parquet", use_deprecated_int96_timestamps=True)
    documents, *_ = read_indexed(source(tmp_path / "c.parquet", keep=("until",)), tmp_path / "i")
    assert [row["until"] for row in documents] == times


def test_uuid_binary_id(tmp_path):
    keys = [uuid.uuid5(uuid.NAMESPACE_URL, name).bytes for name in "abc"]
    raw = pa.array(keys, pa.binary(16))
    typed = pa.ExtensionArray.from_storage(pa.uuid(), raw)
    counters = pa.array([n.to_bytes(8, "big") for n in (1, 2, 3)], pa.binary(8))
    wanted = {
        "uuid": (typed, [str(uuid.UUID(bytes=key)) for key in keys]),
        "bytes": (raw, [key.hex() for key in keys]),
        "counter": (counters, [f"{n:016x}" for n in (1, 2, 3)]),
    }
    for name, (ids, names) in wanted.items():
        table = pa.table({"id": ids, "text": ["x", "y", "z"], "k": ids})
        path = write(tmp_path / f"{name}.parquet", parquet(table))
        documents, rejects = read_all(source(path, id="id", keep=("k",)))
        assert ([row["doc_id"] for row in documents], rejects) == (names, [])
    assert documents[0]["k"] == counters[0].as_py(), "bytes stay bytes"
    path = write(
        tmp_path / "c.parquet", parquet(pa.table({"id": pa.array(keys), "text": ["x"] * 3}))
    )
    with pytest.raises(UsageError, match=r"c\.parquet: the id column 'id' holds binary"):
        read_all(source(path, id="id"))


UPDATES = [
    ("t1", "uno"),
    ("t2", "dos"),
    ("t3", "tres"),
    ("t1", "uno bis"),
    ("t2", ""),
    ("t1", "fin"),
]


@pytest.mark.parametrize(
    ("counts", "wanted", "failed"),
    [
        ("last", {"t3": ("tres", 3), "t2": (None, 5), "t1": ("fin", 6)}, {"empty_text": 1}),
        ("first", {"t1": ("uno", 1), "t2": ("dos", 2), "t3": ("tres", 3)}, {}),
    ],
)
def test_appended_updates(tmp_path, counts, wanted, failed):
    rows = [{"id": name, "text": text} for name, text in UPDATES]
    path = write(tmp_path / "c.jsonl", jsonl(rows))
    for size in (1, 2, 100):
        origin = source(path, id="id", on_repeat=counts)
        found, rejects, summary = read_indexed(origin, tmp_path / "i", size)
        assert {row["doc_id"]: (row["text"], row["source_row"]) for row in found} == wanted
        assert len(found) == 3 and not rejects
        assert (summary.read, summary.documents, summary.superseded) == (6, 3, 3)
        assert (summary.rejected, summary.failed, summary.reasons) == (0, failed, {})


@pytest.mark.parametrize(
    ("counts", "wanted"), [("last", "de 10"), ("first", "de 1"), ("error", "de 1")]
)
def test_numbered_parts_count_in_the_order_of_their_numbers(tmp_path, counts, wanted):
    for n in (1, 2, 9, 10):
        write(tmp_path / "c" / f"part-{n}.jsonl", jsonl([{"id": "a", "text": f"de {n}"}]))
    found, rejects, _ = read_indexed(
        source(tmp_path / "c", id="id", on_repeat=counts), tmp_path / "i"
    )
    assert [row["text"] for row in found] == [wanted]
    assert {row["message"].rpartition("/")[2] for row in rejects} <= {"part-1.jsonl, row 1"}


def test_appended_updates_without_an_id_have_nothing_to_repeat(tmp_path):
    with pytest.raises(ValueError, match="needs `id`"):
        source(tmp_path, on_repeat="last")
