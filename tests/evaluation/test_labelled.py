"""The rows of a file that was drawn are known again, whatever a spreadsheet made of them."""

import hashlib

import numpy as np
import pytest

from nocturna.tasks.corpus.gold_sample import GoldSample, Stratum, sample_file
from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.labelled import kept_rows, read_labelled
from nocturna.tasks.job.source import Source

TEXTS = {"007": "uno", "=1": "=dos", "x": "'tres", "y": "cuatro"}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@pytest.fixture
def path(tmp_path):
    """A CSV as a spreadsheet left it, and beside it how its rows were drawn."""
    rows = {doc_id: (at % 2, digest(text)) for at, (doc_id, text) in enumerate(TEXTS.items())}
    strata = (Stratum("a", 1, 0.1, 0.9, 30, 2), Stratum("b", 1, 0.1, 0.9, 10, 2))
    sample = GoldSample("prensa", 1, "run", "topic", ("a", "b"), 0, strata, rows)
    path = tmp_path / "gold.csv"
    sample_file(path).write_text(sample.as_text(), "utf-8")
    lines = [
        "doc_id,text,label",
        "7,uno,a",
        "'=1,'=dos,b",
        "x,'tres,?",
        "y,cuatro más,",
        "z,otro,a",
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_ids_and_texts_are_those_that_were_drawn(path):
    found = read_labelled(Source(path=str(path), keep=("label",)), "label")
    assert found.documents["doc_id"].to_pylist() == list(TEXTS), "z was not drawn"
    assert found.documents["text"].to_pylist() == ["uno", "=dos", "'tres", "cuatro más"]
    hashes = found.documents["content_hash"].to_pylist()
    assert hashes == [digest(text) for text in TEXTS.values()]
    assert (found.rows, found.given) == (5, ("a", "b", "?", ""))
    named = found.named({}, ("a", "b"))
    kept = kept_rows(named)
    assert kept.tolist() == [0, 1]
    design, covered = found.design(kept, np.array([0, 1, 2]))
    assert design.weights.tolist() == [15, 10] and covered == 40, "? is an answer of its stratum"


def test_a_sample_of_another_file_is_refused(path):
    path.write_text("doc_id,text,label\nq,otra cosa,a\n", "utf-8")
    with pytest.raises(UsageError, match=r"none of its rows .*gold\.sample\.json"):
        read_labelled(Source(path=str(path), keep=("label",)), "label")


def read(path):
    return read_labelled(Source(path=str(path), keep=("label",)), "label")


def test_each_document_counts_once_and_with_one_label(path):
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines, "7,uno,a", "7,uno,", "y,cuatro,b"]) + "\n", "utf-8")
    found = read(path)
    assert found.given == ("a", "b", "?", "b"), "y has a label in one of its two rows"
    assert (found.rows, found.not_drawn, found.repeated) == (8, 1, 3)
    path.write_text("\n".join([*lines, "7,uno,b"]) + "\n", "utf-8")
    with pytest.raises(UsageError, match="document '007' is labelled both 'a' and 'b'"):
        read(path)


def test_what_makes_a_file_of_labels_unreadable_is_said(path):
    path.write_bytes("doc_id,text,label\n7,día,a\nx,tres,?\n".encode("cp1252"))
    with pytest.raises(
        UsageError, match=r"no row with a gold label can be read \(line 2, .*not valid utf-8"
    ):
        read(path)
    path.write_text("doc_id,text\n7,uno\n", "utf-8")
    with pytest.raises(UsageError, match=r"no column 'label' for the gold label \(--gold"):
        read(path)
