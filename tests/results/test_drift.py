import json
import math
from dataclasses import replace

import numpy as np
import pytest

from nocturna.tasks.errors import QualityRefused
from nocturna.tasks.results.checks import check_run, refuse, write_metrics
from nocturna.tasks.results.drift import label_drift
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.shard_records import Counts
from nocturna.tasks.results.snapshots import publish
from tests.results.examples import (
    COLUMNS,
    SCHEMA,
    documents,
    gates,
    rows_of,
    scores_of,
    with_values,
)

LIMITS = gates(shift_documents=10)


def night(layout, number, positive, of=20, limits=LIMITS, publishes=True):
    """A night in which `positive` of the documents are POS and the others NEG."""
    run_id = f"night-{number}"
    docs = documents(f"{number}-{i}" for i in range(of))
    scores = np.full((of, 3), [0.1, 0.8, 0.1], dtype=np.float32)
    scores[:positive] = [0.8, 0.1, 0.1]
    table = rows_of(docs, run_id, with_values(scores_of(docs), sentiment=scores))
    part = write_part(table, layout.work(run_id), run_id, 0)
    checked = check_run(layout, [part], SCHEMA, Counts(of, of), limits, COLUMNS.scores)
    if publishes:
        write_metrics(layout, run_id, checked)
        publish(layout, run_id, [part], SCHEMA)
    return checked


def sentiment(checked):
    return [c.name for c in (*checked.failed, *checked.warnings) if c.name.startswith("sentiment")]


def test_a_first_night_has_nothing_to_compare_with(layout):
    checked = night(layout, 1, 10)
    assert checked.metrics["drift"] == {}
    assert checked.failed == ()


def test_a_shift_is_measured_in_points_against_the_nights_before(layout):
    night(layout, 1, 8)
    night(layout, 2, 12)
    drift = night(layout, 3, 12).metrics["drift"]["sentiment"]
    assert (drift["documents"], drift["before"]) == (20, 40)
    assert drift["label"] == "POS"
    assert drift["shift"] == pytest.approx(0.1)
    neutral = (0.5 / 20 - 0.5 / 40) * math.log((0.5 / 20) / (0.5 / 40))
    expected = 0.1 * math.log(0.6 / 0.5) - 0.1 * math.log(0.4 / 0.5) + neutral
    assert drift["psi"] == pytest.approx(expected, abs=1e-6)


def test_the_label_that_moved_most_may_have_lost(layout):
    metrics = {"scores": {"sentiment": {"counts": {"POS": 30, "NEG": 35, "NEU": 35}}}}
    night(layout, 1, 50, of=100)
    path = layout.metrics("night-1")
    written = json.loads(path.read_bytes())
    written["metrics"]["scores"]["sentiment"]["counts"] = {"POS": 50, "NEG": 25, "NEU": 25}
    path.write_text(json.dumps(written))
    drift = label_drift(layout, metrics)["sentiment"]
    assert (drift["label"], drift["shift"]) == ("POS", -0.2)


def test_only_the_newest_nights_are_compared_with(layout):
    for number, positive in enumerate([0, 20, 10]):
        night(layout, number, positive, limits=gates())
    metrics = {"scores": {"sentiment": {"counts": {"POS": 15, "NEG": 5, "NEU": 0}}}}
    assert label_drift(layout, metrics, nights=1)["sentiment"]["shift"] == 0.25
    assert label_drift(layout, metrics, nights=2)["sentiment"]["shift"] == 0
    assert label_drift(layout, metrics)["sentiment"]["before"] == 60


@pytest.mark.parametrize(
    ("positive", "found"),
    [
        (50, []),
        (53, []),
        (54, ["sentiment_shift_warning"]),
        (46, ["sentiment_shift_warning"]),
        (60, ["sentiment_shift_warning"]),
        (61, ["sentiment_shift", "sentiment_shift_warning"]),
        (39, ["sentiment_shift", "sentiment_shift_warning"]),
    ],
)
def test_three_points_warn_and_ten_refuse(layout, positive, found):
    night(layout, 1, 50, of=100)
    checked = night(layout, 2, positive, of=100, publishes=False)
    assert sorted(sentiment(checked)) == found
    assert [c.name for c in checked.failed if c.name.startswith("sentiment")] == found[:-1]


def test_the_limits_can_be_set_and_switched_off(layout):
    night(layout, 1, 50, of=100)
    loose = gates(shift_documents=10, warn_shift=0.2, max_shift=0.5)
    assert sentiment(night(layout, 2, 65, of=100, limits=loose, publishes=False)) == []
    off = gates(shift_documents=10, warn_shift=None, max_shift=None)
    assert sentiment(night(layout, 3, 100, of=100, limits=off, publishes=False)) == []


def test_a_few_documents_prove_no_shift(layout):
    night(layout, 1, 50, of=100)
    few = gates(shift_documents=21)
    assert sentiment(night(layout, 2, 20, limits=few, publishes=False)) == []
    assert "sentiment_shift" in sentiment(night(layout, 3, 20, publishes=False))


def test_other_labels_are_not_compared(layout):
    night(layout, 1, 50, of=100)
    path = layout.metrics("night-1")
    path.write_bytes(path.read_bytes().replace(b'"POS"', b'"positivo"'))
    assert "sentiment" not in night(layout, 2, 100, of=100).metrics["drift"]


def test_a_refused_run_is_not_compared_with(layout):
    night(layout, 1, 50, of=100)
    write_metrics(layout, "refused", night(layout, 2, 100, of=100, publishes=False))
    assert night(layout, 3, 50, of=100).metrics["drift"]["sentiment"]["shift"] == 0


def test_a_shift_says_which_label_moved_and_by_how_much(layout):
    night(layout, 1, 50, of=100)
    checked = night(layout, 2, 70, of=100, publishes=False)
    with pytest.raises(QualityRefused, match=r"sentiment 'POS' moved by \+20\.0 points"):
        refuse(layout, "night-2", checked)


def test_soft_gates_can_be_accepted_with_a_reason_and_hard_ones_cannot(layout):
    night(layout, 1, 50, of=100)
    checked = night(layout, 2, 70, of=100, publishes=False)
    refuse(layout, "night-2", checked, accepted="an election was called")
    broken = replace(checked.checks[0], passed=False)
    with pytest.raises(QualityRefused) as caught:
        refuse(layout, "night-2", replace(checked, checks=(broken,)), accepted="never mind")
    assert "moved by" not in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (gates(min_score=0.9), "sentiment_mean_score"),
        (gates(max_saturated=0.0), "topic_saturated"),
        (gates(max_truncated=0.0), "max_truncated"),
    ],
)
def test_confidence_and_cuts_have_limits(layout, limits, name):
    docs = documents("abcd")
    scores = scores_of(docs)
    scores.scores["topic"].values[0] = [1, 0]
    scores.scores["sentiment"].values[:] = [0.8, 0.1, 0.1]
    scores.truncated[0] = True
    part = write_part(rows_of(docs, "r", scores), layout.work("r"), "r", 0)
    checked = check_run(layout, [part], SCHEMA, Counts(4, 4), limits, COLUMNS.scores)
    assert name in {c.name for c in checked.failed}
    without = check_run(layout, [part], SCHEMA, Counts(4, 4), gates(), COLUMNS.scores)
    assert without.failed == ()
