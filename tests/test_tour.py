"""The tour runs as it stands, and shows what it says that it shows."""

import json

import pytest

from tests.notebook import run_cells, texts_of
from tests.test_readme import ROOT

TOUR = ROOT / "docs" / "tour.ipynb"


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_the_tour_runs_and_its_outputs_are_those_that_are_kept(tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(TOUR.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    found = run_cells(notebook)
    for cell, outputs in zip(cells, found, strict=True):
        source = "".join(cell["source"])
        assert texts_of(outputs) == texts_of(cell["outputs"]), (
            f"make tour; it differs in:\n{source}"
        )
    plots = [out for outputs in found for out in outputs if "image/png" in out.get("data", {})]
    assert len(plots) == sum("ax.set(" in "".join(cell["source"]) for cell in cells) >= 3


def test_the_tour_is_light_and_has_no_trace_of_a_machine():
    text = TOUR.read_text(encoding="utf-8")
    assert len(text) < 150_000 and "Traceback" not in text
    assert "/tmp" not in text and str(ROOT) not in text


@pytest.mark.parametrize(
    ("source", "shown"),
    [("print(1)\n2 + 2", ["1\n", "4"]), ("a = 1", []), ("None", []), ("print('x')", ["x\n"])],
)
def test_a_cell_shows_what_it_prints_and_its_last_value(source, shown):
    cell = {"cell_type": "code", "source": [source]}
    (outputs,) = run_cells({"cells": [{"cell_type": "markdown", "source": ["x ="]}, cell]})
    assert texts_of(outputs) == shown


def test_a_cell_that_fails_is_not_passed_over():
    with pytest.raises(ZeroDivisionError):
        run_cells({"cells": [{"cell_type": "code", "source": ["1 / 0"]}]})
