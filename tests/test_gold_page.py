"""Every example in docs/gold.md does what it says."""

import pyarrow.parquet as pq
import pytest
import yaml

from nocturna.tasks.job.job import Job
from nocturna.tasks.job.quality import Quality
from tests.flows.command import runner
from tests.reading.kept_texts import publish_texts, write_gold
from tests.test_readme import ROOT, blocks, run_as_written

PAGE = (ROOT / "docs" / "gold.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_run_as_written(capsys, monkeypatch, tmp_path):
    layout = publish_texts(tmp_path / "out")
    write_gold(tmp_path / "gold.csv", pq.read_table(layout.results.resolve()))
    (tmp_path / "gold").mkdir()
    monkeypatch.chdir(tmp_path)
    run_as_written(PAGE, runner(capsys, monkeypatch))
    made = ("errors.csv", "prensa-topic.xlsx", "gold/topic.csv", "gold/topic.sample.json")
    assert all((tmp_path / name).is_file() for name in made)


def test_the_section_of_a_job_is_valid_and_says_the_default():
    (shown,) = (yaml.safe_load(block) for block in blocks("yaml", PAGE))
    scores = {"topic": {"labels": ["a", "b"]}, "sentiment": {}}
    job = Job.model_validate({"name": "j", "source": {"path": "a"}, "scores": scores, **shown})
    assert job.gold["sentiment"].map == {"bueno": "POS", "malo": "NEG", "ni fu ni fa": "NEU"}
    assert job.quality.max_gold_drop == Quality().max_gold_drop
