"""Every example in docs/labels.md does what it says, and the Spanish page has the same ones."""

import re

import pandas as pd
import pytest

from tests.flows.command import runner
from tests.test_readme import ROOT, blocks, run_as_written

PAGE = (ROOT / "docs" / "labels.md").read_text(encoding="utf-8")
SPANISH = (ROOT / "docs" / "labels.es.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_run_as_written(capsys, monkeypatch, tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    lines = run_as_written(PAGE, runner(capsys, monkeypatch))
    assert len(lines) == 3 and len(pd.read_csv(tmp_path / "differ.csv")) > 0


def test_the_spanish_page_says_the_same():
    assert blocks("sh", SPANISH) == blocks("sh", PAGE)
    for part in (r"^## ", r"^\| ", r"^- ", r"^\d\. "):
        counts = [len(re.findall(part, page, re.MULTILINE)) for page in (PAGE, SPANISH)]
        assert counts[0] == counts[1] > 0, part
    links = [re.findall(r"\]\(([a-z]+\.md)\)", page) for page in (PAGE, SPANISH)]
    assert "gold.md" in links[0] and "gold.md" in links[1]
