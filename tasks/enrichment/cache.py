"""Answers that were paid for, and who is asking for which right now."""

from collections.abc import Iterable
from dataclasses import dataclass

from nocturna.tasks.enrichment.state import State
from nocturna.tasks.enrichment.summary_records import Outcome


@dataclass(frozen=True)
class Claim:
    """Whether a key is ours to ask; if not, `job` names the batch job that has it, if one does."""

    ours: bool
    job: str | None = None


class Cache:
    """Answers and final refusals by request key, shared by every run of the state folder."""

    def __init__(self, state: State, run_id: str) -> None:
        self._state = state
        self._run_id = run_id

    def get(self, key: str) -> Outcome | None:
        """The stored outcome at no cost: `cached`, or `blocked` with its reason."""
        row = self._state.db.execute("SELECT * FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        return Outcome(
            status="cached" if row["status"] == "ok" else row["status"],
            reason=row["reason"],
            summary=row["summary"],
            language=row["language"],
            model=row["model"],
        )

    def put(self, key: str, outcome: Outcome) -> None:
        """Keeps an outcome for good."""
        with self._state.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO answers (key, status, reason, summary, language, model, "
                "tokens_in, tokens_out, cost, run_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    outcome.status,
                    outcome.reason,
                    outcome.summary,
                    outcome.language,
                    outcome.model,
                    outcome.tokens_in,
                    outcome.tokens_out,
                    outcome.cost,
                    self._run_id,
                ),
            )

    def claim(self, key: str) -> Claim:
        """Takes the right to ask for a key; the claims of dead processes are taken over."""
        with self._state.transaction() as db:
            row = db.execute("SELECT owner, job FROM claims WHERE key = ?", (key,)).fetchone()
            if row is not None and row["job"]:
                return Claim(False, row["job"])
            if row is not None and self._state.alive_elsewhere(row["owner"]):
                return Claim(False)
            db.execute(
                "INSERT OR REPLACE INTO claims (key, owner) VALUES (?, ?)", (key, self._state.owner)
            )
        return Claim(True)

    def holder(self, key: str) -> Claim:
        """Who has a key, without taking it."""
        row = self._state.db.execute(
            "SELECT owner, job FROM claims WHERE key = ?", (key,)
        ).fetchone()
        return Claim(row is not None and row["owner"] == self._state.owner, row and row["job"])

    def release(self, key: str) -> None:
        """Gives up our claim to a key."""
        self._state.db.execute(
            "DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._state.owner)
        )

    def hand_to_job(self, keys: Iterable[str], job: str) -> None:
        """Turns our claims into claims of a batch job, which outlive this process."""
        with self._state.transaction() as db:
            db.executemany(
                "UPDATE claims SET owner = NULL, job = ? WHERE key = ?",
                [(job, key) for key in keys],
            )

    def release_job(self, job: str) -> None:
        """Gives up all claims of a batch job."""
        self._state.db.execute("DELETE FROM claims WHERE job = ?", (job,))
