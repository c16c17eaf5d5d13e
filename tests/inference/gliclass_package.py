"""Scores by the package `gliclass`, from an environment of its own.

It asks for other libraries than Nocturna does, and its versions of those they share may differ.

    python tests/inference/gliclass_package.py < cases.json > scores.json
"""

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

VERSION = "0.1.21"


class NoPackage(Exception):
    """The environment cannot be made here; says why."""


def scores_of(cases: list[dict[str, Any]]) -> list[list[list[float]]]:
    """What the package's own pipeline says, a text at a time.

    Args:
        cases: each a `folder` with a model, `texts`, `labels`, and whether `multi_label`.

    Returns:
        for each case the scores of its labels, text by text.

    Raises:
        NoPackage: there is no environment with the package, and none can be made.
    """
    own = {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [_python(), __file__],
        input=json.dumps(cases),
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[list[float]]] = json.loads(done.stdout)
    return found


def _python() -> Path:
    """The Python of the environment, which is made once, inside the one that runs the tests."""
    home = Path(sys.prefix) / f"gliclass-{VERSION}"
    python = home / "bin" / "python"
    if not (home / "made").exists():
        shutil.rmtree(home, ignore_errors=True)
        quiet = ["--quiet", "--disable-pip-version-check", "--no-compile"]
        pinned = ["--constraint", "constraints.txt", f"gliclass=={VERSION}"]
        for command in (
            [sys.executable, "-m", "venv", home],
            [python, "-m", "pip", "install", *quiet, *pinned],
        ):
            done = subprocess.run(
                command,
                cwd=Path(__file__).parents[2],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                shutil.rmtree(home, ignore_errors=True)
                raise NoPackage(f"needs gliclass {VERSION}: {done.stderr.strip()[-200:]}")
        (home / "made").touch()
    return python


def _answer() -> None:
    gliclass, transformers = import_module("gliclass"), import_module("transformers")
    found = []
    for case in json.load(sys.stdin):
        pipe = gliclass.ZeroShotClassificationPipeline(
            gliclass.GLiClassModel.from_pretrained(case["folder"]),
            transformers.AutoTokenizer.from_pretrained(case["folder"]),
            classification_type="multi-label" if case["multi_label"] else "single-label",
            device="cpu",
            progress_bar=False,
        )
        labels = case["labels"]
        said = [pipe(text, labels, return_hierarchical=True)[0] for text in case["texts"]]
        found.append([[row[label] for label in labels] for row in said])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _answer()
