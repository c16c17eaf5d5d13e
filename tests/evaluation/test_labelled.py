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
