"""What the record of a run says of its job."""

from nocturna.tasks.job.job import Job
from nocturna.tasks.run.describe import recorded_job


def test_a_record_names_its_source_wherever_it_is_read_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = ["a.jsonl", "s3://cubo/a/"]
    job = Job.model_validate({"name": "prensa", "source": {"path": paths}})
    there = [f"{tmp_path}/a.jsonl", "s3://cubo/a/"]
    assert recorded_job(job)["source"]["path"] == there
    hub = Job.model_validate({"name": "prensa", "source": {"dataset": "a/b"}})
    assert recorded_job(hub)["source"]["path"] is None
