"""What is installed: one package, whole, hiding nobody's own modules, and its public names."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import nocturna
from nocturna.tasks.errors import NocturnaError

ROOT = Path(__file__).parents[1]
HOSTILE = "raise ImportError('a module of the user was taken for ours')\n"
SCORE = """
import json, sys
import nocturna
from nocturna.cli import app
made = ["init", sys.argv[1], "-o", "primero.yaml", "--labels", "política,deportes"]
app(made, standalone_mode=False)
summary = nocturna.score_job(nocturna.read_job("primero.yaml"))
app(["report", "out/opiniones"], standalone_mode=False)
assert summary.report, "the template of the report is in the wheel"
rows = nocturna.read_results("out/opiniones", ["doc_id", "sentiment", "topic"])
runs = nocturna.read_runs("out/opiniones")
print(json.dumps([nocturna.__file__, len(rows), list(rows.columns), list(runs.status)]))
"""


def test_every_package_is_named():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    homes = {"flows": "nocturna", "tasks": "nocturna.tasks"}
    found = {
        ".".join([home, *path.parent.relative_to(ROOT / folder).parts])
        for folder, home in homes.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {*found, "nocturna.data"} == set(settings["packages"])


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that holds what the wheel installs, and nothing of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")[:-1]
    if not names:
        pytest.skip("needs a git checkout, which says what belongs to the project")
    for name in names:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).hardlink_to(ROOT / name)
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source]
    subprocess.run([*pip, *map(str, build)], check=True)
    (wheel,) = folder.glob("nocturna-*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True)
    return target


@pytest.mark.slow
def test_the_wheel_goes_from_init_to_report_beside_modules_of_the_users_own(installed, tmp_path):
    for name in ("flows", "tasks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(HOSTILE)
    corpus = installed / "nocturna" / "data" / "samples" / "opiniones.jsonl"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SCORE,
            corpus,
        ],  # -c: the folder itself is importable, as for a script
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "PREFECT_API_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, rows, columns, statuses = json.loads(done.stdout.splitlines()[-1])
    assert Path(where).is_relative_to(installed)
    assert rows == len(pd.read_json(ROOT / "data/samples/opiniones.jsonl", lines=True))
    assert columns == ["doc_id", "sentiment", "topic"]
    assert statuses == ["published"]
    assert (tmp_path / "opiniones-1.html").is_file() and not (tmp_path / "build").exists()


def test_what_is_not_there_is_one_line(tmp_path):
    with pytest.raises(NocturnaError, match="nothing is published here"):
        nocturna.read_results(tmp_path)
    with pytest.raises(NocturnaError, match="nothing is published here"):
        nocturna.read_runs(tmp_path / "out" / "prensa")
