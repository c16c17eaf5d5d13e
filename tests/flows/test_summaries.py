"""Summaries in the main job: beside the scores, within the budget, and without the key."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.enrichment.fake_gemini import KEY, FakeGemini
from tests.models import TEXTS

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def fake(monkeypatch):
    """A fake Gemini that the real client talks to by itself."""
    with FakeGemini() as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        yield server


@pytest.fixture
def arguments(small_models, tmp_path) -> list[object]:
    corpus = tmp_path / "prensa.jsonl"
    rows = [{"id": f"d{i}", "text": text} for i, text in enumerate([*TEXTS, None])]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sentiment = small_models["sentiment"]
    options = ["--id", "id", "--sentiment-model", sentiment, "--shard-size", 4, "--summaries"]
    return ["score", corpus, *options, "--summary-words", 12, "--json"]


def results(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "out" / "prensa" / "results").set_index("doc_id")


def test_every_document_gets_a_summary_or_a_reason(nocturna, fake, arguments, tmp_path):
    done = nocturna(*arguments, "--max-usd", 0.1)
    assert done.code == 0, done.err
    frame = results(tmp_path)
    assert len(frame) == len(TEXTS) + 1
    assert (frame.summary_status[:-1] == "ok").all()
    assert frame.summary_status["d10"] == "skipped_empty"
    assert frame.summary[:-1].str.len().gt(0).all() and pd.isna(frame.summary["d10"])
    assert frame.sentiment[:-1].notna().all()
    told = done.json["summaries"]
    assert told["statuses"] == {"ok": len(TEXTS), "skipped_empty": 1}
    assert told["spent_usd"] == pytest.approx(frame.summary_cost_usd.sum()) and fake.calls == 10
    assert not fake.violations


def test_another_night_pays_for_nothing_twice(nocturna, fake, arguments, tmp_path):
    nocturna(*arguments, "--max-usd", 0.1)
    again = nocturna(*arguments, "--max-usd", 0.1, "--full")
    assert again.code == 0, again.err
    assert fake.calls == len(TEXTS)
    assert again.json["summaries"]["statuses"] == {"cached": len(TEXTS), "skipped_empty": 1}
    assert results(tmp_path).summary_cost_usd.sum() == 0


def test_a_refused_key_costs_the_summaries_not_the_scores(nocturna, fake, arguments, tmp_path):
    fake.faults = lambda text, turn: "403"
    done = nocturna(*arguments, "--max-usd", 0.1)
    assert done.code == 0, done.err
    frame = results(tmp_path)
    assert set(frame.summary_status) == {"error", "skipped_empty"}
    assert frame.sentiment[:-1].notna().all()
    assert done.json["summaries"]["stopped"]


@pytest.mark.parametrize(
    ("options", "environment", "part"),
    [
        ([], {}, "max_usd"),
        (["--max-usd", 1], {"GEMINI_API_KEY": ""}, "GEMINI_API_KEY"),
        (["--max-usd", 1, "--summary-model", "gemini-9-none"], {}, "gemini-9-none"),
    ],
)
def test_summaries_that_cannot_be_made_stop_before_any_work(
    nocturna, fake, arguments, tmp_path, monkeypatch, options, environment, part
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = nocturna(*arguments, *options)
    assert done.code == 2
    assert part in done.err and len(done.err.strip().splitlines()) == 1
    assert fake.calls == 0
    assert not list(tmp_path.glob("out/prensa/work/*/index"))


def test_a_dry_run_says_what_there_is_to_do_and_to_pay_and_does_nothing(
    nocturna, fake, arguments, tmp_path
):
    done = nocturna(*arguments, "--max-usd", 0.1, "--dry-run")
    assert done.code == 0, done.err
    assert done.json["documents"]["new"] == done.json["documents"]["to_score"] == len(TEXTS) + 1
    cost = done.json["summaries"]
    assert cost["requests"] == len(TEXTS) and cost["empty"] == 1
    assert cost["usd"]["batch"] == pytest.approx(cost["usd"]["online"] / 2)
    assert fake.calls == 0
    kept = {path.name for path in (tmp_path / "out" / "prensa").rglob("*") if path.is_file()}
    assert kept <= {".lock"}
    text = nocturna(*arguments[:-1], "--max-usd", 0.1, "--dry-run").out
    assert "nothing was sent" in text and "11 documents to score" in text


def test_the_key_is_nowhere_after_a_run_of_failures(nocturna, fake, arguments, tmp_path, engine):
    from prefect.settings import PREFECT_HOME, PREFECT_LOCAL_STORAGE_PATH

    kinds = ["429", "500", "drop", "bad_json", "blocked", "SAFETY", "schema", "403"]
    fake.faults = lambda text, turn: kinds[len(text) % len(kinds)] if turn == 1 else None
    done = nocturna(*arguments, "--max-usd", 0.1)
    assert done.code == 0, done.err
    assert fake.calls > 0
    assert KEY not in done.out + done.err
    folders = [tmp_path, engine, PREFECT_HOME.value(), PREFECT_LOCAL_STORAGE_PATH.value()]
    files = [path for folder in folders for path in Path(folder).rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" for path in files)
    assert any(path.suffix == ".db" for path in files), "the engine's database is looked at"
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def job_file(folder: Path, small_models, **summaries) -> Path:
    job = {
        "source": {"path": str(folder / "prensa.jsonl"), "id": "id"},
        "scores": {"sentiment": {"model": str(small_models["sentiment"])}},
        "summaries": {"enabled": True, "max_usd": 0.1, "words": 12, **summaries},
    }
    path = folder / "prensa.yaml"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_key_may_come_from_a_secret_block_of_the_engine(
    nocturna, fake, arguments, tmp_path, monkeypatch, small_models
):
    from prefect.blocks.system import Secret

    monkeypatch.delenv("GEMINI_API_KEY")
    job = job_file(tmp_path, small_models, secret="llave")
    missing = nocturna("score", "--job", job)
    assert missing.code == 2
    assert "'llave'" in missing.err and len(missing.err.strip().splitlines()) == 1
    Secret(value=KEY).save("llave")
    done = nocturna("score", "--job", job, "--json")
    assert done.code == 0, done.err
    assert done.json["summaries"]["statuses"]["ok"] == len(TEXTS)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_log_says_where_the_summaries_stand_and_what_they_cost(
    nocturna, fake, arguments, monkeypatch
):
    from nocturna import terminal

    monkeypatch.setattr(terminal, "LINE_SECONDS", 0.0)
    done = nocturna(*arguments, "--max-usd", 0.1)
    assert "summaries: 11 of 11 documents, 0.0" in done.err
    assert "USD spent" in done.err and "expected" in done.err
