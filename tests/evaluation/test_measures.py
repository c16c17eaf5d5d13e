"""The measures against values worked out by hand."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.agreement import evaluate_labels

LABELS = ("NEG", "NEU", "POS")
GOLD = ["NEG", "NEG", "NEU", "POS"]
SCORES = np.array(
    [[0.85, 0.1, 0.05], [0.2, 0.22, 0.58], [0.05, 0.9, 0.05], [0.0, 0.0, 1.0]], dtype=np.float32
)


def test_accuracy_f1_and_confusion() -> None:
    found = evaluate_labels(GOLD, SCORES, LABELS)
    assert (found.n, found.accuracy) == (4, 0.75)
    assert found.confusion == ((1, 0, 1), (0, 1, 0), (0, 0, 1))
    neg, neu, pos = found.per_label
    assert (neg.precision, neg.recall, neg.support) == (1.0, 0.5, 2)
    assert neg.f1 == pytest.approx(2 / 3)
    assert neu.f1 == 1.0
    assert (pos.precision, pos.recall) == (0.5, 1.0)
    assert found.macro_f1 == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)


def test_calibration() -> None:
    found = evaluate_labels(GOLD, SCORES.astype(np.float64), LABELS)
    counts = {round(b.upper, 1): b.count for b in found.reliability if b.count}
    assert counts == {0.6: 1, 0.9: 2, 1.0: 1}
    gaps = 1 * abs(0.58 - 0) + 2 * abs(0.875 - 1) + 1 * abs(1.0 - 1)
    assert found.calibration_error == pytest.approx(gaps / 4)


def test_a_label_without_gold_rows_does_not_count_in_macro_f1() -> None:
    found = evaluate_labels(["NEG"], np.array([[0.9, 0.1, 0.0]]), LABELS)
    assert found.macro_f1 == 1.0
    assert found.per_label[2].support == 0


def test_renderings_carry_the_figures() -> None:
    found = evaluate_labels(GOLD, SCORES, LABELS)
    assert json.loads(json.dumps(asdict(found)))["confusion"][0] == [1, 0, 1]


def test_an_unknown_gold_label_is_named_with_the_way_out() -> None:
    with pytest.raises(UsageError, match=r"'mixed' is none of the model's labels.*--map mixed="):
        evaluate_labels(["mixed"], SCORES[:1], LABELS)


def test_no_row_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to evaluate"):
        evaluate_labels([], np.empty((0, 3)), LABELS)
