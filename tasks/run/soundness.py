"""Whether a job can be run as it is described: all that shows without an engine and a model.

The rules are those of the steps themselves; here they are asked before anything heavy is imported,
so that a slip of the pen costs a second.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from nocturna.tasks.addresses import member_of
from nocturna.tasks.corpus.choosing import find_inputs
from nocturna.tasks.corpus.fetched import kept_listing
from nocturna.tasks.corpus.first_look import check_head
from nocturna.tasks.corpus.hub import refuse_offline
from nocturna.tasks.corpus.storage import forget_listings, is_remote
from nocturna.tasks.errors import Transient, UsageError
from nocturna.tasks.inference.backends import AUTO
from nocturna.tasks.inference.planned import check_models, reading_source
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.job.job import Job, Source
from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.object_store import check_client
from nocturna.tasks.results.sinks import asked_for
from nocturna.tasks.run.runners import runner_of

LOOKED_AT = 16
"""Inputs whose columns are looked at; every further one is checked when it is read."""


def check_job(job: Job, *, rehearsal: bool = False) -> None:
    """Checks a job before any work: its settings, its models, the start of its corpus.

    What it would lose of what is published is said here too, as far as that shows without reading.

    Args:
        rehearsal: nothing is going to be sent, so that no key is needed.

    Raises:
        UsageError: in one line, what is wrong, where, and what to do.
    """
    check_settings(job, rehearsal=rehearsal)
    scores = check_models(job)
    check_corpus(_read(job, scores), to_read=True)
    _check_gold(job, scores)
    _check_published(job, scores)


def check_served(job: Job) -> str | None:
    """Checks a job that is going to run later: whatever will not change by itself until then.

    Returns:
        what is wrong with its corpus now, in one line, if anything: it may come in time.

    Raises:
        UsageError: as `check_job`, of all but the corpus.
    """
    check_settings(job)
    scores = check_models(job)
    _check_gold(job, scores)
    _check_published(job, scores)
    try:
        check_corpus(_read(job, scores), to_read=False)
    except UsageError as error:
        return str(error)
    return None


def check_settings(job: Job, *, rehearsal: bool = False) -> None:
    """Checks what a job says of this machine: folder, sinks, device, backend, runner, summaries.

    Raises:
        UsageError: naming the key.
    """
    layout = layout_of(job.output.dir, job.name)
    if layout.uri:
        check_client()
    _check_folder(layout)
    for sink in asked_for(job.output).values():
        sink.check(job.output, layout)
    precision = job.compute.precision  # whatever is chosen for it, fp32 can be
    running(job.compute, "fp32" if precision == AUTO else precision)
    runner_of(job.compute)
    if job.summaries.enabled and not rehearsal:
        from nocturna.tasks.enrichment.providers import key_from_environment
        from nocturna.tasks.enrichment.readiness import check_settings as check_summaries

        # only the engine knows what a Secret block holds; the plan asks it
        named = job.summaries.secret
        check_summaries(
            job.summaries,
            (lambda: named) if named else key_from_environment(job.summaries),
            job.language,
        )


def check_corpus(source: Source, *, to_read: bool) -> None:
    """Lists a corpus and looks at the columns of its first files, without reading them whole.

    Args:
        to_read: whether this process reads it next.

    Raises:
        UsageError: naming the file and the column.
    """
    if source.dataset is not None:
        if kept_listing(source, None) is None:
            refuse_offline(f"data set {source.dataset}")
        return
    remote = [address for address in source.addresses if is_remote(address)]
    with _unsaid(), suppress(Transient):  # the plan says the one and tries the other again
        most = 1 if remote else LOOKED_AT
        check_head(source, find_inputs(source), most)
    for address in remote:
        member = member_of(address)
        forget_listings(member[2] if member else address, to_read)


def _read(job: Job, scores: Mapping[str, ScorePlan | None]) -> Source:
    return reading_source(job, [score for score in scores.values() if score is not None])


def _check_gold(job: Job, scores: Mapping[str, ScorePlan | None]) -> None:
    """That gold files can be read and hold labels of their scores; a store may answer later."""
    if not job.gold:
        return
    from nocturna.tasks.evaluation.agreement import indices
    from nocturna.tasks.evaluation.labelled import kept_rows
    from nocturna.tasks.run.gold_night import read_gold

    for name, gold in job.gold.items():
        score = scores[name]
        with _unsaid(), suppress(Transient):
            try:
                labelled = read_gold(gold)
                if score is not None and not score.labels:
                    raise UsageError("the score has no labels of its own to compare with")
                if score is not None:
                    named = labelled.named(gold.map, score.labels)
                    indices([named[at] for at in kept_rows(named)], score.labels)
            except UsageError as error:
                raise UsageError(f"gold.{name}: {error}") from None


def _check_published(job: Job, scores: Mapping[str, ScorePlan | None]) -> None:
    layout = layout_of(job.output.dir, job.name)
    if not layout.log.is_dir():
        return
    from nocturna.tasks.results.checking import refuse_moved
    from nocturna.tasks.run.accidents import described_identity, refuse_accidents

    refuse_moved(layout)
    refuse_accidents(layout, job, described_identity(job, scores))


def _check_folder(layout: Layout) -> None:
    """That the output folder is one, or can become one."""
    there = next(path for path in (layout.root, *layout.root.parents) if os.path.lexists(path))
    if not there.is_dir():
        raise UsageError(f"output.dir: {there} is not a folder; choose another one with --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(
            f"output.dir: {there} cannot be written: choose another folder with --out or change "
            "its owner"
        )


@contextmanager
def _unsaid() -> Iterator[None]:
    """Keeps the warnings of reading back: the plan reads again and says them."""
    logger = logging.getLogger("nocturna.tasks.corpus")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
