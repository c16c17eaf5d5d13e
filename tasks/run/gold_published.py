"""Published rows against the gold labels of a file: no model runs, the scores are the night's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.evaluated import answered_rows
from nocturna.tasks.evaluation.judged import Judged, judged
from nocturna.tasks.evaluation.labelled import Labelled, kept_rows
from nocturna.tasks.results.gold_rows import find_rows
from nocturna.tasks.results.schema import score_columns

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, eq=False)
class PublishedRows:
    """What is published of the documents of a labelled file.

    Attributes:
        places: of the rows in the file, rising, shape (n,).
        missing: rows with a gold label that are not found.
        covered: documents in strata with rows that are found.
    """

    rows: Judged
    places: NDArray[np.int64]
    missing: int
    covered: int


def judge_published(
    database: "duckdb.DuckDBPyConnection",
    source: str,
    schema: pa.Schema,
    score: str,
    labelled: Labelled,
    names: Mapping[str, str],
) -> PublishedRows:
    """What published rows say of the documents of a file.

    A document is found by its text, and where it was drawn from the job, by its id too: one whose
    text has changed since is not found.

    Args:
        source: what to select from, in SQL: rows with the columns of `schema`.
        names: gold label to label of the score.

    Raises:
        UsageError: the score has no labels, none of the rows is found, or a gold label is none of
            the score's.
    """
    labels = tuple(score_columns(schema, score))
    documents = labelled.documents
    ids = documents["doc_id"].to_pylist() if labelled.sample is not None else None
    hashes = documents["content_hash"].to_pylist()
    found = find_rows(database, source, schema, score, hashes, ids)
    named = labelled.named(names, labels)
    wanted = kept_rows(named)
    kept = np.intersect1d(wanted, found.at)
    if not len(kept):
        raise UsageError(
            f"{score}: no text that has a gold label is published with this score; label documents "
            "of this job (`nocturna gold` draws some)"
        )
    design, covered = labelled.design(kept, answered_rows(labelled, found.at))
    at = np.searchsorted(found.at, kept)
    rows = judged(
        "published",
        labels,
        [named[place] for place in kept],
        found.scores[at],
        design,
        [found.languages[place] for place in at],
        found.n_tokens[at],
        documents.take(kept).set_column(
            documents.schema.get_field_index("doc_id"),
            "doc_id",
            pa.array([found.ids[place] for place in at], pa.string()),
        ),
        said=[found.said[place] for place in at],
    )
    return PublishedRows(rows, kept, len(wanted) - len(kept), covered)
