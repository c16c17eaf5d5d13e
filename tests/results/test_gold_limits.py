"""When a night is not published, or warned of, for what it is worth on gold labels."""

import pytest

from nocturna.tasks.results.gold_limits import gold_checks
from tests.results.examples import gates


def figures(accuracy: float, fall: float | None, p: float = 1.0) -> dict:
    before = None if fall is None else {"rows": 200, "difference": -fall, "p": p}
    return {"accuracy": accuracy, "rows": 210, "before": before}


@pytest.mark.parametrize(
    ("limits", "found", "refuses", "warns"),
    [
        ({}, figures(0.4, None), [], []),
        ({}, figures(0.4, 0.04, 0.001), [], []),
        ({}, figures(0.4, -0.2, 0.001), [], []),
        ({}, figures(0.4, 0.06, 0.04), ["topic_gold_drop"], []),
        ({}, figures(0.4, 0.06, 0.06), [], ["topic_gold_drop"]),
        ({"max_gold_drop": 0.1}, figures(0.4, 0.06, 0.001), [], []),
        ({"max_gold_drop": None}, figures(0.4, 0.9, 0.001), [], []),
        ({"min_gold_accuracy": 0.5}, figures(0.49, None), ["topic_gold_accuracy"], []),
        ({"min_gold_accuracy": 0.5}, figures(0.5, 0.0), [], []),
        ({"min_gold_accuracy": 0.5}, {"problem": "gone"}, [], ["topic_gold_file"]),
    ],
)
def test_a_fall_that_chance_hardly_makes_refuses_and_another_warns(limits, found, refuses, warns):
    checks = [c for c in gold_checks("topic", found, gates(**limits)) if not c.passed]
    assert [c.name for c in checks if not c.warning] == refuses
    assert [c.name for c in checks if c.warning] == warns
    assert not any(check.hard for check in checks)
