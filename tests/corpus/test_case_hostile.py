"""Corpora that a round of hostile use had read wrongly: each with what is right."""

import gzip
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job_file import make_job
from tests.corpus.corpora import compressed, inputs_of, jsonl, read_all, source, texts, write

ROWS = [{"id": "1", "text": "uno"}, {"id": "2", "text": "dos"}]


def names(corpus) -> list[str]:
    return [item.name for item in inputs_of(corpus)]


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        (
            "c.csv",
            'id,text\n1,"Buenos días\nGracias, Ana"\n2,Nada\n3,Bien\n',
            ["Buenos días\nGracias, Ana", "Nada", "Bien"],
        ),
        (
            "c.csv",
            'id,text\nc-2,"Llegó tarde\nSaludos, Marta"\nc-3,Nada\n',
            ["Llegó tarde\nSaludos, Marta", "Nada"],
        ),
        (
            "c.tsv",
            'id\ttext\n1\t"Horario:\nlunes\tcerrado"\n2\tNada\n',
            ["Horario:\nlunes\tcerrado", "Nada"],
        ),
        ("c.tsv", 'id\ttext\n1\t"hola\n2\tque tal"\n3\tNada\n', ['"hola', 'que tal"', "Nada"]),
    ],
)
def test_a_quoted_text_of_two_lines_is_no_row_of_another_id(tmp_path, name, data, found):
    documents, rejects = read_all(source(write(tmp_path / name, data), id="id"))
    assert (texts(documents), rejects) == (found, [])


@pytest.mark.parametrize("name", ["log-3.parquet", "dataset-part-3.parquet"])
def test_a_file_that_is_cut_off_is_not_taken_for_one_about_the_corpus(tmp_path, name):
    for number in "12":
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / f"part-{number}.parquet")
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / name)
    write(tmp_path / name, (tmp_path / name).read_bytes()[:-20])
    with pytest.raises(UsageError, match=rf"{name}: cannot be read as parquet"):
        read_all(source(tmp_path))


def test_a_text_that_comes_late_in_a_file_of_an_odd_name_is_read(tmp_path):
    late = [{"id": str(i), "otra": "x"} for i in range(300)] + [{"id": "t", "text": "tarde"}]
    write(tmp_path / "report-1.jsonl", jsonl(ROWS))
    write(tmp_path / "report-2.jsonl", jsonl(late))
    write(tmp_path / "log.jsonl", jsonl([{"otra": "x"}] * 300))
    assert names(source(tmp_path, id="id")) == ["report-1.jsonl", "report-2.jsonl"]


def stream_of(rows) -> bytes:
    out, table = io.BytesIO(), pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


def parquet_of(rows) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def zip_of(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(name, jsonl(ROWS))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("c.arrow", stream_of(ROWS) + stream_of(ROWS)),
        ("c.parquet", parquet_of(ROWS) + parquet_of(ROWS[::-1])),
        ("c.parquet", parquet_of(ROWS) + parquet_of(ROWS * 5000)),
        ("c.zip", zip_of("a.jsonl") + zip_of("b.jsonl")),
    ],
)
def test_files_that_were_joined_are_refused_where_one_alone_would_be_read(tmp_path, name, data):
    with pytest.raises(UsageError, match="that were joined"):
        read_all(source(write(tmp_path / name, data)))


def test_a_null_of_a_database_is_refused_wherever_it_comes(tmp_path):
    rows = "".join(f"{i},{'x' * 4000},texto {i}\n" for i in range(300))
    path = write(tmp_path / "c.csv", f"id,pad,text\n{rows}8001,p,\\N\n")
    with pytest.raises(UsageError, match=r"line 302: a field is \\N"):
        read_all(source(path, id="id"))
    documents, _ = read_all(source(path, id="id", escape="doubled"))
    assert texts(documents)[-1] == "\\N"


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=1),
        json.dumps(ROWS[0], indent=1),
        json.dumps([{"texto": "hola " * 20} for _ in range(20_000)]),
    ],
)
def test_json_named_as_text_is_refused(tmp_path, data):
    path = write(tmp_path / "c.txt", data)
    with pytest.raises(UsageError, match="holds JSON objects, not lines of text"):
        read_all(source(path))


@pytest.mark.parametrize("data", ["[Música]\nHola\n", "{nombre}, hola\n", "[1]\n[2]\n", "[]\n"])
def test_brackets_in_a_text_are_text(tmp_path, data):
    documents, _ = read_all(source(write(tmp_path / "c.txt", data)))
    assert texts(documents) == data.splitlines()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><p>403 Forbidden", "a web page"),
    ],
)
def test_what_stands_in_for_data_is_told_when_packed_too(tmp_path, data, said):
    with pytest.raises(UsageError, match=said):
        inputs_of(source(write(tmp_path / "p.txt.gz", gzip.compress(data))))


def test_parts_of_an_id_with_slashes_stay_apart(tmp_path):
    rows = [{"a": "x/y", "b": "z"}, {"a": "x", "b": "y/z"}, {"a": "x%2Fy", "b": "z"}]
    path = write(tmp_path / "c.jsonl", jsonl([{**row, "text": "hola"} for row in rows]))
    documents, rejects = read_all(source(path, id=["a", "b"]))
    assert [one["doc_id"] for one in documents] == ["x%2Fy/z", "x/y/z", "x%252Fy/z"]
    assert not rejects


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["snapshots/r1/a.jsonl", "snapshots/r2/a.jsonl", "refs/main"], "several revisions"),
        (["_spark_metadata/0", "part-1.jsonl"], "a Spark stream"),
        (["_started_11", "_started_22", "_committed_22", "part-1.jsonl"], r"\*tid-11\*"),
    ],
)
def test_a_list_beside_the_files_tells_which_count(tmp_path, files, said):
    for name in files:
        write(tmp_path / "c" / name, jsonl(ROWS))
    with pytest.raises(UsageError, match=said):
        inputs_of(source(tmp_path / "c"))


def kept_of(tmp_path, values: pa.Array):
    table = pa.table({"text": ["uno"] * len(values), "kept": values})
    pq.write_table(table, tmp_path / "c.parquet")
    documents, _ = read_all(source(tmp_path / "c.parquet", keep=("kept",)))
    return [one["kept"] for one in documents]


def test_times_finer_than_microseconds_keep_their_digits(tmp_path):
    fine, coarse = 1714645800123456789, 1714645800123456000
    kind = pa.timestamp("ns")
    assert kept_of(tmp_path, pa.array([fine], kind)) == ["2024-05-02 10:30:00.123456789"]
    assert str(kept_of(tmp_path, pa.array([coarse], kind))[0]) == "2024-05-02 10:30:00.123456"
    assert str(kept_of(tmp_path, pa.array([5_000], pa.time64("ns")))[0]) == "00:00:00.000005"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([{"e": {}}], pa.struct([("e", pa.struct([]))])),
        pa.array([[pa.MonthDayNano([1, 2, 3])]], pa.list_(pa.month_day_nano_interval())),
    ],
)
def test_types_that_no_parquet_file_holds_are_text_inside_others_too(tmp_path, values):
    pq_less = pa.table({"text": ["uno"], "kept": values})
    with pa.ipc.new_file(tmp_path / "c.arrow", pq_less.schema) as out:
        out.write_table(pq_less)
    documents, _ = read_all(source(tmp_path / "c.arrow", keep=("kept",)))
    assert isinstance(documents[0]["kept"], str)


def test_a_kept_value_with_two_fields_of_one_name_is_refused(tmp_path):
    pair = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    for values in (pair, pa.ListArray.from_arrays([0, 1], pair)):
        with pytest.raises(UsageError, match="cannot be kept \\(two fields in it are named 'a'"):
            kept_of(tmp_path, values)


@pytest.mark.parametrize("encoded", [False, True])
def test_nulls_inside_a_dictionary_are_nulls(tmp_path, encoded):
    def column(values):
        if encoded:
            return pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), values)
        return pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int8()), values)

    for ids, words in ((["a", None, "c"], ["x", "y", "z"]), (["a", "b", "c"], ["x", None, "z"])):
        table = pa.table({"id": column(pa.array(ids)), "text": column(pa.array(words))})
        with pa.ipc.new_file(tmp_path / "c.arrow", table.schema) as out:
            out.write_table(table)
        documents, rejects = read_all(source(tmp_path / "c.arrow", id="id"))
        told = [one["error_code"] for one in documents if one["error_code"]]
        assert [*told, *(reject["reason"] for reject in rejects)] == [
            "missing_id" if None in ids else "null_text"
        ]


def test_numbers_beyond_every_type_are_kept_as_they_are_written(tmp_path):
    numbers = ["1" * 5000, "1e99999999999999999999"]
    lines = "".join(f'{{"text": "hola", "n": {number}}}\n' for number in numbers)
    documents, _ = read_all(source(write(tmp_path / "c.jsonl", lines), keep=("n",)))
    assert [one["n"] for one in documents] == numbers


@pytest.mark.parametrize("ending", ["json", "jsonl"])
@pytest.mark.parametrize("more", ["", '\n{"id": "3", "text": "tres"}\n'])
def test_objects_one_after_the_other_on_a_line_are_rows(tmp_path, ending, more):
    data = "".join(map(json.dumps, ROWS)) + more
    documents, rejects = read_all(source(write(tmp_path / f"c.{ending}", data), id="id"))
    assert texts(documents) == ["uno", "dos", *(["tres"] if more else [])] and not rejects


def test_a_name_with_other_accents_says_how_to_write_it(tmp_path):
    path = write(tmp_path / "c.csv", "id,descripcio\u0301n\n1,hola\n")
    with pytest.raises(UsageError, match=r'name it "descripcio\\u0301n" in a job file'):
        read_all(source(path, text="descripción"))
    assert texts(read_all(source(path, text="descripcio\u0301n"))[0]) == ["hola"]


def test_a_column_without_a_name_is_told(tmp_path, caplog):
    path = write(tmp_path / "c.csv", '"","id","text","lang"\n"Ana",1,"hola","es"\n')
    documents, _ = read_all(source(path, id="id", keep=("*",)))
    assert documents[0]["lang"] == "es"
    assert "a column without a name is not kept" in caplog.text


@pytest.mark.parametrize(
    "copy",
    [
        "Copia de notas.jsonl",
        "Copy of notas.jsonl",
        "notas.sync-conflict-20260501-101010-ABCDEFG.jsonl",
        "notas (Ana's conflicted copy 2026-05-01).jsonl",
    ],
)
def test_copies_as_tools_name_them_are_read_once(tmp_path, copy):
    for name in ("notas.jsonl", copy):
        write(tmp_path / name, jsonl(ROWS))
    assert names(source(tmp_path)) == ["notas.jsonl"]


def test_a_link_to_another_of_the_files_is_read_once(tmp_path, caplog):
    write(tmp_path / "2024-05-02.jsonl", jsonl(ROWS))
    (tmp_path / "hoy.jsonl").symlink_to("2024-05-02.jsonl")
    assert names(source(tmp_path)) == ["2024-05-02.jsonl"]
    assert "left out hoy.jsonl: it is a link" in caplog.text


def test_a_trial_of_a_job_with_a_long_name_has_a_name_that_is_one(tmp_path):
    path = str(write(tmp_path / "c.jsonl", compressed(jsonl(ROWS), None)))
    job = {"name": "m" * 80, "source": {"path": path}, "once": {"limit": 1}}
    assert make_job(job, "test").name == "m" * 73 + "-sample"


def test_a_rule_of_dashes_below_a_header_is_no_document(tmp_path):
    rows = "".join(f"{i},texto {i}\n" for i in range(300))
    path = write(tmp_path / "c.csv", f"id,text\n--,----\n{rows}x,--\n")
    documents, rejects = read_all(source(path, id="id"))
    assert len(documents) == 301 and texts(documents)[-1] == "--"
    assert [(one["source_row"], one["reason"]) for one in rejects] == [(2, "header_again")]


def test_formulas_that_nothing_has_computed_are_told(tmp_path, caplog):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["id", "text", "total"], [1, "hola", "=1+1"], [2, "dos", 4]):
        book.active.append(row)
    book.save(tmp_path / "c.xlsx")
    documents, _ = read_all(source(tmp_path / "c.xlsx", id="id", keep=("total",)))
    assert [one["total"] for one in documents] == [None, 4]
    assert "1 of its formulas have no value" in caplog.text


def test_headers_of_a_web_archive_are_known_in_any_case(tmp_path):
    content = b"hola"
    record = (
        "WARC/1.0\r\nwarc-type: conversion\r\nwarc-target-uri: https://a.b/\r\n"
        "warc-record-id: <urn:uuid:1>\r\ncontent-type: text/plain\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    path = write(tmp_path / "c.wet", record.encode() + content + b"\r\n\r\n")
    documents, rejects = read_all(source(path, id="WARC-Target-URI"))
    assert [one["doc_id"] for one in documents] == ["https://a.b/"] and not rejects


@pytest.mark.parametrize(
    ("files", "read"),
    [
        (("a.txt", "b.csv", "README.md", "a.txt.md5"), ["a.txt", "b.csv"]),
        (("a.txt", "b.jsonl", "c"), ["b.jsonl", "c"]),
        (("a.dat", "b.csv"), ["a.dat"]),
    ],
)
def test_a_format_that_the_job_names_holds_where_the_endings_say_another(tmp_path, files, read):
    for number, name in enumerate(files):
        write(tmp_path / name, jsonl([{"text": f"texto {number}"}]))
    assert names(source(tmp_path, format="jsonl")) == read
    write(tmp_path / "z" / "c.zip", zip_of("a.txt"))
    assert names(source(tmp_path / "z", format="jsonl")) == ["c.zip/a.txt"]


def test_a_pattern_of_exclude_that_means_no_file_is_told(tmp_path, caplog):
    for name in ("a.jsonl", "b.jsonl", "c.zip"):
        write(tmp_path / name, zip_of("d.jsonl") if name == "c.zip" else jsonl(ROWS))
    assert names(source(tmp_path, exclude=("*.tmp", "b*", "c.zip"))) == ["a.jsonl"]
    assert "`exclude`: no file matches '*.tmp'" in caplog.messages


def test_a_file_that_is_packed_twice_is_told(tmp_path):
    path = write(tmp_path / "c.csv.gz", gzip.compress(gzip.compress(b"text\nuno\n")))
    with pytest.raises(UsageError, match="is packed twice, with gzip inside"):
        inputs_of(source(path))


def test_an_object_of_columns_is_told_also_where_an_id_is_named(tmp_path):
    path = write(tmp_path / "c.json", '{"id": {"0": 1, "1": 2}, "text": {"0": "a", "1": "b"}}')
    with pytest.raises(UsageError, match="holds a list for each column instead of rows"):
        read_all(source(path, id="id"))
