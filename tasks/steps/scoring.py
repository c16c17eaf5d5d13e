"""Scoring one shard: read it, run the models, leave a verified part."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.corpus.kept import label_lists
from tasks.corpus.language import languages_of
from tasks.errors import STOPPED, Stopped
from tasks.inference.running import running
from tasks.inference.scorer import Known, Scores, score_texts
from tasks.job import Job
from tasks.results.layout import Layout
from tasks.results.machine import give_memory_back
from tasks.results.parts import write_part
from tasks.results.records import ScoredShard
from tasks.results.rows import ShardScores, Trace, result_rows
from tasks.results.schema import results_schema
from tasks.results.score_arrays import NewScores
from tasks.results.shards import load_shard, save_shard, write_rejects
from tasks.steps.documents import Planned, read_planned
from tasks.steps.run import Plan, plan_of, results_columns
from tasks.steps.summarising import with_summaries


@dataclass(frozen=True)
class Signals:
    """What a scoring process is asked and tells.

    Attributes:
        stop: asked before each batch whether to stop.
        advance: told how many documents were scored since it was last told.
    """

    stop: Callable[[], bool]
    advance: Callable[[float], None]


def score_shard(layout: Layout, job: Job, run_id: str, shard: int, signals: Signals) -> ScoredShard:
    """Scores one shard of a run and leaves its part in the run's work folder.

    A shard that an earlier attempt finished is verified and not scored again.

    Args:
        shard: position in the plan.

    Raises:
        Stopped: on request, after the batch in hand.
        NocturnaError: the input changed since it was planned, or nothing can be written.
    """
    plan = plan_of(layout, job, run_id)
    columns, planned = results_columns(plan, layout), plan.shards[shard]
    schema = results_schema(columns, plan.job.name)
    done = load_shard(layout, run_id, shard, planned.rows, schema)
    if done is not None:
        signals.advance(done.scored)
        return done

    if signals.stop():
        raise Stopped(STOPPED)
    clock = _Clock()
    with clock("read"):
        work = read_planned(layout, plan, shard)
        documents = work.documents
        if plan.job.summaries.enabled:
            documents = with_summaries(layout, run_id, shard, work)
    with clock("infer"):
        scores, found = _score(plan, work, signals)
    with clock("write"):
        trace = Trace(plan.run_id, plan.code_version, plan.summary_config)
        table = result_rows(documents, scores, columns, plan.job.name, trace)
        write_rejects(work.rows.rejects, layout, run_id, shard)
        part = write_part(table, layout.work(run_id), run_id, shard) if table.num_rows else None
    ok = pc.equal(table["status"], "ok")
    scored = pc.sum(pc.and_(ok, pa.array(work.asked))).as_py() or 0
    rewritten = (pc.sum(ok).as_py() or 0) - scored
    done = ScoredShard(
        shard=shard,
        part=part,
        read=planned.rows,
        scored=scored,
        failed=table.num_rows - scored - rewritten,
        quarantined=work.rows.rejects.num_rows,
        carried=work.rows.documents.num_rows - documents.num_rows + rewritten,
        rewritten=rewritten,
        tokens=int(found.n_tokens.sum()),
        computed_tokens=found.tally.read,
        padding_tokens=found.tally.padding,
        seconds=round(sum(clock.seconds.values()), 3),
        timings={name: round(seconds, 3) for name, seconds in clock.seconds.items()},
    )
    save_shard(layout, run_id, done)
    del table, scores, found, documents, work
    give_memory_back()
    return done


def _score(plan: Plan, work: Planned, signals: Signals) -> tuple[ShardScores, Scores]:
    documents = work.documents
    good = pc.is_null(documents["error_code"])
    positions = np.flatnonzero(good.to_numpy())
    texts = documents["text"].filter(good).to_pylist()
    run = replace(running(plan.job.compute, plan.inference.precision), stop=signals.stop)
    languages = np.array(languages_of(texts), dtype=object)
    known = _known(plan, work, good, languages)
    scores = score_texts(plan.inference, texts, run, signals.advance, known)
    return _spread(plan, work, scores, languages, positions), scores


def _known(
    plan: Plan, work: Planned, good: pa.ChunkedArray, languages: NDArray[np.object_]
) -> Known:
    """What the readable documents need, and what is known of them."""
    choices = {s.choices for s in plan.inference.scores if s.choices}
    rows = work.documents.filter(good)
    before = work.before.filter(good.combine_chunks()) if work.before is not None else None
    at = good.to_numpy()
    named = [s.name for s in plan.inference.scores if s.gives == "labels"]
    return Known(
        needs={name: need[at] for name, need in work.needs.items()},
        languages=list(languages),
        labels={
            name: before[name].to_pylist()
            for name in named
            if before is not None and name in before.column_names
        },
        choices={name: label_lists(rows[name]) for name in choices},
    )


def _spread(
    plan: Plan,
    work: Planned,
    scores: Scores,
    languages: NDArray[np.object_],
    positions: NDArray[np.intp],
) -> ShardScores:
    """What is known of the readable documents, as rows of all documents; the others get none."""
    documents = work.documents

    def wide(values: NDArray[Any], empty: float | None) -> NDArray[Any]:
        rows = np.full((documents.num_rows, *values.shape[1:]), empty, dtype=values.dtype)
        rows[positions] = values
        return rows

    return ShardScores(
        n_tokens=wide(scores.n_tokens, 0),
        n_windows=wide(scores.n_windows, 0),
        truncated=wide(scores.truncated, False),
        language=wide(languages, None),
        scores={
            score.name: NewScores(
                values=wide(scores.by_name[score.name].values, np.nan),
                asked=wide(scores.by_name[score.name].asked, False),
                skipped=wide(scores.by_name[score.name].skipped, False),
                choices=label_lists(documents[score.choices]) if score.choices else None,
            )
            for score in plan.inference.scores
        },
        carried=work.before,
    )


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - start
