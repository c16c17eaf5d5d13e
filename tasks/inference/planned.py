"""What inference will do in a run: every score with its models pinned to exact weights."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.models import ModelRef, Resolve, find_model, resolve_model
from nocturna.tasks.inference.score_plan import LANGUAGE, ScorePlan, config_of
from nocturna.tasks.job.job import Job, LongDocuments, Source, Tolerance

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InferencePlan:
    """All that decides the scores of a run.

    Attributes:
        scores: in the order of the job, which is that of the columns.
        precision: number format of the models.
        tolerance: what `precision` was or is to be chosen by, where the job leaves that open; then
            it stands in for the precision: scores within it are meant to be equal.
    """

    scores: tuple[ScorePlan, ...]
    long_documents: LongDocuments
    precision: str
    tolerance: Tolerance | None = None

    @property
    def configs(self) -> dict[str, str]:
        """The config of each score."""
        return {score.name: score.config for score in self.scores}

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """Every model that is loaded, each once."""
        found = (model for score in self.scores for model in score.models.values())
        return tuple(dict.fromkeys(found))

    def in_order(self) -> tuple[ScorePlan, ...]:
        """The scores, each after those that its `when` names."""
        return ordered(self.scores)


def plan_inference(
    job: Job, examined: bool = True, resolve: Resolve = resolve_model
) -> InferencePlan:
    """Resolves and checks the models of a job before any work; reads no weights.

    Args:
        resolve: pins each model; by asking the Hub, unless something else is given.
        examined: whether to look at weights and tokenizers too, which takes seconds once a model.

    Raises:
        UsageError: a model that does not exist, cannot do what the job wants of it, or cannot be
            loaded as its authors meant, or scores that wait for each other.
        Transient: the Hub does not answer.
    """
    planned = [_planned(job, name, resolve) for name in job.scores]
    _check_conditions(planned)
    auto = job.compute.precision == "auto"
    tolerance = job.compute.tolerance if auto else None
    shared: dict[str, Any] = {
        "precision": tolerance.model_dump(exclude={"sample"})
        if tolerance
        else job.compute.precision,
        "long_documents": job.long_documents.model_dump(),
    }
    configs: dict[str, str] = {}
    for score in ordered(planned):
        configs[score.name] = config_of(score, shared, configs)
    plan = InferencePlan(
        scores=tuple(replace(score, config=configs[score.name]) for score in planned),
        long_documents=job.long_documents,
        precision="fp32" if auto else job.compute.precision,
        tolerance=tolerance,
    )
    if examined:
        for note in dict.fromkeys(examine(plan.scores)):
            _log.warning(note)
    return plan


def examine(scores: Iterable[ScorePlan]) -> list[str]:
    """Refuses models whose parts do not belong together; says what is odd about the others."""
    return [note for score in scores for note in heads()[score.kind].examine(score)]


def check_models(job: Job) -> dict[str, ScorePlan | None]:
    """Checks what can be known of the models of a job in moments: by `plan_inference`'s own rules.

    Weights are not read, and the Hub is not asked about models that are not on this machine.

    Returns:
        each score as far as it can be planned; None where only the Hub can tell.

    Raises:
        UsageError: as `plan_inference`.
    """
    found: dict[str, ScorePlan | None] = {}
    for name in job.scores:
        try:
            found[name] = _planned(job, name, _found)
        except _OnHub:
            found[name] = None
    known = [score for score in found.values() if score is not None]
    if len(known) == len(found):
        _check_conditions(known)
        ordered(known)
    return found


def reading_source(job: Job, scores: Iterable[ScorePlan]) -> Source:
    """The source with every column that is read from it: kept ones, and those scores ask for."""
    kept = tuple(dict.fromkeys([*job.kept, *label_columns(scores)]))
    return job.source.model_copy(update={"keep": kept})


def label_columns(scores: Iterable[ScorePlan]) -> tuple[str, ...]:
    """The columns of the source that hold documents' own labels, each once."""
    return tuple(dict.fromkeys(score.choices for score in scores if score.choices))


class _OnHub(Exception):
    """A model that only the Hub can tell of."""


def _found(name: str, revision: str | None, kind: str) -> ModelRef:
    found = find_model(name, revision, kind)
    if found is None:
        raise _OnHub
    return found


def _planned(job: Job, name: str, resolve: Resolve) -> ScorePlan:
    options = job.scores[name]
    score = heads()[options.kind].plan(name, options, job.language, resolve)
    return replace(score, when=dict(options.when), settings=_with_ending(score, options))


def _with_ending(score: ScorePlan, options: Any) -> dict[str, Any]:
    """The settings of a score with what is done to its scores once the model has given them."""
    settings = dict(score.settings)
    for key, able in (("threshold", ("labels", "choices")), ("calibration", ("labels",))):
        if getattr(options, key) is not None and score.gives not in able:
            raise UsageError(
                f"scores.{score.name}.{key}: it is for scores with labels that the job or the "
                "model names; leave it out"
            )
    if options.threshold is not None:
        settings["threshold"] = options.threshold
    if options.calibration is not None:
        bias = options.calibration.bias
        odd = next((label for label in bias if label not in score.labels), None)
        if odd is not None:
            raise UsageError(
                f"scores.{score.name}.calibration.bias: there is no label {odd!r}; it has "
                f"{', '.join(score.labels)}"
            )
        settings["calibration"] = options.calibration.model_dump()
    return settings


def ordered(scores: Sequence[ScorePlan]) -> tuple[ScorePlan, ...]:
    """Scores in an order in which each comes after those that it waits for.

    Raises:
        UsageError: some wait for each other.
    """
    done: dict[str, ScorePlan] = {}
    while len(done) < len(scores):
        ready = [s for s in scores if s.name not in done and set(s.after) <= set(done)]
        if not ready:
            waiting = [score.name for score in scores if score.name not in done]
            raise UsageError(f"scores: {', '.join(waiting)} wait for each other by their `when`")
        done |= {score.name: score for score in ready}
    return tuple(done.values())


def _check_conditions(scores: Sequence[ScorePlan]) -> None:
    labels = {score.name: score.labels for score in scores if score.gives == "labels"}
    for score in scores:
        for name, wanted in score.when.items():
            where = f"scores.{score.name}.when.{name}"
            if name == LANGUAGE:
                continue
            if name not in labels:
                others = ", ".join([LANGUAGE, *(n for n in labels if n != score.name)])
                raise UsageError(f"{where}: not a score with labels; give one of {others}")
            odd = next((label for label in wanted if label not in labels[name]), None)
            if odd is not None:
                raise UsageError(
                    f"{where}: {name} has no label {odd!r}; it has {', '.join(labels[name])}"
                )
