"""The quota proof: nothing is lost, and hardly a call is made in vain."""

import asyncio
from itertools import pairwise

import pytest

from nocturna.tasks.enrichment.limiter import Limiter
from nocturna.tasks.enrichment.summary_records import Progress, Timing
from tests.enrichment.conftest import Run, opinions
from tests.enrichment.fake_gemini import FakeGemini

WINDOW_S = 2.0
QUOTA = 20


@pytest.mark.slow
@pytest.mark.parametrize("pace", ["known", "five times too high"])
def test_240_documents_at_a_quota_of_20_lose_none(run: Run, fake: FakeGemini, pace: str) -> None:
    fake.quota = (QUOTA, WINDOW_S)
    fake.latency = 0.05
    limit = QUOTA / WINDOW_S * 60
    seen: list[Progress] = []
    rows = run(
        opinions(240),
        concurrency=32,
        requests_per_minute=limit if pace == "known" else 5 * limit,
        seen=seen,
    )
    assert [row["summary_status"] for row in rows] == ["ok"] * 240
    print(f"{pace}: {fake.calls} calls for 240 documents, {fake.refused} refused")
    assert fake.calls <= 240 * 1.05
    assert fake.calls == 240 + fake.refused == seen[-1].calls
    assert max(fake.billed.values()) == 1


def test_a_key_without_any_quota_is_given_up(run: Run, fake: FakeGemini) -> None:
    fake.faults = lambda text, turn: "429"
    rows = run(opinions(3), timing=Timing(backoff=0.02, longest_backoff=0.1, patience=1))
    assert {row["summary_status"] for row in rows} == {"quota_exhausted"}
    assert {row["summary_cost_usd"] for row in rows} == {0}


class Clock:
    """Time that passes only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def turns(limiter: Limiter, clock: Clock, count: int, tokens: int = 1) -> list[float]:
    async def take() -> list[float]:
        times = []
        for _ in range(count):
            await limiter.turn(tokens, lambda: False)
            times.append(clock.now)
        return times

    return asyncio.run(take())


def limiter(clock: Clock, requests: float = 600, tokens: float = 1e9) -> Limiter:
    return Limiter(requests, tokens, clock=clock, sleep=clock.sleep)


def test_calls_are_spread_evenly_below_the_limit() -> None:
    clock = Clock()
    times = turns(limiter(clock), clock, 600)
    assert 60 <= times[-1] - times[0] <= 66
    assert max(sum(t <= u < t + 6 for u in times) for t in times) <= 60


def test_tokens_a_minute_hold_as_well() -> None:
    clock = Clock()
    times = turns(limiter(clock, tokens=60_000), clock, 11, tokens=1000)
    assert times[-1] - times[0] == pytest.approx(10 / 0.95, rel=0.02)


def test_a_refusal_holds_all_calls_as_long_as_it_asks() -> None:
    clock = Clock()
    pace = limiter(clock)
    turns(pace, clock, 20)
    refused_at = clock.now
    pace.throttled(7.5)
    pace.throttled(3.0)
    assert turns(pace, clock, 1)[0] >= refused_at + 7.5
    assert pace.throttled_s == pytest.approx(7.5)


def test_the_pace_that_was_accepted_is_kept_after_a_refusal() -> None:
    clock = Clock()
    pace = limiter(clock, requests=6000)
    start = clock.now
    turns(pace, clock, 21)
    pace.throttled(start + 10 - clock.now)
    assert pace.rate == pytest.approx(20 / 10 * 0.95, rel=0.01)
    clock.now += 3600
    assert pace.rate > 20 / 10 * 5


def test_without_word_from_the_service_the_wait_doubles() -> None:
    clock = Clock()
    pace = limiter(clock)
    waits = []
    for _ in range(4):
        before = clock.now
        pace.throttled(None)
        waits.append(turns(pace, clock, 1)[0] - before)
    for shorter, longer in pairwise(waits):
        assert 1.1 <= longer / shorter <= 3.4
