"""Work is kept piece by piece, and a damaged or foreign piece is scored again."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.errors import Stopped
from tasks.inference.models import resolve_model
from tasks.inference.planned import InferencePlan, SentimentPlan, TopicPlan
from tasks.inference.running import running
from tasks.inference.scorer import score_texts
from tasks.job import Compute, LongDocuments
from tasks.steps import pieces
from tests.models import SENTIMENT, bert_classifier, sentence_encoder

TEXTS = [f"texto número {i % 90} de la prueba {'larga ' * (i % 5)}" for i in range(200)]
RUN = running(Compute(device="cpu", backend="torch", workers=1), "fp32")


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> InferencePlan:
    folder = tmp_path_factory.mktemp("models")
    sentiment = resolve_model(str(bert_classifier(folder / "s")), None, "sentiment")
    encoder = resolve_model(str(sentence_encoder(folder / "e")), None, "encoder")
    topics = TopicPlan(encoder, "embedding", ("a", "b"), ("a", "b"), False, 0.1)
    return InferencePlan(
        SentimentPlan(sentiment, SENTIMENT), topics, LongDocuments(overlap=16), "fp32"
    )


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(pieces, "FIRST", 10)
    monkeypatch.setattr(pieces, "MOST", 10)


def scored(plan, folder, stop=None):
    """Scores all texts; gives the scores and how many documents were told as done."""
    told = []
    run = replace(RUN, stop=stop)
    return pieces.score_in_pieces(plan, TEXTS, run, told.append, folder), sum(told)


def same(found, expected) -> bool:
    return all(
        np.allclose(getattr(found, name), getattr(expected, name), atol=1e-6)
        for name in ("n_tokens", "n_windows", "truncated", "sentiment", "topics")
    )


def test_pieces_give_the_scores_of_the_whole(plan, small, tmp_path):
    found, told = scored(plan, tmp_path / "pieces")
    assert same(found, score_texts(plan, TEXTS, RUN))
    assert told == pytest.approx(len(TEXTS))
    assert found.scored_texts == len(set(TEXTS))
    assert len(list((tmp_path / "pieces").iterdir())) == -(-len(set(TEXTS)) // 10) - 1


@pytest.mark.parametrize("damage", [None, "cut", "gone", "other"])
def test_a_stopped_shard_goes_on_where_its_pieces_end(plan, small, tmp_path, monkeypatch, damage):
    folder = tmp_path / "pieces"
    whole = score_texts(plan, TEXTS, RUN)
    asked = iter(range(100_000))
    with pytest.raises(Stopped):
        scored(plan, folder, stop=lambda: next(asked) > 40)
    kept = sorted(folder.iterdir(), key=lambda path: int(path.name.split("-")[0]))
    assert len(kept) > 2
    left = len(kept)
    if damage:
        left = 1
        if damage == "cut":
            kept[1].write_bytes(kept[1].read_bytes()[:100])
        elif damage == "gone":
            kept[1].unlink()
        else:
            kept[1].write_bytes(b"PK of somebody else")
    again = []

    def counted(plan, texts, *others):
        again.extend(texts)
        return score_texts(plan, texts, *others)

    monkeypatch.setattr(pieces, "score_texts", counted)
    found, told = scored(plan, folder)
    assert same(found, whole) and told == pytest.approx(len(TEXTS))
    assert len(again) == len(set(TEXTS)) - 10 * left
