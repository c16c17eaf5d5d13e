"""Which words moved a score: the text is scored again without each of them.

Representation by erasure: Li, Monroe and Jurafsky, Understanding Neural Networks through
Representation Erasure (2016). What leaving a span out takes from the score is what it gave.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.explaining import Explained, ScoreOfOne
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import Manifest, list_runs

if TYPE_CHECKING:
    from nocturna.tasks.inference.planned import InferencePlan
    from nocturna.tasks.job.job import Job

MOST_SPANS = 64
"""A longer text is cut into so many spans of several words."""

_WORD = re.compile(r"\S+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Span:
    """A piece of a text and what leaving it out does to a score.

    Attributes:
        start, end: characters of the text.
        effect: the score of the whole text less that of the text without the span: above 0 where
            the span speaks for the label.
    """

    text: str
    start: int
    end: int
    effect: float


@dataclass(frozen=True)
class Moved:
    """The spans of a text by what they do to one score.

    Attributes:
        label: the label whose score was watched; None for a score that is a number.
        published: the score as published.
        again: the same, computed now; the effects are against this.
        spans: those whose absence changes the score most come first.
    """

    score: str
    label: str | None
    published: float
    again: float
    spans: tuple[Span, ...]


def moving_words(
    layout: Layout, found: Explained, text: str | None = None, only: str | None = None
) -> tuple[Moved, ...]:
    """Scores the text without each of its words, by the models that the row was scored with.

    Args:
        text: of the document, where it is not kept.
        only: the one score to look at; every one that the document has by default.

    Raises:
        UsageError: the text is not kept and not given, or another one; a model is not what it was.
    """
    text = _text_of(found, text)
    scores = [s for s in found.scores if s.value is not None and only in (None, s.name)]
    if not scores:
        raise UsageError(f"{found.doc_id}: it has no score {only or ''}".rstrip())
    return tuple(_moved(layout, score, text) for score in scores)


def _text_of(found: Explained, text: str | None) -> str:
    text = found.text if text is None else text
    if text is None:
        raise UsageError(f"{found.doc_id}: its text is not kept (--keep-text); give it with --text")
    given = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    if given != found.facts["content_hash"]:
        raise UsageError(
            f"--text: is not the text of {found.doc_id}: its hash is {given}, and that of the row "
            f"{found.facts['content_hash']}"
        )
    return text


def spans_of(text: str, most: int = MOST_SPANS) -> list[tuple[int, int]]:
    """Where the words of a text are, or runs of words where there are many.

    >>> spans_of("No me gusta.")
    [(0, 2), (3, 5), (6, 12)]
    >>> spans_of("uno dos tres", most=2)
    [(0, 7), (8, 12)]
    """
    words = [found.span() for found in _WORD.finditer(text)]
    width = -(-len(words) // most) or 1
    groups = [words[at : at + width] for at in range(0, len(words), width)]
    return [(group[0][0], group[-1][1]) for group in groups]


def _moved(layout: Layout, score: ScoreOfOne, text: str) -> Moved:
    spans = spans_of(text)
    without = [(text[:start] + text[end:]).strip() for start, end in spans]
    whole, *others = _values(_run_of(layout, score), score, [text, *without])
    effects = [
        Span(text[start:end], start, end, round(whole - value, 6))
        for (start, end), value in zip(spans, others, strict=True)
    ]
    label = score.value if isinstance(score.value, str) else None
    published = score.score if label is not None else score.value
    ordered = tuple(sorted(effects, key=lambda span: -abs(span.effect)))
    return Moved(score.name, label, float(published or 0), round(whole, 6), ordered)


def _run_of(layout: Layout, score: ScoreOfOne) -> Manifest:
    """A run that says what a config was."""
    config = score.config.get("config")
    for run in reversed(list_runs(layout)):
        if run.scores.get(score.name, {}).get("config") == config and run.job:
            return run
    raise UsageError(
        f"{layout.runs}: no run is kept that says how {score.name} was computed ({config}); the "
        "words need its job"
    )


def _values(run: Manifest, score: ScoreOfOne, texts: Sequence[str]) -> list[float]:
    """The score of the label in each text; what cannot be scored counts as the mean of the rest."""
    import numpy as np

    from nocturna.tasks.inference.running import running
    from nocturna.tasks.inference.scorer import Known, score_texts
    from nocturna.tasks.job.job import Compute

    plan = _plan(run, score.name)
    (planned,) = plan.scores
    own = tuple(score.labels)
    choices = {planned.choices: [own] * len(texts)} if planned.choices else {}
    labels = own if planned.choices else planned.labels
    found = score_texts(
        plan, list(texts), running(Compute(), plan.precision), None, Known(choices=choices)
    )
    at = labels.index(score.value) if isinstance(score.value, str) else 0
    values = found.by_name[score.name].values[:, at].astype(float)
    return [float(value) for value in np.where(np.isnan(values), np.nanmean(values), values)]


def _plan(run: Manifest, name: str) -> "InferencePlan":
    """The plan of one score as a run had it, its models pinned to what they were.

    Raises:
        UsageError: a model on this machine is another now.
    """
    from dataclasses import replace

    from nocturna.tasks.inference.planned import plan_inference

    models: Mapping[str, Any] = run.scores[name].get("models", {})
    plan = replace(plan_inference(_job(run, name, models), examined=False), precision=run.precision)
    for part, model in plan.scores[0].models.items():
        then = models.get(part, {}).get("revision")
        if model.revision != then:
            raise UsageError(
                f"model {model.name}: is {model.revision} now and was {then} when {name} was "
                "computed; the words need the same one"
            )
    return plan


def _job(run: Manifest, name: str, models: Mapping[str, Any]) -> "Job":
    from nocturna.tasks.job.job import Job

    values = dict(run.job.get("scores", {}).get(name, {}), when={})
    revision = str(models.get("model", {}).get("revision"))
    if _COMMIT.fullmatch(revision):
        values["revision"] = revision
    kept = {key: run.job[key] for key in ("name", "language", "source", "long_documents")}
    try:
        return Job.model_validate({**kept, "scores": {name: values}})
    except (ValidationError, KeyError) as error:
        line = str(error).splitlines()[0]
        raise UsageError(f"run {run.run_id}: its job cannot be read any more: {line}") from None
