"""Batch jobs on record: what was sent, so that a job is never created twice nor forgotten."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from nocturna.tasks.enrichment.prices import Price
from nocturna.tasks.enrichment.prompt import SCHEMA, render
from nocturna.tasks.enrichment.state import State
from nocturna.tasks.enrichment.summary_records import Request

JobState = Literal["prepared", "creating", "running", "settled"]


@dataclass(frozen=True)
class Job:
    """A batch job of ours.

    Attributes:
        id: our name, also its display name at the service.
        state: `prepared` recorded, surely not created; `creating` perhaps created; `running` known
            to the service as `remote`; `settled` booked, remote files still to be removed.
        uploads: names of the files that were, or may have been, uploaded.
        deadline: Unix time after which it is given up.
        price: what its tokens cost, whatever a later run asks for.
        language: language that its summaries must have.
    """

    id: str
    run_id: str
    price: Price
    state: JobState
    uploads: tuple[str, ...]
    remote: str | None
    deadline: float
    language: str


class Jobs:
    """The batch jobs of a state folder; each belongs to one living process at most."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._folder = state.folder / "jobs"
        self._folder.mkdir(exist_ok=True)

    def requests_file(self, job: str) -> Path:
        """Where the requests of a job are kept until it is settled."""
        return self._folder / f"{job}.jsonl"

    def results_file(self, job: str) -> Path:
        """Where the results of a job are downloaded to."""
        return self._folder / f"{job}.results.jsonl"

    def write_requests(self, job: str, requests: Iterable[Request], most_tokens: int) -> None:
        """Writes the file that is uploaded: a line a request."""
        with self.requests_file(job).open("w", encoding="utf-8") as file:
            for request in requests:
                file.write(json.dumps(_line(request, most_tokens), ensure_ascii=False) + "\n")

    def add(self, job: Job, calls: Mapping[str, int]) -> None:
        """Records a prepared job of ours with the reserved call of each of its keys."""
        with self._state.transaction() as db:
            db.execute(
                "INSERT INTO jobs (id, owner, run_id, price_in, price_out, state, deadline, "
                "language) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job.id,
                    self._state.owner,
                    job.run_id,
                    str(job.price.token_in),
                    str(job.price.token_out),
                    job.state,
                    job.deadline,
                    job.language,
                ),
            )
            db.executemany(
                "INSERT INTO job_calls (job, key, call) VALUES (?, ?, ?)",
                [(job.id, key, call) for key, call in calls.items()],
            )

    def get(self, job: str) -> Job | None:
        """A job that is still on record."""
        row = self._state.db.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        if row is None:
            return None
        return Job(
            id=row["id"],
            run_id=row["run_id"],
            price=Price(Decimal(row["price_in"]), Decimal(row["price_out"])),
            state=row["state"],
            uploads=tuple(row["uploads"].split()),
            remote=row["remote"],
            deadline=row["deadline"],
            language=row["language"],
        )

    def calls(self, job: str) -> dict[str, int]:
        """The reserved call of each key of a job."""
        rows = self._state.db.execute("SELECT key, call FROM job_calls WHERE job = ?", (job,))
        return {row["key"]: row["call"] for row in rows}

    def add_upload(self, job: str) -> str:
        """A new name for an upload, on record before it is used."""
        with self._state.transaction() as db:
            row = db.execute("SELECT uploads FROM jobs WHERE id = ?", (job,)).fetchone()
            name = f"{job}-{len(row['uploads'].split()) + 1}"
            db.execute(
                "UPDATE jobs SET uploads = ? WHERE id = ?", (f"{row['uploads']} {name}", job)
            )
        return name

    def move(self, job: str, state: JobState, remote: str | None = None) -> None:
        """Records how far a job has come."""
        self._state.db.execute(
            "UPDATE jobs SET state = ?, remote = coalesce(?, remote) WHERE id = ?",
            (state, remote, job),
        )

    def forget(self, job: str) -> None:
        """Strikes a settled job off the record, with its local files."""
        with self._state.transaction() as db:
            db.execute("DELETE FROM job_calls WHERE job = ?", (job,))
            db.execute("DELETE FROM jobs WHERE id = ?", (job,))
        self.requests_file(job).unlink(missing_ok=True)
        self.results_file(job).unlink(missing_ok=True)

    def adopt(self, job: str) -> bool:
        """Makes a job ours if its process is dead; True if it is ours now."""
        with self._state.transaction() as db:
            row = db.execute("SELECT owner FROM jobs WHERE id = ?", (job,)).fetchone()
            if row is None:
                return False
            if self._state.alive_elsewhere(row["owner"]):
                return False
            db.execute("UPDATE jobs SET owner = ? WHERE id = ?", (self._state.owner, job))
        return True

    def sweep(self) -> None:
        """Removes files of jobs that were never recorded, because their process was killed."""
        with self._state.transaction() as db:
            known = {row["id"] for row in db.execute("SELECT id FROM jobs")}
            for path in self._folder.iterdir():
                if path.name.split(".")[0] not in known:
                    path.unlink()

    def any(self) -> bool:
        """Whether there is a job on record."""
        return self._state.db.execute("SELECT 1 FROM jobs LIMIT 1").fetchone() is not None

    def pending(self, besides: str = "") -> str | None:
        """A job of ours that is not settled, and so still holds a part of the budget."""
        row = self._state.db.execute(
            "SELECT id FROM jobs WHERE owner = ? AND state != 'settled' AND id != ? "
            "ORDER BY deadline",
            (self._state.owner, besides),
        ).fetchone()
        return row and str(row["id"])

    def orphans(self) -> list[str]:
        """Jobs whose process is dead, oldest deadline first; they are ours now."""
        rows = self._state.db.execute("SELECT id FROM jobs ORDER BY deadline").fetchall()
        return [row["id"] for row in rows if self.adopt(row["id"])]


def deadline_in(hours: float) -> float:
    """Unix time that many hours from now."""
    return time.time() + hours * 3600


def _line(request: Request, most_tokens: int) -> dict[str, object]:
    system, message = render(request)
    return {
        "key": request.key,
        "request": {
            "systemInstruction": {"parts": [{"text": system}]},
            "contents": [{"role": "user", "parts": [{"text": message}]}],
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseSchema": SCHEMA,
                "maxOutputTokens": most_tokens,
            },
        },
    }
