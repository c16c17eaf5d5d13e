"""The dry run: what it would cost, with nothing sent."""

from pathlib import Path

import pytest

from nocturna.tasks.enrichment.estimate import estimate
from tests.enrichment.conftest import Run, documents, make_settings, opinions
from tests.enrichment.fake_gemini import FakeGemini


def test_it_counts_what_would_be_asked_and_sends_nothing(
    fake: FakeGemini, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    given = documents([*opinions(10), *opinions(10), "", None])
    found = estimate(given, make_settings(), "es", tmp_path)
    assert (found.documents, found.empty, found.requests, found.cached) == (22, 2, 10, 0)
    assert found.usd["online"] > found.usd["batch"] == found.usd["flex"] > 0
    assert found.usd["online"] == pytest.approx(2 * found.usd["batch"])
    assert all(found.most_usd[mode] > found.usd[mode] for mode in found.usd)
    online = found.tokens_in * 0.30e-6 + found.tokens_out * 2.50e-6
    assert found.usd["online"] == pytest.approx(online)
    assert fake.calls == fake.created == 0


def test_the_worst_case_holds(run: Run, fake: FakeGemini, tmp_path: Path) -> None:
    found = estimate(documents(opinions(30)), make_settings(), "es", tmp_path)
    rows = run(opinions(30))
    assert sum(row["summary_cost_usd"] for row in rows) < found.most_usd["online"]
    again = estimate(documents(opinions(30)), make_settings(), "es", tmp_path / "state")
    assert (again.cached, again.requests, again.usd["online"]) == (30, 0, 0)


def test_parts_of_long_documents_are_counted(tmp_path: Path) -> None:
    text = " ".join(f"palabra{i}." for i in range(400))
    settings = make_settings(max_chars=400, long_documents="parts")
    found = estimate(documents([text]), settings, "es", tmp_path)
    assert found.requests > len(text) // 400 + 1
    assert found.tokens_in > len(text) // 4


def test_a_million_documents_cost_about_what_is_documented(tmp_path: Path) -> None:
    """800 tokens in and 120 out are about USD 540 a million online, and half in batch."""
    settings = make_settings(words=50)
    text = "a" * 4 * 500
    found = estimate(documents([text]), settings, "es", tmp_path)
    assert 400 < found.usd["online"] * 1e6 < 700
