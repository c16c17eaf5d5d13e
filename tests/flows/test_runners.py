"""Shards scored elsewhere: the same rows whoever scores them, and a death is nobody else's loss."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.flows.spent import Spent, command
from tests.flows.test_extending import blocks, install
from tests.models import TEXTS

KILLER = "d17"
"""The document that ends whatever scores it."""
GULP = 4 << 30
"""Bytes that a text takes which takes more than the machine allows."""
DEEDS = f"""\
    said = " ".join(texts.strings)
    time.sleep(0.2 * said.count("lento"))
    if "veneno" in said or os.environ.get("NOCTURNA_LENGTH_DIES"):
        os.kill(os.getpid(), signal.SIGKILL)
    if "hartazgo" in said:
        now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), resource.RLIM_INFINITY))
        try:
            np.zeros(4 << 30, np.uint8)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    if "queja" in said:
        from nocturna.tasks.errors import UsageError
        raise UsageError("this kind of score takes no complaints")
    if "gula" in said:
        held = np.ones({GULP}, np.uint8)
        time.sleep(60)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A package with the guide's kind of score, which some texts kill, fill or slow down here."""
    code = blocks("python")[0].replace("    values =", f"{DEEDS}    values =")
    folder = tmp_path_factory.mktemp("site")
    points = {"nocturna.heads": {"length": "nocturna_length"}}
    imports = "import os\nimport resource\nimport signal\nimport time\n"
    install(folder, {"nocturna_length": imports + code}, points)
    return folder


def job_of(
    folder: Path, word: str, everywhere: bool = False, shard_size: int = 10, **compute: object
) -> None:
    """Forty documents, d0 to d39, in shards of ten; one of them, or each, holds the word."""
    job = {
        "name": "prensa",
        "source": {"path": "c.jsonl", "id": "id"},
        "scores": {"size": {"kind": "length", "unit": 10}},
        "shard_size": shard_size,
        "compute": {"device": "cpu", "workers": 2, **compute},
    }
    (folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
    words = [word if everywhere or f"d{i}" == KILLER else "texto" for i in range(40)]
    lines = [json.dumps({"id": f"d{i}", "text": f"{word} {i}"}) for i, word in enumerate(words)]
    (folder / "c.jsonl").write_text("\n".join(lines), encoding="utf-8")


def score(folder: Path, site: Path, *options: object, **environment: str) -> Spent:
    own = {"PYTHONPATH": str(site), "PREFECT_HOME": str(folder / "home"), **environment}
    return command("score", "--job", "job.yaml", "--json", *options, cwd=folder, env=own)


def rows(folder: Path) -> pd.DataFrame:
    found = pd.read_parquet(folder / "out" / "prensa" / "results").set_index("doc_id")
    assert found.index.is_unique
    return found.drop(columns=["run_id", "scored_at"]).sort_index()


@pytest.mark.parametrize(
    ("runner", "word", "code", "said"),
    [
        pytest.param(
            "processes", "veneno", "ends_the_process", "ended the process", marks=pytest.mark.slow
        ),
        ("threads", "hartazgo", "out_of_memory", "needs more memory"),
        pytest.param(
            "processes", "hartazgo", "out_of_memory", "needs more memory", marks=pytest.mark.slow
        ),
        pytest.param(
            "ray", "veneno", "ends_the_process", "ended the process", marks=pytest.mark.slow
        ),
        pytest.param(
            "ray", "hartazgo", "out_of_memory", "needs more memory", marks=pytest.mark.slow
        ),
    ],
)
def test_a_document_that_kills_or_does_not_fit_is_found_and_the_night_goes_on(
    tmp_path, site, runner, word, code, said
):
    job_of(tmp_path, word, runner=runner)
    done = score(tmp_path, site)
    only_the_killer_failed(tmp_path, done)
    (bad,) = rows(tmp_path).query("status == 'failed'").itertuples()
    assert bad.error_code == code and said in bad.error_message


def only_the_killer_failed(folder: Path, done: Spent) -> None:
    assert done.code == 0, done.err
    counts = json.loads(done.out)["counts"]
    assert (counts["scored"], counts["failed"]) == (39, 1)
    found = rows(folder)
    assert found.index[found.status == "failed"].tolist() == [KILLER]
    assert found["size"].notna().sum() == 39
    assert "document 7 of it" in done.err and "Traceback" not in done.err


@pytest.mark.slow
def test_what_a_process_raises_is_what_the_user_reads(tmp_path, site):
    job_of(tmp_path, "queja", runner="processes")
    done = score(tmp_path, site)
    assert done.code == 2 and "takes no complaints" in done.err.splitlines()[-1], done.err
    assert "Traceback" not in done.err and "unexpected" not in done.err


@pytest.mark.slow
def test_a_document_that_the_monitor_of_ray_kills_for_its_memory_is_found(tmp_path, site):
    memory = dict(
        line.split()[:2] for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    )
    there, free = (int(memory[name]) << 10 for name in ("MemTotal:", "MemAvailable:"))
    if free < 2 * GULP:
        pytest.skip("needs 8 GB of free memory")
    limit = (there - free + GULP / 2) / there
    job_of(tmp_path, "gula", runner="ray")
    done = score(tmp_path, site, RAY_memory_usage_threshold=f"{limit:.3f}")
    only_the_killer_failed(tmp_path, done)


@pytest.mark.slow
def test_a_fault_that_every_document_dies_of_is_no_fault_of_theirs(tmp_path, site):
    """What ended the processes is said, and forgotten: the same command scores them all."""
    job_of(tmp_path, "texto", runner="processes")
    done = score(tmp_path, site, NOCTURNA_LENGTH_DIES="1")
    assert done.code == 1 and "a scoring process died" in done.err.splitlines()[-1]
    again = score(tmp_path, site)
    assert again.code == 0 and "going on with run" in again.err, again.err
    assert json.loads(again.out)["counts"]["scored"] == 40


def test_a_runner_that_is_not_there_is_one_line(nocturna, tmp_path):
    (tmp_path / "c.jsonl").write_text('{"text": "uno"}', encoding="utf-8")
    for more in ([], ["--dry-run"]):
        done = nocturna("score", tmp_path / "c.jsonl", "--runner", "nave", *more)
        assert done.code == 2 and done.err.strip().count("\n") == 0
        assert "compute.runner: no 'nave' here; there are processes, ray, threads" in done.err


@pytest.mark.slow
def test_a_cluster_gives_the_rows_that_threads_give(nocturna, models, tmp_path):
    texts = [json.dumps({"id": str(i), "text": f"{i} {text}"}) for i, text in enumerate(TEXTS)]
    (tmp_path / "prensa.jsonl").write_text("\n".join(texts), encoding="utf-8")
    told = ("--id", "id", "--shard-size", 7, "--backend", "openvino")  # new models run in torch
    options = ["score", tmp_path / "prensa.jsonl", *models, *told]
    assert nocturna(*options, "--out", tmp_path / "one").code == 0
    home = {"PREFECT_HOME": str(tmp_path / "home")}
    ray = ("--runner", "ray", "--out", tmp_path / "out")
    done = command(*options, *ray, cwd=tmp_path, env=home)
    assert done.code == 0, done.err
    (tmp_path / "one" / "prensa").rename(tmp_path / "one" / "threads")
    one = pd.read_parquet(tmp_path / "one" / "threads" / "results").sort_values("doc_id")
    two = pd.read_parquet(tmp_path / "out" / "prensa" / "results").sort_values("doc_id")
    left = ["run_id", "scored_at"]
    pd.testing.assert_frame_equal(
        one.drop(columns=left).reset_index(drop=True),
        two.drop(columns=left).reset_index(drop=True),
        check_exact=True,
    )


@pytest.mark.slow
def test_a_node_that_dies_costs_the_shards_that_it_had_in_hand(tmp_path, site, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    job_of(tmp_path, "lento", everywhere=True, runner="ray", workers=None)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        other = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()

        def kill() -> None:
            while not list(tmp_path.glob("out/prensa/work/*/shard-*.json")):
                time.sleep(0.05)
            cluster.remove_node(other, allow_graceful=False)

        killing = threading.Thread(target=kill, daemon=True)
        killing.start()
        done = score(tmp_path, site, RAY_ADDRESS=cluster.address)
        killing.join(60)
        assert not killing.is_alive()
    finally:
        cluster.shutdown()
    assert done.code == 0, done.err
    assert json.loads(done.out)["counts"]["scored"] == 40
    assert len(rows(tmp_path)) == 40


@pytest.mark.slow
def test_a_command_that_is_killed_leaves_nothing_running_and_goes_on(tmp_path, site):
    job_of(tmp_path, "lento", everywhere=True, runner="ray")
    own = {"PYTHONPATH": str(site), "PREFECT_HOME": str(tmp_path / "home")}
    program = Path(sys.executable).with_name("nocturna")
    with (tmp_path / "said.txt").open("wb") as said:
        first = subprocess.Popen(
            [program, "score", "--job", "job.yaml"],
            cwd=tmp_path,
            env=os.environ | own | {"OF_THIS_TEST": str(tmp_path)},
            stdout=said,
            stderr=said,
        )
    until = time.monotonic() + 120
    while time.monotonic() < until and not done_shards(tmp_path):
        time.sleep(0.05)
    first.kill()
    first.wait()
    assert 0 < len(done_shards(tmp_path)) < 4
    while time.monotonic() < until and running_for(tmp_path):
        time.sleep(0.2)
    assert not running_for(tmp_path)
    again = score(tmp_path, site)
    assert again.code == 0 and "going on with run" in again.err, again.err
    counts = json.loads(again.out)["counts"]
    assert counts["scored"] == 40 and len(rows(tmp_path)) == 40


def done_shards(folder: Path) -> list[Path]:
    return list(folder.glob("out/prensa/work/*/shard-*.json"))


def running_for(folder: Path) -> list[str]:
    """Commands of processes that were started, by whomever, for a test."""
    found = []
    for about in Path("/proc").glob("[0-9]*"):
        try:
            if f"OF_THIS_TEST={folder}".encode() in (about / "environ").read_bytes():
                found.append((about / "cmdline").read_text())
        except OSError:
            continue
    return found
