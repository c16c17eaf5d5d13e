"""The house as it is drawn: which part may import which, and one name a module.

The rules:

1.  Nothing in `tasks/` imports anything of `flows/`.
2.  The common ground, the files of `tasks/` that are no steps, imports no stage.
3.  `corpus` imports no other stage: it knows where documents come from, not what becomes of them.
4.  `inference` imports no other stage: it turns texts into scores.
5.  `enrichment` imports no other stage: it turns texts into summaries.
6.  `results` may import the stages before it, for what they say of their own columns.
7.  `evaluation` may import the stages whose work it judges.
8.  `job` describes; of the stages it knows only which kinds there are, by their registries.
9.  `reading` reads what is published: it may import `results` and the stages before it, and only
    `flows` imports it.
10. `run` puts stages together and imports no step.
11. A step imports stages and `run`, never another step.

Prefect is imported in `flows/` only, torch and transformers in `inference/` only, a provider's
client in `enrichment/providers/` only. No two modules import each other, not by a third either,
when they are loaded.
"""

import ast
import graphlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEPS = {"stage", "plan", "score", "summarise", "publish"}
READING = "reading"
STAGES = {"corpus", "inference", "enrichment", "results", "evaluation"}
GROUND = "common ground"
MAY = {
    GROUND: set(),
    "job": set(),
    "corpus": {"job"},
    "inference": {"job"},
    "enrichment": {"job"},
    "results": {"job", "corpus", "inference", "enrichment"},
    "evaluation": {"job", "corpus", "inference"},
    READING: {"job", "corpus", "inference", "enrichment", "results"},
    "run": {"job", *STAGES},
    "steps": {"job", "run", *STAGES},
    "flows": {"job", "run", "steps", READING, *STAGES},
}
"""What each part may import besides itself and the common ground."""

REGISTRIES = {
    ("job", "inference.backends"),
    ("job", "inference.heads"),
    ("job", "results.sinks"),
    ("job", "corpus.formats"),
    ("job", "inference.models"),
    ("unused", "results.files"),
}
"""What the description of a job asks which kinds there are and which model is the bundled one; and
the one way to take files away, which the cache goes too."""

ONLY = {
    "prefect": ("flows/", "tasks/run/kept_summaries.py"),
    "torch": ("tasks/inference/",),
    "transformers": ("tasks/inference/",),
    "google.genai": ("tasks/enrichment/providers/",),
}
"""Who may import a library; `summaries.secret` names a block of the engine's own."""

SHARED = {"score"}
"""The flow and the step it is named for."""


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module by its dotted name."""
    found = {}
    for top, package in (("flows", "nocturna"), ("tasks", "nocturna.tasks")):
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root / top).with_suffix("").parts
            found[".".join((package, *(p for p in parts if p != "__init__")))] = path
    return found


def imported(path: Path, at_load: bool = False) -> Iterator[str]:
    """The modules that a file imports, everywhere in it or only when it is loaded."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if at_load and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def module_of(name: str, known: dict[str, Path]) -> str | None:
    """The module of ours that an import names, or that has what it names."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name if name.startswith("nocturna.") else None


def part_of(module: str) -> str:
    """The part of the house that a module stands in."""
    names = module.split(".")[1:]
    if names[:1] != ["tasks"]:
        return "flows"
    if len(names) < 2:
        return GROUND
    if names[1] in STEPS:
        return "steps"
    return names[1] if names[1] in MAY else GROUND


def against_the_rules(root: Path) -> set[tuple[str, str]]:
    """Pairs of modules of which the first imports the second and may not."""
    known, found = modules(root), set()
    for module, path in known.items():
        for name in imported(path):
            other = module_of(name, known)
            here, there = part_of(module), part_of(other) if other else GROUND
            if there == GROUND or there in MAY[here] or (here == there and here != "steps"):
                continue
            if other != module:
                found.add((module, str(other)))
    return found


def is_registry(pair: tuple[str, str]) -> bool:
    here, there = (name.removeprefix("nocturna.tasks.") for name in pair)
    return any(
        here.split(".")[0] == one and (there == two or there.startswith(f"{two}."))
        for one, two in REGISTRIES
    )


def test_no_module_imports_against_the_direction():
    strange = {pair for pair in against_the_rules(ROOT) if not is_registry(pair)}
    assert not strange, "\n".join(f"{a} imports {b}" for a, b in sorted(strange))


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("tasks/plan.py", "import nocturna.record"),
        ("tasks/naming.py", "from nocturna.tasks.corpus import kept"),
        ("tasks/corpus/kept.py", "from nocturna.tasks.results.schema import Columns"),
        ("tasks/run/frozen.py", "from nocturna.tasks.plan import Planned"),
        ("tasks/plan.py", "from nocturna.tasks.reading.views import view_of"),
        ("tasks/plan.py", "def later():\n    from nocturna.tasks.score import score_shard"),
    ],
)
def test_an_import_against_the_direction_is_found(tmp_path, file, code):
    for name in ("flows/record", "tasks/plan", "tasks/score", "tasks/naming", "tasks/corpus/kept"):
        put(tmp_path / f"{name}.py", "")
    for name in ("tasks/results/schema", "tasks/run/frozen", "tasks/reading/views"):
        put(tmp_path / f"{name}.py", "")
    put(tmp_path / file, code)
    assert len(against_the_rules(tmp_path)) == 1


def put(path: Path, code: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)


def test_no_module_has_the_name_of_another():
    counts = Counter(p.stem for p in modules().values() if p.name != "__init__.py")
    assert {name for name, count in counts.items() if count > 1} == SHARED


def test_libraries_are_imported_where_they_belong():
    strange = [
        f"{path.relative_to(ROOT)} imports {library}"
        for path in modules().values()
        for name in imported(path)
        for library, homes in ONLY.items()
        if name == library or name.startswith(f"{library}.")
        if not path.relative_to(ROOT).as_posix().startswith(homes)
    ]
    assert not strange


def test_no_modules_import_each_other_when_they_are_loaded():
    known = modules()
    graph = {
        module: {
            other
            for name in imported(path, at_load=True)
            if (other := module_of(name, known)) and other != module
        }
        for module, path in known.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names them
