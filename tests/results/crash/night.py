"""One night of a job: the real steps of a run, with scores that follow from the text alone."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tasks.inference.models import ModelRef
from tasks.inference.planned import InferencePlan, SentimentPlan, TopicPlan
from tasks.inference.running import Tally
from tasks.inference.scorer import Scores
from tasks.job import Compute, Job, LongDocuments, Output, Quality, Source, ZeroShot
from tasks.results.ending import note_failure
from tasks.results.layout import new_run_id
from tasks.results.lock import hold_lock
from tasks.results.recovery import recover
from tasks.results.retention import clean
from tasks.steps import planning, scoring
from tasks.steps.publishing import publish_run
from tasks.steps.run import job_layout

TOPICS = ("política", "ciencia")
SENTIMENTS = ("POS", "NEG", "NEU")


def job_of(out: Path, corpus: Path, shard_size: int = 4) -> Job:
    return Job(
        name="prensa",
        source=Source(path=str(corpus), id="id"),
        zero_shot=ZeroShot(labels=TOPICS),
        compute=Compute(device="cpu"),
        output=Output(dir=str(out)),
        quality=Quality(max_quarantined=0.5, max_failed=0.5, max_shrink=None),
        shard_size=shard_size,
    )


def use_cheap_models(
    scored: Callable[[int], None] = lambda texts: None,
    put: Callable[[Any, str, Any], None] = setattr,
) -> None:
    """Replaces the models, and nothing else, of every run of this process.

    Args:
        scored: told how many texts the models were given, each time.
        put: how to replace them, so that a test can undo it.
    """

    def score(plan: InferencePlan, texts: list[str], run: object, advance: object) -> Scores:
        scored(len(texts))
        return _scores(texts)

    put(planning, "plan_inference", lambda job: _PLAN)
    put(planning, "code_version", lambda: "test")
    put(scoring, "score_texts", score)


def run_night(job: Job, stop: Callable[[], bool] = lambda: False) -> str:
    """Plans or goes on, scores what is missing, publishes; returns the id of the run."""
    layout, run_id = job_layout(job), new_run_id()
    signals = scoring.Signals(stop=stop, advance=lambda documents: None)
    with hold_lock(layout, run_id) as hold_as:
        recover(layout)
        try:
            plan = planning.plan_run(job, layout, run_id, lambda: None)
            run_id = plan.run_id
            hold_as(run_id)
            shards = [
                scoring.score_shard(layout, job, run_id, shard, signals)
                for shard in range(len(plan.shards))
            ]
            publish_run(layout, job, run_id, shards, None, 1.0)
            clean(layout, job.retention)
        except BaseException as error:
            note_failure(layout, run_id, error)
            raise
    return run_id


_PLAN = InferencePlan(
    sentiment=SentimentPlan(ModelRef("cheap", "0" * 40, "", "safetensors"), SENTIMENTS),
    topics=TopicPlan(
        model=ModelRef("cheap", "1" * 40, "", "safetensors"),
        method="embedding",
        labels=TOPICS,
        hypotheses=TOPICS,
        multi_label=False,
        temperature=1.0,
    ),
    long_documents=LongDocuments(),
    precision="fp32",
)


def _scores(texts: list[str]) -> Scores:
    seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
    draws = [np.random.default_rng(seed) for seed in seeds]
    return Scores(
        n_tokens=np.array([len(text.split()) for text in texts], dtype=np.int64),
        n_windows=np.ones(len(texts), dtype=np.int64),
        truncated=np.zeros(len(texts), dtype=bool),
        sentiment=_matrix([d.dirichlet([1] * 3) for d in draws], 3),
        topics=_matrix([d.dirichlet([1] * 2) for d in draws], 2),
        scored_texts=len(set(texts)),
        tally=Tally(),
    )


def _matrix(rows: list[np.ndarray], width: int) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, width)
