"""What a run stands on before it is planned: its models, pinned, and its corpus, read once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from nocturna.tasks.corpus.lots import Lot
from nocturna.tasks.corpus.staging import Shelf, Staged, stage
from nocturna.tasks.corpus.trial import Trial
from nocturna.tasks.enrichment.providers import required_key
from nocturna.tasks.inference.planned import (
    InferencePlan,
    label_columns,
    plan_inference,
    reading_source,
)
from nocturna.tasks.job.job import Job
from nocturna.tasks.results import files
from nocturna.tasks.results.fates import Answer
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.run.accidents import described_identity, refuse_accidents
from nocturna.tasks.run.frozen import answers_of, job_layout, summary_config_of
from nocturna.tasks.run.kept_summaries import key_of
from nocturna.tasks.run.known_texts import known_texts, lacks_texts
from nocturna.tasks.run.pool import plainly, start_pool
from nocturna.tasks.run.shelf import shelf_of, tidy
from nocturna.tasks.run.soundness import check_settings


@dataclass(frozen=True)
class StagedRun:
    """What planning goes on with.

    Attributes:
        inference: the models of the job, pinned.
        corpus: what was read.
        seconds: wall-clock time that it took.
    """

    layout: Layout
    inference: InferencePlan
    corpus: Staged
    seconds: float = 0.0


def stage_job(job: Job, run_id: str, rehearsal: bool = False) -> StagedRun:
    """Pins the models of a job and stages its corpus, in the job's output folder.

    Args:
        rehearsal: whether nothing but the run's work folder may be left behind.

    Raises:
        UsageError: a model, file, column or key that cannot be used.
    """
    start, layout = time.monotonic(), job_layout(job)
    check_settings(job, rehearsal=rehearsal)
    if job.summaries.enabled and not rehearsal:
        required_key(job.summaries, key_of(job))
    inference = plan_inference(job)
    known = {score.name: score for score in inference.scores}
    refuse_accidents(layout, job, described_identity(job, known))
    shelf = shelf_of(layout, run_id, rehearsal)
    answers = answers_of(inference.scores, summary_config_of(job))
    with files.clear_errors(shelf.folder):
        corpus = _stage(job, layout, inference, shelf, () if job.full else answers)
        tidy(corpus, shelf)
    return StagedRun(layout, inference, corpus, time.monotonic() - start)


def trial_of(job: Job) -> Trial | None:
    """Which rows of its corpus a job takes, where not all."""
    once = job.once
    return Trial(once.limit, once.sample, once.seed) if once.is_trial else None


def _stage(
    job: Job,
    layout: Layout,
    inference: InferencePlan,
    shelf: Shelf,
    answers: tuple[Answer, ...],
) -> Staged:
    source = reading_source(job, inference.scores)
    lists = label_columns(inference.scores)
    new_texts = job.output.keep_text and lacks_texts(layout)
    known = known_texts(layout, answers) if answers and not new_texts else None
    return stage(source, shelf, lists, known, job.once.limit, _helpers)


@contextmanager
def _helpers(processes: int) -> Iterator[Callable[..., Lot]]:
    """Processes that read inputs, for as long as the block lasts."""
    pool = start_pool(processes, "reading", "where there is more")
    try:
        yield partial(pool.run, plainly)
    finally:
        pool.end()
