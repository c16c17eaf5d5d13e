"""Nobody listens, or somebody's hand was on the folder: the night is published, or says why not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.models import TEXTS

CODE = "from nocturna.command import main; main()"
PROGRAM = [sys.executable, "-c", CODE]


@pytest.fixture
def options(small_models, tmp_path) -> list[str]:
    rows = [{"id": str(at), "text": text} for at, text in enumerate(TEXTS)]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    model = ["--topic-model", str(small_models["encoder"]), "--method", "embedding"]
    return ["score", "c.jsonl", "--id", "id", "--no-sentiment", *model, "--labels", "a,b"]


def in_shell(
    folder: Path, line: str, *options: str, recorded: bool = False
) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which `"$@"` is the command with these options.

    Args:
        recorded: whether a night has an engine of its own; else none answers.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_API")}
    silent = {} if recorded else {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    own = {**kept, **silent, "PREFECT_HOME": str(folder / "home")}
    return subprocess.run(
        ["bash", "-c", line, "bash", *PROGRAM, *options],
        cwd=folder,
        env=own,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('"$@" 2>/dev/full', marks=pytest.mark.slow),
        pytest.param('"$@" >/dev/full', marks=pytest.mark.slow),
        '"$@" <&- >&- 2>&-',
        pytest.param('set -o pipefail; "$@" 2>&1 | true', marks=pytest.mark.slow),
    ],
)
def test_a_night_that_nobody_hears_is_published(options, tmp_path, line):
    done = in_shell(tmp_path, line, *options, recorded="<&-" in line)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "out" / "c" / "results")) == len(TEXTS)
    assert "Traceback" not in done.stderr and "TMPDIR" not in done.stderr


@pytest.mark.slow
def test_what_a_reader_cannot_write_says_so(options, tmp_path):
    assert in_shell(tmp_path, '"$@"', *options).returncode == 0
    asked = in_shell(tmp_path, '"$@" >/dev/full', "show", "out/c")
    assert asked.returncode == 1
    assert "standard output: no space left" in asked.stderr and "Traceback" not in asked.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["configs.parquet", "part"])
def test_a_pipe_in_the_place_of_a_file_does_not_hold_the_night(options, tmp_path, name):
    assert in_shell(tmp_path, '"$@"', *options).returncode == 0
    folder = tmp_path / "out" / "c"
    path = next(folder.glob("snapshots/*/*.parquet")) if name == "part" else folder / name
    path.unlink()
    os.mkfifo(path)
    with (tmp_path / "c.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.write('\n{"id": "n", "text": "hola"}')
    done = in_shell(tmp_path, 'timeout 100 "$@"', *options)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(folder / "results")) == len(TEXTS) + 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["snapshots", "log", "runs"])
def test_a_folder_that_may_not_be_read_is_one_line_before_any_work(options, tmp_path, name):
    assert in_shell(tmp_path, '"$@"', *options).returncode == 0
    folder = tmp_path / "out" / "c" / name
    folder.chmod(0)
    try:
        done = in_shell(tmp_path, '"$@"', *options)
    finally:
        folder.chmod(0o755)
    assert done.returncode == 1 and "permission denied" in done.stderr.splitlines()[-1]
    assert "scored anew" not in done.stderr and "unexpected" not in done.stderr


def test_a_store_that_fsspec_does_not_know_by_its_second_name(nocturna, tmp_path):
    done = nocturna("score", "abfss://c@acct.dfs.core.windows.net/x.jsonl", "--name", "az")
    assert done.code in (1, 2) and "unexpected" not in done.err and len(done.err.splitlines()) == 1


def test_a_folder_that_is_none_is_no_run(nocturna, tmp_path):
    done = nocturna("publish", tmp_path / "out" / "nada")
    assert done.code == 2 and "no output folder" in done.err


@pytest.mark.slow
def test_a_file_that_may_not_grow_says_which_limit(options, tmp_path):
    done = in_shell(tmp_path, 'ulimit -f 8; "$@"', *options)
    assert done.returncode == 1 and "ulimit -f" in done.stderr.splitlines()[-1], done.stderr
