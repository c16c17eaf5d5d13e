"""Kept columns under other names, and every column of a corpus."""

import logging

import pyarrow as pa
import pytest

import nocturna
from nocturna.tasks.corpus.index import build_index, kept_schema
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job_file import make_job
from nocturna.tasks.results import files
from nocturna.tasks.results.schema import Columns, kept_columns
from tests.corpus.corpora import (
    ENCODERS,
    delimited,
    jsonl,
    parquet,
    read_all,
    read_indexed,
    source,
    staged_in,
    write,
)
from tests.corpus.test_spreadsheet import xlsx

OWN = ["id", "text"]


def job(**values):
    return make_job({"name": "n", "source": {"path": "a.jsonl", **values}}, "n.yaml")


def columns(*names, **renamed):
    return Columns(keep=pa.schema([(name, pa.string()) for name in names]), renamed=renamed)


def test_a_kept_column_may_have_another_name():
    found = job(keep="fecha=dia, meta.autor=autor, a=b=c, titulo")
    assert found.kept == ("fecha", "meta.autor", "a=b", "titulo")
    renamed = {"fecha": "dia", "meta.autor": "autor", "a=b": "c"}
    assert found.source.renamed == renamed
    assert kept_columns(columns("titulo", "fecha", fecha="Titulo2", titulo="fecha2")) == {
        "titulo": "fecha2",
        "fecha": "Titulo2",
    }
    assert kept_columns(columns("Titulo", "titulo", titulo="t"))["Titulo"] == "Titulo"


@pytest.mark.parametrize(
    ("names", "renamed", "said"),
    [
        (["a"], {"a": "Status"}, "a=Status: every job has or may have a column 'Status'"),
        (["a"], {"a": "text"}, "a=text: every job"),
        (["a"], {"a": "filename"}, "a=filename: every job"),
        (["a", "b"], {"a": "B"}, "'a' and 'b' would both be named 'b'"),
        (["a", "b"], {"a": "x", "b": "x"}, "'a' and 'b' would both be named 'x'"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_it(names, renamed, said):
    with pytest.raises(UsageError, match=f"source.keep: .*{said}") as line:
        kept_columns(columns(*names, **renamed))
    assert "\n" not in str(line.value)


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        ("a=", "write column=name"),
        ("=a", "write column=name"),
        ("a, a=b", "'a' is kept twice"),
        ("*=a", "cannot be renamed"),
    ],
)
def test_what_renames_nothing_is_refused(keep, said):
    with pytest.raises(UsageError, match=f"source.keep: .*{said}"):
        job(keep=keep)


ROWS = [{"id": f"r{n}", "text": f"t{n}", "k": n, "m": f"m{n}"} for n in range(3)]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("c.jsonl", jsonl(ROWS)),
        ("c.json", b"[" + b",".join(jsonl(ROWS).splitlines()) + b"]"),
        ("c.csv", delimited(ROWS)),
        ("c.parquet", parquet(ROWS)),
        ("c.xlsx", xlsx(Uno=[list(ROWS[0]), *(list(row.values()) for row in ROWS)])),
    ],
)
def test_every_column_but_text_and_id(tmp_path, name, data):
    path = write(tmp_path / name, data)
    documents, _ = read_all(source(path, id="id", keep=("*",)))
    assert [str(row["k"]) for row in documents] == ["0", "1", "2"]
    assert [row["m"] for row in documents] == ["m0", "m1", "m2"]
    read_indexed(source(path, id="id", keep=("m", "*")), tmp_path / "i")
    assert kept_schema(tmp_path / "i").names == ["m", "k"]
    read_indexed(source(path, id="{id}-{m}", keep=("*",)), tmp_path / "i")
    assert kept_schema(tmp_path / "i").names == ["k"]
    read_indexed(source(path, id="{id}-{m}", keep=("*", "m", "id")), tmp_path / "i")
    assert {*kept_schema(tmp_path / "i").names} == {"m", "id", "k"}


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet", "xlsx"])
def test_names_with_marks_of_their_own(tmp_path, form):
    row = {"text": "x", "a=b": "1", "c.d": "2", "e*": "3", "=": "4", "f.g": {"h.i": {"j": "5"}}}
    if form in ("csv", "xlsx"):
        row["f.g"] = "6"
    data = xlsx(Uno=[list(row), list(row.values())]) if form == "xlsx" else ENCODERS[form]([row])
    path = write(tmp_path / f"c.{form}", data)
    inside = "f.g" if form in ("csv", "xlsx") else "f.g.h.i.j"
    (found,) = nocturna.read_corpus(path, keep=("a=b=", "c.d", "e*", "==", inside))
    names = ("a=b", "c.d", "e*", "=", inside)
    assert [found[name] for name in names] == ["1", "2", "3", "4", "6" if inside == "f.g" else "5"]
    with pytest.raises(UsageError, match=r"no column 'a' for `keep`.*; 'a=b' is kept as 'a=b='"):
        nocturna.read_corpus(path, keep="a=b")


def test_a_column_that_comes_late_is_null_before(tmp_path):
    rows = [{"id": f"{n}", "text": f"t{n}"} | ({"late": n} if n == 350 else {}) for n in range(400)]
    rows[7] |= {"año": "x", "a.b": [1]}
    write(tmp_path / "c" / "1.jsonl", jsonl(rows))
    write(tmp_path / "c" / "2.csv", "id,text,más\nz,uno,y\n")
    write(tmp_path / "c" / "3.jsonl", jsonl([{"id": "u", "text": "x", "late": "n/d"}]))
    for size in (50, 1000):
        documents, rejects, _ = read_indexed(
            source(tmp_path / "c", id="id", keep=("*",)), tmp_path / "i", size
        )
        assert not rejects and len(documents) == 402
        assert kept_schema(tmp_path / "i").names == ["año", "a.b", "late", "más"]
        assert {i: r["late"] for i, r in enumerate(documents) if r["late"]} == {
            350: "350",
            401: "n/d",
        }
        assert [i for i, row in enumerate(documents) if row["año"]] == [7]
        assert documents[400]["más"] == "y" and documents[7]["a.b"] == "[1]"


def test_a_lot_that_is_the_same_brings_its_columns_along(tmp_path):
    write(tmp_path / "c" / "1.jsonl", jsonl([{"text": "a", "uno": 1}]))
    origin = source(tmp_path / "c", keep=("*",))
    staged_in(origin, tmp_path / "s")
    write(tmp_path / "c" / "2.jsonl", jsonl([{"text": "b", "dos": 2}]))
    again = staged_in(origin, tmp_path / "s")
    (tmp_path / "i").mkdir()
    build_index(again, tmp_path / "i", files.link_or_copy)
    assert kept_schema(tmp_path / "i").names == ["uno", "dos"]
    assert kept_schema(tmp_path / "i").types == [pa.int64(), pa.int64()]


def test_keys_that_are_data_are_refused(tmp_path):
    rows = [{"text": "a", **{f"k{n}-{i}": 1 for i in range(600)}} for n in range(2)]
    path = write(tmp_path / "c.jsonl", jsonl(rows))
    with pytest.raises(UsageError, match="more than 1,000 columns, so its keys are data; name"):
        read_all(source(path, keep=("*",)))
    path = write(tmp_path / "d.csv", "text,a,a,\nx,1,2,3\n")
    with pytest.raises(UsageError, match="2 columns are named 'a'; rename all but one, or name"):
        read_all(source(path, keep=("*",)))


def test_a_text_file_has_no_further_columns(tmp_path):
    path = write(tmp_path / "c.txt", "uno\n")
    assert [row["text"] for row in read_all(source(path, keep=("*",)))[0]] == ["uno"]


def test_a_notebook_gets_the_same_names(tmp_path):
    path = write(tmp_path / "c.jsonl", jsonl(ROWS))
    rows = list(nocturna.read_corpus(path, id="id", keep=("k=número", "*")))
    assert [(row["número"], row["m"]) for row in rows] == [(0, "m0"), (1, "m1"), (2, "m2")]


def test_no_warning_tells_of_columns_that_nobody_named(tmp_path, caplog):
    write(tmp_path / "c" / "1.parquet", parquet(ROWS))
    write(tmp_path / "c" / "2.csv", "id,text\n9,x\n")
    with caplog.at_level(logging.WARNING):
        assert len(read_all(source(tmp_path / "c", id="id", keep=("*",)))[0]) == 4
    assert not caplog.messages
