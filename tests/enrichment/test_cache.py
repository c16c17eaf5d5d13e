"""The same text is never paid for twice."""

from pathlib import Path

import pytest

from tests.enrichment.conftest import Run, Worker, answers, opinions, wait_for
from tests.enrichment.fake_gemini import FakeGemini


def test_the_same_text_is_paid_once_in_a_run(run: Run, fake: FakeGemini) -> None:
    rows = run(opinions(5) * 4)
    assert fake.calls == 5
    assert [row["summary_status"] for row in rows] == ["ok"] * 5 + ["cached"] * 15
    assert [row["summary_cost_usd"] > 0 for row in rows] == [True] * 5 + [False] * 15
    assert rows[0]["summary"] == rows[5]["summary"]


def test_the_next_night_pays_for_new_texts_only(run: Run, fake: FakeGemini) -> None:
    run(opinions(10), run_id="monday")
    rows = run(opinions(13), run_id="tuesday")
    assert fake.calls == 13
    assert [row["summary_status"] for row in rows] == ["cached"] * 10 + ["ok"] * 3
    assert {row["summary_attempts"] for row in rows[:10]} == {0}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gemini-3.1-flash-lite"},
        {"language": "en"},
        {"words": 30},
        {"max_output_tokens": 512},
    ],
)
def test_what_changes_the_answer_is_asked_again(
    run: Run, fake: FakeGemini, change: dict[str, object]
) -> None:
    run(opinions(3))
    rows = run(opinions(3), **change)
    assert [row["summary_status"] for row in rows] == ["ok"] * 3
    assert fake.calls == 6


@pytest.mark.parametrize(
    "change", [{"mode": "flex"}, {"mode": "batch"}, {"concurrency": 1}, {"max_usd": 1.0}]
)
def test_what_does_not_change_the_answer_is_not(
    run: Run, fake: FakeGemini, change: dict[str, object]
) -> None:
    run(opinions(3))
    rows = run(opinions(3), **change)
    assert [row["summary_status"] for row in rows] == ["cached"] * 3
    assert fake.billed.total() == 3


def test_texts_that_differ_only_in_what_is_redacted_are_one(run: Run, fake: FakeGemini) -> None:
    rows = run(["Escriba a ana@correo.es ya", "Escriba a luis@correo.es ya"])
    assert fake.sent == ["Escriba a [EMAIL] ya"]
    assert [row["summary_status"] for row in rows] == ["ok", "cached"]


@pytest.mark.parametrize("mode", ["online", pytest.param("flex", marks=pytest.mark.slow)])
def test_kill_9_and_restart_pay_for_nothing_twice(
    fake: FakeGemini, tmp_path: Path, mode: str
) -> None:
    fake.hold_after = 25
    worker = Worker(tmp_path, "run-1", 60, concurrency=8, mode=mode)
    wait_for(lambda: answers(tmp_path) == 25 and fake.under_way == 8)
    worker.kill()
    fake.hold_after = None
    rows = Worker(tmp_path, "run-1", 60, concurrency=8, mode=mode).rows()
    statuses = [row["summary_status"] for row in rows]
    assert (statuses.count("cached"), statuses.count("ok")) == (25, 35)
    assert fake.billed.total() == 60
    assert max(fake.billed.values()) == 1


@pytest.mark.slow
def test_two_runs_at_once_share_the_cache(fake: FakeGemini, tmp_path: Path) -> None:
    fake.latency = 0.05
    workers = [Worker(tmp_path, f"run-{i}", 120, concurrency=8) for i in range(2)]
    both = [worker.rows() for worker in workers]
    print(f"{fake.calls} calls for 2 x 120 documents; most under way {fake.most_under_way}")
    assert fake.calls == fake.billed.total() == 120
    for rows in both:
        assert {row["summary_status"] for row in rows} <= {"ok", "cached"}
    paid = [sum(row["summary_status"] == "ok" for row in rows) for rows in both]
    assert sum(paid) == 120


@pytest.mark.slow
def test_a_run_waits_for_what_another_is_asking(fake: FakeGemini, tmp_path: Path) -> None:
    fake.hold_after = 0
    first = Worker(tmp_path, "run-1", 4, concurrency=4)
    wait_for(lambda: fake.under_way == 4)
    second = Worker(tmp_path, "run-2", 4, concurrency=4)
    first.kill()
    fake.hold_after = None
    assert [row["summary_status"] for row in second.rows()] == ["ok"] * 4
    assert max(fake.billed.values()) == 1
