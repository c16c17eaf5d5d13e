"""The budget is never passed, whatever fails."""

import random
from pathlib import Path

import pytest

from nocturna.tasks.enrichment.budget import Budget
from nocturna.tasks.enrichment.prices import price_of
from nocturna.tasks.enrichment.state import State
from nocturna.tasks.enrichment.summary_records import Progress
from tests.enrichment.conftest import (
    Run,
    Worker,
    answers,
    ledger,
    make_settings,
    opinions,
    wait_for,
)
from tests.enrichment.fake_gemini import FakeGemini


def billed(fake: FakeGemini, share: float = 1.0) -> float:
    return (fake.tokens_in * 0.30e-6 + fake.tokens_out * 2.50e-6) * share


@pytest.mark.parametrize(
    "mode",
    [
        "online",
        pytest.param("flex", marks=pytest.mark.slow),
        pytest.param("batch", marks=pytest.mark.slow),
    ],
)
def test_one_cent_stops_before_it_is_passed(run: Run, fake: FakeGemini, mode: str) -> None:
    seen: list[Progress] = []
    rows = run(opinions(400), max_usd=0.01, mode=mode, batch_size=50, seen=seen)
    statuses = [row["summary_status"] for row in rows]
    spent = billed(fake, 1.0 if mode == "online" else 0.5)
    print(f"{mode}: {statuses.count('ok')} summaries, {spent:.6f} USD of 0.01 billed")
    assert set(statuses) == {"ok", "skipped_budget"}
    assert spent <= 0.01
    assert spent > (0.002 if mode == "batch" else 0.006)
    assert seen[-1].spent_usd == pytest.approx(spent, abs=1e-6)
    skipped = next(row for row in rows if row["summary_status"] == "skipped_budget")
    assert "max_usd of 0.01 reached" in skipped["summary_reason"]
    assert fake.billed.total() == statuses.count("ok")


def test_failures_of_every_kind_do_not_pass_it(run: Run, fake: FakeGemini) -> None:
    kinds = ["500", "503", "504", "drop", "bad_json", "empty", "schema", "cut_answer"]
    dice = random.Random(7)
    chosen = {text: dice.choices([*kinds, None], k=20) for text in opinions(150)}
    fake.faults = lambda text, turn: chosen[text][turn - 1] if turn <= 20 else None
    seen: list[Progress] = []
    rows = run(opinions(150), max_usd=0.03, seen=seen)
    assert len(rows) == 150
    assert billed(fake) <= seen[-1].spent_usd <= 0.03
    assert "skipped_budget" in seen[-1].statuses
    assert sum(row["summary_cost_usd"] for row in rows) == pytest.approx(seen[-1].spent_usd)


def test_a_service_that_bills_too_much_is_reserved_for(run: Run, fake: FakeGemini) -> None:
    fake.faults = lambda text, turn: "overbilled"
    rows = run(opinions(50), max_usd=0.2, concurrency=1)
    assert billed(fake) <= 0.2
    assert [row["summary_status"] for row in rows].count("skipped_budget") > 0


@pytest.mark.slow
def test_a_resumed_run_goes_on_with_its_budget(run: Run, fake: FakeGemini) -> None:
    run(opinions(20), max_usd=0.01)
    first = billed(fake)
    rows = run(opinions(400), max_usd=0.01)
    assert billed(fake) <= 0.01
    assert billed(fake) > first
    run(opinions(400), max_usd=0.01, run_id="another")
    assert 0.01 < billed(fake) <= 0.02
    assert [row["summary_status"] for row in rows].count("cached") == 20


def test_calls_under_way_at_a_kill_stay_reserved(fake: FakeGemini, tmp_path: Path) -> None:
    fake.hold_after = 10
    worker = Worker(tmp_path, "run-1", 40, concurrency=4)
    wait_for(lambda: answers(tmp_path) == 10 and fake.under_way == 4)
    worker.kill()
    assert ledger(tmp_path)["settled"] == 10
    assert ledger(tmp_path)["open"] == 4
    with State(tmp_path) as state:
        budget = Budget(state, "run-1", 1)
        most = price_of(make_settings(), "online").cost(0, 496)
        assert budget.committed > billed(fake) * 1e9 + 4 * most


def test_a_reservation_is_all_or_nothing(tmp_path: Path) -> None:
    with State(tmp_path) as state:
        budget = Budget(state, "run-1", 100e-9)
        call = budget.reserve("a", "online", 59)
        assert call is not None
        assert budget.reserve("b", "online", 40) is None
        assert budget.committed == 60
        budget.settle(call, 10)
        budget.settle(call, 10)
        assert budget.committed == 10
        lost = budget.reserve("b", "online", 40)
        assert lost is not None
        budget.settle(lost, None)
        assert budget.committed == 51
