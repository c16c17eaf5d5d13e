"""Runs the cells of a notebook as Jupyter would, without Jupyter, and keeps what they show.

`python -m tests.notebook docs/tour.ipynb` writes the outputs into the notebook.
"""

import ast
import base64
import contextlib
import io
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]


def run_cells(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Runs every code cell in order, in one namespace; the outputs of each, as the format has them.

    The last expression of a cell is shown, and every figure that matplotlib drew in it.
    """
    import matplotlib

    matplotlib.use("Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    code = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    return [_run("".join(cell["source"]), names) for cell in code]


def _run(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    found = [{"output_type": "stream", "name": "stdout", "text": _lines(said.getvalue())}]
    found = found if said.getvalue() else []
    figures = [_shown({"image/png": data}) for data in _figures()]
    if value is not None and not figures:
        forms = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            forms["text/html"] = _lines(value._repr_html_())
        found.append(_shown(forms))
    return found + figures


def _figures() -> list[str]:
    from matplotlib import pyplot

    found = []
    for number in pyplot.get_fignums():
        out = io.BytesIO()
        pyplot.figure(number).savefig(out, format="png", dpi=72, bbox_inches="tight")
        found.append(base64.b64encode(out.getvalue()).decode())
    pyplot.close("all")
    return found


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def texts_of(outputs: list[dict[str, Any]]) -> list[str]:
    """What the outputs of a cell say as text."""
    return ["".join(out.get("text") or out["data"].get("text/plain", [])) for out in outputs]


def main(path: Path) -> None:
    """Writes the outputs of a notebook into it, run in a folder that sees `data`."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    target = path.absolute()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("data").symlink_to(ROOT / "data")
        outputs = iter(run_cells(notebook))
    for number, cell in enumerate(c for c in notebook["cells"] if c["cell_type"] == "code"):
        cell["outputs"], cell["execution_count"] = next(outputs), number + 1
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    target.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
