"""The examples in docstrings are true."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join([package, *path.relative_to(ROOT / folder).with_suffix("").parts])
    for folder, package in (("tasks", "nocturna.tasks"), ("flows", "nocturna"))
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name):
    found = doctest.testmod(import_module(name))
    assert found.attempted and not found.failed
