"""The rows that a classifier has wrong, as a table to read."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from nocturna.tasks.evaluation.judged import Judged


def errors_table(rows: Judged, others: Sequence[Judged] = ()) -> pa.Table:
    """The rows whose best label is not the gold one, those that it was surest of first.

    These are where the labels overlap, or where the gold label is what is wrong.

    Returns:
        `doc_id`, `source_uri`, `source_row`, `gold`, `predicted`, `score` (of the predicted label),
        `gold_score`, `language`, `n_tokens`, what each of the others says (`against_1` and up)
        and `text`.
    """
    sure = rows.scores.max(axis=1)
    wrong = np.flatnonzero(~rows.right)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")]
    documents = rows.documents.take(wrong)
    columns = {
        **{name: documents[name] for name in ("doc_id", "source_uri", "source_row")},
        "gold": [rows.labels[at] for at in rows.truth[wrong]],
        "predicted": [rows.labels[at] for at in rows.guess[wrong]],
        "score": pa.array(sure[wrong], pa.float32()),
        "gold_score": pa.array(rows.scores[wrong, rows.truth[wrong]], pa.float32()),
        "language": pa.array([rows.languages[int(at)] for at in wrong], pa.string()),
        "n_tokens": pa.array(rows.n_tokens[wrong], pa.int64()),
    }
    for number, other in enumerate(others, 1):
        columns[f"against_{number}"] = [other.labels[at] for at in other.guess[wrong]]
    return pa.table({**columns, "text": documents["text"]})
