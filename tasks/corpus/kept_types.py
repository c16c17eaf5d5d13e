"""One type for a kept column that files or nights type differently: none of its values changes.

Whole numbers and floats become floats where each of them is one exactly; what has no common type
that holds all of its values becomes text.
"""

import json
import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from nocturna.tasks.corpus.document_tables import (
    DOCUMENT_SCHEMA,
    kept_name,
    source_name,
    written_name,
)

_log = logging.getLogger(__name__)

_EXACT = 2**53
"""Whole numbers up to here are exact as floats."""

_DIGITS = {1: 3, 2: 5, 4: 10, 8: 20}
"""Decimal digits that a whole number of so many bytes may have."""

_MOST_DIGITS = 38
"""Decimals of more are not read exactly everywhere."""


@dataclass(frozen=True)
class Seen:
    """Where a column had a type first, and the range of its whole numbers."""

    uri: str
    low: int = 0
    high: int = 0

    def __or__(self, other: "Seen") -> "Seen":
        return Seen(self.uri, min(self.low, other.low), max(self.high, other.high))


class KeptTypes:
    """The types that each kept column was met with."""

    def __init__(self, names: Iterable[str]) -> None:
        self._seen: dict[str, dict[pa.DataType, Seen]] = {name: {} for name in names}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._seen)

    def add(self, name: str, kind: pa.DataType, seen: Seen) -> None:
        """Notes a type of a column."""
        kinds = self._seen.setdefault(name, {})
        kinds[kind] = kinds[kind] | seen if kind in kinds else seen

    def join(self, other: "KeptTypes") -> None:
        """Notes everything that another one has."""
        for name, kinds in other._seen.items():
            for kind, seen in kinds.items():
                self.add(name, kind, seen)

    def listed(self) -> Iterator[tuple[str, pa.DataType, Seen]]:
        """Everything that was noted."""
        for name, kinds in self._seen.items():
            yield from ((name, kind, seen) for kind, seen in kinds.items())

    def schema(self) -> pa.Schema:
        """A field for each column, with the type that holds all that was met."""
        return pa.schema(
            [pa.field(kept_name(name), common_type(kinds)) for name, kinds in self._seen.items()]
        )

    def tell(self) -> None:
        """Says in one line for each column which of them changes its nature."""
        for name, kinds in self._seen.items():
            listed = [(k, s) for k, s in kinds.items() if not t.is_null(k)]
            common = common_type(kinds)
            if len(listed) < 2 or not (t.is_decimal(common) or _is_string(common)):
                continue
            if all(_is_string(kind) or t.is_decimal(kind) for kind, _ in listed):
                continue
            places = " and ".join(f"{kind} in {seen.uri}" for kind, seen in listed[:2])
            what = "text" if _is_string(common) else f"{common}"
            _log.warning(
                "the kept column %r is %s: kept as %s, which holds every value", name, places, what
            )


def seen_in(values: pa.Array, uri: str) -> Seen:
    """What there is to note of some values of a column."""
    if not t.is_integer(values.type) or values.null_count == len(values):
        return Seen(uri)
    found = pc.min_max(values)
    return Seen(uri, found["min"].as_py(), found["max"].as_py())


def common_type(kinds: dict[pa.DataType, Seen]) -> pa.DataType:
    """The type that holds every value of some types; text where no other does."""
    found = [kind for kind in kinds if not t.is_null(kind)]
    if len(found) < 2:
        return found[0] if found else pa.string()
    if all(map(_is_number, found)):
        return _common_number(found, kinds)
    if all(t.is_date(kind) or t.is_timestamp(kind) for kind in found):
        return _common_time(found)
    merged: pa.DataType | None = found[0]
    for kind in found[1:]:
        merged = None if merged is None else _merged(merged, kind)
    return pa.string() if merged is None else merged


def converted(values: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Values as another type, each the same as before.

    Raises:
        pyarrow.ArrowException: if one of them would not be.
    """
    if values.type == kind:
        return values
    if t.is_null(values.type):
        return pa.nulls(len(values), kind)
    if _is_string(kind) and not _is_string(values.type):
        return pa.array(texts_of(values), kind)
    if t.is_nested(kind):
        return pa.array(values.to_pylist(), kind)
    if t.is_timestamp(kind) and t.is_timestamp(values.type):
        return pc.cast(values, kind, safe=values.type.unit != "ns")
    return pc.cast(values, kind)


def with_kept_types(documents: pa.Table, types: pa.Schema) -> pa.Table:
    """Documents whose kept columns have these types; numbers become text as they were written.

    A column that they do not have is null.
    """
    for field in types:
        at = documents.schema.get_field_index(field.name)
        if at < 0:
            documents = documents.append_column(field, pa.nulls(len(documents), field.type))
            continue
        if documents.schema.field(at).type == field.type:
            continue
        written = written_name(source_name(field.name))
        as_written = _is_string(field.type) and written in documents.column_names
        values = converted(documents[field.name], field.type)
        if as_written:
            values = pc.coalesce(documents[written].cast(field.type), values)
        documents = documents.set_column(at, field, values)
    return documents


def joined(tables: list[pa.Table], keep: Collection[str]) -> pa.Table:
    """Documents of one chunk, each kept column of one type."""
    if not tables:
        fields = [pa.field(kept_name(name), pa.null()) for name in keep]
        return pa.schema([*DOCUMENT_SCHEMA, *fields]).empty_table()
    if len(tables) == 1:
        return tables[0]
    types = KeptTypes(keep)
    for table in tables:
        for name in keep:
            if kept_name(name) not in table.column_names:
                continue
            values = table[kept_name(name)]
            types.add(name, values.type, seen_in(values, ""))
    return pa.concat_tables(
        [with_kept_types(table, types.schema()) for table in tables], promote_options="default"
    )


def texts_of(values: pa.Array | pa.ChunkedArray) -> list[str | None]:
    """Each value as text: numbers with all their digits, lists and objects as JSON."""
    kind = values.type
    if t.is_timestamp(kind) and kind.tz:
        values = pc.cast(values, pa.timestamp(kind.unit, "UTC"))
    if t.is_date(kind) or t.is_timestamp(kind) or t.is_time(kind):
        return list(pc.cast(values, pa.string()).to_pylist())
    return [None if value is None else text_of(value) for value in values.to_pylist()]


def text_of(value: object) -> str:
    """A value as text: numbers with all their digits, lists and objects as JSON."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
        case bytes():
            return value.decode() if is_utf8(value) else value.hex()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def is_utf8(value: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_string(kind: pa.DataType) -> bool:
    return bool(t.is_string(kind) or t.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind))


def _common_number(found: list[pa.DataType], kinds: dict[pa.DataType, Seen]) -> pa.DataType:
    whole = [kind for kind in found if t.is_integer(kind)]
    low = min((kinds[kind].low for kind in whole), default=0)
    high = max((kinds[kind].high for kind in whole), default=0)
    if len(whole) == len(found):
        unsigned = all(map(t.is_unsigned_integer, whole))
        if unsigned or high < 2**63:
            bits = max(kind.bit_width for kind in whole)
            mixed = not unsigned and any(map(t.is_unsigned_integer, whole))
            return _integer(64 if mixed else bits, unsigned)
        return pa.decimal128(20)
    floats = [kind for kind in found if t.is_floating(kind)]
    if not floats:
        return _common_decimal(found)
    if len(floats) + len(whole) < len(found) or max(-low, high) > _EXACT:
        return pa.string()
    return pa.float64() if whole else max(floats, key=lambda kind: kind.bit_width)


def _integer(bits: int, unsigned: bool) -> pa.DataType:
    return getattr(pa, f"{'u' if unsigned else ''}int{bits}")()


def _common_decimal(found: list[pa.DataType]) -> pa.DataType:
    decimals = [kind for kind in found if t.is_decimal(kind)]
    scale = max(0, *(kind.scale for kind in decimals))
    ahead = [kind.precision - kind.scale for kind in decimals]
    ahead += [_DIGITS[kind.bit_width // 8] for kind in found if t.is_integer(kind)]
    digits = max(ahead) + scale
    return pa.decimal128(digits, scale) if digits <= _MOST_DIGITS else pa.string()


def _common_time(found: list[pa.DataType]) -> pa.DataType:
    zones = {bool(t.is_timestamp(kind) and kind.tz) for kind in found}
    if all(map(t.is_date, found)):
        return pa.date32()
    if len(zones) > 1:
        return pa.string()
    return pa.timestamp("us", "UTC") if zones.pop() else pa.timestamp("us")


def _merged(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The type of two that are built alike; None where a value would not be the same in it."""
    if a == b or t.is_null(a) or t.is_null(b):
        return b if t.is_null(a) else a
    if _is_string(a) and _is_string(b):
        return pa.large_string()
    if t.is_struct(a) and t.is_struct(b):
        fields = list(_merged_fields(a, b))
        if any(kind is None for _, kind in fields):
            return None
        return pa.struct([pa.field(name, kind) for name, kind in fields])
    if all(t.is_list(kind) or t.is_large_list(kind) for kind in (a, b)):
        inner = _merged(a.value_type, b.value_type)
        large = t.is_large_list(a) or t.is_large_list(b)
        return None if inner is None else pa.large_list(inner) if large else pa.list_(inner)
    return None


def _merged_fields(a: pa.StructType, b: pa.StructType) -> Iterator[tuple[str, pa.DataType | None]]:
    of_a = {field.name: field.type for field in a}
    of_b = {field.name: field.type for field in b}
    for name in {**of_a, **of_b}:
        yield name, _merged(of_a.get(name, pa.null()), of_b.get(name, pa.null()))
