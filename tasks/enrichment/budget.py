"""The ledger of a run: nothing is sent that could pass what the run may spend."""

from typing import Literal

from nocturna.tasks.enrichment.prices import NANO, Mode
from nocturna.tasks.enrichment.state import State


class Budget:
    """What a run may still spend. Amounts are nano-USD (1e-9 USD).

    The most that a call can cost is reserved before it is sent. A call that was killed with its
    process stays reserved, and so counts as spent when the run is resumed under the same run_id.
    """

    def __init__(self, state: State, run_id: str, max_usd: float) -> None:
        self._state = state
        self._run_id = run_id
        self._limit = int(max_usd * NANO)
        self._margin = 1.0
        state.db.execute("INSERT OR IGNORE INTO runs (run_id) VALUES (?)", (run_id,))

    @property
    def committed(self) -> int:
        """Spent and reserved so far."""
        row = self._state.db.execute(
            "SELECT committed FROM runs WHERE run_id = ?", (self._run_id,)
        ).fetchone()
        return int(row["committed"])

    def reserve(self, key: str, mode: Mode, most: int) -> int | None:
        """Sets aside the most a call can cost; returns the call's number, or None if too much."""
        amount = int(most * self._margin) + 1
        with self._state.transaction() as db:
            fits = db.execute(
                "UPDATE runs SET committed = committed + ? WHERE run_id = ? AND committed + ? <= ?",
                (amount, self._run_id, amount, self._limit),
            ).rowcount
            if not fits:
                return None
            return db.execute(
                "INSERT INTO calls (run_id, key, mode, reserved) VALUES (?, ?, ?, ?)",
                (self._run_id, key, mode, amount),
            ).lastrowid

    def settle(self, call: int, cost: int | None) -> int:
        """Replaces the reservation by what the call cost, or keeps it if that is not known.

        A service that bills more than it was allowed to makes every later reservation as much
        larger. Returns what was booked.
        """
        reserved = self._reserved(call)
        if cost is None:
            return self._close(call, reserved, "lost")
        if cost > reserved:
            self._margin = max(self._margin, self._margin * cost / reserved)
        return self._close(call, cost, "settled")

    def release(self, call: int) -> None:
        """Frees the reservation of a call that was not billed."""
        self._close(call, 0, "released")

    def _reserved(self, call: int) -> int:
        row = self._state.db.execute("SELECT reserved FROM calls WHERE id = ?", (call,)).fetchone()
        return int(row["reserved"])

    def _close(self, call: int, cost: int, state: Literal["settled", "lost", "released"]) -> int:
        with self._state.transaction() as db:
            row = db.execute(
                "UPDATE calls SET cost = ?, state = ? WHERE id = ? AND state = 'open' "
                "RETURNING run_id, reserved",
                (cost, state, call),
            ).fetchone()
            if row is not None:
                db.execute(
                    "UPDATE runs SET committed = committed + ? WHERE run_id = ?",
                    (cost - row["reserved"], row["run_id"]),
                )
        return cost
