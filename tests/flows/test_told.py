"""What the engine is told: what to try again, what to deploy, and to keep quiet."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import nocturna.recorded
import nocturna.tasks.stage
from nocturna.recorded import do
from nocturna.tasks.errors import NocturnaError, Transient, UsageError
from nocturna.tasks.job.job import Job
from nocturna.tasks.stage import stage_corpus

ROOT = Path(__file__).parents[2]
JOB = Job.model_validate({"name": "j", "source": {"path": "a"}})


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (Transient("the store does not answer"), 4),
        (ConnectionError("reset"), 4),
        (UsageError("no such column"), 1),
        (NocturnaError("no space"), 1),
        (ValueError("a defect"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_can_pass_is_tried_again(monkeypatch, error, tries):
    from prefect import flow

    seen = []

    def fail(*args):
        seen.append(args)
        raise error

    monkeypatch.setattr(nocturna.tasks.stage, "stage_job", fail)

    monkeypatch.setattr(nocturna.recorded, "RETRY_SECONDS", 0)

    @flow
    def once():
        return do(stage_corpus, JOB, "20260101T000000-00000000")

    with pytest.raises(type(error)):
        once()
    assert len(seen) == tries


def test_the_deployment_runs_a_flow_that_exists_with_a_job_that_is_valid():
    described = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    (deployment,) = described["deployments"]
    file, _, name = deployment["entrypoint"].partition(":")
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    assert getattr(module, name).name == "nightly"
    job = Job.model_validate(deployment["parameters"]["job"])
    assert (ROOT / job.source.path).is_file()


def test_the_command_answers_before_anything_heavy_is_imported():
    heavy = ["torch", "transformers", "prefect", "pyarrow", "datasets", "duckdb", "google.genai"]
    heavy += ["py3langid", "numpy"]
    told = f"print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    code = f"import nocturna.cli, sys, json; {told}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_nothing_reports_home_unless_the_user_says_so():
    code = "import flows, os, json; print(json.dumps(dict(os.environ)))"
    clean = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=clean,
        cwd=ROOT,
    )
    found = json.loads(done.stdout)
    assert found["DO_NOT_TRACK"] == "1"
    assert found["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert found["HF_HUB_DISABLE_TELEMETRY"] == "1"
