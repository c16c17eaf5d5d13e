"""What a corpus looks like to somebody who has never seen it: its columns and what they hold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from nocturna.tasks.corpus.choosing import list_inputs
from nocturna.tasks.corpus.collector import Collector
from nocturna.tasks.corpus.columnar import rows_in
from nocturna.tasks.corpus.columns import MissingColumn
from nocturna.tasks.corpus.composed import reading_of
from nocturna.tasks.corpus.copies import without_copies
from nocturna.tasks.corpus.document_tables import DOCUMENT_SCHEMA, kept_name, source_name
from nocturna.tasks.corpus.first_look import no_rows
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.inputs import Listed, look_at
from nocturna.tasks.corpus.kept_types import KeptTypes, with_kept_types
from nocturna.tasks.corpus.storage import Digest
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.source import Source

LOOKED_AT = 10_000
"""Rows that are looked at, and those that come in one piece with the last of them."""

FEW = 12
"""Most values of a column whose values are told one by one."""

_NOWHERE = "\0"
"""A column that no corpus has: whoever seeks it says which there are."""

_MARKS = (";", "\t", "|")

_FACTS = """
    SELECT count(v), count(DISTINCT v), coalesce(avg(length(v)), 0), coalesce(max(length(v)), 0),
        coalesce(avg(len(string_split_regex(trim(v), '\\s+'))), 0),
        count(*) FILTER (try_cast(left(v, 10) AS DATE) IS NOT NULL AND length(v) >= 10),
        count(*) FILTER (try_cast(v AS DOUBLE) IS NOT NULL
            OR regexp_matches(v, '^(\\[.*\\]|\\{{.*\\}})$', 's'))
    FROM (SELECT nullif({column}::VARCHAR, '') AS v FROM rows)"""
_VALUES = """
    SELECT {column}::VARCHAR AS v FROM rows WHERE v <> ''
    GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {most}"""


@dataclass(frozen=True)
class ColumnProfile:
    """What the rows that were looked at have in a column.

    Attributes:
        filled: rows with a value.
        distinct: different values.
        characters: of a value, on average; `longest` the most.
        words: of a value, on average.
        dates: values that begin with a date in ISO 8601.
        numbers: values that are numbers, lists or objects.
        values: where they are few, all of them, the most frequent first.
    """

    name: str
    filled: int
    distinct: int
    characters: float
    longest: int
    words: float
    dates: int
    numbers: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class CorpusProfile:
    """A corpus as its first rows show it.

    Attributes:
        formats: of its inputs.
        inputs: files that it is made of.
        size: bytes of them, as they are stored.
        looked_at: rows that were looked at, of which `rejected` cannot be read.
        rows: all of them: as they were counted where `whole`, else as many as the stored bytes of
            those that were looked at let expect; None where nothing tells.
        columns: in the order of the corpus; none where a document has no columns.
        table: the columns of the rows that can be read, and the texts of a corpus without columns.
    """

    formats: tuple[str, ...]
    inputs: int
    size: int
    looked_at: int
    rejected: int
    rows: int | None
    whole: bool
    columns: tuple[ColumnProfile, ...]
    table: pa.Table

    def texts(self, column: str, most: int) -> list[str]:
        """Texts of a column, evenly from the rows that were looked at.

        Args:
            column: one of `columns`, or of a corpus without any: whatever it is called.
        """
        name = column if column in self.table.column_names else self.table.column_names[0]
        found = [str(value) for value in self.table[name].to_pylist() if value not in (None, "")]
        step = max(1, len(found) // most)
        return found[::step][:most]


class _Enough(NocturnaError):
    """So many rows were met as were wanted."""


def profile_corpus(source: Source) -> CorpusProfile:
    """Looks at the first rows of a corpus, with all of their columns.

    Args:
        source: where it is and how it is read; its `text` is sought only if it is given.

    Raises:
        UsageError: there is nothing to read, or it cannot be read.
        Transient: a store does not answer.
    """
    listed = without_copies(source, list_inputs(source))
    names = _names(source, listed)
    found = _read(source, listed, names)
    inner = _inside(found.table)
    if inner:
        found = _read(source, listed, [*names, *inner])
    if not found.looked_at:
        raise no_rows(source)
    return replace(found, columns=_columns(found.table) if names else ())


def _names(source: Source, listed: Sequence[Listed]) -> list[str]:
    """The columns of the first input that has rows."""
    asking = source.model_copy(update={"text": _NOWHERE, "id": None, "keep": ()})
    for one in listed:
        item = look_at(source, *one)
        format = formats()[item.format]
        if not format.has_rows(source, item):
            continue
        if {"text", "id", "keep"} & source.model_fields_set:
            format.columns(reading_of(source), item)  # says which of them is not there
        names = _told(asking, item)
        if len(names) == 1:  # of a CSV that another character separates, which a name of it tells
            parts = [names[0].split(mark)[0].strip('"') for mark in _MARKS if mark in names[0]]
            more = [_told(asking.model_copy(update={"text": part}), item) for part in parts]
            names = max([names, *more], key=len)
        return [name for name in names if name and names.count(name) == 1]
    return []


def _told(source: Source, item: InputFile) -> tuple[str, ...]:
    """The columns of an input, also where the text is none of them."""
    try:
        return formats()[item.format].columns(source, item).names
    except MissingColumn as error:
        return error.names


def _read(source: Source, listed: Sequence[Listed], names: Sequence[str]) -> CorpusProfile:
    tables: list[pa.Table] = []
    looked_at = rejected = 0

    def keep(some: pa.Table, bad: pa.Table) -> None:
        nonlocal looked_at, rejected
        tables.append(some)
        rejected += bad.num_rows
        looked_at += some.num_rows + bad.num_rows
        if looked_at >= LOOKED_AT:
            raise _Enough

    # without columns the text is the document; with them it is one of them, and all are kept
    keys = {"text": names[0], "keep": tuple(names)} if names else {"keep": ()}
    rows = Collector(source.model_copy(update={"id": None, **keys}), keep)
    size, seen, whole = 0, 0, True
    item: InputFile | None = None
    found = listed[0][1]
    try:
        for one in listed:
            item, rows.digest = look_at(source, *one), Digest()
            if item.format != found and names:
                formats()[item.format].columns(rows.reading, item)
            rows.take(item)
            seen += item.size
        rows.finish()
    except _Enough:
        whole = False
    size = sum(int(file.info.get("size") or 0) for file, _ in listed)
    count: int | None = looked_at
    if not whole and item is not None and rows.digest is not None:
        in_it = rows_in(source, item) if not rows.digest.size else None
        part = rows.digest.size if in_it is None else item.size
        count = None if not part else int((in_it or looked_at) * size / (seen + part))
    return CorpusProfile(
        formats=tuple(dict.fromkeys(format for _, format in listed)),
        inputs=len(listed),
        size=size,
        looked_at=looked_at,
        rejected=rejected,
        rows=count,
        whole=whole,
        columns=(),
        table=_as_read(tables, rows.types, names),
    )


def _as_read(tables: Sequence[pa.Table], types: KeptTypes, names: Sequence[str]) -> pa.Table:
    """The kept columns under their own names; of a corpus without any, its texts."""
    if not tables:
        return pa.table({"text": pa.array([], pa.string())})
    schema = types.schema()
    joined = pa.concat_tables(
        [with_kept_types(table, schema) for table in tables], promote_options="default"
    )
    if not names:
        return joined.select(["text"])
    kept = joined.select([kept_name(name) for name in names])
    return kept.rename_columns([source_name(name) for name in kept.column_names])


def _inside(table: pa.Table) -> list[str]:
    """Columns inside the objects of a column, by their path."""
    found: list[str] = []
    for field in table.schema:
        if field.name in DOCUMENT_SCHEMA.names and table.num_columns == 1:
            continue
        if pa.types.is_struct(field.type):
            found += [f"{field.name}.{inner.name}" for inner in field.type]
        elif pa.types.is_string(field.type):
            first = next((v for v in table[field.name].to_pylist()[:100] if v is not None), "")
            try:
                value = json.loads(first) if first.startswith("{") else None
            except ValueError:
                continue
            found += [f"{field.name}.{key}" for key in value] if isinstance(value, dict) else []
    return found


def _columns(table: pa.Table) -> tuple[ColumnProfile, ...]:
    """What DuckDB counts of each column."""
    found = []
    plain = [f"c{at}" for at in range(table.num_columns)]
    with duckdb.connect(":memory:") as database:
        database.register("rows", table.rename_columns(plain))
        for name, column in zip(table.column_names, plain, strict=True):
            (facts,) = database.execute(_FACTS.format(column=column)).fetchall()
            filled, distinct, characters, longest, words, dates, numbers = facts
            few: list[tuple[str]] = []
            if 0 < distinct <= FEW:
                few = database.execute(_VALUES.format(column=column, most=FEW)).fetchall()
            inside = any(other.startswith(f"{name}.") for other in table.column_names)
            if not inside and (filled or "." not in name):
                values = tuple(value for (value,) in few)
                found.append(
                    ColumnProfile(
                        name, filled, distinct, characters, longest, words, dates, numbers, values
                    )
                )
    return tuple(found)
