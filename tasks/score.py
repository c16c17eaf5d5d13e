"""The step that scores one shard: read it, run the models, leave a verified part."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nocturna.tasks.control import Control, control
from nocturna.tasks.corpus.document_tables import kept_name
from nocturna.tasks.corpus.kept import label_lists
from nocturna.tasks.corpus.language import languages_of
from nocturna.tasks.errors import STOPPED, Stopped, Transient
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.running import Running
from nocturna.tasks.inference.scorer import Scores, score_texts
from nocturna.tasks.results import files
from nocturna.tasks.results.done_shards import load_shard, save_shard
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.machine import give_memory_back
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.result_rows import ShardScores, Trace, result_rows
from nocturna.tasks.results.schema import results_schema
from nocturna.tasks.results.score_arrays import NewScores
from nocturna.tasks.results.shard_records import ScoredShard
from nocturna.tasks.run.documents import Documents, ToScore, read_documents, to_score
from nocturna.tasks.run.frozen import Plan, load_plan, results_columns, running_of
from nocturna.tasks.run.kept_summaries import with_summaries
from nocturna.tasks.run.killers import REASONS, aside_of, despite_deaths
from nocturna.tasks.run.met import Met
from nocturna.tasks.run.pieces import score_in_pieces
from nocturna.tasks.run.runners import Signals, runner_of
from nocturna.tasks.step import step

_WORD, _FEW_PASSES = "uno", 50


@step("score", run_name="shard-{shard}")
def score_shard(layout: Layout, run_id: str, shard: int) -> ScoredShard:
    """Scores one shard; one that cannot be scored stops the others after their batch."""
    run, plan = control(), load_plan(layout.plan(run_id))
    compute = plan.job.compute
    try:
        runner = runner_of(compute)
        whole = (compute, score_alone, layout, run_id, shard)
        return despite_deaths(
            work=lambda: runner.run(*whole),
            work_alone=lambda: runner.run_alone(*whole),
            try_some=lambda *some: runner.run_alone(
                compute, score_some, layout, run_id, shard, *some
            ),
            layout=layout,
            run_id=run_id,
            shard=shard,
            rows=plan.shards[shard],
        )
    except (Transient, ConnectionError, TimeoutError):
        raise
    except Exception:
        run.request_stop()
        raise


def score_alone(layout: Layout, run_id: str, shard: int, signals: Signals) -> ScoredShard:
    """Scores one shard of a run and leaves its part in the run's work folder.

    A shard that an earlier attempt finished is verified and not scored again.

    Args:
        shard: position in the plan.

    Raises:
        Stopped: on request, after the batch in hand.
        NocturnaError: the input changed since it was planned, or nothing can be written.
    """
    plan = load_plan(layout.plan(run_id))
    columns = results_columns(plan, layout)
    schema = results_schema(columns, plan.job.name)
    done = load_shard(layout, run_id, shard, plan.shards[shard], schema)
    if done is not None:
        signals.advance(done.scored)
        return done

    if signals.stop():
        raise Stopped(STOPPED)
    clock = _Clock()
    with clock("read"):
        work = read_documents(layout, plan, shard)
        documents = work.documents
        if plan.job.summaries.enabled:
            documents = with_summaries(layout, run_id, shard, work)
    with clock("infer"):
        pieces = layout.work(run_id) / "pieces" / f"{shard:05d}"
        aside = aside_of(layout, run_id, shard)
        scores, found = _score(plan, work, signals, pieces, aside)
    with clock("write"):
        trace = Trace(plan.run_id, plan.code_version, plan.summary_config)
        table = result_rows(documents, scores, columns, plan.job.name, trace)
        part = write_part(table, layout.work(run_id), run_id, shard)
    ok = pc.equal(table["status"], "ok")
    scored = pc.sum(pc.and_(ok, pa.array(work.asked))).as_py() or 0
    fine = (pc.sum(ok).as_py() or 0) - scored
    rewritten = len(work.asked) - int(np.sum(work.asked))
    done = ScoredShard(
        shard=shard,
        part=part,
        scored=scored,
        failed=table.num_rows - scored - rewritten,
        rewritten=rewritten,
        rewritten_failed=rewritten - fine,
        tokens=int(found.n_tokens.sum()),
        computed_tokens=found.tally.read,
        padding_tokens=found.tally.padding,
        n_unknown=0 if found.mostly_unknown is None else int(found.mostly_unknown.sum()),
        seconds=round(sum(clock.seconds.values()), 3),
        timings={name: round(seconds, 3) for name, seconds in clock.seconds.items()},
    )
    save_shard(layout, run_id, done)
    with suppress(OSError):  # another attempt, which was given up, may still write there
        files.remove_folder(pieces)
    del table, scores, found, documents, work
    give_memory_back()
    return done


def score_some(
    layout: Layout, run_id: str, shard: int, start: int, stop: int, signals: Signals
) -> None:
    """Scores the documents of a shard from one position to another, to see whether that goes well.

    Those that are put aside already are left out.
    """
    plan = load_plan(layout.plan(run_id))
    work = read_documents(layout, plan, shard)
    others = [*range(start), *range(stop, work.documents.num_rows)]
    wanted = to_score(plan, work, [*others, *aside_of(layout, run_id, shard)])
    run = _running(plan, signals)
    score_texts(plan.inference, wanted.texts, run, known=wanted.known)


def load_models(layout: Layout, run_id: str) -> None:
    """Loads the models of a run by having each read a word, so that its shards find them loaded.

    Left to the shards are models that few documents may need, or that read a text very often, and
    all of them where each scoring process has models of its own.

    Raises:
        NocturnaError: what the shards will raise too.
    """
    plan = load_plan(layout.plan(run_id))
    if runner_of(plan.job.compute).APART:
        return
    run = replace(running_of(plan), stop=control().stopping)
    soon = [
        score
        for score in plan.inference.scores
        if not (score.when or score.choices or score.pair)
        and plan.difference.asked.get(score.name)
        and heads()[score.kind].passes(score) <= _FEW_PASSES
    ]
    if soon:
        score_texts(replace(plan.inference, scores=tuple(soon)), [_WORD], run)
        languages_of([_WORD])


def _score(
    plan: Plan, work: Documents, signals: Signals, pieces: Path, aside: dict[int, str]
) -> tuple[ShardScores, Scores]:
    wanted = to_score(plan, work, list(aside))
    scores = score_in_pieces(
        plan.inference,
        wanted.texts,
        _running(plan, signals),
        signals.advance,
        pieces,
        wanted.known,
        _met(control(), plan.run_id),
    )
    return _spread(plan, work, wanted, scores, aside), scores


def _running(plan: Plan, signals: Signals) -> Running:
    run = replace(running_of(plan), stop=signals.stop)
    return run if signals.threads is None else replace(run, workers=1, threads=signals.threads)


@lru_cache(maxsize=1)
def _met(run: Control, run_id: str) -> Met:
    """The texts that the shards of one attempt at a run share in this process."""
    return Met()


def _spread(
    plan: Plan, work: Documents, wanted: ToScore, scores: Scores, aside: dict[int, str]
) -> ShardScores:
    """What is known of the readable documents, as rows of all documents; the others get none."""
    documents, positions = work.documents, wanted.positions
    reasons = zip(positions.tolist(), scores.unreadable.tolist(), strict=True)
    errors = {at: ("unreadable_text", reason) for at, reason in reasons if reason}
    errors |= {at: (code, REASONS[code]) for at, code in aside.items()}

    def wide(values: NDArray[Any], empty: float | None) -> NDArray[Any]:
        rows = np.full((documents.num_rows, *values.shape[1:]), empty, dtype=values.dtype)
        rows[positions] = values
        return rows

    return ShardScores(
        n_tokens=wide(scores.n_tokens, 0),
        n_windows=wide(scores.n_windows, 0),
        truncated=wide(scores.truncated, False),
        language=_languages(work, wide(wanted.languages, None)),
        scores={
            score.name: NewScores(
                values=wide(scores.by_name[score.name].values, np.nan),
                asked=wide(scores.by_name[score.name].asked, False),
                skipped=wide(scores.by_name[score.name].skipped, False),
                choices=label_lists(documents[kept_name(score.choices)]) if score.choices else None,
            )
            for score in plan.inference.scores
        },
        errors=errors,
        carried=work.before,
    )


def _languages(work: Documents, tonight: NDArray[np.object_]) -> NDArray[np.object_]:
    """The language of each document; of one of which nothing is asked that of its row before."""
    if work.before is None:
        return tonight
    before = np.array(work.before["language"].to_pylist(), dtype=object)
    return np.where(work.asked, tonight, before)


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - start
