"""A kind of score, a backend, a provider, a sink, a runner: a file each, that no other names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOMES = {
    "tasks/inference/heads": "kind of score",
    "tasks/inference/backends": "backend",
    "tasks/enrichment/providers": "provider",
    "tasks/results/sinks": "sink",
    "tasks/run/runners": "runner",
}
COMMON = {"classifier", "embedding", "torch", "openvino", "threads", "processes"}
"""Words of the field too: a model is a classifier and a text has an embedding whatever the kind,
torch is a library that reads weights whatever runs them, and every program has threads. These name
a kind only where a text is nothing else, where it says `kind: ...`, `backend ...` or `runner ...`,
and where one is imported."""

COMMONLY = r"kind: {0}\b|(backend|runner):? {0}\b|(heads|backends|runners)\.{0}\b"

EXCEPTIONS = {
    ("gemini", "tasks/job/summaries.py"): "a job that names no provider has this one",
    ("nli", "tasks/job/labels.py"): "says which kind of model takes a label by itself",
    ("delta", "tasks/corpus/beside.py"): "a table of another tool, refused in another's folder",
    ("delta", "tasks/corpus/log_tables.py"): "such a table as a source",
    ("delta", "tasks/job/source.py"): "a version of it",
    ("threads", "tasks/corpus/repeats.py"): "a setting of DuckDB",
    ("threads", "tasks/results/sql.py"): "a setting of DuckDB",
    ("delta", "tasks/results/recovery.py"): "a folder of the work of earlier versions, no sink",
}


def kinds() -> dict[str, str]:
    """Every name of ours, and the folder that may say it."""
    found = {}
    for home in HOMES:
        for path in sorted((ROOT / home).glob("[!_]*.py")):
            found[path.stem] = home
    return found


def spoken(path: Path) -> Iterator[tuple[int, str]]:
    """The code of a file in words: names, attributes, imports and strings; no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in silent:
                yield node.lineno, text
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((node.lineno, f"import {module}.{name.name}") for name in names)
            case ast.Import(names=names):
                yield from ((node.lineno, f"import {name.name}") for name in names)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                yield node.lineno, f"name {name}"
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, f"name {name}"


def says(text: str, kind: str) -> bool:
    if kind not in text.lower():
        return False
    if kind in COMMON:
        return bool(re.fullmatch(kind, text) or re.search(COMMONLY.format(kind), text))
    return bool(re.search(rf"(?<![a-z]){kind}(?![a-z])", text, re.IGNORECASE))


def named_in(folder: Path) -> set[tuple[str, str, int]]:
    """Where a kind is named outside its home: the kind, the file from `folder`, the line."""
    homes = kinds()
    return {
        (kind, where, line)
        for path in [*(folder / "flows").rglob("*.py"), *(folder / "tasks").rglob("*.py")]
        for where in [path.relative_to(folder).as_posix()]
        for line, text in spoken(path)
        for kind, home in homes.items()
        if not where.startswith(f"{home}/") and says(text, kind)
    }


def test_no_other_file_names_a_kind():
    assert {"classifier", "nli", "torch", "openvino", "gemini", "delta"} <= set(kinds())
    found = named_in(ROOT)
    strange = sorted(place for place in found if place[:2] not in EXCEPTIONS)
    assert not strange, f"named outside {', '.join(HOMES)}: {strange}"
    assert {place[:2] for place in found} == set(EXCEPTIONS), "an exception is needed no more"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("nli", 'if score.kind == "nli":\n    pass'),
        ("embedding", 'KINDS = {"embedding": 1}'),
        ("classifier", "from nocturna.tasks.inference.heads import classifier"),
        ("classifier", "from nocturna.tasks.inference.heads.classifier import plan"),
        ("torch", 'versions["torch"]'),
        ("torch", "from nocturna.tasks.inference.backends import torch"),
        ("openvino", 'if run.backend == "openvino":\n    pass'),
        ("openvino", 'error("int8 needs backend openvino")'),
        ("gemini", 'os.environ["GEMINI_API_KEY"]'),
        ("delta", "if job.delta:\n    pass"),
        ("openlineage", 'path = "openlineage.ndjson"'),
    ],
)
def test_a_file_that_names_a_kind_is_found(tmp_path, kind, code):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "plan.py").write_text(f'"""About nli."""\n{code}\n')
    assert named_in(tmp_path) == {(kind, "tasks/plan.py", 2)}
