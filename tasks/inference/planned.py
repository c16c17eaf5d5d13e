"""What inference will do in a run: every score with its models pinned to exact weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.errors import UsageError
from tasks.inference.heads import heads
from tasks.inference.score_plan import LANGUAGE, ScorePlan, config_of
from tasks.job import Job, LongDocuments, Tolerance


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

    def in_order(self) -> tuple[ScorePlan, ...]:
        """The scores, each after those that its `when` names."""
        return ordered(self.scores)


def plan_inference(job: Job) -> InferencePlan:
    """Resolves and checks the models of a job before any work; loads no weights.

    Raises:
        UsageError: a model that does not exist or cannot do what the job wants of it, or scores
            that wait for each other.
        Transient: the Hub does not answer.
    """
    planned = []
    for name, options in job.scores.items():
        score = heads()[options.kind].plan(name, options, job.language)
        planned.append(replace(score, when=dict(options.when)))
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
    return InferencePlan(
        scores=tuple(replace(score, config=configs[score.name]) for score in planned),
        long_documents=job.long_documents,
        precision="fp32" if auto else job.compute.precision,
        tolerance=tolerance,
    )


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
