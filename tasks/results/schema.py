"""The columns of the results: one explicit Arrow schema, and what each column means."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from nocturna.tasks.corpus.kept import stored_type
from nocturna.tasks.corpus.kept_types import converted
from nocturna.tasks.enrichment.summary_records import SUMMARY_SCHEMA
from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.results.score_fields import columns_of_score, make_field, score_fields

FORMAT = 2
"""Version of the results format, in the schema metadata."""

SCORED_AT = pa.timestamp("us")
"""Naive UTC: time zones break readers that lack a time zone database."""


@dataclass(frozen=True)
class Columns:
    """What decides the columns of a job's results.

    Attributes:
        scores: in the order of their columns.
        keep: source columns to carry, as the corpus types them.
        renamed: the result column of those that the job gives another name.
        keep_text: whether the text is copied.
        summaries: whether summaries were asked for.
    """

    scores: tuple[ScorePlan, ...] = ()
    keep: pa.Schema | None = None
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    keep_text: bool = False
    summaries: bool = False


_IDENTITY = (
    ("doc_id", pa.string(), "Identifies the document; one row each.", None),
    ("content_hash", pa.string(), "SHA-256 of the UTF-8 text, first 32 hex digits.", None),
    ("source_uri", pa.string(), "Input that the document came from.", None),
    (
        "source_row",
        pa.int64(),
        "Line or row of the document in the input, as its run read it.",
        "rows, from 1",
    ),
)
_STATE = (
    ("status", pa.string(), "ok: scored; failed: see error_code, scores are null.", None),
    ("error_code", pa.string(), "Why the document has no scores; null where status is ok.", None),
    ("error_message", pa.string(), "The same in words; null where status is ok.", None),
    ("n_tokens", pa.int32(), "Length of the text before any cut.", "tokens"),
    ("n_windows", pa.int32(), "Overlapping windows that the text was read in.", "windows"),
    ("truncated", pa.bool_(), "Whether text beyond the model's window was left out.", None),
    (
        "language",
        pa.string(),
        "Language of the text; null where it cannot be told, as with a few words.",
        "ISO 639-1",
    ),
)
_TEXT = (("text", pa.large_string(), "The document's text.", None),)
_SUMMARY = (
    *(
        (field.name, field.type, field.metadata[b"description"].decode(), None)
        for field in SUMMARY_SCHEMA
        if field.name != "doc_id"
    ),
    ("summary_config", pa.string(), "Hash of all that decides the summary.", None),
)
_TRACE = (
    ("run_id", pa.string(), "Run that wrote the row; its manifest is runs/<run_id>/.", None),
    ("code_version", pa.string(), "Version of Nocturna that wrote the row.", None),
    ("scored_at", SCORED_AT, "When the row was written, UTC without a time zone.", "microseconds"),
)

_OLD_SCORES = ("sentiment", "topic")
_OLD_TRACE = {"config_id", "sentiment_model", "topic_model"}
"""What results of version 0.1 have beside the columns of today."""

OUR_NAMES = frozenset(
    name for group in (_IDENTITY, _STATE, _TEXT, _SUMMARY, _TRACE) for name, *_ in group
)
"""Every fixed column name, whether a job has the column or not."""


_READERS = {"filename", "file_row_number"}
"""What readers call columns of their own beside those of a file."""


def results_schema(columns: Columns, job_name: str) -> pa.Schema:
    """The Arrow schema of a job's results, one row a document.

    Each field carries its description, and its unit and original label where it has one, as field
    metadata. Nothing in the schema varies between runs of one configuration.

    Raises:
        UsageError: if two columns would get the same name.
    """
    fields = [make_field(*column) for column in _IDENTITY + _STATE]
    for score in columns.scores:
        taken = next((name for name in columns_of_score(score) if name in OUR_NAMES), None)
        if taken is not None:
            raise UsageError(
                f"scores.{score.name}: its column {taken!r} is one that every job has or may have; "
                "give the score or the label another name"
            )
        fields += score_fields(score)
    if columns.keep_text:
        fields += [make_field(*column) for column in _TEXT]
    fields += _kept_fields(columns)
    if columns.summaries:
        fields += [make_field(*column) for column in _SUMMARY]
    fields += [make_field(*column) for column in _TRACE]
    names = [field.name for field in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"scores: two columns would be named {twice!r}; give a score or a label another name"
        )
    about = json.dumps({"format": FORMAT, "job": job_name}, ensure_ascii=False)
    return pa.schema(fields, metadata={"nocturna": about})


def kept_columns(columns: Columns) -> dict[str, str]:
    """The result column of each kept source column.

    A column that the job renames has that name. The name of another one stays, unless Nocturna
    uses it in any job, in any letter case (SQL has none): then it gets `source_` in front, again
    where that is the name of another kept column.

    Raises:
        UsageError: if two kept columns differ in the case of letters only, or a new name is taken.
    """
    ours = OUR_NAMES | {name for score in columns.scores for name in columns_of_score(score)}
    ours |= _READERS
    wanted = {name: columns.renamed.get(name, name) for name in _kept(columns).names}
    known: dict[str, str] = {}
    for name, target in wanted.items():
        if name != target and target.lower() in ours:
            raise UsageError(
                f"source.keep: {name}={target}: every job has or may have a column {target!r}; "
                "give it another name"
            )
        if (clash := known.setdefault(target.lower(), name)) != name:
            raise UsageError(
                f"source.keep: the columns {clash!r} and {name!r} would both be named {target!r}, "
                "in letters that SQL does not tell apart; rename one of them, as in "
                f"--keep '{name}=other', or keep only one"
            )
    taken = {*ours, *known}
    named: dict[str, str] = {}
    for name, target in wanted.items():
        named[name] = target
        if target.lower() in ours:
            while named[name].lower() in taken:
                named[name] = f"source_{named[name]}"
            taken.add(named[name].lower())
    return named


def same_columns(one: pa.Schema, other: pa.Schema) -> bool:
    """Whether two schemas fit in one snapshot: same names, types, order and original labels."""
    return one.equals(other) and [_label(f) for f in one] == [_label(f) for f in other]


def fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `schema`: null in those it lacks, without those it has more.

    A column of another type, such as a kept one that is a float since last night, is converted.
    """
    arrays = [
        converted(table[f.name], f.type)
        if f.name in table.schema.names and _label(table.schema.field(f.name)) == _label(f)
        else pa.nulls(table.num_rows, f.type)
        for f in schema
    ]
    return pa.table(arrays, schema=schema)


def differing_columns(one: pa.Schema, other: pa.Schema) -> list[str]:
    """The names of the columns that only one of two schemas has, or that mean another thing."""
    names = dict.fromkeys([*one.names, *other.names])
    return [
        n
        for n in names
        if n not in one.names or n not in other.names or not _has(one, other.field(n))
    ]


def score_columns(schema: pa.Schema, score: str) -> dict[str, str]:
    """The column of each label of a score, read from the schema itself."""
    owner = _owners(schema)
    return {_label(f): f.name for f in schema if _label(f) and owner.get(f.name) == score}


def score_names(schema: pa.Schema) -> list[str]:
    """The scores that results have, read from the schema itself."""
    return list(dict.fromkeys(_owners(schema).values()))


def names_label(field: pa.Field) -> bool:
    """Whether a column of a score holds one of few texts: its label, status or config."""
    return bool(_about(field, b"score")) and field.type == pa.string()


def further_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The columns that only some jobs have, those of scores aside: kept ones, text, summaries."""
    always = {name for group in (_IDENTITY, _STATE, _TRACE) for name, *_ in group}
    known = always | _owners(schema).keys() | (_OLD_TRACE if _is_old(schema) else set())
    return tuple(name for name in schema.names if name not in known)


def source_columns(schema: pa.Schema) -> dict[str, str]:
    """The result column of each source column that results keep, read from the schema itself."""
    return {name: field.name for field in schema if (name := _about(field, b"column"))}


def _owners(schema: pa.Schema) -> dict[str, str]:
    """The score that each of the columns of scores belongs to."""
    if not _is_old(schema):
        return {f.name: name for f in schema if (name := _about(f, b"score"))}
    found = {}
    for field in schema:
        score = field.name.split("_", maxsplit=1)[0]
        if score in _OLD_SCORES and (_label(field) or field.name in (score, f"{score}_score")):
            found[field.name] = score
    return found


def _is_old(schema: pa.Schema) -> bool:
    """Whether results are of version 0.1, which had two scores and no configs of theirs."""
    try:
        about = json.loads((schema.metadata or {}).get(b"nocturna", b"{}"))
        return bool(about.get("format", FORMAT) < FORMAT)
    except (ValueError, TypeError, AttributeError):
        return False


def _kept(columns: Columns) -> pa.Schema:
    return pa.schema([]) if columns.keep is None else columns.keep


def _kept_fields(columns: Columns) -> list[pa.Field]:
    return [
        make_field(
            target,
            stored_type(_kept(columns).field(name).type),
            f"Source column {name!r}.",
            None,
            column=name,
        )
        for name, target in kept_columns(columns).items()
    ]


def _has(schema: pa.Schema, field: pa.Field) -> bool:
    if field.name not in schema.names:
        return False
    found = schema.field(field.name)
    return found.type == field.type and _label(found) == _label(field)


def _label(field: pa.Field) -> str:
    return _about(field, b"label")


def _about(field: pa.Field, what: bytes) -> str:
    return (field.metadata or {}).get(what, b"").decode()
