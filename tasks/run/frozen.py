"""A run: its frozen plan, and where that is kept."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
from pydantic import TypeAdapter

from nocturna.tasks.corpus.index import kept_schema
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.summary import IndexSummary
from nocturna.tasks.enrichment.providers import model_of
from nocturna.tasks.enrichment.summary_records import WORTH_ASKING_AGAIN
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.precision import Choice
from nocturna.tasks.inference.running import Running, running
from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.source import EVERY
from nocturna.tasks.results import files
from nocturna.tasks.results.difference import Difference
from nocturna.tasks.results.fates import Answer, Wanted
from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.schema import Columns, kept_columns, results_schema
from nocturna.tasks.results.stored import FORMAT, read_regular


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do, frozen before it does any of it.

    Attributes:
        started_at: ISO 8601, UTC.
        code_version: of the Nocturna that made the plan.
        summary_config: hash of all that decides a summary; None where none is asked for.
        inputs: what the corpus was made of when it was staged, the first FEW_INPUTS of them.
        n_inputs: how many there are.
        work: hash of what decides the rows; see `work_of`.
        shards: documents of each shard.
        index: what the corpus holds.
        difference: how the corpus differs from the current results.
        seconds: wall-clock time that planning took.
        choice: how the precision was chosen, where the job leaves that open.
        digests: SHA-256 of the files in the work folder that the plan stands on, by path.
        format: version of the plan's file.
        backend: what runs the models.
    """

    run_id: str
    started_at: str
    code_version: str
    job: Job
    summary_config: str | None
    inference: InferencePlan
    inputs: tuple[InputFile, ...]
    shards: tuple[int, ...]
    index: IndexSummary
    difference: Difference
    seconds: float
    choice: Choice | None = None
    digests: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT
    backend: str | None = None
    n_inputs: int = 0
    work: str = ""


FEW_INPUTS = 100
"""Inputs that a plan and a manifest name one by one."""

SUMMARY = "summary"
"""What the answer of a summary is called among the scores."""

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
        plan = _PLAN.validate_json(read_regular(path))
    except (OSError, ValueError):
        plan = None
    if plan is None or plan.format > FORMAT:
        raise NocturnaError(
            f"{path}: no plan that this version of Nocturna can read; start a new run"
        )
    return plan


def running_of(plan: Plan) -> Running:
    """How the models of a run run on this machine."""
    chosen = {"backend": plan.backend} if plan.backend else {}
    return running(plan.job.compute.model_copy(update=chosen), plan.inference.precision)


def results_columns(plan: Plan, layout: Layout) -> Columns:
    """What decides the columns of the run's results."""
    return columns_of(plan.job, plan.inference, kept_schema(layout.index(plan.run_id)))


def columns_of(job: Job, inference: InferencePlan, kept: pa.Schema) -> Columns:
    """What decides the columns of a job's results, given every column kept of its corpus."""
    return Columns(
        scores=inference.scores,
        keep=kept if EVERY in job.kept else pa.schema([kept.field(name) for name in job.kept]),
        renamed=job.source.renamed,
        keep_text=job.output.keep_text,
        summaries=job.summaries.enabled,
    )


def wanted_of(columns: Columns, summary_config: str | None, job_name: str) -> Wanted:
    """What the rows of the next snapshot must say."""
    answers = answers_of(columns.scores, summary_config)
    return Wanted(answers, kept_columns(columns), results_schema(columns, job_name))


def answers_of(scores: Iterable[ScorePlan], summary_config: str | None) -> tuple[Answer, ...]:
    """Each answer that a row needs."""
    answers = [Answer(s.name, s.config, own_labels=s.choices, pair=s.pair) for s in scores]
    if summary_config is not None:
        answers.append(Answer(SUMMARY, summary_config, again=tuple(sorted(WORTH_ASKING_AGAIN))))
    return tuple(answers)


def summary_config_of(job: Job) -> str | None:
    """Hash of all that decides a summary; None where the job asks for none."""
    if not job.summaries.enabled:
        return None
    decisive = {"provider", "language", "words", "long_documents", "max_chars", "redact"}
    asked = job.summaries.model_dump_json(include=decisive)
    text = f"{job.language}\n{model_of(job.summaries)}\n{asked}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def work_of(job: Job, inputs: tuple[InputFile, ...], inference: InferencePlan, code: str) -> str:
    """Hash of what decides the rows of a run; a stopped run with the same one can go on."""
    kept = job.model_dump_json(
        exclude={
            "quality": True,
            "gold": True,
            "compute": True,
            "notify": True,
            "retention": True,
            "output": {"dir", "table"},
        }
    )
    configs = sorted(inference.configs.items())
    parts = (kept, str(configs), code, *(f"{i.uri}\0{i.fingerprint}" for i in inputs))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def utc_now() -> str:
    """The present as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
