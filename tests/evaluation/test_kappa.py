"""Agreement beyond chance, and which labels of two lists mean the same."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from nocturna.tasks.evaluation.kappa import kappa
from nocturna.tasks.evaluation.wording_trial import same_labels


def test_kappa_is_cohens():
    rng = np.random.default_rng(3)
    for labels in (2, 3, 7):
        one = rng.integers(0, labels, 80)
        other = np.where(rng.random(80) < 0.6, one, rng.integers(0, labels + 1, 80))
        words = [[f"l{at}" for at in said] for said in (one, other)]
        assert kappa(*words) == pytest.approx(cohen_kappa_score(one, other))
    assert (kappa(["a", "a"], ["a", "a"]), kappa(["a", "a"], ["b", "b"])) == (1, 0)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (["b", "a"], {"b": "b", "a": "a"}),
        (["x", "y"], {"x": "a", "y": "b"}),
        (["x", "a"], {"x": "b", "a": "a"}),
        (["x", "a", "y"], {"x": "x", "a": "a", "y": "y"}),
    ],
)
def test_labels_stand_for_equal_ones_and_then_for_those_in_their_place(other, found):
    assert same_labels(["a", "b"], other) == found
