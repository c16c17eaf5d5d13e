"""Source columns that travel to the results: readable values and one type each."""

import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.corpus.columnar import is_text, plain
from nocturna.tasks.corpus.kept_types import texts_of
from nocturna.tasks.job.listed import split_list


def kept_values(array: pa.Array) -> pa.Array:
    """A column as it is kept: its own type without dictionaries, its texts valid Unicode.

    Bytes in a text that are not UTF-8 become replacement characters.

    Raises:
        pyarrow.ArrowInvalid: if texts inside a nested value are not UTF-8, a time is too far from
            now to be kept in microseconds, or two fields of a value have one name.
    """
    array = plain(array)
    if (twice := _named_twice(array.type)) is not None:
        raise pa.ArrowInvalid(f"two fields in it are named {twice!r}")
    if _is_unwritten(array.type):
        return pa.array(texts_of(array), pa.string())
    if pa.types.is_temporal(array.type) and getattr(array.type, "unit", "") == "ns":
        return _in_microseconds(array)
    if pa.types.is_timestamp(array.type):
        pc.cast(array, pa.timestamp("us", array.type.tz))  # raises where a time does not fit
    if not (is_text(array.type) or pa.types.is_nested(array.type)):
        return array
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        if pa.types.is_nested(array.type):
            raise
        data = array.cast(pa.large_binary()).to_pylist()
        texts = [None if value is None else value.decode("utf-8", "replace") for value in data]
        return pa.array(texts, array.type)
    return array


def _in_microseconds(array: pa.Array) -> pa.Array:
    """Times in microseconds, as every reader knows them; in text where they are finer."""
    kind = array.type
    if pa.types.is_duration(kind):
        return array
    coarse = pa.time64("us") if pa.types.is_time(kind) else pa.timestamp("us", kind.tz)
    found = pc.cast(array, coarse, safe=False)
    return found if pc.cast(found, kind).equals(array) else pa.array(texts_of(array), pa.string())


def _is_unwritten(kind: pa.DataType) -> bool:
    """Whether no Parquet file can hold a type, or one inside it."""
    if pa.types.is_interval(kind) or pa.types.is_union(kind):
        return True
    if pa.types.is_struct(kind) and not kind.num_fields:
        return True
    inner = [kind.field(at).type for at in range(kind.num_fields)]
    return any(map(_is_unwritten, inner))


def _named_twice(kind: pa.DataType) -> str | None:
    """A name that two fields of a struct in a type have; no reader of results tells them apart."""
    fields = [kind.field(at) for at in range(kind.num_fields)]
    names = [field.name for field in fields]
    twice = [name for name in names if pa.types.is_struct(kind) and names.count(name) > 1]
    inner = (_named_twice(field.type) for field in fields)
    return next((name for name in [*twice, *inner] if name is not None), None)


def stored_type(kind: pa.DataType) -> pa.DataType:
    """The type that every reader understands: no dictionaries, no time zones."""
    if pa.types.is_dictionary(kind):
        return stored_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    return kind


def stored(values: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Values as results hold them: of the type `kind`, times in naive UTC."""
    if pa.types.is_timestamp(values.type) and values.type.tz and pa.types.is_timestamp(kind):
        values = pc.cast(values, pa.timestamp("us", tz="UTC"), safe=False)
        return pc.cast(values, kind)
    safe = not pa.types.is_timestamp(kind)
    return values if values.type == kind else pc.cast(values, kind, safe=safe)


def label_lists(values: pa.Array | pa.ChunkedArray) -> list[tuple[str, ...]]:
    """A document's own labels: a list of texts, or one text that is written as a list.

    Labels are distinct and not empty; a document without any gets an empty tuple.
    """
    found = []
    for value in values.to_pylist():
        labels = _split(value) if isinstance(value, str) else value
        if not isinstance(labels, list):
            labels = [labels]
        texts = (str(label).strip() for label in labels if label is not None)
        found.append(tuple(dict.fromkeys(text for text in texts if text)))
    return found


def _split(text: str) -> list[str]:
    try:
        return split_list(text)
    except ValueError:  # a corpus is not asked what it meant
        return text.split(",")
