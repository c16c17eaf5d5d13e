"""Batch jobs: half the price, created once, matched twice, removed in the end."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from nocturna.tasks.enrichment.summary_records import Progress
from tests.enrichment.conftest import Run, Worker, ledger, opinions, wait_for
from tests.enrichment.fake_gemini import FakeGemini


def statuses(rows: list[dict[str, object]]) -> list[object]:
    return [row["summary_status"] for row in rows]


def nothing_left(fake: FakeGemini, state: Path) -> bool:
    """Neither at the service nor here."""
    return not fake.files and not fake.jobs and not list((state / "jobs").iterdir())


def test_answers_come_back_in_order_at_half_the_price(
    run: Run, fake: FakeGemini, tmp_path: Path
) -> None:
    fake.job_polls = 3
    seen: list[Progress] = []
    rows = run(opinions(25), mode="batch", batch_size=10, seen=seen)
    assert statuses(rows) == ["ok"] * 25
    assert [row["doc_id"] for row in rows] == [f"d{i}" for i in range(25)]
    for i, row in enumerate(rows):
        assert row["summary"].startswith(f"Opinión número {i}:")
    half = (fake.tokens_in * 0.30e-6 + fake.tokens_out * 2.50e-6) / 2
    assert sum(row["summary_cost_usd"] for row in rows) == pytest.approx(half, abs=1e-7)
    assert seen[-1].spent_usd == pytest.approx(half, abs=1e-7)
    assert (fake.created, fake.calls) == (3, 0)
    assert nothing_left(fake, tmp_path / "state")


def test_jobs_are_under_way_together(run: Run, fake: FakeGemini) -> None:
    fake.job_polls = 10**9
    asked_at: list[int] = []

    def stop() -> bool:
        asked_at.append(fake.created)
        if fake.created == 4:
            fake.job_polls = 1
        return False

    assert statuses(run(opinions(20), mode="batch", batch_size=5, stop=stop)) == ["ok"] * 20
    assert fake.created == 4


def test_parts_of_long_documents_are_joined_by_a_second_job(run: Run, fake: FakeGemini) -> None:
    texts = [" ".join(f"d{d}w{i}." for i in range(200)) for d in range(3)]
    rows = run(texts, mode="batch", max_chars=400, long_documents="parts")
    assert statuses(rows) == ["ok"] * 3
    assert fake.created == 2
    assert max(fake.billed.values()) == 1


def test_swapped_answers_are_not_believed(run: Run, fake: FakeGemini) -> None:
    fake.job_fault = "swapped"
    rows = run(opinions(5), mode="batch")
    assert statuses(rows) == ["invalid_output"] * 2 + ["ok"] * 3
    assert rows[0]["summary_reason"] == "the answer belongs to another document"
    fake.job_fault = None
    again = run(opinions(5), mode="batch", run_id="next night")
    assert statuses(again) == ["ok"] * 2 + ["cached"] * 3
    assert again[0]["summary"].startswith("Opinión número 0:")


@pytest.mark.parametrize("fault", ["missing", "broken_line"])
def test_a_missing_result_is_an_error_that_counts_as_spent(
    run: Run, fake: FakeGemini, fault: str
) -> None:
    fake.job_fault = fault
    rows = run(opinions(5), mode="batch")
    assert sorted(map(str, statuses(rows))) == ["error"] + ["ok"] * 4
    lost = next(row for row in rows if row["summary_status"] == "error")
    assert "left the request without an answer" in lost["summary_reason"]
    assert lost["summary_cost_usd"] > 496 * 1.25e-6


ODD = (
    {"response": None},
    {"response": []},
    {"candidates": "x"},
    {"candidates": [None]},
    {"candidates": [{"content": {"parts": [None]}, "finishReason": "STOP"}]},
    {"candidates": [{"content": {"parts": [{"text": 3}]}, "finishReason": "STOP"}]},
    {"usageMetadata": {"promptTokenCount": -12, "candidatesTokenCount": -300_000}},
    {"usageMetadata": {"promptTokenCount": 10**30}},
    {"promptFeedback": "x"},
    {"modelVersion": ["a"]},
    {"error": "boom"},
)


def test_a_result_of_another_form_is_an_error_and_gives_no_money_back(
    run: Run, fake: FakeGemini, tmp_path: Path
) -> None:
    left = [*ODD]

    def spoil(line: dict[str, Any]) -> dict[str, Any]:
        odd = left.pop() if left else {}
        if "error" in odd:
            return {"key": line["key"], **odd}
        return line | (odd if "response" in odd else {"response": line["response"] | odd})

    fake.spoil_line = spoil
    rows = run(opinions(len(ODD) + 1), mode="batch")
    assert sorted(map(str, statuses(rows))) == ["error"] * len(ODD) + ["ok"]
    told = [row["summary_reason"] for row in rows if row["summary_status"] == "error"]
    assert sum("left the request without an answer" in reason for reason in told) == len(ODD) - 1
    lost = [row["summary_cost_usd"] for row in rows if "without an" in str(row["summary_reason"])]
    assert min(lost) > 496 * 1.25e-6
    assert nothing_left(fake, tmp_path / "state")


@pytest.mark.parametrize("end", ["EXPIRED", "FAILED", "CANCELLED"])
def test_a_job_that_ends_without_results_leaves_errors(
    run: Run, fake: FakeGemini, tmp_path: Path, end: str
) -> None:
    fake.job_end = end
    rows = run(opinions(5), mode="batch")
    assert statuses(rows) == ["error"] * 5
    assert end in rows[0]["summary_reason"]
    assert nothing_left(fake, tmp_path / "state")


def test_a_partly_successful_job_gives_what_it_has(run: Run, fake: FakeGemini) -> None:
    fake.job_end = "PARTIALLY_SUCCEEDED"
    fake.faults = lambda text, turn: "500" if "número 3:" in text else None
    rows = run(opinions(5), mode="batch")
    assert statuses(rows) == ["ok"] * 3 + ["error"] + ["ok"]
    assert rows[3]["summary_cost_usd"] == 0


def test_a_job_past_its_deadline_is_given_up(run: Run, fake: FakeGemini, tmp_path: Path) -> None:
    fake.job_polls = 10**9
    rows = run(opinions(3), mode="batch", batch_deadline_hours=1e-4)
    assert statuses(rows) == ["error"] * 3
    assert "CANCELLED" in rows[0]["summary_reason"]
    assert nothing_left(fake, tmp_path / "state")


def test_the_fall_back_asks_online_for_the_rest(run: Run, fake: FakeGemini) -> None:
    fake.job_polls = 10**9
    rows = run(opinions(3), mode="batch", batch_deadline_hours=1e-4, batch_fallback="online")
    assert statuses(rows) == ["ok"] * 3
    assert (fake.created, fake.calls) == (1, 3)
    assert {row["summary_attempts"] for row in rows} == {2}
    assert rows[0]["summary_cost_usd"] > 496 * 1.25e-6


def test_outcomes_in_a_job_are_those_of_single_calls(run: Run, fake: FakeGemini) -> None:
    kinds = ["blocked", "SAFETY", "MAX_TOKENS", "empty", "schema", "wrong_language", None]
    fake.faults = lambda text, turn: kinds[int(text.split()[2].rstrip(":")) % 7]
    rows = run(opinions(7), mode="batch")
    assert statuses(rows) == [
        "blocked",
        "blocked",
        "truncated",
        "invalid_output",
        "invalid_output",
        "invalid_output",
        "ok",
    ]


def test_a_creation_that_was_not_confirmed_is_found_not_repeated(
    run: Run, fake: FakeGemini
) -> None:
    fake.job_fault = "lost_create"
    rows = run(opinions(5), mode="batch")
    assert statuses(rows) == ["ok"] * 5
    assert fake.created == 1


def test_a_creation_that_was_refused_is_tried_again(run: Run, fake: FakeGemini) -> None:
    fake.job_fault = "refused_create"
    assert statuses(run(opinions(5), mode="batch")) == ["ok"] * 5
    assert fake.created == 1


def test_a_service_that_takes_no_further_job_gets_them_one_by_one(
    run: Run, fake: FakeGemini
) -> None:
    fake.job_fault = "one_at_a_time"
    rows = run(opinions(12), mode="batch", batch_size=4, attempts=2)
    assert statuses(rows) == ["ok"] * 12
    assert fake.created == 3


@pytest.mark.slow
def test_a_job_past_its_deadline_that_cannot_be_reached_stays_on_record(
    fake: FakeGemini, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.job_polls = 10**9
    worker = Worker(tmp_path, "run-1", 4, mode="batch")
    wait_for(lambda: any(job["polls"] for job in fake.jobs.values()))
    worker.kill()
    with contextlib.closing(sqlite3.connect(tmp_path / "summaries.sqlite")) as db, db:
        db.execute("UPDATE jobs SET deadline = 0")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    rows = Worker(tmp_path, "run-1", 4, mode="batch", attempts=2).rows()
    assert statuses(rows) == ["error"] * 4
    assert "it stays on record" in rows[0]["summary_reason"]
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", fake.url)
    fake.job_polls = 1
    rows = Worker(tmp_path, "run-1", 4, mode="batch").rows()
    assert set(statuses(rows)) <= {"ok", "cached"}
    assert fake.created == 1


def test_results_are_fetched_again_after_a_broken_download(run: Run, fake: FakeGemini) -> None:
    fake.job_fault = "dropped_download"
    assert statuses(run(opinions(5), mode="batch")) == ["ok"] * 5
    assert max(fake.billed.values()) == 1


@pytest.mark.parametrize("moment", ["creating", pytest.param("running", marks=pytest.mark.slow)])
def test_kill_9_adopts_the_job(fake: FakeGemini, tmp_path: Path, moment: str) -> None:
    fake.job_polls = 10**9
    fake.job_fault = "slow_create" if moment == "creating" else None
    worker = Worker(tmp_path, "run-1", 12, mode="batch")
    wait_for(lambda: any(job["polls"] for job in fake.jobs.values()) or fake.created == 1)
    if moment == "running":
        wait_for(lambda: any(job["polls"] > 1 for job in fake.jobs.values()))
    worker.kill()
    fake.job_polls, fake.job_fault = 1, None
    rows = Worker(tmp_path, "run-1", 12, mode="batch").rows()
    assert {row["summary_status"] for row in rows} <= {"ok", "cached"}
    assert fake.created == 1
    assert max(fake.billed.values()) == 1
    assert nothing_left(fake, tmp_path)
    assert ledger(tmp_path)["settled"] == 12


@pytest.mark.slow
def test_an_online_run_does_not_pay_again_for_what_a_job_has(
    fake: FakeGemini, tmp_path: Path
) -> None:
    fake.job_polls = 10**9
    worker = Worker(tmp_path, "run-1", 4, mode="batch")
    wait_for(lambda: any(job["polls"] > 1 for job in fake.jobs.values()))
    worker.kill()
    rows = Worker(tmp_path, "run-2", 6).rows()
    assert statuses(rows) == ["error"] * 4 + ["ok"] * 2
    assert "already paid for in batch job" in rows[0]["summary_reason"]
    fake.job_polls = 1
    rows = Worker(tmp_path, "run-3", 6).rows()
    assert statuses(rows) == ["cached"] * 6
    assert max(fake.billed.values()) == 1


@pytest.mark.slow
def test_two_batch_runs_at_once_share_a_job(fake: FakeGemini, tmp_path: Path) -> None:
    fake.job_polls = 10**9
    first = Worker(tmp_path, "run-1", 10, mode="batch")
    wait_for(lambda: fake.created == 1)
    second = Worker(tmp_path, "run-2", 10, mode="batch")
    wait_for(lambda: len(list((tmp_path / "owners").iterdir())) == 2)
    fake.job_polls = 1
    assert statuses(first.rows()) == ["ok"] * 10
    assert statuses(second.rows()) == ["cached"] * 10
    assert fake.created == 1


def test_a_wrong_key_creates_nothing_and_keeps_nothing(
    run: Run, fake: FakeGemini, tmp_path: Path
) -> None:
    fake.key = "another"
    seen: list[Progress] = []
    rows = run(opinions(5), mode="batch", seen=seen)
    assert statuses(rows) == ["error"] * 5
    assert seen[-1].spent_usd == 0
    assert str(seen[-1].stopped).startswith("Gemini refuses all calls: 400")


def test_files_of_jobs_that_were_never_recorded_are_removed(
    run: Run, fake: FakeGemini, tmp_path: Path
) -> None:
    (tmp_path / "state" / "jobs").mkdir(parents=True)
    (tmp_path / "state" / "jobs" / "nocturna-0.jsonl").write_text("texto")
    run(opinions(1))
    assert list((tmp_path / "state" / "jobs").iterdir()) == []


def test_requests_on_disk_hold_redacted_text_only(fake: FakeGemini, tmp_path: Path) -> None:
    fake.job_polls = 10**9
    worker = Worker(tmp_path, "run-1", 2, texts=["Soy 12345678Z", "ana@correo.es"], mode="batch")
    wait_for(lambda: fake.created == 1)
    worker.kill()
    [file] = (tmp_path / "jobs").glob("*.jsonl")
    sent = [json.loads(line)["request"]["contents"] for line in file.read_text().splitlines()]
    assert "Soy [DNI]" in str(sent)
    assert "[EMAIL]" in str(sent)
    assert "12345678Z" not in file.read_text()
    assert "responseJsonSchema" not in file.read_text()
