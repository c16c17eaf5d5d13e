"""Every recipe in docs/cookbook.md does what it says, where its tool is installed."""

import re
import shlex
import shutil
import subprocess
from importlib.util import find_spec

import pytest

from tests.flows.command import runner
from tests.reading.conftest import job  # noqa: F401
from tests.test_readme import ROOT, blocks

PAGE = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
RECIPES = blocks("python", PAGE)


@pytest.fixture
def kitchen(job, monkeypatch, tmp_path):  # noqa: F811
    """A folder that sees the job of the tests of reading under the path of the page."""
    (tmp_path / "out").symlink_to(job.parent)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    return tmp_path


def needs(code: str) -> None:
    """Skips a recipe whose libraries are not here."""
    for name in re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("code", RECIPES, ids=lambda code: re.findall(r"import (\w+)", code)[-1])
def test_a_recipe_runs_as_written(kitchen, code, capsys):
    needs(code)
    exec(code, {})
    said = capsys.readouterr().out
    assert re.search(r"polític|computac|sentiment|modelo", said), said


def test_the_recipe_of_spark(kitchen, capsys):
    (code,) = blocks("pyspark", PAGE)
    needs(code)
    exec(code, {})
    assert "política" in capsys.readouterr().out


def test_the_recipe_of_r(kitchen):
    (code,) = blocks("r", PAGE)
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    if "there is no package called" in done.stderr:
        pytest.skip("R has no arrow or no dplyr")
    assert done.returncode == 0 and "política" in done.stdout, done.stderr


def test_the_commands_run_as_written(kitchen, capsys, monkeypatch):
    nocturna = runner(capsys, monkeypatch)
    for line in (line for block in blocks("sh", PAGE) for line in block.splitlines()):
        words = shlex.split(line)
        done = nocturna(*words[1:])
        assert words[0] == "nocturna" and done.code == 0 and done.out.strip(), (line, done.err)
