"""Texts and ids that are made of several columns."""

import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source
from tests.corpus.corpora import ENCODERS, read_all, reasons, source, texts, write

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
