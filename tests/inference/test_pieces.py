"""Work is kept piece by piece, and a damaged or foreign piece is scored again."""

from dataclasses import replace

import numpy as np
import pytest

from nocturna.tasks.errors import Stopped
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import Known, score_texts
from nocturna.tasks.job.job import Compute
from nocturna.tasks.run import met, pieces
from tests.inference.plans import plan_scores
from tests.models import bert_classifier, sentence_encoder

TEXTS = [f"texto número {i % 90} de la prueba {'larga ' * (i % 5)}" for i in range(200)]
RUN = running(Compute(device="cpu", backend="torch", workers=1), "fp32")


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> InferencePlan:
    folder = tmp_path_factory.mktemp("models")
    encoder = {"kind": "embedding", "model": sentence_encoder(folder / "e"), "temperature": 0.1}
    scores = {
        "sentiment": {"model": bert_classifier(folder / "s")},
        "topic": {**encoder, "labels": ["a", "b"]},
        "own": {**encoder, "labels_column": "own"},
    }
    return plan_scores(scores, {"overlap": 16})


TOPIC = np.arange(len(TEXTS)) % 90 % 4 > 0
KNOWN = Known(
    needs={"topic": TOPIC}, choices={"own": [("a", "b", "c")[: i % 90 % 4] for i in range(200)]}
)
"""One score that only some need, and one whose labels, three at most, each text brings along."""


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(pieces, "FIRST", 10)
    monkeypatch.setattr(pieces, "MOST", 10)


def scored(plan, folder, stop=None):
    """Scores all texts; gives the scores and how many documents were told as done."""
    told = []
    run = replace(RUN, stop=stop)
    found = pieces.score_in_pieces(plan, TEXTS, run, told.append, folder, KNOWN)
    return found, sum(told)


def whole(plan):
    return score_texts(plan, TEXTS, RUN, known=KNOWN)


def same(found, expected) -> bool:
    parts = [(getattr(found, name), getattr(expected, name)) for name in ("n_tokens", "n_windows")]
    for name, score in expected.by_name.items():
        other = found.by_name[name]
        parts += [(other.values, score.values), (other.asked, score.asked)]
        parts.append((other.skipped, score.skipped))
    return all(np.allclose(one, other, atol=1e-6, equal_nan=True) for one, other in parts)


def test_pieces_give_the_scores_of_the_whole(plan, small, tmp_path):
    found, told = scored(plan, tmp_path / "pieces")
    assert same(found, whole(plan))
    assert np.isfinite(found.by_name["topic"].values).all(axis=1).tolist() == TOPIC.tolist()
    assert told == pytest.approx(len(TEXTS))
    assert found.scored_texts == len(set(TEXTS))
    assert len(list((tmp_path / "pieces").iterdir())) == -(-len(set(TEXTS)) // 10) - 1


SOME = [pytest.param(damage, marks=pytest.mark.slow) for damage in ("gone", "other")]


@pytest.mark.parametrize("damage", [None, "cut", *SOME])
def test_a_stopped_shard_goes_on_where_its_pieces_end(plan, small, tmp_path, monkeypatch, damage):
    folder = tmp_path / "pieces"
    expected = whole(plan)
    asked = iter(range(100_000))
    with pytest.raises(Stopped):
        scored(plan, folder, stop=lambda: next(asked) > 80)
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
    assert same(found, expected) and told == pytest.approx(len(TEXTS))
    assert len(again) == len(set(TEXTS)) - 10 * left


def test_equal_texts_of_other_needs_share_a_piece_and_are_read_once(plan, small, tmp_path):
    texts = [f"texto {i // 2}" for i in range(24)]
    needs = {
        "sentiment": np.ones(24, bool),
        "topic": np.arange(24) % 2 > 0,
        "own": np.zeros(24, bool),
    }
    known = Known(needs=needs, choices={"own": [()] * 24})
    found = pieces.score_in_pieces(plan, texts, RUN, [].append, tmp_path / "pieces", known)
    assert found.scored_texts == 12
    assert np.isfinite(found.by_name["topic"].values[:, 0]).tolist() == needs["topic"].tolist()
    sentiment = found.by_name["sentiment"].values
    assert np.array_equal(sentiment[::2], sentiment[1::2])


def test_what_one_shard_has_read_another_does_not_read_again(plan, small, tmp_path, monkeypatch):
    computed, remembered = [], met.Met()

    def counted(plan, texts, *others):
        computed.extend(texts)
        return score_texts(plan, texts, *others)

    monkeypatch.setattr(pieces, "score_texts", counted)

    def shard(name, known=KNOWN, texts=TEXTS):
        told = []
        done = pieces.score_in_pieces(
            plan, texts, RUN, told.append, tmp_path / name, known, remembered
        )
        assert sum(told) == pytest.approx(len(texts))
        return done

    expected = whole(plan)
    assert same(shard("first"), expected) and len(computed) == len(set(TEXTS)) == 90
    again = shard("second")
    assert same(again, expected) and len(computed) == 90
    assert again.scored_texts == again.tally.read == 0
    some = ["otro texto", *TEXTS[1:]]
    assert same(shard("third", texts=some), score_texts(plan, some, RUN, known=KNOWN))
    assert computed[90:] == ["otro texto"]
    needs = Known(needs={"topic": ~TOPIC}, choices=KNOWN.choices)
    assert same(shard("fourth", needs), score_texts(plan, TEXTS, RUN, known=needs))
    assert len(computed) == 91 + 90


def test_the_texts_that_were_met_last_are_remembered(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(met, "MOST", 50)
    remembered, told = met.Met(), []
    for texts in (TEXTS[:40], TEXTS[20:90], TEXTS[40:90]):
        own = Known(choices={"own": [()] * len(texts)})
        pieces.score_in_pieces(plan, texts, RUN, told.append, tmp_path / "p", own, remembered)
    assert len(remembered._places) == 50
    found = remembered.score(plan, TEXTS[40:90], own, None, told.append)
    assert found.scored_texts == 0 and told[-1] == 50
