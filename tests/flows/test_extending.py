"""A kind of score from another package is one module: its columns and configs follow."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.flows.spent import command
from tests.models import TEXTS

GUIDE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)[0]


def test_a_kind_of_score_from_another_package_runs_nights(small_models, tmp_path):
    """As the guide shows it: a module and an entry point, installed beside ours."""
    code = block("python")
    assert len(code.splitlines()) <= 40
    package = tmp_path / "site"
    about = package / "nocturna_length-1.0.dist-info"
    about.mkdir(parents=True)
    (package / "nocturna_length.py").write_text(code, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nocturna-length\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        block("toml")
        .replace('[project.entry-points."nocturna.heads"]', "[nocturna.heads]")
        .replace('"', "")
    )
    job = {
        "source": {"path": "textos.jsonl", "id": "id"},
        **yaml.safe_load(block("yaml")),
        "output": {"dir": str(tmp_path / "out")},
    }
    job["scores"]["sentiment"] = {"model": str(small_models["sentiment"])}
    (tmp_path / "textos.yaml").write_text(json.dumps(job), encoding="utf-8")
    lines = [json.dumps({"id": f"d{i}", "text": text}) for i, text in enumerate(TEXTS)]
    (tmp_path / "textos.jsonl").write_text("\n".join(lines), encoding="utf-8")
    environment = {"PYTHONPATH": str(package), "PREFECT_HOME": str(tmp_path / "home")}

    def night() -> dict:
        done = command("score", "--job", "textos.yaml", "--json", cwd=tmp_path, env=environment)
        assert done.code == 0, done.err
        return json.loads(done.out)["counts"]

    assert night()["scored"] == len(TEXTS)
    results = tmp_path / "out" / "textos"
    rows = pd.read_parquet(results / "results").set_index("doc_id")
    expected = {f"d{i}": len(text) / 100 for i, text in enumerate(TEXTS)}
    assert rows["size"].to_dict() == pytest.approx(expected, rel=1e-6)
    assert rows.sentiment.notna().all()
    configs = pd.read_parquet(results / "configs.parquet").set_index("config")
    assert set(rows.size_config.map(configs.kind)) == {"length"}
    assert night()["scored"] == 0
    job["scores"]["size"]["unit"] = 10
    (tmp_path / "textos.yaml").write_text(json.dumps(job), encoding="utf-8")
    night()
    again = pd.read_parquet(results / "results").set_index("doc_id")
    assert (again["size"] > rows["size"]).all()
    assert again.sentiment_config.equals(rows.sentiment_config)
    assert len(set(again.size_config) | set(rows.size_config)) == 2
