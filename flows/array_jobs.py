"""A run that is scored in shares, by jobs of an array or machines that see one output folder.

Whoever comes first stages and plans, the others find the plan. Each scores the shards of its share;
nothing is published before all are scored.
"""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from nocturna.claiming import all_scored, progress
from nocturna.recorded import unrecorded
from nocturna.score import shards_at_once
from nocturna.tasks.control import go_on, stop_on_signals
from nocturna.tasks.errors import RunLocked, UsageError
from nocturna.tasks.job.job import Job
from nocturna.tasks.plan import Planned, plan_corpus
from nocturna.tasks.results.layout import Layout, new_run_id
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.recovery import recover
from nocturna.tasks.run.frozen import job_layout
from nocturna.tasks.score import score_shard
from nocturna.tasks.stage import stage_corpus
from nocturna.terminal import say, say_warnings

_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Share:
    """What one share of a run was.

    Attributes:
        folder: the output folder of the job.
        part, parts: which of how many shares, from 1.
        shards, documents: that it scored.
        of_shards: that all shares together have.
    """

    folder: str
    run_id: str
    part: int
    parts: int
    shards: int
    of_shards: int
    documents: int


def score_share(job: Job, part: str) -> Share:
    """Scores one share of the shards of a run and leaves them in the run's work folder.

    Args:
        part: such as `3/40`.

    Raises:
        UsageError: there is no such part, or the job asks for what cannot be shared out.
        Stopped: on request; the same command goes on.
    """
    number, parts = _numbers(part)
    if job_layout(job).uri:
        raise UsageError(
            "--part: shares are put together in a folder that all machines see; give one with "
            "--out, or leave --part out"
        )
    if job.summaries.enabled:
        raise UsageError(
            "--part: summaries have one budget and one cache, so that they cannot be shared out; "
            "score in parts without them, then run the job with them on one machine"
        )
    say_warnings()
    with stop_on_signals():
        planned = _planned(job)
        run = (planned.layout, planned.run_id)
        own = range(number - 1, planned.shards, parts)
        with progress(planned):
            found = unrecorded(score_shard, own, *run, threads=shards_at_once(job))
        done = all_scored(found)
    return Share(
        folder=str(planned.layout.root),
        run_id=planned.run_id,
        part=number,
        parts=parts,
        shards=len(done),
        of_shards=planned.shards,
        documents=sum(shard.rows for shard in done),
    )


def said_of(share: Share) -> str:
    """One line: what was done, and how the run is published."""
    return (
        f"part {share.part} of {share.parts}: {share.shards:,} of {share.of_shards:,} shards of "
        f"run {share.run_id}, {share.documents:,} documents; `nocturna publish {share.folder}` "
        "publishes the run once every part is scored"
    )


def _numbers(part: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", part)
    number, parts = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= parts:
        raise UsageError(f"--part {part}: give a part and how many there are, such as 3/40")
    return number, parts


def _planned(job: Job) -> Planned:
    """The plan of the run: that which another share has made, or a new one."""
    layout, run_id = job_layout(job), new_run_id()
    with _held(layout, run_id):
        recover(layout)
        staged = stage_corpus(job, run_id)
        planned = plan_corpus(job, run_id, staged)
    say(planned.outlook)
    return planned


@contextmanager
def _held(layout: Layout, run_id: str) -> Iterator[None]:
    """Holds the output folder, once whoever plans there has let it go."""
    told = False
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(hold_lock(layout, run_id))
                break
            except RunLocked as error:
                if not told:
                    say(f"waiting: {error}")
                told = True
            go_on()
            time.sleep(_LOOK_SECONDS)
        yield
