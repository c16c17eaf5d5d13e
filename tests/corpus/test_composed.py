"""Texts and ids that are made of several columns."""

import math
from datetime import date

import pyarrow as pa
import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job_file import make_job
from nocturna.tasks.job.source import Source
from tests.corpus.corpora import ENCODERS, parquet, read_all, reasons, source, texts, write

ROWS = [
    {"medio": "a", "n": 1, "titulo": "Uno", "cuerpo": "Primero.", "k": "x"},
    {"medio": "a", "n": 2, "titulo": None, "cuerpo": "Segundo.", "k": "y"},
    {"medio": "b", "n": 1, "titulo": "Tres", "cuerpo": None, "k": None},
    {"medio": "b", "n": 2, "titulo": None, "cuerpo": None, "k": "z"},
    {"medio": None, "n": 3, "titulo": "Cinco", "cuerpo": "Quinto.", "k": "v"},
]


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet", "arrow"])
def test_a_text_and_an_id_of_several_columns(tmp_path, form):
    path = write(tmp_path / f"c.{form}", ENCODERS[form](ROWS))
    origin = source(path, text="{titulo}. {cuerpo}", id=["medio", "n"], keep=("k", "titulo"))
    documents, rejects = read_all(origin)
    assert texts(documents) == ["Uno. Primero.", "Segundo.", "Tres", None]
    assert [row["doc_id"] for row in documents] == ["a/1", "a/2", "b/1", "b/2"]
    assert [row["k"] or None for row in documents] == ["x", "y", None, "z"]
    assert [row["titulo"] or None for row in documents] == ["Uno", None, "Tres", None]
    assert set(documents[0]) & {"cuerpo", "medio", "n"} == set()
    assert documents[3]["error_code"] in ("null_text", "missing_text")
    assert reasons(rejects) == ["missing_id"]


def test_a_column_that_no_file_has_is_refused_and_one_that_some_lack_is_null(tmp_path):
    write(tmp_path / "a.jsonl", ENCODERS["jsonl"](ROWS[:1]))
    write(tmp_path / "b.csv", "titulo\nSolo\n")
    origin = source(tmp_path, text="{titulo}: {cuerpo}")
    assert texts(read_all(origin)[0]) == ["Uno: Primero.", "Solo"]
    for text in ("{titulo} {pie}", "{pie} {titulo}"):
        with pytest.raises(UsageError, match="no column 'pie'"):
            read_all(source(tmp_path, text=text))


def test_a_column_that_only_the_whole_file_can_tell_of(tmp_path):
    rows = [{"id": n, "titulo": f"t{n}"} for n in range(400)]
    path = write(tmp_path / "c.jsonl", ENCODERS["jsonl"](rows))
    with pytest.raises(UsageError, match="no column 'pie'"):
        read_all(source(path, text="{titulo} {pie}"))
    rows[390]["pie"] = "fin"
    write(path, ENCODERS["jsonl"](rows))
    found = texts(read_all(source(path, text="{titulo} {pie}"))[0])
    assert (found[389], found[390]) == ("t389", "t390 fin")


def test_one_column_in_a_list_is_that_column():
    assert Source(path="a", id=["x"]).id == "x"
    assert Source(path="a", id=["x", "y"]).id == "{x}/{y}"


def test_what_is_no_text_alone_is_none_in_a_template(tmp_path):
    odd = ['{"es": "Hola"}', '["x"]', "true", '"Uno"', "2024", "NaN"]
    path = write(tmp_path / "c.jsonl", "".join(f'{{"a": {a}, "b": "dos"}}\n' for a in odd))
    documents, _ = read_all(source(path, text="{a}. {b}"))
    assert [row["error_code"] for row in documents[:3]] == ["not_text"] * 3
    assert texts(documents)[3:] == ["Uno. dos", "2024. dos", "dos"]
    documents, rejects = read_all(source(path, text="b", id="{b}/{a}"))
    assert [row["doc_id"] for row in documents] == ["dos/true", "dos/Uno", "dos/2024"]
    assert reasons(rejects) == ["invalid_id", "invalid_id", "missing_id"]


@pytest.mark.parametrize("values", [[["a"]], [True], [{"a": 1}], pa.array([b"0123"], pa.binary(4))])
@pytest.mark.parametrize("text", ["{a} {b}", "{b} {a}"])
def test_a_type_that_is_no_text_is_refused_wherever_it_stands_in_a_template(tmp_path, values, text):
    path = write(tmp_path / "c.parquet", parquet(pa.table({"a": values, "b": ["uno"]})))
    with pytest.raises(UsageError, match="the text column 'a' holds"):
        read_all(source(path, text=text))


def test_values_of_parquet_in_a_template_are_as_they_are_alone(tmp_path):
    columns = {
        "a": pa.array([b"a\xf1o", b"bien", b"mal"]),
        "n": pa.array([1.5, math.nan, 2.0**60]),
        "day": [date(2024, 5, 2)] * 3,
        "key": pa.array([b"\0" * 4, b"\1" * 4, b"\2" * 4], pa.binary(4)),
    }
    path = write(tmp_path / "c.parquet", parquet(pa.table(columns)))
    documents, rejects = read_all(source(path, text="{day}: {a} {n}"))
    assert texts(documents) == ["2024-05-02: bien", "2024-05-02: mal 1.152921504606847e+18"]
    assert [(row["reason"], row["raw"]) for row in rejects] == [("encoding", b"a\xf1o")]
    documents, rejects = read_all(source(path, text="{day}", id="{key}/{n}"))
    assert [row["doc_id"] for row in documents] == ["00000000/1.5"]
    assert reasons(rejects) == ["missing_id", "invalid_id"]


@pytest.mark.parametrize("id", [[], ["medio", None], [1], [["medio"]]])
def test_a_list_that_names_no_columns_is_one_line(id):
    with pytest.raises(UsageError, match=r"source\.id: .*(empty list|is no text)") as line:
        make_job({"name": "n", "source": {"path": "a.csv", "id": id}}, "n.yaml")
    assert "\n" not in str(line.value)
