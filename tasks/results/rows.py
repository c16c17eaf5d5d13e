"""The rows of a shard, from its documents and their scores."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.results.schema import SCORED_AT, Columns, kept_columns, results_schema, score_columns


@dataclass(frozen=True)
class ShardScores:
    """What the models say about the documents of a shard, in the order of the documents.

    Attributes:
        n_tokens: tokens of each text before any cut, shape (documents,).
        n_windows: windows it was read in, shape (documents,).
        truncated: whether text was left out, shape (documents,).
        language: ISO 639-1 code of each text or None, shape (documents,).
        sentiment: float32 scores, shape (documents, sentiment labels); None if it did not run.
        topic: float32 scores, shape (documents, topic labels), NaN for labels that are not on a
            document's shortlist; None if it did not run.
        errors: code and message of each document that could not be scored, by position.
    """

    n_tokens: npt.NDArray[np.integer]
    n_windows: npt.NDArray[np.integer]
    truncated: npt.NDArray[np.bool_]
    language: npt.NDArray[np.object_]
    sentiment: npt.NDArray[np.float32] | None = None
    topic: npt.NDArray[np.float32] | None = None
    errors: dict[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """Where rows come from; the models are given as `name@revision`."""

    run_id: str
    config_id: str
    code_version: str
    sentiment_model: str | None = None
    topic_model: str | None = None


def result_rows(
    documents: pa.Table,
    scores: ShardScores,
    columns: Columns,
    job_name: str,
    trace: Trace,
    now: datetime | None = None,
) -> pa.Table:
    """The rows of the results, one a document, in the order of the documents.

    A document fails if the corpus gave it an error code, if scoring did, or if a score is not a
    number: it keeps its row with null scores, lengths and language. Labels that are not on a
    document's shortlist are null.

    Args:
        documents: DOCUMENT_SCHEMA plus the kept source columns.
        now: time of scoring; the present by default.

    Raises:
        ValueError: if the scores are not of as many documents, or of other labels.
    """
    schema = results_schema(columns, job_name)
    errors = _errors(documents, scores, columns)
    good = np.array([code is None for code, _ in errors], dtype=bool)
    made: dict[str, pa.Array | pa.ChunkedArray] = {
        "status": pa.array(np.where(good, "ok", "failed"), pa.string()),
        "error_code": pa.array([code for code, _ in errors], pa.string()),
        "error_message": pa.array([message for _, message in errors], pa.string()),
        "n_tokens": pa.array(scores.n_tokens, pa.int32(), mask=~good),
        "n_windows": pa.array(scores.n_windows, pa.int32(), mask=~good),
        "truncated": pa.array(scores.truncated, pa.bool_(), mask=~good),
        "language": pa.array(scores.language, pa.string(), mask=~good),
    }
    for kind, matrix in (("sentiment", scores.sentiment), ("topic", scores.topic)):
        made |= _score_arrays(schema, kind, matrix, good)
    for name, target in kept_columns(columns).items():
        made[target] = documents[name]
    at = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    constants = {**vars(trace), "scored_at": pa.scalar(at, SCORED_AT)}
    arrays = []
    for wanted in schema:
        if wanted.name in made:
            values = made[wanted.name]
        elif wanted.name in constants:
            values = pa.repeat(pa.scalar(constants[wanted.name], wanted.type), len(good))
        elif wanted.name in documents.column_names:
            values = documents[wanted.name]
        else:
            values = pa.nulls(len(good), wanted.type)
        arrays.append(_as_plain(values, wanted.type))
    return pa.table(arrays, schema=schema)


def _errors(
    documents: pa.Table, scores: ShardScores, columns: Columns
) -> list[tuple[str | None, str | None]]:
    codes = documents["error_code"].to_pylist()
    messages = documents["error_message"].to_pylist()
    found = list(zip(codes, messages, strict=True))
    for failed, error in scores.errors.items():
        found[failed] = error
    for kind, matrix in (("sentiment", scores.sentiment), ("topic", scores.topic)):
        if matrix is None:
            continue
        if len(matrix) != len(found):
            raise ValueError(f"{kind}: scores of {len(matrix)} documents for {len(found)} rows")
        few = columns.shortlist if kind == "topic" else None
        wanted = matrix.shape[1] if few is None else few
        for position in np.flatnonzero(np.isfinite(matrix).sum(axis=1) != wanted):
            if found[position][0] is None:
                found[position] = ("no_score", f"the {kind} model gave no number")
    return found


def _score_arrays(
    schema: pa.Schema,
    kind: str,
    matrix: npt.NDArray[np.float32] | None,
    good: npt.NDArray[np.bool_],
) -> dict[str, pa.Array]:
    named = score_columns(schema, kind)
    if matrix is None:
        if named:
            raise ValueError(f"{kind}: the columns are there, but no scores")
        return {}
    if matrix.shape[1] != len(named):
        raise ValueError(f"{kind}: {matrix.shape[1]} scores a document for {len(named)} labels")
    there = good[:, None] & np.isfinite(matrix)
    best = np.where(there, matrix, -1).argmax(axis=1)
    labels = np.array(list(named), dtype=object)
    arrays = {
        kind: pa.array(labels[best], pa.string(), mask=~good),
        f"{kind}_score": pa.array(matrix[np.arange(len(best)), best], pa.float32(), mask=~good),
    }
    for position, column in enumerate(named.values()):
        arrays[column] = pa.array(matrix[:, position], pa.float32(), mask=~there[:, position])
    return arrays


def _as_plain(values: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_timestamp(values.type) and values.type.tz and pa.types.is_timestamp(kind):
        values = pc.cast(values, pa.timestamp("us", tz="UTC"), safe=False)
        return pc.cast(values, kind)
    safe = not pa.types.is_timestamp(kind)
    return values if values.type == kind else pc.cast(values, kind, safe=safe)
