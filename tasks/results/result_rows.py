"""The rows of a shard, from its documents and their scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nocturna.tasks.corpus.document_tables import kept_name
from nocturna.tasks.corpus.kept import stored
from nocturna.tasks.results.schema import SCORED_AT, Columns, kept_columns, results_schema
from nocturna.tasks.results.score_arrays import NewScores, lacks_number, score_arrays


@dataclass(frozen=True)
class ShardScores:
    """What is known of the documents of a shard, in the order of the documents.

    Attributes:
        n_tokens: tokens of each text before any cut, shape (documents,).
        n_windows: windows it was read in, shape (documents,).
        truncated: whether text was left out, shape (documents,).
        language: ISO 639-1 code of each text or None, shape (documents,).
        scores: each score by its name.
        errors: code and message of each document that could not be scored, by position.
        carried: the rows that the documents had before, where something of them is carried; null
            in all columns for a document that had none.
    """

    n_tokens: npt.NDArray[np.integer]
    n_windows: npt.NDArray[np.integer]
    truncated: npt.NDArray[np.bool_]
    language: npt.NDArray[np.object_]
    scores: Mapping[str, NewScores] = field(default_factory=dict)
    errors: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    carried: pa.Table | None = None


@dataclass(frozen=True)
class Trace:
    """Where rows come from."""

    run_id: str
    code_version: str
    summary_config: str | None = None


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
    number: it keeps its row with null scores, lengths and language. Kept columns are the documents'
    own, always.

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
        "language": pa.array(scores.language, pa.string(), mask=~good),
    }
    made |= _lengths(scores, columns.scores[0].name, good)
    for score in columns.scores:
        made |= score_arrays(score, scores.scores[score.name], good, scores.carried)
    for name, target in kept_columns(columns).items():
        made[target] = documents[kept_name(name)]
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
        arrays.append(stored(values, wanted.type))
    return pa.table(arrays, schema=schema)


def _lengths(scores: ShardScores, first: str, good: npt.NDArray[np.bool_]) -> dict[str, pa.Array]:
    """Lengths, windows and cuts: of tonight's reading, with those of readings that are carried.

    Args:
        first: name of the score whose tokenizer tells the length; where it is carried, so is that.
    """
    n_tokens, n_windows, truncated = scores.n_tokens, scores.n_windows, scores.truncated
    if scores.carried is not None:
        decided = [score.decided for score in scores.scores.values()]
        partly = ~np.all(decided, axis=0)  # of the others nothing is carried
        before = {
            name: np.where(partly, scores.carried[name].fill_null(0).to_numpy(), 0).astype(np.int64)
            for name in ("n_tokens", "n_windows")
        }
        told = partly & ~scores.scores[first].decided & (before["n_tokens"] > 0)
        n_tokens = np.where(told | (n_windows == 0), before["n_tokens"], n_tokens)
        n_windows = np.maximum(n_windows, before["n_windows"])
        cut = scores.carried["truncated"].fill_null(False).to_numpy().astype(bool)
        truncated = truncated | (cut & partly)
    return {
        "n_tokens": pa.array(n_tokens, pa.int32(), mask=~good),
        "n_windows": pa.array(n_windows, pa.int32(), mask=~good),
        "truncated": pa.array(truncated, pa.bool_(), mask=~good),
    }


def _errors(
    documents: pa.Table, scores: ShardScores, columns: Columns
) -> list[tuple[str | None, str | None]]:
    codes = documents["error_code"].to_pylist()
    messages = documents["error_message"].to_pylist()
    found = list(zip(codes, messages, strict=True))
    for failed, error in scores.errors.items():
        found[failed] = error
    for score in columns.scores:
        new = scores.scores[score.name]
        if len(new.values) != len(found):
            raise ValueError(
                f"{score.name}: scores of {len(new.values)} documents for {len(found)} rows"
            )
        if score.labels and new.values.shape[1] != len(score.labels):
            raise ValueError(
                f"{score.name}: {new.values.shape[1]} scores a document for "
                f"{len(score.labels)} labels"
            )
        for position in np.flatnonzero(lacks_number(score, new)):
            if found[position][0] is None:
                found[position] = ("no_score", f"the {score.name} model gave no number")
    return found
