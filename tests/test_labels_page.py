"""Every example in docs/labels.md does what it says, and the Spanish page has the same ones."""

import re
import shlex

import pandas as pd

from tests.flows.command import runner
from tests.test_readme import ROOT, blocks

PAGE = (ROOT / "docs" / "labels.md").read_text(encoding="utf-8")
SPANISH = (ROOT / "docs" / "labels.es.md").read_text(encoding="utf-8")


def test_the_examples_run_as_written(capsys, monkeypatch, tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    nocturna = runner(capsys, monkeypatch)
    lines = [line for block in blocks("sh", PAGE) for line in block.splitlines() if line.strip()]
    for line in lines:
        words = shlex.split(line, comments=True)
        done = nocturna(*words[1:])
        assert words[0] == "nocturna" and done.code == 0 and done.out.strip(), (line, done.err)
    assert len(lines) == 3 and len(pd.read_csv(tmp_path / "differ.csv")) > 0


def test_the_spanish_page_says_the_same():
    assert blocks("sh", SPANISH) == blocks("sh", PAGE)
    for part in (r"^## ", r"^\| ", r"^- ", r"^\d\. "):
        counts = [len(re.findall(part, page, re.MULTILINE)) for page in (PAGE, SPANISH)]
        assert counts[0] == counts[1] > 0, part
    links = [re.findall(r"\]\(([a-z]+\.md)\)", page) for page in (PAGE, SPANISH)]
    assert "gold.md" in links[0] and "gold.md" in links[1]
