"""`nocturna fetch`: models and a data set of the Hub, for nights without a network."""

import json

import pytest
import yaml

from nocturna.tasks.corpus.fetched import fetched_file
from tests.corpus.corpora import jsonl
from tests.fake_hub import Repo, fake_hub
from tests.flows.test_hub import content, run
from tests.models import bert_classifier

MODEL, DATA = "org/sentimiento", "org/cosas"
OLD, NEW, ROWS = "1" * 40, "2" * 40, "d" * 40
DEAD = "http://127.0.0.1:9"
README = b"---\nconfigs:\n- config_name: todo\n  data_files: datos/*.jsonl\n---\n"
TEXTS = [{"id": f"n{i}", "text": f"Hoy es un buen día, el número {i}."} for i in range(6)]
JOB = f"""\
# una noche sin red
source: {{dataset: {DATA}, id: id}}   # del Hub
scores:
  sentiment: {{model: {MODEL}}}  # el grande
  breve: {{model: {MODEL}, revision: v1}}
"""


@pytest.fixture(scope="module")
def repos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    new, old = (content(bert_classifier(folder / f"m{seed}", seed=seed)) for seed in (0, 9))
    files = {
        "README.md": README,
        "datos/a.jsonl": jsonl(TEXTS[:4]),
        "datos/b.jsonl": jsonl(TEXTS[4:]),
    }
    files["fotos/grande.bin"] = b"not asked for"
    return {
        f"models/{MODEL}": Repo({"main": NEW, "v1": OLD}, {NEW: new, OLD: old}),
        f"datasets/{DATA}": Repo({"main": ROWS}, {ROWS: files}),
    }


@pytest.fixture(scope="module")
def fetched(repos, tmp_path_factory):
    """A folder with a job whose models and data set were fetched, what it said, all requests."""
    folder = tmp_path_factory.mktemp("fetched")
    (folder / "noche.yaml").write_text(JOB, encoding="utf-8")
    with fake_hub(repos) as (endpoint, seen):
        done = run(["fetch", "noche.yaml", "--pin", "--json"], folder, endpoint)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)["fetched"], seen


def test_what_a_job_needs_is_brought_at_its_commits_and_named(fetched):
    folder, found, seen = fetched
    told = {(one["kind"], one["name"], one["revision"]) for one in found}
    assert told == {("model", MODEL, NEW), ("model", MODEL, OLD), ("data set", DATA, ROWS)}
    for one in found:
        assert one["of_hub"] and one["place"].startswith(str(folder / "hf"))
    (data,) = [one for one in found if one["kind"] == "data set"]
    assert data["bytes"] == len(jsonl(TEXTS[:4])) + len(jsonl(TEXTS[4:]))
    assert not any("grande.bin" in request for request in seen)


def test_the_commits_are_written_into_the_job_and_all_else_stays(fetched):
    text = (fetched[0] / "noche.yaml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)
    assert job["source"] == {"dataset": DATA, "id": "id", "revision": ROWS}
    assert {name: score["revision"] for name, score in job["scores"].items()} == {
        "sentiment": NEW,
        "breve": OLD,
    }
    for comment in ("# una noche sin red", "# del Hub", "# el grande"):
        assert comment in text


@pytest.mark.slow
def test_all_is_there_and_a_night_without_a_network_scores_it(fetched):
    folder = fetched[0]
    check = run(["fetch", "noche.yaml", "--check"], folder, DEAD)
    assert check.returncode == 0, check.stderr
    assert [line.split()[0] for line in check.stdout.splitlines()] == ["model", "model", "data"]
    alone = {"HF_HUB_OFFLINE": "1", "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    done = run(["score", "--job", "noche.yaml", "--json"], folder, DEAD, **alone)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["scored"] == len(TEXTS)


def test_a_hub_that_does_not_answer_is_done_without_and_that_is_said(fetched):
    folder = fetched[0]
    (folder / "otra.yaml").write_text(JOB, encoding="utf-8")
    done = run(["score", "--job", "otra.yaml", "--dry-run", "--json"], folder, DEAD)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents"]["to_score"] == len(TEXTS)
    assert f"data set {DATA}: the Hub does not answer" in done.stderr
    assert "read as it was fetched" in done.stderr


def test_what_is_not_there_ends_with_1_and_one_line(fetched, repos, tmp_path):
    (tmp_path / "noche.yaml").write_text(JOB, encoding="utf-8")
    for arguments, said in (
        (["fetch", "noche.yaml", "--check"], f"model {MODEL}: not fetched"),
        (["fetch", "noche.yaml"], "the Hub cannot be reached"),
    ):
        done = run(arguments, tmp_path, DEAD)
        assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
    (tmp_path / "otro.yaml").write_text("source: {dataset: org/nada}\n", encoding="utf-8")
    with fake_hub(repos) as (endpoint, _):
        done = run(["fetch", "otro.yaml"], tmp_path, endpoint)
    assert done.returncode == 2 and "data set org/nada: not found" in done.stderr


def test_a_job_of_local_things_needs_nothing(nocturna, tmp_path, small_models):
    job = tmp_path / "j.yaml"
    job.write_text(
        f"source: {{path: a.jsonl}}\nscores: {{s: {{model: {small_models['sentiment']}}}}}\n"
    )
    done = nocturna("fetch", job, "--check", "--pin", "--json")
    (one,) = done.json["fetched"]
    assert done.code == 0 and not one["of_hub"] and one["bytes"] > 1000
    assert "revision" not in job.read_text()


@pytest.mark.parametrize("uri", ["a/b.jsonl", "s3://c/a.jsonl", "hf://datasets/o/n/a.jsonl"])
def test_only_a_file_at_a_commit_can_have_been_fetched(uri):
    assert fetched_file(uri) is None
