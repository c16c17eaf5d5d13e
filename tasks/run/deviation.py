"""How far a fast precision is from fp32: measured once, kept, and refreshed with a run's own texts.

What is kept holds for the same models, labels and settings in the same precision on the same kind
of machine. A night spends up to 2 % of its scoring time on refreshing it; a short night saves its
share up for a later one.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

from pydantic import TypeAdapter, ValidationError

from nocturna.tasks.cached import cached_at, keep_cached, read_cached
from nocturna.tasks.cores import usable_cores
from nocturna.tasks.inference.reference import Deviation, measure_deviation
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.run.chosen_precision import machine_of, sample_of
from nocturna.tasks.run.frozen import Plan, running_of, utc_now

MOST, LEAST, FEWEST = 200, 64, 16
"""Documents to measure on: at most, at first at least, and later not fewer than."""

FIRST_SHARE, REFRESH_SHARE = 0.05, 0.02
"""Of the documents, when there is nothing yet; of the time of scoring, later."""


@dataclass(frozen=True)
class StandingDeviation:
    """How far the scores of a precision are from fp32's.

    Attributes:
        largest, changed_top, documents: over all documents measured so far, as `Deviation` has
            them.
        since: when the first of them were measured, ISO 8601 in UTC.
        tonight: what the run measured on its own texts; None if it did not.
    """

    largest: float
    changed_top: int
    documents: int
    since: str
    tonight: Deviation | None


@dataclass(frozen=True)
class _Kept:
    """What is kept: the deviation so far, what measuring costs, and what later nights may spend.

    Attributes:
        seconds_each: seconds that a document took to measure, loading of models included.
        saved: seconds that nights have not spent yet.
    """

    so_far: Deviation
    since: str
    seconds_each: float
    saved: float


_KEPT = TypeAdapter(_Kept)


def standing_deviation(layout: Layout, plan: Plan, seconds: float) -> StandingDeviation | None:
    """The deviation of a run's precision; None for fp32 itself, or if nothing was to be scored.

    Args:
        seconds: that scoring took, added up over the workers.
    """
    if plan.inference.precision == "fp32" or not plan.difference.to_score:
        return None
    configs = sorted(plan.inference.configs.items())
    path = cached_at("deviations", [configs, plan.inference.precision, machine_of(plan)])
    kept = _read(path)
    if kept is None:
        wanted = min(MOST, max(LEAST, int(plan.difference.to_score * FIRST_SHARE)))
        saved = 0.0
    else:
        saved = kept.saved + REFRESH_SHARE * seconds
        wanted = min(MOST, int(saved / kept.seconds_each))
        if wanted < FEWEST:
            keep_cached(path, _KEPT.dump_json(replace(kept, saved=saved)))
            return _standing(kept, None)
    start = monotonic()
    tonight = _measured(layout, plan, wanted)
    if tonight.documents:
        each = (monotonic() - start) / tonight.documents
        so_far = _together(kept.so_far, tonight) if kept else tonight
        kept = _Kept(so_far, kept.since if kept else utc_now(), max(each, 1e-6), 0.0)
        keep_cached(path, _KEPT.dump_json(kept))
    return _standing(kept, tonight) if kept else None


def _read(path: Path) -> _Kept | None:
    data = read_cached(path)
    try:
        return None if data is None else _KEPT.validate_json(data)
    except ValidationError:
        return None


def _measured(layout: Layout, plan: Plan, wanted: int) -> Deviation:
    """Nothing else runs now: torch, which the reference runs in, gets every core."""
    run = replace(running_of(plan), threads=usable_cores())
    texts, known = sample_of(layout, plan, wanted)
    return measure_deviation(plan.inference, texts, run, known)


def _together(before: Deviation, now: Deviation) -> Deviation:
    return Deviation(
        max(before.largest, now.largest),
        before.changed_top + now.changed_top,
        before.documents + now.documents,
    )


def _standing(kept: _Kept, tonight: Deviation | None) -> StandingDeviation:
    return StandingDeviation(**asdict(kept.so_far), since=kept.since, tonight=tonight)
