"""What fails before any work, in one line that says what to do."""

import subprocess
import sys
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from nocturna.tasks.enrichment import prices
from nocturna.tasks.enrichment.providers import gemini
from nocturna.tasks.enrichment.readiness import check_settings
from nocturna.tasks.enrichment.summary_stream import summarise
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job_file import make_job
from tests.enrichment.conftest import documents, make_settings, opinions

ROOT = Path(__file__).parents[2]
JOB = {"name": "prensa", "source": {"path": "a.jsonl"}}


@pytest.mark.parametrize(
    ("settings", "key", "expected"),
    [
        ({}, None, "set GEMINI_API_KEY to a key of a paid project"),
        ({}, "", "set GEMINI_API_KEY"),
        ({"enabled": False, "max_usd": None}, "k", "summaries.max_usd: missing"),
        ({"model": "gemini-9-ultra"}, "k", "no price is known for gemini-9-ultra"),
        ({"model": "gemini-2.0-flash"}, "k", "gemini-2.0-flash was shut down"),
    ],
)
def test_one_clear_line(settings: dict[str, Any], key: str | None, expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        check_settings(make_settings(**settings), lambda: key)
    assert "\n" not in str(caught.value)


def test_an_unknown_model_may_bring_its_prices() -> None:
    settings = make_settings(model="gemini-9-ultra", price_in=1, price_out=4)
    check_settings(settings, lambda: "k")
    online, batch = (prices.price_of(settings, mode) for mode in ("online", "batch"))
    assert online.cost(1_000_000, 1_000_000) == 5 * prices.NANO
    assert batch.cost(1_000_000, 1_000_000) == 5 * prices.NANO // 2


@pytest.mark.parametrize(("days", "usable"), [(1, True), (0, False)])
def test_a_model_may_be_used_until_it_is_shut_down(
    monkeypatch: pytest.MonkeyPatch, days: int, usable: bool
) -> None:
    day = date.today() + timedelta(days=days)
    monkeypatch.setitem(gemini.PRICES.shut_down, "gemini-3.1-flash-lite", day)
    with nullcontext() if usable else pytest.raises(UsageError, match="was shut down"):
        check_settings(make_settings(model="gemini-3.1-flash-lite"), lambda: "k")


def test_summarise_checks_before_it_is_iterated(tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="no key"):
        summarise(
            documents(opinions(1)),
            make_settings(),
            language="es",
            state_folder=tmp_path / "state",
            run_id="run-1",
            key_provider=lambda: None,
        )
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("summaries", "expected"),
    [
        ({"enabled": True}, "summaries: summaries need `max_usd`"),
        ({"enabled": True, "max_usd": 0}, "summaries.max_usd"),
        ({"price_in": 1}, "give both `price_in` and `price_out`"),
        ({"mode": "cheap"}, "summaries.mode"),
        ({"modell": "x"}, "summaries.modell: unknown key"),
        ({"model": "../x"}, "summaries.model"),
    ],
)
def test_a_job_that_cannot_be_meant_is_refused(summaries: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_job(JOB | {"summaries": summaries}, "job")
    assert expected in str(caught.value)


def test_the_sdk_is_imported_only_when_it_is_called() -> None:
    code = (
        "import sys, nocturna.tasks.enrichment.summary_stream, nocturna.tasks.enrichment.estimate; "
        "heavy = ('google.genai', 'prefect', 'torch'); "
        "sys.exit(any(name.startswith(heavy) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_summaries_are_off_by_default() -> None:
    assert make_job(dict(JOB), "job").summaries.enabled is False
