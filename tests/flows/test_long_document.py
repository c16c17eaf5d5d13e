"""A document of more than a megabyte goes through whole, in bounded memory."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import SHARED

LONG = SHARED / "awkward" / "long-documents" / "codigo_codigo_comercio.txt"
ALLOWED = 250 * 2**20


def scored(text: str, folder: Path, models: list[str]) -> tuple[pd.Series, int]:
    """The row of one document that is a file, and the most memory that its run held."""
    folder.mkdir()
    (folder / "documento.txt").write_text(text, encoding="utf-8")
    command = ["score", str(folder / "documento.txt"), "--format", "files", *models]
    code = "import sys; from nocturna.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--name", "ley", "--out", str(folder / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (manifest,) = (folder / "out" / "ley" / "runs").glob("*/manifest.json")
    peak = json.loads(manifest.read_text(encoding="utf-8"))["peak_rss_bytes"]
    (row,) = pd.read_parquet(folder / "out" / "ley" / "results").to_dict("records")
    return row, peak


@pytest.mark.slow
@pytest.mark.skipif(not LONG.exists(), reason=f"needs {LONG}, which is not part of the project")
def test_a_document_of_a_megabyte_is_read_whole(tmp_path, models):
    text = LONG.read_text(encoding="utf-8")
    short, before = scored(text[:2000], tmp_path / "short", models)
    long, peak = scored(text, tmp_path / "long", models)
    assert len(text) > 1_000_000
    assert long["status"] == "ok" and not long["truncated"]
    assert long["n_windows"] > 1000 > short["n_windows"]
    assert long["n_tokens"] > 200_000
    assert peak - before < ALLOWED, f"{(peak - before) >> 20} MiB more than a short document"
