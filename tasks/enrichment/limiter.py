"""Paces calls evenly below the limits of the key, and holds all of them when it says too many."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

SHARE_USED = 0.95
"""Share of a limit that is used, so that jitter on the way does not pass it."""

RECOVERY_PER_MINUTE = 1.05
"""Growth of a learned pace, up to the configured one."""

CATCH_UP = 0.05
"""Seconds of lateness that may be made up for; more would be a burst."""

ENOUGH_TO_TELL = 5
"""Accepted calls from which a pace is learned."""

NAP = 0.25
"""Longest wait in seconds before looking again whether to go on."""


class Limiter:
    """One pace and one cool-down for all calls of a process.

    When the service refuses a call for quota, everything waits as long as it asks (or backs off,
    doubling with jitter, if it does not say), and the pace drops to what it had accepted.

    Args:
        requests_per_minute, tokens_per_minute: limits of the key.
        backoff, longest_backoff: seconds to wait where the service does not say how long.
    """

    def __init__(
        self,
        requests_per_minute: float,
        tokens_per_minute: float,
        backoff: float = 1.0,
        longest_backoff: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._configured = requests_per_minute / 60
        self._token_rate = tokens_per_minute / 60 * SHARE_USED
        self._backoff, self._longest_backoff = backoff, longest_backoff
        self._clock, self._sleep = clock, sleep
        self._turn = asyncio.Lock()
        self._learned: tuple[float, float] | None = None
        self._next_request = self._next_token = self._resume_at = 0.0
        self._period_start: float | None = None
        self._cooled = False
        self._pace_before = self._configured
        self._granted = self._strikes = 0
        self._refused_since: float | None = None
        self.throttled_s = 0.0

    @property
    def rate(self) -> float:
        """Requests a second at which turns are given."""
        rate = self._configured
        if self._learned is not None:
            learned, at = self._learned
            minutes = (self._clock() - at) / 60
            rate = min(rate, learned * RECOVERY_PER_MINUTE**minutes)
        return rate * SHARE_USED

    async def turn(self, tokens: int, give_up: Callable[[], bool]) -> bool:
        """Waits for the turn of a call of so many input tokens; False if given up."""
        async with self._turn:
            while True:
                if give_up():
                    return False
                now = self._clock()
                wait = max(self._next_request, self._next_token, self._resume_at) - now
                if wait <= 0:
                    break
                await self._sleep(min(wait, NAP))
            if self._period_start is None or self._cooled:
                self._period_start, self._granted, self._cooled = now, 0, False
            late = now - CATCH_UP
            self._next_request = max(self._next_request, late) + 1 / self.rate
            self._next_token = max(self._next_token, late) + tokens / self._token_rate
            self._granted += 1
            return True

    def answered(self) -> None:
        """Tells that the service answered a call."""
        self._strikes = 0
        self._refused_since = None

    def hopeless(self, patience: float) -> bool:
        """Whether calls have been refused, or are to wait, for more than `patience` seconds."""
        now = self._clock()
        refused = 0.0 if self._refused_since is None else now - self._refused_since
        return max(refused, self._resume_at - now) > patience

    def throttled(self, retry_after: float | None) -> None:
        """Tells that the service refused a call for quota, and how many seconds it asks for."""
        now = self._clock()
        if self._refused_since is None:
            self._refused_since = now
        if retry_after is None:
            if now < self._resume_at:
                retry_after = 0.0
            else:
                retry_after = min(self._longest_backoff, self._backoff * 2**self._strikes)
                retry_after *= random.uniform(0.75, 1.25)
                self._strikes += 1
        resume_at = max(self._resume_at, now + retry_after)
        self.throttled_s += resume_at - max(self._resume_at, now)
        self._resume_at = resume_at
        self._learn(now)

    def _learn(self, now: float) -> None:
        """The pace that was accepted between two cool-downs, pause included; after too few calls to
        tell, half the pace."""
        self._granted = max(self._granted - 1, 0)
        start = now if self._period_start is None else self._period_start
        accepted = self._granted / max(self._resume_at - start, NAP)
        if not self._cooled:
            self._pace_before = self.rate / SHARE_USED
        enough = self._granted >= ENOUGH_TO_TELL
        self._learned = (min(accepted, self._pace_before) if enough else self._pace_before / 2, now)
        self._cooled = True
