"""What a first look tells of a corpus: its columns, and which of them is what."""

import json

import pytest

from nocturna.tasks.corpus import profile
from nocturna.tasks.corpus.guessing import guess_id, guess_kept, guess_text
from nocturna.tasks.corpus.profile import profile_corpus
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source
from tests.corpus.corpora import arrow, compressed, delimited, jsonl, parquet, write

NOTES = [
    "El pleno aprobó los presupuestos.",
    "Llueve en la costa desde el lunes.",
    "Abre el museo.",
]
ROWS = [
    {
        "clave": f"k{i}",
        "titular": ["El pleno de hoy", "Llueve otra vez", "Abre el museo"][i % 3] + f" {i}",
        "cuerpo": NOTES[i % 3] + f" Es la nota número {i}.",
        "dia": f"2024-05-{1 + i % 28:02}",
        "medio": ["Radio", "Prensa"][i % 2],
    }
    for i in range(40)
]
FILES = {
    "a.jsonl": jsonl(ROWS),
    "a.json": json.dumps(ROWS).encode(),
    "a.csv": delimited(ROWS),
    "puntos.csv": delimited(ROWS, ";"),
    "a.tsv": delimited(ROWS, "\t"),
    "a.parquet": parquet(ROWS),
    "a.arrow": arrow(ROWS),
    "a.jsonl.gz": compressed(jsonl(ROWS), ".gz"),
}


def guessed(path, **values):
    found = profile_corpus(Source(path=str(path), **values))
    text = guess_text(found)
    taken = [text.value] if text else []
    name = guess_id(found, taken)
    kept = guess_kept(found, [*taken, *([name.value] if name else [])])
    return found, text and text.value, name and name.value, kept.value


@pytest.mark.parametrize("name", FILES)
def test_the_columns_of_every_format_are_found_and_told_apart(tmp_path, name):
    found, *roles = guessed(write(tmp_path / name, FILES[name]))
    assert roles == ["cuerpo", "clave", ["dia", "medio"]]
    assert [column.name for column in found.columns] == list(ROWS[0])
    assert (found.looked_at, found.rows, found.whole, found.rejected) == (40, 40, True, 0)
    (medio,) = [column for column in found.columns if column.name == "medio"]
    assert (medio.filled, medio.distinct, medio.values) == (40, 2, ("Prensa", "Radio"))


def test_a_second_text_is_offered_in_front_of_the_first(tmp_path):
    found = profile_corpus(Source(path=str(write(tmp_path / "a.csv", FILES["a.csv"]))))
    assert '"{titular}. {cuerpo}"' in guess_text(found).why


def test_lines_have_no_columns_and_are_the_text(tmp_path):
    found, *_ = guessed(write(tmp_path / "a.txt", "\n".join(NOTES)))
    assert found.columns == () and found.texts("text", 2) == NOTES[:2]


def test_columns_inside_objects_are_named_by_their_path(tmp_path):
    rows = [{"id": f"n{i}", "meta": {"lang": "es", "texto": NOTES[i % 3]}} for i in range(9)]
    for name, data in (("a.jsonl", jsonl(rows)), ("a.parquet", parquet(rows))):
        _, text, doc_id, _ = guessed(write(tmp_path / name, data))
        assert (text, doc_id) == ("meta.texto", "id")


def test_an_id_that_repeats_is_taken_for_its_name_and_told(tmp_path):
    rows = [{"id": f"n{min(i, 18)}", "text": NOTES[i % 3]} for i in range(20)]
    found = profile_corpus(Source(path=str(write(tmp_path / "a.jsonl", jsonl(rows)))))
    guess = guess_id(found, ["text"])
    assert (guess.value, guess.put_aside) == ("id", 1) and "1 that repeat" in guess.why


@pytest.mark.parametrize(
    "values", [[str(i) for i in range(20)], [f"2024-01-{i:02}" for i in range(1, 21)]]
)
def test_what_is_unique_by_accident_is_no_id(tmp_path, values):
    rows = [{"votos": value, "text": NOTES[0] + value} for value in values]
    assert guessed(write(tmp_path / "a.jsonl", jsonl(rows)))[2] is None


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.csv"])
def test_of_a_large_corpus_the_first_rows_tell_how_many_there_are(tmp_path, monkeypatch, name):
    monkeypatch.setattr(profile, "LOOKED_AT", 10)
    rows = [{"id": f"n{i}", "text": NOTES[i % 3] * 20} for i in range(40_000)]
    data = {"a.jsonl": jsonl, "a.parquet": parquet, "a.csv": delimited}[name](rows)
    found, text, doc_id, _ = guessed(write(tmp_path / name, data))
    assert (text, doc_id, found.whole) == ("text", "id", False) and found.looked_at < 40_000
    assert found.rows == 40_000 if name == "a.parquet" else 36_000 < found.rows < 44_000


def test_a_column_that_is_named_and_not_there_is_said(tmp_path):
    path = write(tmp_path / "a.csv", FILES["a.csv"])
    with pytest.raises(UsageError, match="no column 'nada' for `text`; the columns are 'clave'"):
        profile_corpus(Source(path=str(path), text="nada"))
    with pytest.raises(UsageError, match="no rows"):
        profile_corpus(Source(path=str(write(tmp_path / "b.jsonl", "\n"))))
