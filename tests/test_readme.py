"""Every command in the README does what it says."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.flows.command import Ended, runner

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(first: str) -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words for words in split if words[0] == first]


def run_as_written(page: str, nocturna: Callable[..., Ended]) -> list[str]:
    """Runs every command that a page shows; each ends well and says something."""
    lines = [line for block in blocks("sh", page) for line in block.splitlines() if line.strip()]
    for line in lines:
        words = shlex.split(line, comments=True)
        done = nocturna(*words[1:])
        assert words[0] == "nocturna" and done.code == 0 and done.out.strip(), (line, done.err)
    return lines


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A fresh folder with the project's data, of the corpus a part, under the README's paths."""
    (tmp_path / "data" / "samples").mkdir(parents=True)
    shutil.copytree(ROOT / "data" / "jobs", tmp_path / "data" / "jobs")  # names files beside it
    for there in (*(ROOT / "data").iterdir(), *(ROOT / "data" / "samples").iterdir()):
        if there.name not in {"samples", "jobs"}:
            (tmp_path / there.relative_to(ROOT)).symlink_to(there)
    corpus = tmp_path / "data" / "samples" / "opiniones.jsonl"
    rows = corpus.read_text(encoding="utf-8").splitlines(keepends=True)
    corpus.unlink()
    corpus.write_text("".join([rows[0], *rows[1::8]]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("engine")
def test_the_commands_and_the_python_run_as_written(folder, capsys, monkeypatch):
    nocturna = runner(capsys, monkeypatch)
    ran = []
    for words in commands("nocturna"):
        if words[1] == "serve" or any("beto" in word for word in words):
            continue  # test_serve.py and test_hub.py run these, with a server of their own
        done = nocturna(*words[1:])
        assert done.code == 0, (words, done.err)
        ran.append(words[1])
    assert {"score", "runs", "jobs", "evaluate"} <= set(ran) and len(ran) >= 9
    for code in blocks("python"):
        exec(code, {})
    said = capsys.readouterr().out
    assert "sentiment" in said and "computación" in said


def test_the_job_file_shown_is_the_one_that_ships():
    shown = blocks("yaml")[0]
    shipped = (ROOT / "data" / "jobs" / "opiniones.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(shown) == yaml.safe_load(shipped)


def test_the_table_of_formats_is_the_registry():
    from nocturna.tasks.corpus.formats import formats

    rows = [
        f"| `{name}` | {' '.join(f'`{ending}`' for ending in one.NAMES[1:]) or 'any'} | "
        f"{one.ABOUT} | {'yes' if one.PACKED else 'inside'} |"
        for name, one in formats().items()
    ]
    assert "\n".join(["|---|---|---|---|", *rows, ""]) in README


def test_the_sections_of_a_job_that_are_shown_are_valid():
    from nocturna.tasks.job.job import Job

    shown = [yaml.safe_load(block) for block in blocks("yaml") + blocks("yaml", OPERATIONS)]
    parts = [part for part in shown if set(part) <= {"notify", "retention", "scores"}]
    assert len(parts) >= 4
    for part in parts:
        Job.model_validate({"name": "j", "source": {"path": "a"}, **part})
    (retention,) = (part["retention"] for part in parts if "retention" in part)
    default = Job.model_validate({"name": "j", "source": {"path": "a"}}).retention
    assert retention == default.model_dump(), "the defaults"


@pytest.mark.slow
def test_the_demo_shows_how_often_the_bundled_models_are_right(tmp_path):
    assert ["make", "demo"] in commands("make")
    environment = {**os.environ, "COLUMNS": "160"}
    done = subprocess.run(
        ["make", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"sentiment\s+(\d+\.\d)%.*\n\s*topic\s+(\d+\.\d)%", done.stdout)
    assert found, done.stdout
    assert all(float(share) > 50 for share in found.groups())
    shown = re.search(r"<!-- demo -->\n```\n(.*?)```", README, re.DOTALL)
    assert shown, "the README shows what the demo prints"
    for line in re.findall(r"^(?:sentiment|topic) +[\d.]+%.*$", shown.group(1), re.MULTILINE):
        assert re.sub(r"\s+", " ", line.strip()) in re.sub(r"[ \t]+", " ", done.stdout)


@pytest.mark.parametrize(("target", "for_developers"), [("demo", False), ("test", True)])
def test_only_developers_get_what_developers_need(target, for_developers):
    plan = ["make", "--dry-run", "--always-make", target]
    done = subprocess.run(plan, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--editable" in done.stdout and ("'.[dev]'" in done.stdout) == for_developers


def test_the_pictures_are_there_and_small():
    named = re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert len(named) == 2
    for name in named:
        data = (ROOT / name).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) < 150_000


def test_every_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {words[1] for words in commands("make")} | set(re.findall(r"`make ([a-z-]+)`", README))
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_key_and_option_that_the_readme_names_exists():
    from nocturna.options import job_options
    from nocturna.tasks.job import job

    flags = {part for option in job_options() for part in option.flag.split("/")}
    others = {"--json", "--api", "--job", "--dry-run", "--map", "--model", "--accept"}
    others |= {
        "--calibrate",
        "--overlap",
        "--catch-up",
        "--to",
        "--list",
        "--score",
        "--hub",
        "--force",
        "--check",
        "--pin",
        "--published",
        "--errors",
        "--against",
        "--page",
        "--part",
    }
    for flag in set(re.findall(r"`(--[a-z-]+)", README)):
        assert flag in flags | others, flag
    parts = {"source": job.Source}
    parts |= {"long_documents": job.LongDocuments, "compute": job.Compute}
    parts |= {"summaries": job.Summaries, "quality": job.Quality}
    named = re.findall(r"`(\w+)\.(\w+)`", README)
    keys = [(section, key) for section, key in named if section in parts]
    assert len(keys) >= 6
    for section, key in keys:
        assert key in parts[section].model_fields, (section, key)


def test_the_readme_names_every_check_that_may_only_warn():
    from nocturna.tasks.job.quality import soft_checks_of

    after = README.split("`quality.warn_only`: ", 1)[1].split("\n", 1)[0]
    assert tuple(re.findall(r"`(\w+)`", after)) == tuple(soft_checks_of(["sentiment"]))
