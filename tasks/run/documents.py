"""The documents of a shard that get a new row."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.corpus.document_tables import ShardRows, kept_name
from nocturna.tasks.corpus.index import open_shard
from nocturna.tasks.corpus.kept import label_lists
from nocturna.tasks.corpus.language import languages_of
from nocturna.tasks.inference.planned import reading_source
from nocturna.tasks.inference.scorer import Known
from nocturna.tasks.results.carried import rows_before
from nocturna.tasks.results.difference import wanted_documents
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.run.frozen import Plan, results_columns, wanted_of


@dataclass(frozen=True)
class Documents:
    """What a run has to do for the documents of a shard.

    Attributes:
        rows: everything that the shard holds.
        documents: those that get a new row, in the order of the shard.
        needs: documents that need an answer, by its name; each of shape (documents,).
        before: the rows that they had, null in all columns for those that had none; None where no
            answer of any of them is carried.
    """

    rows: ShardRows
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
    """The documents of a shard that can be scored, for the models.

    Attributes:
        positions: where each stands among the documents, shape (n,).
        languages: ISO 639-1 code of each text or None, shape (n,).
        known: what each needs, and what else is known of it.
    """

    texts: list[str]
    positions: npt.NDArray[np.intp]
    languages: npt.NDArray[np.object_]
    known: Known


def to_score(plan: Plan, work: Documents) -> ToScore:
    """The documents of a shard that can be scored, and what is known of them."""
    good = pc.is_null(work.documents["error_code"])
    at = good.to_numpy()
    rows = work.documents.filter(good)
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
            for column in dict.fromkeys(s.choices for s in plan.inference.scores if s.choices)
        },
    )
    return ToScore(texts, np.flatnonzero(at), languages, known)


def read_documents(layout: Layout, plan: Plan, shard: int) -> Documents:
    """Reads a shard and what the plan says of its documents.

    Raises:
        NocturnaError: if the input changed since it was planned.
    """
    source = reading_source(plan.job, plan.inference.scores)
    rows = open_shard(
        source, plan.inputs, plan.shards[shard], plan.index, layout.index(plan.run_id)
    )
    wanted = wanted_documents(layout, plan.run_id, shard)
    documents = rows.documents.filter(pc.is_in(rows.documents["doc_id"], wanted["doc_id"]))
    bits = wanted["needs"].to_numpy()
    answers = wanted_of(results_columns(plan, layout), plan.summary_config, plan.job.name).answers
    needs = {a.name: (bits >> place & 1).astype(bool) for place, a in enumerate(answers)}
    partly = not all(bool(need.all()) for need in needs.values())
    before = rows_before(layout, plan.difference.base, wanted) if partly else None
    return Documents(rows, documents, needs, before)
