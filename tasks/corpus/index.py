"""The index of a corpus: every document that was staged, each with its final id and types.

Repeated ids are found across the whole corpus; what was staged is not changed by it.
"""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.corpus.columns import named_columns
from nocturna.tasks.corpus.document_tables import kept_name, source_name
from nocturna.tasks.corpus.kept import stored, stored_type
from nocturna.tasks.corpus.kept_types import KeptTypes, with_kept_types
from nocturna.tasks.corpus.lots import index_file, index_files, join_types, rejects_file
from nocturna.tasks.corpus.settle import settle_repeats
from nocturna.tasks.corpus.staged_rows import counts_of, rewrite
from nocturna.tasks.corpus.staging import Staged
from nocturna.tasks.corpus.summary import IndexSummary
from nocturna.tasks.corpus.trial import Trial, take_some

_log = logging.getLogger(__name__)

_KEPT = "kept.schema"
Link = Callable[[Path, Path], None]


def build_index(
    staged: Staged, folder: Path, link: Link, trial: Trial | None = None
) -> IndexSummary:
    """Puts the index of everything that was staged into an empty folder.

    A document without an id is named `<content_hash>-<n>`, n being the how-manieth document with
    that content it is. Of documents with the same id the first stays and later ones are rejected,
    or `source.on_repeat` says which of them counts and the others are superseded.

    Args:
        link: puts a file at a second place without changing either when one of them is replaced.
        trial: which rows are taken, where not all are.
    """
    source = staged.source
    types = KeptTypes(named_columns(source))
    failed: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for _, lot in staged.lots:
        join_types(types, lot.types)
        failed.update(lot.failed)
        reasons.update(lot.reasons)
    types.tell()
    floats = next((lot.float_ids for _, lot in staged.lots if lot.float_ids), None)
    if floats:
        _log.warning(
            "%s: the ids in %r are floats: whole numbers become such, 5.0 is 5", floats, source.id
        )
    kept = types.schema()
    documents = rejected = chunks = 0
    for number, (home, inside, chunk) in enumerate(staged.chunks()):
        link(index_file(home, inside), index_file(folder, number))
        link(rejects_file(home, inside), rejects_file(folder, number))
        documents += chunk.documents
        rejected += chunk.rejects
        chunks += 1
    named = any(lot.named for _, lot in staged.lots)
    _retype_all(folder, kept)
    if trial is not None:
        some, rejected = take_some(folder, chunks, trial)
        documents = some.num_rows
        failed = Counter(counts_of(some["error_code"]))
        bad = (read_rejects(folder, chunk)["reason"] for chunk in range(chunks))
        reasons = sum((Counter(counts_of(column)) for column in bad), Counter())
    settled = settle_repeats(folder, staged.inputs, named, source.on_repeat)
    failed.subtract(settled.failed)
    reasons.update(settled.rejected_reasons)
    write_kept_schema(folder, kept)
    return IndexSummary(
        read=documents + rejected,
        documents=documents - settled.rejected - settled.superseded,
        failed={code: n for code, n in sorted(failed.items()) if n},
        rejected=rejected + settled.rejected,
        reasons={reason: n for reason, n in sorted(reasons.items()) if n},
        duplicates=reasons["duplicate_id"],
        id_column=source.id,
        example=settled.example,
        superseded=settled.superseded,
        chunks=chunks,
    )


def kept_schema(folder: Path) -> pa.Schema:
    """The kept columns of an index, each with one type for the whole corpus.

    They have the names that they have in the source.
    """
    return pq.read_schema(folder / _KEPT).remove_metadata()


def write_kept_schema(folder: Path, kept: pa.Schema) -> None:
    """Says what `kept_schema` says from now on."""
    named = [field.with_name(source_name(field.name)) for field in kept]
    pq.write_metadata(pa.schema(named), folder / _KEPT)


def retype(folder: Path, kept: pa.Schema) -> None:
    """Gives the kept columns of an index types that hold more; `kept` has their source names."""
    named = pa.schema([field.with_name(kept_name(field.name)) for field in kept])
    _retype_all(folder, named)
    write_kept_schema(folder, named)


def read_rejects(folder: Path, chunk: int) -> pa.Table:
    """The rows of a chunk that could not be read, or whose id another row has."""
    return pq.read_table(rejects_file(folder, chunk))


def _retype_all(folder: Path, kept: pa.Schema) -> None:
    """Gives the kept columns of an index these types, as results hold them."""
    for path in index_files(folder):
        there = [field for field in pq.read_schema(path) if field.name in kept.names]
        if there == [field.with_type(stored_type(field.type)) for field in kept]:
            continue
        table = with_kept_types(pq.read_table(path), kept)
        columns = {name: table[name] for name in table.column_names if name not in kept.names}
        columns |= {f.name: stored(table[f.name], stored_type(f.type)) for f in kept}
        rewrite(pa.table(columns), path)
