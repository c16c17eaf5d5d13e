"""What docs/scale.md says of very large corpora is what the script computes from its data."""

import csv
import re
from pathlib import Path

from tests.benchmarks.large import PRICES, alone, break_even, scoring

DOC = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")


def test_the_tables_of_the_guide_are_those_of_the_script():
    for table in (scoring(), alone(), break_even()):
        assert "\n".join(table) in DOC


def test_every_price_says_of_when_and_whence_it_is():
    with PRICES.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            assert re.fullmatch(r"20\d\d-\d\d", row["as_of"]) and row["source"], row
            assert float(row["usd_an_hour"]) > 0
