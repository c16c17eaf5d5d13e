"""Which nodes of a cluster score what. There is no GPU here: a node says that it has one."""

import json
from pathlib import Path

import pytest

from tests.flows.test_cluster_faults import Night, cluster
from tests.flows.test_extending import blocks, install
from tests.flows.test_runners import done_shards, job_of, rows

__all__ = ["cluster"]

pytestmark = pytest.mark.slow
BACKEND = """
SPEED, PACKAGES = 9, ()


def devices():
    return ("cpu", "mps")


def precisions(device):
    return ("fp32",)


def faster_in(device):
    return ()
"""
"""What runs networks on a device that is no core, as far as anybody asks."""
WHERE = """\
    import json, os, ray
    from pathlib import Path
    about = ray.get_runtime_context()
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    said = [about.get_node_id(), about.get_assigned_resources(), seen]
    with Path("where.jsonl").open("a") as out:
        print(json.dumps(said), file=out)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A package with a kind of score that notes where it was computed, and with such a device."""
    folder = tmp_path_factory.mktemp("site")
    head = blocks("python")[0].replace("    values =", f"{WHERE}    values =")
    points = {
        "nocturna.heads": {"length": "nocturna_length"},
        "nocturna.backends": {"strange": "nocturna_strange"},
    }
    install(folder, {"nocturna_length": head, "nocturna_strange": BACKEND}, points)
    return folder


@pytest.mark.parametrize(("device", "takes"), [("mps", "GPU"), ("cpu", "CPU")])
def test_shards_go_to_the_nodes_that_have_what_runs_them(tmp_path, site, cluster, device, takes):
    ray = cluster(node={"num_cpus": 2, "num_gpus": 1})
    head, (other,) = ray.head_node.node_id, [node.node_id for node in ray.worker_nodes]
    job_of(tmp_path, "texto", shard_size=4, runner="ray", workers=None, device=device)
    night = Night(tmp_path, site, ray.address)
    assert night.end() == 0, night.said
    assert night.counts() == {"scored": 40, "failed": 0} and len(rows(tmp_path)) == 40
    assert not done_shards(tmp_path)
    lines = (tmp_path / "where.jsonl").read_text(encoding="utf-8").splitlines()
    nodes, given, seen = zip(*map(json.loads, lines), strict=True)
    assert len(nodes) >= 10 and all(resources.get(takes) == 1 for resources in given)
    if takes == "GPU":
        assert set(nodes) == {other} and set(seen) == {"0"}
    else:
        assert set(nodes) <= {head, other}
        assert not any(resources.get("GPU") for resources in given)


def test_a_cluster_without_a_gpu_is_one_line_where_the_job_wants_one(tmp_path, site, cluster):
    job_of(tmp_path, "texto", runner="ray", workers=None, device="mps")
    night = Night(tmp_path, site, cluster().address)
    assert night.end() == 2
    line = night.said.strip().splitlines()[-1]
    assert "the Ray cluster has no GPU; start a node with one" in line
