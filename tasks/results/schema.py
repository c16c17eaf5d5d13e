"""The columns of the results: one explicit Arrow schema, and what each column means."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from tasks.enrichment.records import SUMMARY_SCHEMA
from tasks.errors import UsageError
from tasks.naming import column_names

FORMAT = 1
"""Version of the results format, in the schema metadata."""

SCORED_AT = pa.timestamp("us")
"""Naive UTC: time zones break readers that lack a time zone database."""


@dataclass(frozen=True)
class Columns:
    """What decides the columns of a job's results.

    Attributes:
        sentiment_labels: the sentiment model's labels in its own order; empty if it does not run.
        topic_labels: the job's zero-shot labels in its own order; empty if there are none.
        multi_label: whether topics are scored each by itself, so that scores need not add up to 1.
        shortlist: topic labels that have a score in each row, null in the others; None for all.
        keep: source columns to carry, as the corpus types them.
        keep_text: whether the text is copied.
        summaries: whether summaries were asked for.
    """

    sentiment_labels: tuple[str, ...] = ()
    topic_labels: tuple[str, ...] = ()
    multi_label: bool = False
    keep: pa.Schema | None = None
    keep_text: bool = False
    summaries: bool = False
    shortlist: int | None = None


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
_SENTIMENT = (
    ("sentiment", pa.string(), "Label with the highest sentiment score.", None),
    ("sentiment_score", pa.float32(), "Score of that label.", "0 to 1"),
)
_TOPIC = (
    ("topic", pa.string(), "Label with the highest topic score.", None),
    ("topic_score", pa.float32(), "Score of that label.", "0 to 1"),
)
_TEXT = (("text", pa.large_string(), "The document's text.", None),)
_SUMMARY = tuple(
    (field.name, field.type, field.metadata[b"description"].decode(), None)
    for field in SUMMARY_SCHEMA
    if field.name != "doc_id"
)
_TRACE = (
    ("run_id", pa.string(), "Run that wrote the row; its manifest is runs/<run_id>/.", None),
    ("config_id", pa.string(), "Hash of models, labels and settings that decide scores.", None),
    ("sentiment_model", pa.string(), "Sentiment model as name@revision.", None),
    ("topic_model", pa.string(), "Topic model as name@revision.", None),
    ("code_version", pa.string(), "Version of Nocturna that wrote the row.", None),
    ("scored_at", SCORED_AT, "When the row was written, UTC without a time zone.", "microseconds"),
)

OUR_NAMES = frozenset(
    name
    for group in (_IDENTITY, _STATE, _SENTIMENT, _TOPIC, _TEXT, _SUMMARY, _TRACE)
    for name, *_ in group
)
"""Every fixed column name, whether a job has the column or not."""


def results_schema(columns: Columns, job_name: str) -> pa.Schema:
    """The Arrow schema of a job's results, one row a document.

    Each field carries its description, and its unit and original label where it has one, as field
    metadata. Nothing in the schema varies between runs of one configuration.

    Raises:
        UsageError: if two kept columns would get the same name.
    """
    fields = [_field(*column) for column in _IDENTITY + _STATE]
    for kind, labels, top in (
        ("sentiment", columns.sentiment_labels, _SENTIMENT),
        ("topic", columns.topic_labels, _TOPIC),
    ):
        if labels:
            fields += [_field(*column) for column in top]
            fields += _label_fields(kind, labels, _rule(kind, columns))
    if columns.keep_text:
        fields += [_field(*column) for column in _TEXT]
    fields += _kept_fields(columns)
    if columns.summaries:
        fields += [_field(*column) for column in _SUMMARY]
    absent = {
        "sentiment_model": not columns.sentiment_labels,
        "topic_model": not columns.topic_labels,
    }
    fields += [_field(*column) for column in _TRACE if not absent.get(column[0])]
    about = json.dumps({"format": FORMAT, "job": job_name}, ensure_ascii=False)
    return pa.schema(fields, metadata={"nocturna": about})


def label_columns(kind: str, labels: Iterable[str]) -> dict[str, str]:
    """The column of each label, in order: `{"política": "topic_politica"}`.

    The names are distinct and do not depend on the order of the labels.

    Args:
        kind: `sentiment` or `topic`.
    """
    return {label: f"{kind}_{name}" for label, name in column_names(labels).items()}


def kept_columns(columns: Columns) -> dict[str, str]:
    """The result column of each kept source column.

    The name stays, unless Nocturna uses it in any job, in any letter case (SQL has none): then it
    gets the prefix `source_`.

    Raises:
        UsageError: if two kept columns would get the same name.
    """
    ours = OUR_NAMES | set(_label_names(columns))
    named: dict[str, str] = {}
    for name in _kept(columns).names:
        target = f"source_{name}" if name.lower() in ours else name
        clash = next((n for n, t in named.items() if t.lower() == target.lower()), None)
        if clash is not None:
            raise UsageError(
                f"source.keep: columns {clash!r} and {name!r} would both become "
                f"{target!r} in the results; rename one in the source or keep only one"
            )
        named[name] = target
    return named


def same_columns(one: pa.Schema, other: pa.Schema) -> bool:
    """Whether two schemas fit in one snapshot: same names, types, order and original labels."""
    return one.equals(other) and [_label(f) for f in one] == [_label(f) for f in other]


def fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `schema`: null in those it lacks, without those it has more."""
    arrays = [
        table[f.name] if _has(table.schema, f) else pa.nulls(table.num_rows, f.type) for f in schema
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


def score_columns(schema: pa.Schema, kind: str) -> dict[str, str]:
    """The column of each label of `kind` (`sentiment` or `topic`), read from the schema itself."""
    return {_label(f): f.name for f in schema if _label(f) and f.name.startswith(f"{kind}_")}


def further_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The columns that only some jobs have, those of scores aside: kept ones, text, summaries."""
    always = {
        name for group in (_IDENTITY, _STATE, _SENTIMENT, _TOPIC, _TRACE) for name, *_ in group
    }
    return tuple(f.name for f in schema if f.name not in always and not _label(f))


def _kept(columns: Columns) -> pa.Schema:
    return pa.schema([]) if columns.keep is None else columns.keep


def _label_names(columns: Columns) -> list[str]:
    return [
        *label_columns("sentiment", columns.sentiment_labels).values(),
        *label_columns("topic", columns.topic_labels).values(),
    ]


def _rule(kind: str, columns: Columns) -> str:
    alone = kind == "topic" and columns.multi_label
    few = columns.shortlist if kind == "topic" else None
    if few is None:
        return "scored by itself" if alone else "adds up to 1 over the labels"
    if alone:
        return f"scored by itself, null if the label is not on the document's shortlist of {few}"
    return f"adds up to 1 over the document's shortlist of {few}, null if the label is not on it"


def _label_fields(kind: str, labels: tuple[str, ...], rule: str) -> list[pa.Field]:
    return [
        _field(name, pa.float32(), f"Score of the {kind} label; {rule}.", "0 to 1", label)
        for label, name in label_columns(kind, labels).items()
    ]


def _kept_fields(columns: Columns) -> list[pa.Field]:
    return [
        _field(
            target, _plain_type(_kept(columns).field(name).type), f"Source column {name!r}.", None
        )
        for name, target in kept_columns(columns).items()
    ]


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that every reader understands: no dictionaries, no time zones."""
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    return kind


def _field(
    name: str, kind: pa.DataType, description: str, unit: str | None, label: str | None = None
) -> pa.Field:
    about = {"description": description, "unit": unit, "label": label}
    return pa.field(name, kind, metadata={k: v for k, v in about.items() if v is not None})


def _has(schema: pa.Schema, field: pa.Field) -> bool:
    if field.name not in schema.names:
        return False
    found = schema.field(field.name)
    return found.type == field.type and _label(found) == _label(field)


def _label(field: pa.Field) -> str:
    return (field.metadata or {}).get(b"label", b"").decode()
