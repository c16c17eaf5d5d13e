"""`nocturna export`: every row and type for other programs, and nothing that a sheet computes."""

import csv
import json
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.reading.exporting import export
from nocturna.tasks.reading.views import view_of
from nocturna.tasks.reading.workbook import MOST_ROWS, check_fits

ODD = {
    "doc_id": ["007", "=1+1", "＝A1", "-3", "\t+1", 'normal, "con"\ncomas'],
    "=kept": ["@SUM(A1)", "a", None, "'b", "http://a.b", "{x}"],
    "n": pa.array([-1, 2**53 + 1, None, 10**14, 0, 5], pa.int64()),
    "share": pa.array([0.1, -0.5, None, float("nan"), 1e-7, 3.25], pa.float32()),
    "yes": [True, False, None, True, False, True],
    "day": pa.array([date(2026, 11, 1), date(1850, 1, 2), None, *[date(2000, 2, 29)] * 3]),
    "at": pa.array([datetime(2026, 11, 1, 2, 3, 4, 5000)] * 6, pa.timestamp("us")),
    "price": pa.array([Decimal("1.50")] * 6, pa.decimal128(9, 2)),
    "labels": pa.array([["a", "b"], [], None, ["c"], ["=d"], ["e"]]),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Results with whatever kept columns may hold, copied to a machine without the log."""
    folder = tmp_path_factory.mktemp("odd") / "prensa"
    (folder / "results").mkdir(parents=True)
    table = pa.table(ODD)
    for number in (0, 3):
        pq.write_table(table.slice(number, 3), folder / "results" / f"part-{number}.parquet")
    return folder


def test_csv_keeps_every_row_and_defuses_formulas(odd, tmp_path, nocturna):
    done = nocturna("export", odd, "--csv", tmp_path / "a.csv")
    assert done.out.endswith(
        "a.csv: 6 rows; texts with ' in front, which a spreadsheet would compute: 5\n"
    )
    assert (tmp_path / "a.csv").read_bytes().startswith(b'\xef\xbb\xbf"doc_id","\'=kept",')
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as content:
        rows = list(csv.DictReader(content))
    ids = ["007", "'=1+1", "'＝A1", "'-3", "'\t+1", ODD["doc_id"][-1]]
    assert [row["doc_id"] for row in rows] == ids
    assert [row["n"] for row in rows] == ["-1", str(2**53 + 1), "", str(10**14), "0", "5"]
    assert [row["share"] for row in rows][:2] == ["0.1", "-0.5"] and rows[3]["share"] == ""
    assert rows[0]["labels"] == '["a", "b"]' and rows[0]["yes"] == "true"
    assert pd.read_csv(tmp_path / "a.csv").columns[0] == "doc_id", "the mark is no part of it"


def test_a_workbook_keeps_types_and_has_no_formula(odd, tmp_path, nocturna):
    assert nocturna("export", odd, "--xlsx", tmp_path / "a.xlsx").code == 0
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    cells = list(book["results"].iter_rows())
    assert {cell.data_type for row in cells for cell in row} <= {"s", "n", "b", "d"}
    columns = {
        column[0].value: [cell.value for cell in column[1:]] for column in zip(*cells, strict=True)
    }
    assert columns["doc_id"] == ODD["doc_id"] and columns["=kept"] == ODD["=kept"]
    assert columns["n"] == [-1, str(2**53 + 1), None, 10**14, 0, 5]
    assert columns["share"] == [0.1, -0.5, None, None, 1e-7, 3.25]
    assert columns["yes"] == ODD["yes"].copy() and columns["price"] == [1.5] * 6
    assert columns["day"][:3] == [datetime(2026, 11, 1), "1850-01-02", None]
    assert columns["at"][0] == datetime(2026, 11, 1, 2, 3, 4, 5000)
    assert columns["labels"][:3] == ['["a", "b"]', "[]", None]
    quoted = [cell.value for row in cells for cell in row if cell.style and cell.quotePrefix]
    assert quoted == ["=kept", "@SUM(A1)", "=1+1", "＝A1", "-3", "\t+1"]


def test_a_workbook_explains_its_columns_and_cuts_long_cells(job, tmp_path, nocturna):
    folder = tmp_path / "largo"
    (folder / "results").mkdir(parents=True)
    schema = view_of(job).schema
    text = pa.field("text", pa.string(), metadata={"description": "The text."})
    table = pq.read_table(job / "results").cast(schema)
    table = table.append_column(text, [["á" * 40_000, "corto", "😀" * 20_000, "", "c"]])
    pq.write_table(table, folder / "results" / "a.parquet")
    done = nocturna("export", folder, "--xlsx", tmp_path / "a.xlsx", "--columns", "text,doc_id")
    assert done.out.endswith("5 rows; texts cut to the 32,767 characters of a cell: 2\n")
    assert (tmp_path / "a.xlsx").stat().st_mode & 0o077 == 0, "it holds texts"
    book = openpyxl.load_workbook(tmp_path / "a.xlsx", read_only=True)
    rows = list(book["results"].values)
    assert rows[0] == ("text", "doc_id") and len(rows[1][0]) == 32_767
    assert rows[3][0] == "😀" * 16_383 and rows[2][0] == "corto"
    assert list(book["columns"].values)[1][:3] == ("text", "string", "The text.")


def test_jsonl_has_every_value_as_it_is(odd, job, tmp_path, nocturna):
    done = nocturna("export", odd, "--jsonl", tmp_path / "a.jsonl", "--json")
    assert done.json == {"file": str(tmp_path / "a.jsonl"), "rows": 6, "cut": 0, "quoted": 0}
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["doc_id"] for row in rows] == ODD["doc_id"] and rows[1]["n"] == 2**53 + 1
    assert rows[0]["labels"] == ["a", "b"] and rows[0]["price"] == 1.5 and rows[3]["share"] is None
    nocturna("export", job, "--jsonl", tmp_path / "b.jsonl", "--at", 1)
    back = pd.read_json(tmp_path / "b.jsonl", lines=True)
    table = pq.read_table(list(view_of(job, 1).parts))
    assert back.topic_score.astype("float32").tolist() == table["topic_score"].to_pylist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --csv FILE, --xlsx FILE or --jsonl FILE"),
        (["--csv", "a", "--xlsx", "b"], "--csv and --xlsx: give one of them"),
        (["--csv", "nada/a.csv"], "nada/a.csv: its folder is not there"),
        (["--csv", "-"], "--csv -: is no name of a file; /dev/stdout is standard output"),
        (["--csv", "a.xlsx"], "--csv a.xlsx: its ending is none of .csv"),
        (["--jsonl", "a.jsonl.gz"], "--jsonl a.jsonl.gz: its ending is none of .jsonl"),
        (["--csv", "."], ".: is a folder; name a file"),
        (["--csv", "a.csv", "--columns", "nada"], "--columns: no column 'nada'; there are doc_id"),
    ],
)
def test_what_cannot_be_written_is_one_line(job, tmp_path, monkeypatch, nocturna, arguments, words):
    monkeypatch.chdir(tmp_path)
    done = nocturna("export", job, *arguments)
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_pipe_is_written_to_and_stays(job, tmp_path, nocturna):
    pipe = tmp_path / "tubo"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text)
        done = nocturna("export", job, "--jsonl", pipe)
        rows = [json.loads(line) for line in read.result(60).splitlines()]
    assert done.code == 0 and not done.out and "5 rows" in done.err
    assert len(rows) == 5 and pipe.is_fifo()


def test_what_a_link_leads_to_is_replaced_and_a_stream_of_the_system_added_to(
    job, tmp_path, nocturna
):
    target, link = tmp_path / "aparte" / "a.csv", tmp_path / "a.csv"
    target.parent.mkdir()
    target.write_text("before")
    link.symlink_to(target)
    assert nocturna("export", job, "--csv", link).code == 0
    assert link.is_symlink() and target.read_text("utf-8-sig").startswith('"doc_id"')
    with target.open("a") as file:
        before = target.read_bytes()
        assert nocturna("export", job, "--csv", f"/proc/self/fd/{file.fileno()}").code == 0
    assert target.read_bytes().startswith(before) and len(target.read_bytes()) > len(before)


def test_no_file_among_the_results(job, nocturna):
    for place in (job / "results" / "a.csv", job / "a.csv"):
        done = nocturna("export", job, "--csv", place)
        assert done.code == 2 and "lies in the job's own folder" in done.err and not place.exists()


def test_more_rows_than_a_sheet_holds_are_refused():
    check_fits(MOST_ROWS - 1, 10)
    with pytest.raises(UsageError, match="1,048,576 rows, and a sheet of Excel holds 1,048,575"):
        check_fits(MOST_ROWS, 10)
    with pytest.raises(UsageError, match="16,385 columns"):
        check_fits(1, 16_385)


def test_a_file_that_cannot_be_written_whole_is_not_left(odd, tmp_path):
    for form in ("xlsx", "csv"):
        (tmp_path / f"a.{form}").write_text("before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        for form in ("xlsx", "csv"):
            with pytest.raises(NocturnaError, match="larger than a file may be here"):
                export(view_of(odd), form, tmp_path / f"a.{form}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys(
        ("a.xlsx", "a.csv"), "before"
    )
