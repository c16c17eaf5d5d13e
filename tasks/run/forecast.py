"""How long a night will score and what summaries would cost, by a handful of its texts."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nocturna.tasks.enrichment.estimate import estimate
from nocturna.tasks.enrichment.summary_records import DocumentText
from nocturna.tasks.inference.planned import plan_inference
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Job, Summaries

FIRST, MOST = 8, 64
"""Texts of the first pass, which loads the models, and the most that are timed."""

_SECONDS = 3.0
"""What the timed pass may take, by the speed of the first one."""


@dataclass(frozen=True)
class Speed:
    """How fast a job's scores are computed on this machine.

    Attributes:
        texts: that were timed.
        per_second: documents that all workers score together, models loaded.
        workers: that work side by side.
    """

    texts: int
    per_second: float
    workers: int

    def seconds(self, documents: int) -> float:
        """What scoring so many takes."""
        return documents / self.per_second


def measure_speed(job: Job, texts: Sequence[str]) -> Speed:
    """Scores some texts with the models of a job, by as many workers at once as a night has.

    Args:
        texts: of the corpus, drawn evenly.

    Raises:
        UsageError: a night would refuse a model.
        Transient: the Hub does not answer.
    """
    plan = plan_inference(job)
    run = running(job.compute, plan.precision)
    first = list(texts[:FIRST])
    score_texts(plan, first, run)
    begun = time.perf_counter()
    score_texts(plan, first, run)
    each = (time.perf_counter() - begun) / len(first)
    timed = list(texts[: max(FIRST, min(MOST, int(_SECONDS / each)))])
    with ThreadPoolExecutor(run.workers) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda _: score_texts(plan, timed, run), range(run.workers)))
        took = time.perf_counter() - begun
    return Speed(len(timed), len(timed) * run.workers / took, run.workers)


def summary_cost(
    texts: Sequence[str], documents: int, language: str
) -> tuple[Mapping[str, float], str]:
    """What summaries of so many documents would cost in each mode, in USD, and of when prices are.

    Args:
        texts: of the corpus, drawn evenly; theirs is counted and taken times what there are more.
    """
    some = [DocumentText(str(at), text) for at, text in enumerate(texts)]
    with TemporaryDirectory() as nothing_paid:
        found = estimate(some, Summaries(enabled=True, max_usd=1), language, Path(nothing_paid))
    share = documents / max(1, len(some))
    return {mode: usd * share for mode, usd in found.usd.items()}, found.prices_as_of
