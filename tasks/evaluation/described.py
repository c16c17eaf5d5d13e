"""The job of one score over a labelled file, from options, from a job, or as a variant of another.

A job is held as its values, as a job file has them, until it is made.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job_file import read_job_values
from nocturna.tasks.job.listed import inline_mapping
from nocturna.tasks.job.scores import DEFAULT_SCORES

DECIDING = ("language", "long_documents", "compute")
"""Sections of a job that decide the numbers of a score too."""


def values_of_options(
    path: str,
    task: str,
    text: str,
    gold: str,
    model: str | None,
    labels: Sequence[str],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The job of a score that options describe."""
    if task == "topic" and not labels:
        raise UsageError("--task topic needs --labels: the candidate labels, separated by commas")
    if task == "sentiment" and labels:
        raise UsageError("--labels is for --task topic; a sentiment model brings its own labels")
    if task not in ("sentiment", "topic") and not (labels or model):
        raise UsageError(
            f"--task {task} is not sentiment or topic, so it needs --model, --labels or both"
        )
    score = {**({"labels": tuple(labels)} if labels else {}), **options}
    if model:
        score["model"] = model
    return {
        "name": "evaluate",
        "source": {"path": path, "text": text, "keep": (gold,)},
        "scores": {task: score},
    }


def values_of_job(
    values: Mapping[str, Any], path: str, task: str, text: str, gold: str, raw: bool
) -> dict[str, Any]:
    """One score of a job, on another file: all of the job that decides its numbers."""
    scores = values.get("scores", DEFAULT_SCORES)
    if not isinstance(scores, dict) or task not in scores:
        raise UsageError(f"--task {task}: the job has no such score; it has {', '.join(scores)}")
    left_out = {"when", *(("calibration",) if raw else ())}
    score = {key: said for key, said in (scores[task] or {}).items() if key not in left_out}
    return {
        **{key: values[key] for key in DECIDING if key in values},
        "name": "evaluate",
        "source": {"path": path, "text": text, "keep": (gold,)},
        "scores": {task: score},
    }


def variant(base: Mapping[str, Any], task: str, said: str) -> dict[str, Any]:
    """The same score in another way.

    Args:
        base: values of the job.
        said: a model, keys of the score as in `{template: "Trata de {}."}`, or another job's file.

    Raises:
        UsageError: it is none of these.
    """
    if said.endswith((".yaml", ".yml")):
        source = base["source"]
        (gold,) = source["keep"]
        other = read_job_values(Path(said))
        return values_of_job(other, source["path"], task, source["text"], gold, raw=False)
    is_mapping = said.lstrip().startswith("{")
    keys = inline_mapping(said) if is_mapping else {"model": said}
    if keys is None:
        raise UsageError(f"--against {said!r}: expected keys of a score, as in {{model: NAME}}")
    return {**base, "scores": {task: {**base["scores"][task], **keys}}}
