"""A run: its frozen plan, and where that is kept."""

import hashlib
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tasks.corpus.index import IndexSummary, kept_schema
from tasks.corpus.records import InputFile, Shard
from tasks.errors import NocturnaError
from tasks.inference.planned import InferencePlan
from tasks.inference.precision import Choice
from tasks.job import Job
from tasks.results import files
from tasks.results.delta import Delta
from tasks.results.layout import Layout, layout_of
from tasks.results.schema import Columns


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do, frozen before it does any of it.

    Attributes:
        started_at: ISO 8601, UTC.
        code_version: of the Nocturna that made the plan.
        index: what a first reading of the corpus found.
        delta: how the corpus differs from the current results.
        seconds: wall-clock time that planning took.
        choice: how the precision was chosen, where the job leaves that open.
    """

    run_id: str
    started_at: str
    code_version: str
    job: Job
    config_id: str
    inference: InferencePlan
    inputs: tuple[InputFile, ...]
    shards: tuple[Shard, ...]
    index: IndexSummary
    delta: Delta
    seconds: float
    choice: Choice | None = None


_PLAN = TypeAdapter(Plan)


def job_layout(job: Job) -> Layout:
    """The output folder of a job."""
    return layout_of(job.output.dir, job.name)


def save_plan(layout: Layout, plan: Plan) -> None:
    """Freezes a plan as `runs/<run_id>/plan.json`."""
    with files.clear_errors(layout.root):
        files.write_whole(layout.plan(plan.run_id), _PLAN.dump_json(plan, indent=1))
    load_plan.cache_clear()


@lru_cache(maxsize=2)
def load_plan(path: Path) -> Plan:
    """The plan of a run.

    Raises:
        NocturnaError: it is missing, or another version of Nocturna wrote it.
    """
    try:
        return _PLAN.validate_json(path.read_bytes())
    except (OSError, ValidationError, ValueError):
        raise NocturnaError(
            f"{path}: no plan that this version of Nocturna can read; start a new run"
        ) from None


def results_columns(plan: Plan, layout: Layout) -> Columns:
    """What decides the columns of the run's results."""
    return columns_of(plan.job, plan.inference, layout.index(plan.run_id))


def columns_of(job: Job, inference: InferencePlan, index: Path) -> Columns:
    """What decides the columns of a job's results, given the index of its corpus."""
    sentiment, topics = inference.sentiment, inference.topics
    return Columns(
        sentiment_labels=sentiment.labels if sentiment else (),
        topic_labels=topics.labels if topics else (),
        multi_label=bool(topics and not topics.adds_up),
        keep=kept_schema(index),
        keep_text=job.output.keep_text,
        summaries=job.summaries.enabled,
        shortlist=topics.shortlist.size if topics and topics.shortlist else None,
    )


def config_id_of(job: Job, inference: InferencePlan) -> str:
    """Hash of all that decides a row's scores and, where they are asked for, its summary."""
    if not job.summaries.enabled:
        return inference.config_id
    decisive = {"model", "language", "words", "long_documents", "max_chars", "redact"}
    asked = job.summaries.model_dump_json(include=decisive)
    return hashlib.sha256(f"{inference.config_id}\n{job.language}\n{asked}".encode()).hexdigest()[
        :16
    ]


def work_of(job: Job, inputs: tuple[InputFile, ...], config_id: str, code: str) -> str:
    """Hash of what decides the rows of a run; a stopped run with the same one can go on."""
    kept = job.model_dump_json(
        exclude={"quality": True, "compute": True, "output": {"dir", "table"}}
    )
    parts = (kept, config_id, code, *(f"{i.uri}\0{i.fingerprint}" for i in inputs))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def utc_now() -> str:
    """The present as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def code_version() -> str:
    """Version of Nocturna: the package's, with the commit where it runs from a checkout."""
    checkout = Path(__file__).parents[2]
    released = version("nocturna")
    if not (checkout / ".git").exists():
        return released
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return released
    return f"{released}+{found.stdout.strip()}"
