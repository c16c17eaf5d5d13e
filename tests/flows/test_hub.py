"""Models by name: resolved to a commit of the Hub when the run is planned, and loaded from it."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.fake_hub import Repo, fake_hub
from tests.models import NLI, bert_classifier
from tests.test_readme import ROOT, commands

SENTIMENT = "finiteautomata/beto-sentiment-analysis"
TOPICS = "Recognai/bert-base-spanish-wwm-cased-xnli"
OLD, NEW, OTHER = "1" * 40, "2" * 40, "3" * 40


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def repos(tmp_path_factory) -> dict[str, Repo]:
    """Small models under the seed's names; the sentiment model has no safetensors on `main`."""
    folder = tmp_path_factory.mktemp("hub-models")
    new = content(bert_classifier(folder / "new", safetensors=False))
    old = content(bert_classifier(folder / "old", seed=9))
    nli = content(bert_classifier(folder / "nli", labels=NLI)) | {"evil.py": b"raise SystemExit"}
    return {
        f"models/{SENTIMENT}": Repo({"main": NEW, "v1": OLD}, {NEW: new, OLD: old}),
        f"models/{TOPICS}": Repo({"main": OTHER}, {OTHER: nli}),
    }


def run(arguments: list[str], folder: Path, endpoint: str, **more: str):
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    hub = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hf"), "DO_NOT_TRACK": "1"}
    engine = {"PREFECT_HOME": str(folder / "home")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("nocturna")), *arguments],
        cwd=folder,
        env={**plain, **hub, **engine, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "data").symlink_to(ROOT / "data")
    return tmp_path


def manifest(folder: Path, job: str, run_id: str) -> dict:
    path = folder / "out" / job / "runs" / run_id / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_readmes_seed_command_pins_and_loads_the_commits_of_the_hub(repos, folder):
    (words,) = [words for words in commands("nocturna") if SENTIMENT in words]
    with fake_hub(repos) as (endpoint, seen):
        done = run([*words[1:], "--json"], folder, endpoint)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    scores = manifest(folder, "semilla", summary["run_id"])["scores"]
    sentiment, topic = (scores[name]["models"]["model"] for name in ("sentiment", "topic"))
    assert (sentiment["name"], sentiment["revision"]) == (SENTIMENT, NEW)
    assert sentiment["weights"].startswith("torch")
    assert (topic["name"], topic["revision"], topic["weights"]) == (TOPICS, OTHER, "safetensors")
    assert scores["topic"]["settings"]["template"] == "Este ejemplo es {}."
    rows = pd.read_parquet(folder / "out" / "semilla" / "results")
    configs = pd.read_parquet(folder / "out" / "semilla" / "configs.parquet").set_index("config")
    assert set(rows.sentiment_config.map(configs.model)) == {SENTIMENT}
    assert set(rows.sentiment_config.map(configs.revision)) == {NEW}
    assert any(f"/resolve/{NEW}/pytorch_model.bin" in request for request in seen)
    assert not any("evil.py" in request or "telemetry" in request for request in seen)


@pytest.mark.slow
def test_a_revision_is_that_commit_and_a_night_without_the_hub_uses_the_copy(repos, folder):
    job = folder / "noche.yaml"
    job.write_text(
        f"""
source: {{path: data/samples/notas.csv, text: texto, id: codigo}}
scores: {{sentiment: {{model: {SENTIMENT}, revision: v1}}}}
""",
        encoding="utf-8",
    )
    with fake_hub(repos) as (endpoint, _):
        first = run(["score", "--job", "noche.yaml", "--json"], folder, endpoint)
    assert first.returncode == 0, first.stderr
    run_id = json.loads(first.stdout)["run_id"]
    assert (
        manifest(folder, "noche", run_id)["scores"]["sentiment"]["models"]["model"]["revision"]
        == OLD
    )
    again = run(["score", "--job", "noche.yaml", "--json"], folder, "http://127.0.0.1:9")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["counts"]["carried"] > 0
    shutil.rmtree(folder / "hf")
    lost = run(["score", "--job", "noche.yaml"], folder, "http://127.0.0.1:9")
    assert lost.returncode == 1
    assert "the Hub cannot be reached and no copy is cached" in lost.stderr
    assert len(lost.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "part"),
    [
        pytest.param("--sentiment-model org/none", "org/none: not found", marks=pytest.mark.slow),
        pytest.param(
            f"--sentiment-model {SENTIMENT} --topic-model {SENTIMENT} --labels a,b",
            "do not name one",
            marks=pytest.mark.slow,
        ),
        ("--sentiment-model 'not a name'", "'not a name'"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_by_name_before_any_work(
    repos, folder, options, part
):
    with fake_hub(repos) as (endpoint, _):
        corpus = "data/samples/opiniones.jsonl"
        done = run(["score", corpus, *shlex.split(options)], folder, endpoint)
    assert done.returncode == 2, done.stderr
    assert part.strip("'") in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(folder.glob("out/*/work/*/index")), "nothing was read"
