"""Rows of JSON, whether they are lines or values of a document: their columns and their values."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, NamedTuple

from nocturna.tasks.corpus.columns import (
    missing_line,
    require,
    wanted_columns,
    way_out,
)
from nocturna.tasks.corpus.folder_columns import folder_columns
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import MISSING, InputFile
from nocturna.tasks.corpus.jsonpaths import bare_hint, columns_hint, hint, value_at
from nocturna.tasks.corpus.jsonrows import Ambiguous, parse
from nocturna.tasks.corpus.jsonstream import JsonValue
from nocturna.tasks.corpus.lines import Line, not_decoded, too_long
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

HEAD_ROWS = 250


class JsonRow(NamedTuple):
    """A row: its number, its byte offset, and its object or the reason and message of a reject."""

    number: int
    offset: int
    size: int
    value: dict[str, Any] | None
    problem: tuple[str, str]
    raw: bytes


def collect(source: Source, found: Iterable[JsonRow], rows: "Collector") -> None:
    """Hands rows to a collector."""
    for number, offset, size, value, problem, raw in found:
        if value is None:
            rows.reject(number, offset, *problem, raw, size)
        else:
            if rows.every:
                rows.widen(value)
            doc_id = value_at(value, source.id) if source.id is not None else None
            kept = [value_at(value, name) for name in rows.reading.keep]
            rows.add(number, offset, doc_id, value_at(value, source.text), kept, size)


def keys_of(found: Iterable[JsonRow]) -> list[str]:
    """The keys of the first row; those that come later are met where they are."""
    return list(next((row.value for row in found if row.value is not None), {}))


def columns_of(source: Source, item: InputFile, found: Iterable[JsonRow]) -> Absent:
    """The columns of an input by its first rows.

    Raises:
        UsageError: they show that it is not what it seems.
    """
    wanted = {name for _, name in wanted_columns(source)}
    seen: dict[str, None] = {}
    first: dict[str, Any] | None = None
    bare: bytes | None = None
    folders = folder_columns(item)
    there = wanted & {*folders}
    rows, whole = 0, True
    for row in islice(found, HEAD_ROWS + 1):
        rows += 1
        if rows > HEAD_ROWS:
            whole = False
            break
        if row.value is None:
            bare = row.raw if bare is None else bare
            continue
        first = row.value if first is None else first
        seen.update(dict.fromkeys(row.value))
        there |= {name for name in wanted - there if value_at(row.value, name) is not MISSING}
        if there == wanted and rows > 1:
            break
    if first is None:
        if bare is not None and (more := bare_hint(bare, source.text, item.name)):
            raise UsageError(f"{item.uri}: {more}")
        return Absent()
    alone = rows == 1
    if alone and source.text in first and len(first) > 1 and all(map(_is_many, first.values())):
        raise UsageError(f"{item.uri}: {columns_hint(item.name)}")
    if source.id is not None and isinstance(inner := value_at(first, source.id), dict) and inner:
        raise UsageError(
            f"{item.uri}: the id column {source.id!r} holds objects; name a field inside it, as in "
            f"--id '{source.id}.{next(iter(inner))}'"
        )
    asked = next((n for n in (source.text, source.id) if n is not None and n not in there), None)
    more = "" if asked is None else hint(first, asked, item.name, alone)
    if whole or (asked is not None and more):
        late = set() if whole else wanted - there - {asked}
        lacking = require(source, item, list(seen), there | late, more)
        return replace(lacking, unsure=_unsure(source, item, late, list(seen)))
    names = tuple(dict.fromkeys([*seen, *folders]))
    return Absent({}, _unsure(source, item, wanted - there, names), names)


def _unsure(
    source: Source, item: InputFile, late: set[str], names: Sequence[str]
) -> dict[str, str]:
    return {
        name: missing_line(item, role, name, names)
        + ("" if role == "keep" else way_out(source, item))
        for role, name in wanted_columns(source)
        if name in late
    }


def row_of_line(line: Line, encoding: str) -> JsonRow:
    """The row that a line is."""
    value = None
    problem = ("not_an_object", f"line {line.number}: JSON, but no object with columns")
    try:
        value = parse(line.data.decode(encoding) if line.whole else "")
    except UnicodeDecodeError as error:
        problem = not_decoded(line, error, encoding)
    except Ambiguous as error:
        problem = (error.reason, f"line {line.number}: {error}")
    except JSONDecodeError as error:
        problem = _broken(line, error, encoding) if line.whole else too_long(line)
    found = value if isinstance(value, dict) else None
    return JsonRow(line.number, line.offset, line.end - line.offset, found, problem, line.data)


def row_of_value(value: JsonValue) -> JsonRow:
    """The row that a value of a document is."""
    number, offset = value.number, value.offset
    raw = value.text.encode("utf-8", "surrogateescape")
    found = None
    problem = ("not_an_object", f"value {number}: JSON, but no object with columns")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        problem = ("encoding", f"value {number}, byte {offset + error.start}: not valid text")
    else:
        if isinstance(value.value, Ambiguous):
            problem = (value.value.reason, f"value {number}: {value.value}")
        elif isinstance(value.value, dict):
            found = value.value
    return JsonRow(number, offset, value.end - offset, found, problem, raw)


def _is_many(value: Any) -> bool:
    return isinstance(value, list | dict)


def _broken(line: Line, error: JSONDecodeError, encoding: str) -> tuple[str, str]:
    byte = line.offset + len(error.doc[: error.pos].encode(encoding))
    where = f"line {line.number}, column {error.pos + 1}, byte {byte}"
    return "invalid_json", f"{where}: {error.msg}"
