"""The labelled rows of a file: texts, gold labels, and how they were drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nocturna.tasks.corpus.document_tables import kept_name
from nocturna.tasks.corpus.gold_sample import ID, UNSURE, GoldSample, read_sample, sample_file
from nocturna.tasks.corpus.in_memory import read_in_memory
from nocturna.tasks.corpus.read_texts import read_texts
from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.design import Design, evenly
from nocturna.tasks.evaluation.gold import LEFT_OUT, map_labels
from nocturna.tasks.job.source import Source

COLUMNS = ("doc_id", "source_uri", "source_row", "text")
"""What is kept of a labelled document beside its label."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Documents of a file, in its order.

    Attributes:
        rows: rows of the file.
        unreadable: those of them that cannot be read or have no text.
        not_drawn: those that are none of the documents that were drawn.
        repeated: those of a document that another row of the same label is of.
        documents: the others: `COLUMNS` and `content_hash`, the hash as it was when they were
            drawn, where that is known.
        given: gold label of each, as the file has it; empty where there is none.
        sample: how they were drawn; None for other rows.
    """

    rows: int
    unreadable: int
    documents: pa.Table
    given: tuple[str, ...]
    sample: GoldSample | None
    not_drawn: int = 0
    repeated: int = 0

    def named(self, names: Mapping[str, str], labels: Sequence[str]) -> list[str]:
        """The gold labels in a classifier's words; `LEFT_OUT` for rows to leave out."""
        unsure = {UNSURE: LEFT_OUT} if self.sample is not None else {}
        return map_labels(self.given, {**unsure, **names}, labels)

    def design(self, kept: NDArray[np.int64], answered: NDArray[np.int64]) -> tuple[Design, int]:
        """How the rows that are kept were drawn.

        Args:
            kept: places of rows that are judged.
            answered: places of rows that have any gold label, also one that is left out.

        Returns:
            the design, and how many documents of the corpus are in strata with such rows; 0 where
            nothing says how they were drawn.
        """
        if self.sample is None:
            return evenly(len(kept)), 0
        ids = self.documents["doc_id"].to_pylist()
        drawn = self.sample.rows
        stratum = np.array([drawn[i][0] if i in drawn else -1 for i in ids], dtype=np.int64)
        sizes = np.array([s.documents for s in self.sample.strata], dtype=np.float64)
        labelled = np.bincount(stratum[answered], minlength=len(sizes))
        each = np.divide(sizes, labelled, out=np.zeros(len(sizes)), where=labelled > 0)
        labels = [stratum.label for stratum in self.sample.strata]
        of_label = np.array([labels.index(label) for label in labels], dtype=np.int64)
        return Design(stratum[kept], each, of_label), int(sizes[labelled > 0].sum())


def read_labelled(source: Source, gold: str) -> Labelled:
    """Reads a labelled file.

    Of a file beside which it is said how its rows were drawn, rows that were not are left out, and
    a program that changed a text or an id on the way does no harm.

    Args:
        source: with the gold column among those that it keeps.

    Raises:
        UsageError: it cannot be read, a column is missing, or a document that was drawn has two
            labels.
    """
    sample = read_sample(source.place) if source.path else None
    if sample is not None:
        source = source.model_copy(update={"id": ID})
    try:
        documents, rejects = read_in_memory(source)
    except UsageError as error:
        raise UsageError(
            str(error).replace("for `keep`", "for the gold label (--gold; in a job `label`)")
        ) from None
    good = documents.filter(pc.is_null(documents["error_code"]))
    rows = documents.num_rows + rejects.num_rows
    unreadable = rows - good.num_rows
    given = tuple("" if g is None else _label_of(g) for g in good[kept_name(gold)].to_pylist())
    if rejects.num_rows and not {*given} - {"", UNSURE}:
        why = rejects["message"][0].as_py()
        raise UsageError(
            f"{source.place}: no row with a gold label can be read ({why}); is it UTF-8?"
        )
    table = good.select([*COLUMNS, "content_hash"])
    if sample is None:
        return Labelled(rows, unreadable, table, given, None)
    table, given = _as_drawn(table, given, sample, source.place)
    not_drawn = good.num_rows - table.num_rows
    kept = _once(table["doc_id"].to_pylist(), given, source.place)
    found = table.take(pa.array(kept, pa.int64())), tuple(given[at] for at in kept)
    return Labelled(rows, unreadable, *found, sample, not_drawn, table.num_rows - len(kept))


def _once(ids: Sequence[str], given: Sequence[str], path: str) -> list[int]:
    """The place of one row of each document: one with a label, where any has one."""
    places: dict[str, int] = {}
    for at, doc_id in enumerate(ids):
        before = given[places.setdefault(doc_id, at)]
        if before and given[at] and before != given[at]:
            raise UsageError(
                f"{path}: document {doc_id!r} is labelled both {before!r} and {given[at]!r}; "
                "leave one of its rows"
            )
        if not before:
            places[doc_id] = at
    return sorted(places.values())


def _as_drawn(
    table: pa.Table, given: tuple[str, ...], sample: GoldSample, path: str
) -> tuple[pa.Table, tuple[str, ...]]:
    """The rows that were drawn, under the ids and hashes that they were drawn with.

    A row is known by its id, also with the apostrophe of a CSV for spreadsheets, or else by its
    text: programs make numbers of ids and drop their zeros.
    """
    known = {digest: doc_id for doc_id, (_, digest) in sample.rows.items()}
    known |= {f"'{doc_id}": doc_id for doc_id in sample.rows}
    known |= {doc_id: doc_id for doc_id in sample.rows}
    pairs = zip(table["doc_id"].to_pylist(), table["content_hash"].to_pylist(), strict=True)
    ids = [known.get(doc_id) or known.get(digest) for doc_id, digest in pairs]
    kept = [at for at, doc_id in enumerate(ids) if doc_id is not None]
    if ids and not kept:
        raise UsageError(
            f"{path}: none of its rows is among those that {sample_file(Path(path))} says were "
            "drawn; the two do not belong together"
        )
    table = table.take(pa.array(kept, pa.int64()))
    names = [str(ids[at]) for at in kept]
    hashes = [sample.rows[name][1] for name in names]
    texts = [_as_was(t, h) for t, h in zip(table["text"].to_pylist(), hashes, strict=True)]
    for column, values, kind in (
        ("doc_id", names, pa.string()),
        ("content_hash", hashes, pa.string()),
        ("text", texts, pa.large_string()),
    ):
        at = table.schema.get_field_index(column)
        table = table.set_column(at, column, pa.array(values, kind))
    return table, tuple(given[at] for at in kept)


def _as_was(text: str, digest: str) -> str:
    """The text without the apostrophe that a CSV for spreadsheets put in front."""
    if not text.startswith("'"):
        return text
    (hashed,) = read_texts([text[1:]], len(text))[1].to_pylist()
    return text[1:] if hashed == digest else text


def kept_rows(named: Sequence[str]) -> NDArray[np.int64]:
    """The places of rows that are judged."""
    return np.array([at for at, label in enumerate(named) if label != LEFT_OUT], dtype=np.int64)


def _label_of(gold: Any) -> str:
    return str(gold).lower() if isinstance(gold, bool) else str(gold).strip()
