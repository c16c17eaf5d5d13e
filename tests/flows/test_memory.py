"""The memory of a whole run does not grow with the corpus."""

import gzip
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.models import bert_classifier

START = 10_000
ALLOWED = 200 * 10**6


def peak_of(corpus: Path, model: Path, out: Path) -> tuple[int, int]:
    """Documents and peak RSS in bytes of `nocturna score` over a corpus."""
    options = ["--id", "id", "--long-documents", "truncate", "--json", "--name", "memoria"]
    code = "from nocturna.cli import main; main()"
    command = [sys.executable, "-c", code, "score", str(corpus), *options, "--out", str(out)]
    done = subprocess.run(
        [*command, "--sentiment-model", str(model)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (manifest,) = (out / "memoria" / "runs").glob("*/manifest.json")
    values = json.loads(manifest.read_text(encoding="utf-8"))
    return values["counts"]["read"], values["peak_rss_bytes"]


@pytest.mark.slow
def test_a_run_over_all_speeches_takes_little_more_memory_than_over_their_start(speeches, tmp_path):
    model = bert_classifier(tmp_path / "model")
    start = tmp_path / "start.jsonl.gz"
    with gzip.open(speeches) as lines, gzip.open(start, "wb", 1) as out:
        out.writelines(islice(lines, START))
    few, small = peak_of(start, model, tmp_path / "few")
    many, large = peak_of(speeches, model, tmp_path / "many")
    print(f"peak RSS: {few} documents {small / 2**20:.0f} MiB, {many} {large / 2**20:.0f} MiB")
    assert few == START < 300_000 < many
    assert large - small < ALLOWED
