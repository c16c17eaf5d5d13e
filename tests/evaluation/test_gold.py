"""Gold labels of files in the words of models."""

import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.gold import LEFT_OUT, map_labels, parse_map

LABELS = ("NEG", "NEU", "POS")


def test_map_is_parsed_and_applied() -> None:
    names = parse_map(["1 = NEG, 5=POS", "none="])
    assert names == {"1": "NEG", "5": "POS", "none": LEFT_OUT}
    assert map_labels(["1", "5", "neu", "x"], names, LABELS) == ["NEG", "POS", "NEU", "x"]
    assert parse_map([]) == {}
    assert parse_map(['{"muy, malo": "NEG", "a=b": ""}']) == {"muy, malo": "NEG", "a=b": LEFT_OUT}


@pytest.mark.parametrize(
    "text", ["neg", "=NEG", "a=NEG,a=POS", "a=b=c", "a=b,,c=d", "a=b;c=d,e=f", "{a: b}", '{"a": 1}']
)
def test_a_bad_map_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="--map"):
        parse_map([text])
