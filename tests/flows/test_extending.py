"""A kind of score, a format, a backend, a sink and a provider of another package: a module each."""

import copy
import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from nocturna.tasks.inference.probabilities import softmax
from tests.flows.chat_server import KEY, chat_server, first_words
from tests.flows.spent import Spent, command
from tests.models import SENTIMENT, TEXTS

GUIDE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
FOLLOWER = '''
"""A sink that notes how runs go, and one of them with a slip."""

FILE = "notes.txt"


def note(layout, manifest):
    with (layout.run(manifest["run_id"]) / FILE).open("a") as notes:
        print(manifest["status"], file=notes)
    if manifest["status"] == "ready":
        manifest["no such key"]
'''


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def install(site: Path, modules: dict[str, str], points: dict[str, dict[str, str]]) -> None:
    """What pip leaves of a package: its modules, and what it says of itself."""
    about = site / "nocturna_more-1.0.dist-info"
    about.mkdir(parents=True)
    for name, code in modules.items():
        (site / f"{name}.py").write_text(code, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nocturna-more\nVersion: 1.0\n")
    lines = [
        line
        for group, named in points.items()
        for line in (f"[{group}]", *(f"{name} = {module}" for name, module in named.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


@dataclass(frozen=True)
class Nights:
    """Three nights with all that the guide shows; the second one cannot write its CSV file.

    Attributes:
        ends: how the command ended.
        rows: the published rows after each night.
        csv: the CSV file after each night.
        asked: the documents that the service was asked about.
    """

    folder: Path
    ends: list[Spent]
    rows: list[pd.DataFrame]
    csv: list[pd.DataFrame]
    asked: list[str]


@pytest.fixture(scope="module")
def nights(engine, small_models, tmp_path_factory) -> Nights:
    folder = tmp_path_factory.mktemp("extending")
    points: dict[str, dict[str, str]] = {"nocturna.sinks": {"notes": "nocturna_notes"}}
    modules, job = {"nocturna_notes": FOLLOWER}, {}
    for code, entry, asked in zip(blocks("python"), blocks("toml"), blocks("yaml"), strict=True):
        assert len(code.splitlines()) < 40
        ((group, named),) = tomllib.loads(entry)["project"]["entry-points"].items()
        points.setdefault(group, {}).update(named)
        modules |= dict.fromkeys(named.values(), code)
        job |= yaml.safe_load(asked)
    assert set(points) == {
        f"nocturna.{kind}" for kind in ("heads", "formats", "backends", "sinks", "providers")
    }
    install(folder / "site", modules, points)
    job["output"]["dir"] = "out"
    job["scores"]["sentiment"] = {"model": str(small_models["sentiment"])}
    lines = [json.dumps({"id": f"d{i}", "text": text}) for i, text in enumerate(TEXTS)]
    (folder / "textos.jsonl").write_text("\n".join(lines), encoding="utf-8")
    records = [f"id: d{i}\ntext: {text}" for i, text in enumerate(TEXTS)]
    (folder / "textos.rec").write_text("\n\n".join(records), encoding="utf-8")
    csv = folder / job["output"]["csv"]
    ends, rows, copies = [], [], []
    with chat_server() as chat:
        for unit in (100, 10, 10):
            job["scores"]["size"]["unit"] = unit
            (folder / "textos.yaml").write_text(json.dumps(job), encoding="utf-8")
            block = csv.with_suffix(".tmp")
            if len(ends) == 1:
                block.mkdir()
            environment = {
                "PYTHONPATH": str(folder / "site"),
                "PREFECT_HOME": str(folder / "home"),
                "CHAT_URL": chat.url,
                "CHAT_API_KEY": KEY,
            }
            arguments = ("score", "--job", "textos.yaml", "--json")
            ends.append(command(*arguments, cwd=folder, env=environment))
            if block.is_dir():
                block.rmdir()
            assert "is published" in ends[-1].err or not ends[-1].code, ends[-1].err
            published = pd.read_parquet(folder / "out" / "textos" / "results")
            rows.append(published.set_index("doc_id").sort_index())
            copies.append(pd.read_csv(csv).set_index("doc_id").sort_index())
    return Nights(folder, ends, rows, copies, chat.asked)


def counts(end: Spent) -> dict[str, int]:
    assert end.code == 0, end.err
    return json.loads(end.out)["counts"]


def test_a_kind_of_score_from_another_package_has_columns_and_configs(nights):
    first, second = nights.rows[:2]
    assert counts(nights.ends[0])["scored"] == len(TEXTS)
    expected = {f"d{i}": len(text) / 100 for i, text in enumerate(TEXTS)}
    assert first["size"].to_dict() == pytest.approx(expected, rel=1e-6)
    assert first.sentiment.notna().all()
    configs = pd.read_parquet(nights.folder / "out" / "textos" / "configs.parquet")
    assert set(first.size_config.map(configs.set_index("config").kind)) == {"length"}
    assert (second["size"] > first["size"]).all()
    assert second.sentiment_config.equals(first.sentiment_config)
    assert len(set(second.size_config) | set(first.size_config)) == 2
    assert counts(nights.ends[2])["scored"] == 0


def test_a_backend_from_another_package_scores_and_is_named(nights, small_models):
    run = json.loads(nights.ends[0].out)["run_id"]
    path = nights.folder / "out" / "textos" / "runs" / run / "manifest.json"
    assert json.loads(path.read_text())["backend"] == "exact"
    tokenizer = AutoTokenizer.from_pretrained(small_models["sentiment"])
    network = AutoModelForSequenceClassification.from_pretrained(small_models["sentiment"]).eval()
    at = [f"d{i}" for i, text in enumerate(TEXTS) if len(tokenizer(text)["input_ids"]) <= 128]
    assert len(at) > 5
    found = nights.rows[0].loc[at, [f"sentiment_{label.lower()}" for label in SENTIMENT]].to_numpy()
    off = {}
    for name, one in (("fp32", network), ("float64", copy.deepcopy(network).double())):
        with torch.inference_mode():
            inputs = [tokenizer(TEXTS[int(d[1:])], return_tensors="pt") for d in at]
            logits = [one(**given).logits[0].float().numpy() for given in inputs]
        off[name] = np.abs(softmax(np.stack(logits)) - found).max()
    assert off["float64"] == 0 < off["fp32"] < 1e-5


def test_a_provider_from_another_package_summarises_and_is_paid_once(nights):
    for rows in nights.rows:
        assert set(rows.summary_status) == {"ok"}
        found = rows.summary.to_dict()
        assert found == {f"d{i}": first_words(text) for i, text in enumerate(TEXTS)}
        assert set(rows.summary_model) == {"qwen3-8b"}
    assert Counter(nights.asked) == Counter(TEXTS)
    spent = json.loads(nights.ends[0].out)["summaries"]["spent_usd"]
    assert spent == pytest.approx(len(TEXTS) * (100 * 0.10 + 10 * 0.40) / 1e6)


def test_a_sink_from_another_package_gets_the_rows_of_every_night(nights):
    for rows, csv in ((nights.rows[0], nights.csv[0]), (nights.rows[2], nights.csv[2])):
        assert csv["size"].to_dict() == pytest.approx(rows["size"].to_dict(), rel=1e-6)
        assert csv.summary.equals(rows.summary)
    place = str(nights.folder / "rows.csv")
    for end in (nights.ends[0], nights.ends[2]):
        summary = json.loads(end.out)
        assert summary["sinks"] == {"csv": {"uri": place, "version": None}}
        assert len(eval(summary["reading"]["csv"], {"pd": pd})) == len(TEXTS)
        run = nights.folder / "out" / "textos" / "runs" / summary["run_id"]
        assert json.loads((run / "manifest.json").read_text())["sinks"] == summary["sinks"]


def test_a_sink_that_fails_costs_a_line_and_is_caught_up(nights):
    failed = nights.ends[1]
    assert failed.code == 1
    lines = [text for text in failed.err.splitlines() if "rows.tmp" in text]
    assert len(lines) == 1, failed.err
    (line,) = lines
    assert line.startswith("nocturna: sink csv: ") and "Traceback" not in failed.err
    assert "snapshot 2 is published" in line
    assert nights.csv[1].equals(nights.csv[0])
    assert not nights.rows[1]["size"].equals(nights.rows[0]["size"])


def test_a_sink_that_notes_runs_is_told_each_status_and_its_slip_costs_a_line(nights):
    notes = sorted((nights.folder / "out" / "textos" / "runs").glob("*/notes.txt"))
    assert len(notes) == len(nights.ends)
    for path in notes:
        assert [*dict.fromkeys(path.read_text().split())] == ["running", "ready", "published"]
    said = [text for text in nights.ends[0].err.splitlines() if "sink notes" in text]
    assert len(said) == 1 and "KeyError" in said[0]


def test_an_option_and_a_check_of_a_sink_are_the_command_s_own(nights):
    done = command(
        *("score", "textos.jsonl", "--csv", "out/textos/rows.csv", "--name", "textos"),
        cwd=nights.folder,
        env={"PYTHONPATH": str(nights.folder / "site")},
    )
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("nocturna: output.csv: the file is in the output")
    assert done.heavy <= {"numpy"}, "the kind of score of the guide imports it"


def test_a_key_that_two_sinks_add_is_refused_in_one_line(tmp_path):
    code = next(block for block in blocks("python") if "def receive" in block)
    twice = code.replace("csv: str | None", "table: str | None")
    assert twice != code
    install(tmp_path / "site", {"mine": twice}, {"nocturna.sinks": {"mine": "mine"}})
    done = command("jobs", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")})
    assert done.code != 0
    assert done.err == "nocturna: sink mine: output.table is a key of sink delta already\n"
