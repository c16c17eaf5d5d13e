"""Choosing a precision: the fastest whose scores stay near fp32's on a sample of texts."""

import time
from dataclasses import dataclass, replace

import numpy as np

from nocturna.tasks.inference.device import usable_precisions
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.reference import Deviation, deviation, reference_scores
from nocturna.tasks.inference.running import Running, running
from nocturna.tasks.inference.scorer import Known, Scores, score_texts
from nocturna.tasks.job.job import Compute, Tolerance


@dataclass(frozen=True)
class Measured:
    """What a precision did on the sample.

    Attributes:
        seconds: wall-clock time of the sample, models loaded before.
        within: whether the deviation is within the tolerance.
    """

    precision: str
    seconds: float
    deviation: Deviation
    within: bool


@dataclass(frozen=True)
class Choice:
    """The precision of a run and why.

    Attributes:
        documents: size of the sample.
        measured: every precision that this machine can compute in.
        measured_in: the run that measured; a later run with the same models on the same kind of
            machine takes its choice over.
        machine: processor or GPU, and versions, that the choice holds for.
    """

    precision: str
    documents: int
    measured: tuple[Measured, ...]
    measured_in: str
    machine: str


def measure_precisions(
    plan: InferencePlan,
    texts: list[str],
    compute: Compute,
    tolerance: Tolerance,
    known: Known | None = None,
) -> tuple[Measured, ...]:
    """Scores the sample in every precision that the device is faster in, fp32 first.

    Args:
        plan: models and settings.
        texts: the sample.
        compute: device and backend.
        tolerance: how far from fp32 scores may be.
        known: what is known of the texts.

    Raises:
        Stopped, UsageError: as `score_texts`.
    """
    known = known or Known()
    exact = reference_scores(plan, texts, running(compute, "fp32"), known)
    first = known.at(np.arange(min(2, len(texts))))
    found = []
    for precision in usable_precisions(compute):
        run = running(compute, precision)
        score_texts(plan, texts[:2], run, known=first)
        seconds, scores = _timed(replace(plan, precision=precision), texts, run, known)
        error = deviation(scores, exact)
        within = precision == "fp32" or (
            error.largest <= tolerance.score
            and error.changed_top <= tolerance.changed_labels * error.documents
        )
        found.append(Measured(precision, round(seconds, 3), error, within))
    return tuple(found)


def fastest(measured: tuple[Measured, ...]) -> str:
    """The fastest precision within the tolerance; fp32 always is."""
    return min((m for m in measured if m.within), key=lambda m: m.seconds).precision


def _timed(
    plan: InferencePlan, texts: list[str], run: Running, known: Known
) -> tuple[float, Scores]:
    start = time.monotonic()
    scores = score_texts(plan, texts, run, known=known)
    return time.monotonic() - start, scores
