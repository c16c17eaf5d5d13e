import datetime as dt
import random
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus.in_memory import read_in_memory
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    ENCODERS,
    arrow,
    parquet,
    read_all,
    reasons,
    source,
    texts,
    write,
    zipped,
)
from tests.corpus.test_spreadsheet import RECORDS, warc, xlsx

TEXTS = ["uno", None, "", "NA", "2024-01-01", "x" * 30, "nul\x00", "🙂"]
CODES = [None, "null_text", "empty_text", None, None, "too_long", None, None]


def table(values, type, **columns):
    return pa.table({"text": pa.array(values, type), **columns})


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.dictionary(pa.int8(), pa.string()),
    ],
    ids=str,
)
def test_texts_of_any_string_type(tmp_path, kind):
    path = write(tmp_path / "c.parquet", parquet(table(TEXTS, kind), 3))
    for size in (1, 5, 100):
        documents, rejects = read_all(source(path, max_chars=20), size)
        assert [row["error_code"] for row in documents] == CODES
        assert [row["text"] for row in documents if not row["error_code"]] == [
            "uno",
            "NA",
            "2024-01-01",
            "nul\x00",
            "🙂",
        ]
        assert [row["source_row"] for row in documents] == list(range(1, 9))
        assert rejects == []


def test_a_text_column_of_nulls_is_all_null_texts(tmp_path):
    path = write(tmp_path / "c.parquet", parquet(table([None, None], pa.null())))
    assert [row["error_code"] for row in read_all(source(path))[0]] == ["null_text"] * 2


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (pa.array([7, -(2**62)]), ["7", str(-(2**62))]),
        (pa.array([2**64 - 1, 1], pa.uint64()), [str(2**64 - 1), "1"]),
        (pa.array(["007", "1e5"]), ["007", "1e5"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([b"ab", "ñ".encode()]), ["ab", "ñ"]),
        (pa.array([dt.date(2024, 1, 1), dt.date(1, 1, 1)]), ["2024-01-01", "0001-01-01"]),
        (pa.array([Decimal("1.10"), Decimal("2.00")]), ["1.10", "2"]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_ids_of_every_type_are_their_text(tmp_path, values, wanted):
    path = write(tmp_path / "c.parquet", parquet(table(["x", "y"], pa.string(), id=values)))
    assert [row["doc_id"] for row in read_all(source(path, id="id"))[0]] == wanted


@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, {"a": 2}]])
def test_an_id_column_that_is_no_name_is_one_line(tmp_path, values):
    path = write(tmp_path / "c.parquet", parquet(table(["x", "y"], pa.string(), id=values)))
    with pytest.raises(UsageError, match=r"c\.parquet: the id column 'id' holds .*; ids are texts"):
        read_all(source(path, id="id"))


@pytest.mark.parametrize(
    "values", [[1], [None, 1.5], [dt.date(2024, 5, 2)], [["uno"]], pa.array([b"ab"], pa.binary(2))]
)
def test_a_text_column_of_another_type_is_one_line(tmp_path, values):
    path = write(tmp_path / "c.parquet", parquet(pa.table({"text": values})))
    with pytest.raises(UsageError, match=r"c\.parquet: the text column 'text' holds .*, not text"):
        read_all(source(path))


def test_null_ids_and_broken_texts_are_rejected_and_kept_columns_stay_aligned(tmp_path):
    bad = pa.array([b"uno", b"a\xf1o", b"tres", b"cuatro"], pa.binary())
    broken = pa.StringArray.from_buffers(4, bad.buffers()[1], bad.buffers()[2])
    data = pa.table({"text": broken, "id": ["1", "2", None, "4"], "n": [10, 20, 30, 40]})
    for name, stored in (("c.parquet", parquet(data)),):
        documents, rejects = read_all(source(write(tmp_path / name, stored), id="id", keep=("n",)))
        assert [(row["doc_id"], row["text"], row["n"]) for row in documents] == [
            ("1", "uno", 10),
            ("4", "cuatro", 40),
        ]
        assert [(row["reason"], row["source_row"]) for row in rejects] == [
            ("encoding", 2),
            ("missing_id", 3),
        ]
        assert rejects[0]["raw"] == b"a\xf1o"


def test_kept_columns_keep_their_types(tmp_path):
    columns = {
        "n": pa.array([1, None], pa.int32()),
        "x": pa.array([0.5, float("nan")]),
        "when": pa.array(
            [dt.datetime(2024, 1, 1, 2, 3), None], pa.timestamp("ns", "Europe/Madrid")
        ),
        "day": pa.array([dt.date(2024, 1, 1), None]),
        "tags": pa.array([["a", "b"], []]),
        "meta": pa.array([{"k": [1, 2], "v": {"w": "z"}}, None]),
        "kind": pa.array(["a", None]).dictionary_encode(),
        "lists": pa.array([["a"], ["b"]], pa.list_(pa.string())),
        "money": pa.array([Decimal("1.10"), None]),
        "raw": pa.array([b"\xff", None]),
        "a.b": pa.array([True, None]),
        "took": pa.array([dt.timedelta(seconds=1), None]),
    }
    data = table(["uno", "dos"], pa.string(), **columns)
    keep = tuple(columns)
    for name, stored in (("c.parquet", parquet(data)), ("c.arrow", as_arrow(data))):
        origin = source(write(tmp_path / name, stored), keep=keep)
        documents, _ = read_in_memory(origin)
        for column, values in columns.items():
            found = documents[f"kept.{column}"]
            coarser = {"kind": pa.string(), "when": pa.timestamp("us", "Europe/Madrid")}
            kind = coarser.get(column, values.type)
            assert found.type == kind, column
            assert found.combine_chunks().equals(values.cast(kind)) or column == "x"


def as_arrow(data):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, data.schema) as writer:
        writer.write_table(data)
    return sink.getvalue().to_pybytes()


def test_dictionaries_inside_nested_columns_are_decoded(tmp_path):
    kind = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    tags = pa.array([["a", "b"], ["a"], None], kind)
    data = pa.table({"text": ["1", "2", "3"], "tags": tags})
    path = write(tmp_path / "c.arrow", as_arrow(data))
    documents, _ = read_all(source(path, keep=("tags",)))
    assert [row["tags"] for row in documents] == [["a", "b"], ["a"], None]


@pytest.mark.parametrize("form", ["arrow", "parquet"])
@pytest.mark.parametrize("size", [3, 100, 3000, 20_000])
def test_batches_with_dictionaries_of_their_own_are_put_together(tmp_path, form, size):
    n = 20_000
    who = pa.array([f"orador {at // 700}" for at in range(n)])
    marks = pa.StructArray.from_arrays([pa.array([f"m{at % 5}" for at in range(n)])], ["of"])
    words = pa.array([f"palabra {at}" for at in range(n)])
    own = [
        pa.table(
            {
                "text": words[at : at + size].dictionary_encode(),
                "id": range(n)[at : at + size],
                "who": who[at : at + size].dictionary_encode(),
                "marks": marks[at : at + size],
            }
        )
        for at in range(0, n, size)
    ]
    path = tmp_path / f"c.{form}"
    if form == "arrow":
        with pa.ipc.new_stream(path, own[0].schema) as out:
            for table in own:
                out.write_table(table)
    else:
        with pq.ParquetWriter(path, own[0].schema) as out:
            for table in own:
                out.write_table(table)
    rows, rejects = read_all(source(path, id="id", keep=("who", "marks.of")), 5000)
    assert rejects == [] and [row["source_row"] for row in rows] == list(range(1, n + 1))
    for at in range(0, n, 97):
        found = rows[at]
        assert (found["doc_id"], found["text"]) == (str(at), f"palabra {at}")
        kept = found["who"], found["marks.of"]
        assert kept == (f"orador {at // 700}", f"m{at % 5}")


def test_a_kept_text_that_is_not_utf8_is_readable(tmp_path):
    bad = pa.array([b"a\xf1o", None], pa.binary())
    broken = pa.StringArray.from_buffers(2, bad.buffers()[1], bad.buffers()[2], bad.buffers()[0])
    data = pa.table({"text": ["1", "2"], "k": broken})
    documents, _ = read_all(source(write(tmp_path / "c.arrow", as_arrow(data)), keep=("k",)))
    assert [row["k"] for row in documents] == ["a\ufffdo", None]


@pytest.mark.parametrize("stream", [False, True])
def test_arrow_files_and_streams(tmp_path, stream):
    rows = [{"id": f"{i}", "text": f"t{i}"} for i in range(1000)]
    path = write(tmp_path / "c.arrow", arrow(rows, 64, stream))
    for size in (10, 64, 1000):
        documents, _ = read_all(source(path, id="id"), size)
        assert texts(documents) == texts(rows)


@pytest.mark.parametrize("cut", ["half", "head", "garbage", "middle"])
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_broken_file_is_one_line(tmp_path, form, cut):
    rows = [{"text": f"texto número {i}"} for i in range(3000)]
    data = parquet(rows, 500) if form == "parquet" else arrow(rows)
    broken = {
        "half": data[: len(data) // 2],
        "head": data[:6],
        "garbage": b"esto no es un fichero",
        "middle": data[:2000] + b"\xff" * 4000 + data[6000:],
    }[cut]
    path = write(tmp_path / f"c.{form}", broken)
    if cut == "middle" and form == "arrow":
        data = bytearray(data)
        data[8:400] = b"\xff" * 392
        write(path, bytes(data))
    with pytest.raises(
        UsageError, match=rf"c\.{form}: cannot be read as {form} .*copy it again"
    ) as error:
        read_all(source(path))
    assert "\n" not in str(error.value)


def test_a_missing_column_names_those_that_exist(tmp_path):
    path = write(tmp_path / "c.parquet", parquet(pa.table({"texto": ["a"], "n": [1]})))
    with pytest.raises(
        UsageError, match=r"no column 'text' for `text`; the columns are 'texto', 'n'"
    ):
        read_all(source(path))
    path = write(tmp_path / "d.parquet", parquet(pa.table({"text": ["a"], "n": [1]})))
    with pytest.raises(UsageError, match=r"no column 'id' for `id`; the columns are 'text', 'n'"):
        read_all(source(path, id="id"))


def test_a_file_without_rows_needs_no_columns(tmp_path):
    write(tmp_path / "a.parquet", parquet(pa.table({"x": pa.array([], pa.int64())})))
    write(tmp_path / "b.arrow", as_arrow(pa.table({"x": pa.array([], pa.int64())})))
    write(tmp_path / "c.parquet", parquet([{"text": "a"}]))
    documents, rejects = read_all(source(tmp_path))
    assert (texts(documents), reasons(rejects)) == (["a"], [])


def test_a_changed_byte_of_an_arrow_file_ends_no_process(tmp_path):
    whole, dice, refused = arrow([{"text": f"uno {n}"} for n in range(9)], 3), random.Random(7), 0
    for number in range(150):
        data = bytearray(whole)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path = write(tmp_path / f"{number}.arrow", bytes(data))
        try:
            documents, rejects = read_all(source(path))
        except UsageError as error:
            assert "cannot be read as arrow" in str(error) or "no column" in str(error)
            refused += 1
        else:
            assert len(documents) + len(rejects) > 0
    assert 20 < refused < 150


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl", "json", "csv", "tsv", "xlsx"])
def test_columns_of_folders_as_hive_names_them(tmp_path, form):
    table = tmp_path / "c"

    def put(place, row):
        data = (
            xlsx(Uno=[list(row), list(row.values())]) if form == "xlsx" else ENCODERS[form]([row])
        )
        write(table / f"{place}.{form}", data)

    for folder, row in (
        ("día=2024-05-02/zona=a%2Fb", {"id": 1, "text": "uno"}),
        ("día=2024-05-03/zona=__HIVE_DEFAULT_PARTITION__", {"id": 2, "text": "dos"}),
        ("día=2024-05-04/zona=c", {"id": 3, "text": "tres", "zona": "del fichero"}),
    ):
        put(f"{folder}/part-0", row)
    put("suelto", {"id": 4, "text": "cuatro"})
    for keep in (("zona", "día"), ("*",)):
        documents, _ = read_all(source(table, id="id", keep=keep))
        found = {row["doc_id"]: (row["día"], row["zona"]) for row in documents}
        assert found == {
            "1": ("2024-05-02", "a/b"),
            "2": ("2024-05-03", None),
            "3": ("2024-05-04", "del fichero"),
            "4": (None, None),
        }
    documents, _ = read_all(source(table, id="{día}-{id}", exclude=("suelto*",)))
    assert [row["doc_id"] for row in documents] == [f"2024-05-0{n + 1}-{n}" for n in (1, 2, 3)]
    documents, _ = read_all(source(f"{table}/día=*/*/*.{form}", text="{día} {text}", id="día"))
    assert [row["text"] for row in documents] == [
        "2024-05-02 uno",
        "2024-05-03 dos",
        "2024-05-04 tres",
    ]
    assert [row["doc_id"] for row in documents] == [f"2024-05-0{n}" for n in (2, 3, 4)]
    write(tmp_path / "zona=x.zip", zipped([("día=1/a.jsonl", b'{"id": 5, "text": "x"}')]))
    (found,), _ = read_all(source(tmp_path / "zona=x.zip", id="id", keep=("*",)))
    assert "zona" not in found and found["día"] == "1"
    inside = table / "día=2024-05-02"
    with pytest.raises(UsageError, match=r"'hora' .* the columns are 'id', 'text', 'zona'"):
        read_all(source(inside, keep=("hora",)))
    with pytest.raises(UsageError, match="'día=2024-05-02' is a folder above what is given"):
        read_all(source(inside, keep=("día",)))


@pytest.mark.parametrize("form", ["text", "files", "warc"])
def test_texts_without_columns_have_those_of_their_folders(tmp_path, form):
    for year in ("2025", "2026"):
        data = warc(RECORDS[-1:]) if form == "warc" else f"de {year}\n"
        write(tmp_path / f"year={year}" / f"a.{'warc' if form == 'warc' else 'txt'}", data)
    for keep in (("year",), ("*",)):
        documents, _ = read_all(source(tmp_path, format=form, keep=keep))
        assert [row["year"] for row in documents] == ["2025", "2026"]
    write(tmp_path / f"b.{'warc' if form == 'warc' else 'txt'}", data)
    documents, _ = read_all(source(tmp_path, format=form, keep=("year",)))
    assert [row["year"] for row in documents] == [None, "2025", "2026"]
    if form != "warc":
        for values in ({"id": "year"}, {"text": "{year}"}, {"keep": ("month",)}):
            with pytest.raises(UsageError, match=r"no column .* is a document without columns"):
                read_all(source(tmp_path, format=form, **values))


@pytest.mark.parametrize(
    "values",
    [[float("nan"), None], pa.array([None, None], pa.int32()), pa.array([[], None])[1:]],
)
def test_a_column_without_a_text_is_one_of_nulls_whatever_its_type(tmp_path, values):
    write(tmp_path / "2024-01.parquet", parquet(pa.table({"text": values})))
    write(tmp_path / "2024-02.parquet", parquet([{"text": "uno"}]))
    documents, rejects = read_all(source(tmp_path))
    assert [row["error_code"] for row in documents] == [*["null_text"] * len(values), None]
    assert not rejects


def test_a_number_that_comes_late_in_a_text_column_is_told(tmp_path):
    path = write(tmp_path / "c.parquet", parquet(pa.table({"text": [None] * 300 + [1.5]}), 50))
    with pytest.raises(UsageError, match="the text column 'text' holds double, not text"):
        read_all(source(path))
