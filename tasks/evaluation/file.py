"""Scoring a labelled file with a model, to see how good the model is on it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.corpus.document_tables import kept_name
from nocturna.tasks.corpus.in_memory import read_in_memory
from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.agreement import Evaluation, evaluate_labels
from nocturna.tasks.evaluation.calibrate import Calibrated, calibrate
from nocturna.tasks.evaluation.gold import LEFT_OUT, map_labels
from nocturna.tasks.evaluation.tables import as_text
from nocturna.tasks.inference.planned import plan_inference
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Job, Source
from nocturna.tasks.job.job_file import make_job
from nocturna.tasks.job.scores import DEFAULT_SCORES


@dataclass(frozen=True)
class FileEvaluation:
    """The quality of one model on one file.

    Attributes:
        model: the model as ``name@revision``.
        rows: rows of the file.
        unlabelled: rows left out because they have no gold label or one that is mapped to nothing.
        unreadable: rows left out because they cannot be read or have no text.
        evaluation: the measures over the other rows.
        calibrated: what a fit makes of them, where one was asked for.
    """

    file: str
    task: str
    model: str
    rows: int
    unlabelled: int
    unreadable: int
    evaluation: Evaluation
    calibrated: Calibrated | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the measures beside the file's own facts."""
        facts = asdict(self)
        fit = facts.pop("calibrated")
        if fit is not None:
            fit["calibration"] = fit["calibration"].model_dump()
        return {**facts, **facts.pop("evaluation"), **(fit or {})}

    def as_text(self) -> str:
        """Tables for a terminal."""
        out = f"{self.unlabelled} unlabelled and {self.unreadable} unreadable rows left out of"
        head = f"{self.file}: {self.task} by {self.model}; {out} {self.rows}"
        fit = f"\n\n{self.calibrated.as_text()}" if self.calibrated else ""
        return f"{head}\n{as_text(self.evaluation)}{fit}"


def evaluate_file(
    path: str,
    task: str,
    *,
    text: str = "text",
    gold: str = "label",
    model: str | None = None,
    labels: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    job_values: Mapping[str, Any] | None = None,
    fit: bool = False,
) -> FileEvaluation:
    """Score every labelled row of a file and compare with its gold labels.

    Args:
        path: a file, folder, glob or URI that a job could read.
        task: name of the score; with ``labels`` it is zero-shot.
        text: column of the text.
        gold: column of the gold label.
        model: Hub name or local folder; the bundled model if none.
        labels: candidate labels of a zero-shot task.
        names: gold label to model label, as ``parse_map`` gives it.
        options: further keys of the score, such as ``{"template": "..."}``.
        job_values: of a job whose score it is; then neither model nor labels nor options.
        fit: whether to fit a calibration too; the scores are then the raw ones.

    Raises:
        UsageError: the file, a column, the model or a gold label is not there or does not fit.
    """
    if job_values is None:
        job = _job(path, task, text, gold, model, labels, options or {})
    else:
        job = _job_of(job_values, path, task, text, gold, fit)
    plan = plan_inference(job, examined=False)
    part = plan.scores[0]
    if not part.labels:
        raise UsageError(f"model {part.model.name}: gives no labels to compare with gold ones")
    documents, unreadable = _read(job.source)
    plan = plan_inference(job)
    given = documents[kept_name(gold)].to_pylist()
    mapped = map_labels(
        ["" if g is None else _label_of(g) for g in given], names or {}, part.labels
    )
    kept = [i for i, label in enumerate(mapped) if label != LEFT_OUT]
    texts = documents["text"].to_pylist()
    scores = score_texts(plan, [texts[i] for i in kept], running(job.compute, plan.precision))
    found = scores.by_name[part.name].values
    known = [mapped[i] for i in kept]
    fitted = calibrate(known, found, part.labels, part.sums_to_one) if fit else None
    return FileEvaluation(
        file=job.source.place,
        task=task,
        model=part.model.label,
        rows=documents.num_rows + unreadable,
        unlabelled=documents.num_rows - len(kept),
        unreadable=unreadable,
        evaluation=evaluate_labels(known, np.nan_to_num(found), part.labels),
        calibrated=fitted,
    )


def _job(
    path: str,
    task: str,
    text: str,
    gold: str,
    model: str | None,
    labels: Sequence[str],
    options: Mapping[str, Any],
) -> Job:
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
    values: dict[str, Any] = {
        "name": "evaluate",
        "source": {"path": path, "text": text, "keep": (gold,)},
        "scores": {task: score},
    }
    return make_job(values, "nocturna evaluate")


def _job_of(
    values: Mapping[str, Any], path: str, task: str, text: str, gold: str, raw: bool
) -> Job:
    """One score of a job, on another file: all of the job that decides its numbers."""
    scores = values.get("scores", DEFAULT_SCORES)
    if not isinstance(scores, dict) or task not in scores:
        raise UsageError(f"--task {task}: the job has no such score; it has {', '.join(scores)}")
    left_out = {"when", *(("calibration",) if raw else ())}
    score = {key: said for key, said in (scores[task] or {}).items() if key not in left_out}
    deciding = ("language", "long_documents", "compute")
    return make_job(
        {
            **{key: values[key] for key in deciding if key in values},
            "name": "evaluate",
            "source": {"path": path, "text": text, "keep": (gold,)},
            "scores": {task: score},
        },
        "nocturna evaluate",
    )


def _label_of(gold: Any) -> str:
    return str(gold).lower() if isinstance(gold, bool) else str(gold)


def _read(source: Source) -> tuple[pa.Table, int]:
    """The documents that can be scored, and the number of rows that cannot."""
    documents, rejects = read_in_memory(source)
    good = documents.filter(pc.is_null(documents["error_code"]))
    return good, rejects.num_rows + documents.num_rows - good.num_rows
