"""The documents of a shard that get a new row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nocturna.tasks.corpus.document_tables import kept_name
from nocturna.tasks.corpus.kept import label_lists
from nocturna.tasks.corpus.kept_types import texts_of
from nocturna.tasks.corpus.language import languages_of
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.inference.planned import label_columns
from nocturna.tasks.inference.scorer import Known
from nocturna.tasks.results.carried import rows_before
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.run.cutting import shard_file
from nocturna.tasks.run.frozen import Plan, results_columns, wanted_of


@dataclass(frozen=True)
class Documents:
    """What a run has to do for the documents of a shard.

    Attributes:
        documents: DOCUMENT_SCHEMA plus the kept source columns; of one of which nothing is asked
            the text may be null.
        needs: documents that need an answer, by its name; each of shape (documents,).
        before: the rows that they had, null in all columns for those that had none; None where no
            answer of any of them is carried.
    """

    documents: pa.Table
    needs: dict[str, npt.NDArray[np.bool_]]
    before: pa.Table | None

    @property
    def asked(self) -> npt.NDArray[np.bool_]:
        """Documents that need any answer."""
        none = np.zeros(self.documents.num_rows, dtype=bool)
        return np.any([none, *self.needs.values()], axis=0)


@dataclass(frozen=True)
class ToScore:
    """The documents of a shard that the models are asked about.

    Attributes:
        positions: where each stands among the documents, shape (n,).
        languages: ISO 639-1 code of each text or None, shape (n,).
        known: what each needs, and what else is known of it.
    """

    texts: list[str]
    positions: npt.NDArray[np.intp]
    languages: npt.NDArray[np.object_]
    known: Known


def to_score(plan: Plan, work: Documents, aside: Sequence[int] = ()) -> ToScore:
    """The documents of a shard that are asked of the models, and what is known of them.

    Args:
        aside: positions of those that are not asked for all that.
    """
    at = pc.is_null(work.documents["error_code"]).to_numpy() & work.asked
    at[list(aside)] = False
    rows = work.documents.filter(pa.array(at))
    texts: list[str] = rows["text"].to_pylist()
    languages = np.array(languages_of(texts), dtype=object)
    before = work.before.filter(pa.array(at)) if work.before is not None else None
    named = [score.name for score in plan.inference.scores if score.gives == "labels"]
    known = Known(
        needs={name: need[at] for name, need in work.needs.items()},
        languages=languages.tolist(),
        labels={
            name: before[name].to_pylist()
            for name in named
            if before is not None and name in before.column_names
        },
        choices={
            column: label_lists(rows[kept_name(column)])
            for column in label_columns(plan.inference.scores)
        },
        pairs={
            column: texts_of(rows[kept_name(column)])
            for column in dict.fromkeys(s.pair for s in plan.inference.scores if s.pair)
        },
    )
    return ToScore(texts, np.flatnonzero(at), languages, known)


def read_documents(layout: Layout, plan: Plan, shard: int) -> Documents:
    """A shard as it was cut.

    Raises:
        NocturnaError: its file is gone or damaged.
    """
    path = shard_file(layout, plan.run_id, shard)
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        table = None
    if table is None or table.num_rows != plan.shards[shard]:
        raise NocturnaError(f"{path}: gone or damaged; run the same command again")
    bits = table["needs"].to_numpy()
    answers = wanted_of(results_columns(plan, layout), plan.summary_config, plan.job.name).answers
    needs = {a.name: (bits >> place & 1).astype(bool) for place, a in enumerate(answers)}
    partly = not all(bool(need.all()) for need in needs.values())
    wanted = table.select(["part", "row"])
    before = rows_before(layout, plan.difference.base, wanted) if partly else None
    documents = table.drop_columns(["needs", "part", "row"])
    if before is not None and "text" in before.column_names:
        at = documents.schema.get_field_index("text")
        field = documents.schema.field(at)
        good = pc.is_null(documents["error_code"])
        text = pc.coalesce(documents["text"], before["text"].cast(field.type))
        documents = documents.set_column(at, field, pc.if_else(good, text, documents["text"]))
    return Documents(documents, needs, before)
