"""Values one or more levels down in a JSON row, and those that an export has wrapped."""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from nocturna.tasks.corpus.columns import splits
from nocturna.tasks.corpus.input_files import MISSING
from nocturna.tasks.corpus.jsonrows import Number

_TEXTS = ("$oid", "$symbol", "$uuid")
_NUMBERS = ("$numberLong", "$numberInt", "$numberDouble", "$numberDecimal")
_DEEP = 4
_ZIPPED = "[$c, .] | transpose | map({(.[0]): .[1]}) | add"
_UUIDS = ("03", "04", "3", "4")


def value_at(row: dict[str, Any], name: str) -> Any:
    """The value of a column: a key of the row, else a path of keys with dots between them.

    Keys may hold dots themselves; the longest that is there is taken.

    Values that MongoDB's exports wrap, such as `{"$oid": ...}`, are unwrapped.

    Returns:
        MISSING where the row has no such key.
    """
    value = _value_inside(row, name)
    return unwrapped(value) if isinstance(value, dict) and len(value) == 1 else value


def _value_inside(row: dict[str, Any], name: str) -> Any:
    value = row.get(name, MISSING)
    if value is not MISSING or "." not in name:
        return value
    for key, rest in splits(name):
        inner = row.get(key)
        if isinstance(inner, dict) and (value := _value_inside(inner, rest)) is not MISSING:
            return value
    return MISSING


def unwrapped(value: dict[str, Any]) -> Any:
    """The value inside an object of MongoDB's Extended JSON; other objects as they are."""
    ((key, inner),) = value.items()
    if key in _TEXTS and isinstance(inner, str):
        return inner
    if key in _NUMBERS and isinstance(inner, str):
        return Number(inner)
    if key == "$date":
        return _date(inner, value)
    if key == "$binary" and isinstance(inner, dict) and inner.get("subType") in _UUIDS:
        try:
            return str(uuid.UUID(bytes=base64.b64decode(str(inner.get("base64")))))
        except (ValueError, binascii.Error):
            return value
    return value


def _date(inner: Any, value: dict[str, Any]) -> Any:
    """ISO 8601 of a date that is a text or milliseconds since 1970."""
    if isinstance(inner, dict) and len(inner) == 1:
        inner = unwrapped(inner)
    if not isinstance(inner, Number):
        return inner if isinstance(inner, str) else value
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(inner))
    except (OverflowError, ValueError):
        return value
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace(
        "+00:00", "Z"
    )


def hint(row: dict[str, Any], name: str, file: str, alone: bool) -> str:
    """Where the rows or the column may be instead, for the line that misses a column.

    Args:
        row: the first object of the file.
        name: the column that it lacks.
        file: the file, for the command that turns it into rows.
        alone: whether the object is all that the file holds.
    """
    base = PurePosixPath(file).name
    lines = f"{base.split('.')[0]}-rows.jsonl"
    if alone and _is_list(row.get("columns"), str) and _is_list(row.get("data"), list):
        return (
            "; its rows are lists beside their columns: make a file of rows with: jq -c "
            f"'.columns as $c | .data[] | {_ZIPPED}' {base} > {lines}"
        )
    path = next(_paths_of_rows(row), None)
    if path is not None:
        return (
            f"; its rows are in the array {'.'.join(path)!r}: make a file of them with: "
            f"jq -c '{''.join(map(_step, path))}[]' {base} > {lines}"
        )
    if (
        alone
        and len(row) > 1
        and all(isinstance(value, dict) and name in value for value in row.values())
    ):
        return (
            "; its rows lie by key: make a file of them, with the key as a column, with: "
            f"jq -c 'to_entries[] | {{key}} + .value' {base} > {lines}"
        )
    if alone and len(row) > 2 and all(isinstance(value, str) for value in row.values()):
        return (
            "; if its texts lie by key, make a file of rows with: "
            f"jq -c 'to_entries[] | {{key, {name}: .value}}' {base} > {lines}"
        )
    found = next(_paths_of_key(row, name), None)
    return f"; {'.'.join(found)!r} is there, one level or more down: name it so" if found else ""


def bare_hint(raw: bytes, name: str, file: str) -> str:
    """How a file of values that are no objects becomes one of rows; empty for other values.

    Args:
        raw: the first value of the file.
        name: the column of the text.
        file: the file, for the command that turns it into rows.
    """
    try:
        value = json.loads(raw)
    except ValueError:
        return ""
    base = PurePosixPath(file).name
    lines = f"{base.split('.')[0]}-rows.jsonl"
    each = ".[]" if base.endswith("json") else "."
    if isinstance(value, str):
        return (
            "holds texts, not rows with columns: make a file of rows with: "
            f"jq -c '{each} | {{{name}: .}}' {base} > {lines}"
        )
    if _is_list(value, str):
        return (
            "holds lists, not rows with columns: if the first one names the columns, make a file "
            f"of rows with: jq -c '.[0] as $c | .[1:][] | {_ZIPPED}' {base} > {lines}"
        )
    return ""


def columns_hint(file: str) -> str:
    """How a file that holds a list a column becomes one of rows."""
    base = PurePosixPath(file).name
    return (
        "holds a list for each column instead of rows: make a file of rows with: jq -c "
        "'[to_entries[] | .key as $c | .value | to_entries[] | {r: .key, c: $c, v: .value}] | "
        f"group_by(.r)[] | map({{(.c): .v}}) | add' {base} > {base.split('.')[0]}-rows.jsonl"
    )


def _is_list(value: Any, of: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, of) for one in value)


def _paths_of_rows(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not isinstance(value, dict) or len(path) >= _DEEP:
        return
    for key, inner in value.items():
        if isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner):
            yield (*path, key)
    for key, inner in value.items():
        yield from _paths_of_rows(inner, (*path, key))


def _paths_of_key(value: Any, name: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not isinstance(value, dict) or len(path) >= _DEEP:
        return
    if path and name in value:
        inner = value[name]
        deeper = isinstance(inner, dict) and len(inner) == 1
        yield (*path, name, *inner) if deeper else (*path, name)
    for key, inner in value.items():
        yield from _paths_of_key(inner, name, (*path, key))


def _step(key: str) -> str:
    return f".{key}" if re.fullmatch(r"[A-Za-z_]\w*", key) else f"[{json.dumps(key)}]"
