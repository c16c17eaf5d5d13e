"""One call a document: what comes back, and what becomes of each failure."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from google.genai.errors import APIError

from nocturna.tasks.enrichment.providers import required_key
from nocturna.tasks.enrichment.providers._gemini_failures import failure_of
from nocturna.tasks.enrichment.summary_records import Progress
from nocturna.tasks.errors import UsageError
from tests.enrichment.conftest import Run, make_settings, opinions
from tests.enrichment.fake_gemini import FakeGemini


def test_every_document_gets_its_row_in_order(run: Run, fake: FakeGemini) -> None:
    texts = [*opinions(50), "", None, "   "]
    rows = run(texts)
    assert [row["doc_id"] for row in rows] == [f"d{i}" for i in range(53)]
    assert [row["summary_status"] for row in rows] == ["ok"] * 50 + ["skipped_empty"] * 3
    for text, row in zip(texts[:50], rows, strict=False):
        assert row["summary"] == " ".join((text or "").split()[:8])
        assert row["summary_language"] == "es"
        assert row["summary_model"] == "gemini-3.5-flash-lite-001"
        assert row["summary_coverage"] == 1
        assert row["summary_attempts"] == 1
    assert fake.calls == 50
    assert fake.most_under_way <= 32


def test_rows_add_up_to_what_the_service_billed(run: Run, fake: FakeGemini) -> None:
    seen: list[Progress] = []
    rows = run(opinions(30), seen=seen)
    billed = fake.tokens_in * 0.30e-6 + fake.tokens_out * 2.50e-6
    assert sum(row["summary_tokens_in"] for row in rows) == fake.tokens_in
    assert sum(row["summary_tokens_out"] for row in rows) == fake.tokens_out
    assert sum(row["summary_cost_usd"] for row in rows) == pytest.approx(billed, abs=1e-7)
    assert seen[-1].spent_usd == pytest.approx(billed, abs=1e-7)
    assert seen[-1].expected_usd == seen[-1].spent_usd
    assert (seen[-1].documents, seen[-1].statuses, seen[-1].calls) == (30, {"ok": 30}, 30)


@pytest.mark.parametrize("fault", ["429", "429_header", "429_bare", "500", "503"])
def test_unbilled_failures_pass(run: Run, fake: FakeGemini, fault: str) -> None:
    fake.faults = lambda text, turn: fault if turn == 1 else None
    rows = run(opinions(6))
    assert {row["summary_status"] for row in rows} == {"ok"}
    assert {row["summary_attempts"] for row in rows} == {2}
    billed = fake.tokens_in * 0.30e-6 + fake.tokens_out * 2.50e-6
    assert sum(row["summary_cost_usd"] for row in rows) == pytest.approx(billed, abs=1e-7)


@pytest.mark.parametrize(("fault", "seconds"), [("429", 0.2), ("429_header", 1.0)])
def test_a_refused_call_waits_as_long_as_it_is_told(
    run: Run, fake: FakeGemini, fault: str, seconds: float
) -> None:
    fake.faults = lambda text, turn: fault if turn == 1 else None
    seen: list[Progress] = []
    run(opinions(1), seen=seen)
    assert seen[-1].throttled_s == pytest.approx(seconds)


def test_the_wait_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    response = httpx2.Response(429, headers={"Retry-After": date})
    failure = failure_of(APIError(429, {"error": {"code": 429}}, response), str)
    assert failure.kind == "throttled"
    assert failure.retry_after is not None
    assert 0 < failure.retry_after <= 90


def test_a_call_that_cannot_be_sent_costs_nothing_and_a_key_that_cannot_is_refused() -> None:
    assert failure_of(httpx2.LocalProtocolError("Illegal header value"), str).kind == "unavailable"
    for key in ("abc\ndef", "clavé"):
        with pytest.raises(UsageError, match="holds a line end or a character that no key has"):
            required_key(make_settings(), lambda key=key: key)


@pytest.mark.parametrize("fault", ["drop", "bad_json", "504", "slow"])
def test_lost_answers_count_as_spent_in_full(run: Run, fake: FakeGemini, fault: str) -> None:
    fake.faults = lambda text, turn: fault if turn == 1 else None
    seen: list[Progress] = []
    [row] = run(opinions(1), seen=seen, timeout_s=4)
    assert (row["summary_status"], row["summary_attempts"]) == ("ok", 2)
    one_answer = row["summary_tokens_in"] * 0.30e-6 + row["summary_tokens_out"] * 2.50e-6
    assert row["summary_cost_usd"] > one_answer + 496 * 2.50e-6
    assert seen[-1].spent_usd == pytest.approx(row["summary_cost_usd"])


@pytest.mark.parametrize(
    ("fault", "status", "calls", "calls_next_night"),
    [
        ("blocked", "blocked", 1, 0),
        ("BLOCKLIST", "blocked", 1, 0),
        ("SAFETY", "blocked", 1, 1),
        ("RECITATION", "blocked", 1, 1),
        ("MAX_TOKENS", "truncated", 1, 1),
        ("empty", "invalid_output", 2, 2),
        ("schema", "invalid_output", 2, 2),
        ("cut_answer", "invalid_output", 2, 2),
        ("wrong_reference", "invalid_output", 2, 2),
        ("wrong_language", "invalid_output", 2, 2),
        ("400", "error", 1, 1),
        ("500", "error", 3, 3),
    ],
)
def test_outcomes_without_a_summary_say_why(
    run: Run, fake: FakeGemini, fault: str, status: str, calls: int, calls_next_night: int
) -> None:
    fake.faults = lambda text, turn: fault
    [row] = run(opinions(1), attempts=3)
    assert (row["summary_status"], row["summary"]) == (status, None)
    assert row["summary_attempts"] == fake.calls == calls
    assert row["summary_reason"]
    assert "hotel" not in row["summary_reason"]
    [again] = run(opinions(1), attempts=3, run_id="next night")
    assert again["summary_status"] == status
    assert fake.calls == calls + calls_next_night


def test_an_unusable_answer_is_asked_for_once_more(run: Run, fake: FakeGemini) -> None:
    fake.faults = lambda text, turn: "schema" if turn == 1 else None
    [row] = run(opinions(1))
    assert (row["summary_status"], row["summary_attempts"]) == ("ok", 2)
    assert row["summary_tokens_out"] == fake.tokens_out


def test_a_daily_quota_ends_the_night_without_loss(run: Run, fake: FakeGemini) -> None:
    fake.faults = lambda text, turn: "429_daily" if fake.billed.total() >= 5 else None
    seen: list[Progress] = []
    rows = run(opinions(40), concurrency=1, seen=seen)
    assert [row["summary_status"] for row in rows] == ["ok"] * 5 + ["quota_exhausted"] * 35
    assert fake.calls == 6
    assert "daily quota" in (seen[-1].stopped or "")
    fake.faults = lambda text, turn: None
    rows = run(opinions(40), run_id="next night")
    assert [row["summary_status"] for row in rows] == ["cached"] * 5 + ["ok"] * 35


@pytest.mark.parametrize("reason", ["key", "model", "project"])
def test_what_no_call_can_pass_stops_the_stage_at_once(
    run: Run, fake: FakeGemini, reason: str
) -> None:
    settings: dict[str, object] = {"concurrency": 4}
    if reason == "key":
        fake.key = "another"
    elif reason == "model":
        settings |= {"model": "gemini-9", "price_in": 1, "price_out": 1}
    else:
        fake.faults = lambda text, turn: "403"
    seen: list[Progress] = []
    rows = run(opinions(100), seen=seen, **settings)
    assert {row["summary_status"] for row in rows} == {"error"}
    assert len(rows) == 100
    assert {row["summary_reason"] for row in rows} == {seen[-1].stopped}
    assert str(seen[-1].stopped).startswith("Gemini refuses all calls: 4")
    assert "\n" not in str(seen[-1].stopped)
    assert "AIza" not in str(seen[-1].stopped)
    assert seen[-1].calls <= 4
    assert seen[-1].spent_usd == 0


def test_an_outage_stops_the_stage_before_it_has_tried_everything(
    run: Run, fake: FakeGemini
) -> None:
    fake.faults = lambda text, turn: "500"
    seen: list[Progress] = []
    rows = run(opinions(60), attempts=1, concurrency=1, seen=seen)
    assert fake.calls == 20
    assert {row["summary_status"] for row in rows} == {"error"}
    assert "20 documents in a row failed" in (seen[-1].stopped or "")


def test_no_connection_is_no_spend(
    run: Run, fake: FakeGemini, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    [row] = run(opinions(1), attempts=2)
    assert (row["summary_status"], row["summary_cost_usd"]) == ("error", 0)
    assert "no connection to the service" in row["summary_reason"]


def test_flex_asks_for_the_tier_and_costs_half(run: Run, fake: FakeGemini) -> None:
    [row] = run(opinions(1), mode="flex")
    assert fake.tiers == {"flex": 1}
    half = (fake.tokens_in * 0.30e-6 + fake.tokens_out * 2.50e-6) / 2
    assert row["summary_cost_usd"] == pytest.approx(half, abs=1e-9)


def test_a_broken_character_does_not_stop_a_document(run: Run, fake: FakeGemini) -> None:
    [row] = run(["roto \ud83d aquí"])
    assert (row["summary_status"], row["summary"]) == ("ok", "roto ? aquí")


def test_links_and_markup_do_not_come_through(run: Run, fake: FakeGemini) -> None:
    fake.faults = lambda text, turn: "markup"
    [row] = run(["uno dos tres"])
    assert row["summary"] == "uno dos tres aquí"


def test_long_documents_by_their_ends_say_how_much_was_read(run: Run, fake: FakeGemini) -> None:
    text = "principio " + "relleno " * 500 + "final"
    [row] = run([text], max_chars=400)
    assert 0.05 < row["summary_coverage"] < 0.15
    assert fake.sent[0].startswith("principio")
    assert fake.sent[0].endswith("final")
    assert len(fake.sent[0]) < 410


def test_long_documents_in_parts_are_read_whole(run: Run, fake: FakeGemini) -> None:
    text = " ".join(f"palabra{i}." for i in range(400))
    [row] = run([text], max_chars=400, long_documents="parts")
    assert (row["summary_status"], row["summary_coverage"]) == ("ok", 1)
    assert row["summary_attempts"] == fake.calls
    whole = [sent for sent in fake.sent if "palabra399." in sent]
    assert whole
    assert sum(len(sent) for sent in fake.sent) > len(text)
    assert row["summary"].startswith("palabra0.")


def test_a_part_that_fails_fails_the_document(run: Run, fake: FakeGemini) -> None:
    fake.faults = lambda text, turn: "blocked" if "palabra399." in text else None
    [row] = run(
        [" ".join(f"palabra{i}." for i in range(400))], max_chars=400, long_documents="parts"
    )
    assert row["summary_status"] == "blocked"
    assert "in one of" in row["summary_reason"]
    assert row["summary_cost_usd"] > 0
