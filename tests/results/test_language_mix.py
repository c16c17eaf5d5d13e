"""Languages in the figures of a run, their gates, and checks that a job lets only warn."""

from dataclasses import replace

import numpy as np
import pytest

from nocturna.tasks.errors import QualityRefused
from nocturna.tasks.job.quality import soft_checks_of
from nocturna.tasks.results.checks import check_run, read_metrics, refuse, write_metrics
from nocturna.tasks.results.limits import soft_checks
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
EVERY_CHECK = tuple(soft_checks_of(["sentiment", "topic"]))


def night(layout, number, languages, limits=LIMITS, failed=0, publishes=True, language="es"):
    """A night whose documents have these languages, by number: `{"es": 90, None: 10}`.

    Of each language the first `failed` have no scores.
    """
    run_id = f"night-{number}"
    codes = [code for code, of in languages.items() for _ in range(of)]
    firsts = {codes.index(code) + i for code in languages for i in range(failed)}
    docs = documents(f"{number}-{i}" for i in range(len(codes)))
    scores = np.full((len(codes), 3), [0.1, 0.8, 0.1], dtype=np.float32)
    made = replace(
        with_values(
            scores_of(docs),
            sentiment=scores,
            topic=np.full((len(codes), 2), [0.6, 0.4], dtype=np.float32),
        ),
        language=np.array(codes, dtype=object),
        errors=dict.fromkeys(firsts, ("too_long", "x")),
    )
    part = write_part(rows_of(docs, run_id, made), layout.work(run_id), run_id, 0)
    counts = Counts(len(codes), len(codes) - len(firsts), len(firsts))
    checked = check_run(layout, [part], SCHEMA, counts, limits, COLUMNS.scores, language=language)
    write_metrics(layout, run_id, checked)
    if publishes:
        publish(layout, run_id, [part], SCHEMA)
    return checked


def names(checks):
    return [check.name for check in checks]


def test_languages_are_counted_over_the_scored_documents(layout):
    checked = night(layout, 1, {"en": 3, "es": 6, "ca": 3, None: 4}, failed=1)
    found = checked.metrics["language"]
    assert list(found["counts"].items()) == [("es", 5), ("ca", 2), ("en", 2)]
    assert found["shares"] == {"es": 5 / 12, "ca": 2 / 12, "en": 2 / 12}
    assert found["unknown_share"] == 3 / 12
    assert read_metrics(layout, "night-1")["language"] == found


def test_a_night_of_no_documents_has_no_languages(layout):
    checked = check_run(
        layout, [], SCHEMA, Counts(), gates(shift_documents=10, max_other_language=0)
    )
    assert checked.metrics["language"] == {"counts": {}, "shares": {}, "unknown_share": 0.0}
    assert checked.failed == ()


@pytest.mark.parametrize(
    ("languages", "label", "shift"),
    [
        ({"es": 60, "en": 40}, "es", -0.2),
        ({"es": 50, "en": 20, "fr": 30}, "es", -0.3),
        ({"es": 80, "fr": 20}, "fr", 0.2),
        ({"en": 100}, "en", 0.8),
        ({"es": 60, "en": 20, None: 200}, "es", -0.05),
    ],
)
def test_the_mix_is_compared_over_the_languages_of_both_nights(layout, languages, label, shift):
    night(layout, 1, {"es": 80, "en": 20})
    drift = night(layout, 2, languages, publishes=False).metrics["drift"]["language"]
    assert (drift["label"], drift["shift"]) == (label, shift)
    assert drift["documents"] == sum(n for code, n in languages.items() if code)
    assert drift["before"] == 100
    assert drift["psi"] > 0


def test_several_nights_are_compared_with_together(layout):
    night(layout, 1, {"es": 100})
    night(layout, 2, {"en": 100}, gates())
    drift = night(layout, 3, {"es": 100}).metrics["drift"]["language"]
    assert (drift["label"], drift["shift"], drift["before"]) == ("es", 0.5, 200)


@pytest.mark.parametrize(
    ("english", "failed", "warned"),
    [
        (3, [], []),
        (4, [], ["language_shift_warning"]),
        (10, [], ["language_shift_warning"]),
        (11, ["language_shift"], ["language_shift_warning"]),
    ],
)
def test_three_points_of_language_warn_and_ten_refuse(layout, english, failed, warned):
    night(layout, 1, {"es": 100})
    checked = night(layout, 2, {"es": 100 - english, "en": english}, publishes=False)
    assert (names(checked.failed), names(checked.warnings)) == (failed, warned)


def test_a_shift_of_language_says_which_and_by_how_much(layout):
    night(layout, 1, {"es": 100})
    checked = night(layout, 2, {"es": 70, "en": 30}, publishes=False)
    with pytest.raises(QualityRefused, match=r"language 'es' moved by -30\.0 points") as caught:
        refuse(layout, "night-2", checked)
    assert "--accept" in str(caught.value)


def test_a_few_documents_of_known_language_prove_no_shift(layout):
    night(layout, 1, {"es": 100})
    few = {"en": 9, None: 91}
    assert night(layout, 2, few, publishes=False).failed == ()
    known = night(layout, 3, {"en": 10, None: 90}, publishes=False)
    assert names(known.failed) == ["language_shift"]


def test_nights_before_languages_were_told_are_no_matter(layout):
    night(layout, 1, {"es": 100})
    path = layout.metrics("night-1")
    path.write_bytes(path.read_bytes().replace(b'"language"', b'"idioma"'))
    checked = night(layout, 2, {"en": 100})
    assert "language" not in checked.metrics["drift"]
    assert "sentiment" in checked.metrics["drift"]


def test_documents_in_another_language_have_a_limit(layout):
    languages = {"es": 80, "en": 7, "pt": 5, None: 8}
    assert night(layout, 1, languages).failed == ()
    assert (
        night(layout, 2, languages, gates(shift_documents=10, max_other_language=0.12)).failed == ()
    )
    checked = night(layout, 3, languages, gates(shift_documents=10, max_other_language=0.11))
    assert names(checked.failed) == ["max_other_language"]
    (check,) = checked.failed
    assert check.message.startswith(
        "12.0% (limit 11.0%) of the documents are in another language than 'es', mostly 'en': "
    )
    english = gates(shift_documents=10, max_other_language=0.5)
    assert names(night(layout, 4, languages, english, language="en").failed) == [
        "max_other_language"
    ]


def test_a_check_that_only_warns_does_not_refuse(layout):
    night(layout, 1, {"es": 100})
    limits = gates(
        shift_documents=10, max_failed=0.1, warn_shift=None, warn_only=("language_shift",)
    )
    checked = night(layout, 2, {"es": 20, "en": 80}, limits, publishes=False)
    assert (names(checked.failed), names(checked.warnings)) == ([], ["language_shift"])
    refuse(layout, "night-2", checked)

    both = night(layout, 3, {"es": 20, "en": 80}, limits, failed=15, publishes=False)
    assert (names(both.failed), names(both.warnings)) == (["max_failed"], ["language_shift"])
    with pytest.raises(QualityRefused) as caught:
        refuse(layout, "night-3", both)
    assert "have no score" in str(caught.value) and "moved by" not in str(caught.value)


def test_a_check_that_passes_is_no_warning(layout):
    night(layout, 1, {"es": 100})
    checked = night(layout, 2, {"es": 100}, gates(shift_documents=10, warn_only=EVERY_CHECK))
    assert (checked.failed, checked.warnings) == ((), ())


def test_every_check_that_may_only_warn_exists_and_every_soft_one_may(layout):
    night(layout, 1, {"es": 100})
    metrics = night(layout, 2, {"en": 100}, publishes=False).metrics
    fallen = {"accuracy": 0.5, "rows": 9, "before": {"rows": 9, "difference": -0.5, "p": 0.01}}
    metrics["gold"] = {"sentiment": fallen, "topic": fallen}
    shares = dict.fromkeys(
        ["max_quarantined", "max_failed", "max_truncated", "max_other_language", "max_shift"], 0.0
    )
    limits = gates(**shares, shift_documents=1, min_score=0, max_saturated=0, min_gold_accuracy=1)
    refusing = [c.name for c in soft_checks(metrics, limits, "es") if not c.warning]
    assert sorted(refusing) == sorted(EVERY_CHECK)
    warned = soft_checks(metrics, limits.model_copy(update={"warn_only": EVERY_CHECK}))
    assert all(check.warning for check in warned)
