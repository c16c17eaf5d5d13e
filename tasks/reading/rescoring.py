"""A score of one document computed again, by the models that its row was scored with."""

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.explaining import Explained, ScoreOfOne
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import Manifest, list_runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nocturna.tasks.inference.planned import InferencePlan
    from nocturna.tasks.job.job import Job

_COMMIT = re.compile(r"[0-9a-f]{40}")


def scores_of(found: Explained, only: str | None = None) -> list[ScoreOfOne]:
    """The scores that a document has, or the one that is asked for.

    Raises:
        UsageError: it has none.
    """
    scores = [
        score
        for score in found.scores
        if (score.labels or score.value is not None) and only in (None, score.name)
    ]
    if not scores:
        raise UsageError(f"{found.doc_id}: it has no score {only or ''}".rstrip())
    return scores


def text_of(found: Explained, text: str | None) -> str:
    """The text of a document: what is kept of it, or what is given, if it is that.

    Raises:
        UsageError: it is not kept and not given, or another one is.
    """
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


def rescored(
    layout: Layout, score: ScoreOfOne, texts: list[str]
) -> "tuple[tuple[str, ...], NDArray[np.float32]]":
    """Texts scored as a document was.

    Args:
        score: of the document; its own labels are asked about where it brought them along, and
            the texts are read with the one that its text was read with.

    Returns:
        the labels, none of a score that is a number; and scores of shape (texts, labels), or
        (texts, 1), NaN where a text cannot be scored.

    Raises:
        UsageError: no run is kept that says how, or a model is not what it was.
    """
    from nocturna.tasks.inference.running import running
    from nocturna.tasks.inference.scorer import Known, score_texts
    from nocturna.tasks.job.job import Compute

    plan = _plan(_run_of(layout, score), score.name)
    (planned,) = plan.scores
    own = tuple(score.labels)
    choices = {planned.choices: [own] * len(texts)} if planned.choices else {}
    pairs = {planned.pair: [score.beside] * len(texts)} if planned.pair else {}
    run = running(Compute(), plan.precision)
    found = score_texts(plan, texts, run, None, Known(choices=choices, pairs=pairs))
    return own if planned.choices else planned.labels, found.by_name[score.name].values


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
