"""A Ray cluster whose head, nodes or time go away in the middle of a night: real ones, killed."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.flows.test_runners import done_shards, job_of, rows, site

__all__ = ["site"]

pytestmark = pytest.mark.slow
HURRIED = """
import nocturna.tasks.run.runners.ray as runner
runner._LOOK, runner._UNBEGUN, runner._IDLE = 1.0, 3.0, {idle}
"""
"""What has a task that does not begin handed out anew, or given up, within seconds."""
MAIN = "from nocturna.cli import main\nmain()"


class Night:
    """`nocturna score` on its way, in a folder, by the cluster at an address."""

    def __init__(self, folder: Path, site: Path, address: str, before: str = "") -> None:
        self.folder, self.said = folder, ""
        own = {
            "PYTHONPATH": str(site),
            "PREFECT_HOME": str(folder / "home"),
            "RAY_ADDRESS": address,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{before}\n{MAIN}", "score", "--job", "job.yaml"],
            cwd=folder,
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line

    def until(self, there: Callable[[], object], seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < end, self.said
            assert self._process.poll() is None, self.said
            time.sleep(0.05)

    def some_are_done(self) -> bool:
        return len(done_shards(self.folder)) > 1

    def end(self, seconds: float = 400) -> int:
        try:
            return self._process.wait(seconds)
        finally:
            self._process.kill()

    def counts(self) -> dict[str, int]:
        found = re.findall(r"^ (scored|failed) +(\d+)", self.said, re.MULTILINE)
        return {name: int(count) for name, count in found}


@pytest.fixture
def cluster(site, monkeypatch) -> Iterator[Callable[..., object]]:
    """Starts a cluster of a head and a node with a core each; nothing of it is left afterwards."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    started: list[Cluster] = []

    def start(node: dict[str, int] | None = None, **head: object) -> Cluster:
        started.append(Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **head}))
        started[-1].add_node(**(node or {"num_cpus": 1}))
        started[-1].wait_for_nodes()
        return started[-1]

    yield start
    for one in started:
        one.shutdown()


@pytest.fixture
def folder(tmp_path) -> Path:
    """A night of forty documents that takes half a minute."""
    job_of(tmp_path, "lento", everywhere=True, shard_size=5, runner="ray", workers=None)
    return tmp_path


def test_a_head_that_is_restarted_costs_a_line_and_the_same_command_goes_on(folder, site, cluster):
    first = cluster()
    address = first.address
    night = Night(folder, site, address)
    night.until(night.some_are_done)
    first.remove_node(first.head_node, allow_graceful=False)
    assert night.end() == 1
    line = night.said.strip().splitlines()[-1]
    assert line.startswith(f"nocturna: the Ray cluster at {address} is gone: its head"), line
    assert "start it again and run the same command" in line
    assert "Traceback" not in night.said and "[" not in night.said
    first.shutdown()
    done = {path: path.stat().st_ino for path in done_shards(folder)}
    assert 1 < len(done) < 8
    again = cluster(gcs_server_port=int(address.rpartition(":")[2]))
    assert again.address == address
    kept: dict[Path, int] = {}

    night = Night(folder, site, again.address)
    night.until(lambda: len(kept.update(inodes(folder)) or kept) > len(done))
    assert night.end() == 0, night.said
    assert "going on with run" in night.said
    assert done.items() <= kept.items(), "a shard that was done was scored again"
    assert night.counts() == {"scored": 40, "failed": 0}
    assert len(rows(folder)) == 40


def inodes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in done_shards(folder) if path.exists()}


def test_a_head_that_comes_back_empty_puts_no_document_aside(folder, site, cluster):
    """It knows nothing of the night: what it answers is no death of any document's making."""
    ray = cluster()
    night = Night(folder, site, ray.address)
    night.until(night.some_are_done)
    ray.head_node.kill_gcs_server()
    time.sleep(3)
    ray.head_node.start_gcs_server()
    if night.end():
        assert "is gone" in night.said.strip().splitlines()[-1]
        night = Night(folder, site, cluster().address)
        assert night.end() == 0, night.said
    assert night.counts() == {"scored": 40, "failed": 0}
    assert len(rows(folder)) == 40


def processes_of(node: Any) -> list[int]:
    """The processes of a node of this machine, those that work for it first."""
    found = [node.all_processes["raylet"][0].process.pid]
    for parent in found:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(stat.parent.name))
    return found[::-1]


def tell(processes: list[int], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def of_the_other_node(ray: Any) -> list[int]:
    """The processes of the node that the command is not connected to: its board is at its own."""
    found = [processes_of(node) for node in (ray.head_node, *ray.worker_nodes)]
    (other,) = (processes for processes in found if not any(map(is_board, processes)))
    return other


def is_board(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::Board")
    return False


def test_a_node_that_pauses_for_a_moment_costs_nothing(folder, site, cluster):
    ray = cluster()
    night = Night(folder, site, ray.address)
    night.until(night.some_are_done)
    paused = of_the_other_node(ray)
    tell(paused, signal.SIGSTOP)
    time.sleep(10)
    tell(paused, signal.SIGCONT)
    assert night.end() == 0, night.said
    assert "said nothing" not in night.said
    assert night.counts() == {"scored": 40, "failed": 0}


@pytest.mark.parametrize("returns", [False, True])
def test_a_node_that_says_nothing_any_more_holds_no_night_up(folder, site, cluster, returns):
    """One that comes back has its shards finished a second time: nothing is doubled."""
    ray = cluster()
    night = Night(folder, site, ray.address)
    night.until(night.some_are_done)
    paused = of_the_other_node(ray)
    tell(paused, signal.SIGSTOP)
    try:
        night.until(lambda: "has said nothing for 60 seconds" in night.said)
        if returns:
            tell(paused, signal.SIGCONT)
        assert night.end() == 0, night.said
    finally:
        tell(paused, signal.SIGCONT)
    assert night.said.count("has said nothing") == 1
    assert night.counts() == {"scored": 40, "failed": 0}
    assert len(rows(folder)) == 40


HOLDS = """
import sys, time, ray
ray.init(address=sys.argv[1], log_to_driver=False)
hold = ray.remote(num_cpus=1)(lambda: print("held", flush=True) or time.sleep(600))
held = [hold.remote() for _ in range(2)]
while ray.available_resources().get("CPU"):
    time.sleep(0.1)
print("all", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("idle", [5.0, 600.0])
def test_a_cluster_that_is_full_is_waited_for_but_not_for_ever(folder, site, cluster, idle):
    ray = cluster()
    code = [sys.executable, "-c", HOLDS, ray.address]
    other = subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert other.stdout is not None and other.stdout.readline() == "all\n"
        night = Night(folder, site, ray.address, HURRIED.format(idle=idle))
        night.until(lambda: "documents to score" in night.said)
        if idle < 600:
            assert night.end() == 1
            assert "no task of this run has begun for" in night.said.strip().splitlines()[-1]
            return
        time.sleep(10)
        assert not done_shards(folder)
    finally:
        other.kill()
        other.wait()
    assert night.end() == 0, night.said
    assert night.counts() == {"scored": 40, "failed": 0}
