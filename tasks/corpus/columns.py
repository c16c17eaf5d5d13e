"""Whether an input has the columns that a source names, said before anything is scored."""

import json
import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from nocturna.tasks.corpus.formats import COLUMNAR
from nocturna.tasks.corpus.input_files import MISSING, InputFile
from nocturna.tasks.corpus.jsonpaths import columns_hint, hint, value_at
from nocturna.tasks.corpus.read_csv import csv_header
from nocturna.tasks.corpus.read_json import json_rows
from nocturna.tasks.corpus.streams import byte_range, stream_encoding
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

log = logging.getLogger(__name__)

HEAD_ROWS = 250
_SHOWN = 30
_FEW = 5


class Lacking:
    """Inputs that lack a kept column, which is null in their rows if another input has it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._inputs: list[InputFile] = []
        self._by_name: dict[str, list[tuple[InputFile, str]]] = {}

    def add(self, item: InputFile, lacking: dict[str, str]) -> None:
        """Notes what an input with rows lacks: a line for each name."""
        self._inputs.append(item)
        for name, line in lacking.items():
            self._by_name.setdefault(name, []).append((item, line))

    def refuse(self) -> None:
        """Refuses a column that no input has.

        Raises:
            UsageError: naming the first input, the column and the columns that exist.
        """
        for name in self._source.keep:
            found = self._by_name.get(name, ())
            if found and len(found) == len(self._inputs):
                raise UsageError(found[0][1])

    def tell(self) -> None:
        """Says which inputs lack a column that others have."""
        for name, found in self._by_name.items():
            names = ", ".join(item.name for item, _ in found[:_FEW])
            more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
            log.warning("no column %r, which is null in their rows: %s%s", name, names, more)


def check_columns(source: Source, item: InputFile) -> dict[str, str]:
    """Checks the columns of an input that has rows.

    A JSON column counts as missing if none of the first rows has it and its name is nowhere in the
    file.

    Returns:
        the kept columns that it lacks, with a line that says so.

    Raises:
        UsageError: there is no text or id column, or one that cannot be read as that: naming the
            file, the column and the columns that exist.
    """
    if item.format in ("text", "files"):
        wanted = [*([source.id] if source.id is not None else []), *source.keep]
        if wanted:
            kind = "a line" if item.format == "text" else "a file"
            raise UsageError(
                f"{item.uri}: no column {wanted[0]!r}: here {kind} is a document without columns; "
                "drop `id` and `keep` or set `format`"
            )
        return {}
    if item.format in ("csv", "tsv"):
        names = csv_header(source, item)
        hint = (
            "; if they are separated by another character, set --delimiter"
            if (len(names) == 1 and source.delimiter is None)
            else ""
        )
        return _require(source, item, names, set(names), hint)
    if item.format in COLUMNAR:
        from nocturna.tasks.corpus.columnar import path_in, schema_of
        from nocturna.tasks.corpus.columnar_types import check_types

        schema = schema_of(source, item)
        there = {name for _, name in _wanted(source) if path_in(schema, name)}
        lacking = _require(source, item, schema.names, there)
        check_types(source, item, schema)
        return lacking
    return _check_keys(source, item)


def has_column(source: Source, item: InputFile, name: str) -> bool:
    """Whether an input has a column, has none because its lines are texts, or is empty.

    Raises:
        UsageError: if it cannot be read.
    """
    if item.format in ("text", "files"):
        return True
    if item.format in ("csv", "tsv"):
        return not item.size or name in csv_header(source, item)
    if item.format in COLUMNAR:
        from nocturna.tasks.corpus.columnar import path_in, schema_of

        return not item.size or path_in(schema_of(source, item), name) is not None
    found = (row.value for row in islice(json_rows(source, item), HEAD_ROWS))
    rows = [row for row in found if row is not None]
    return not rows or any(value_at(row, name) is not MISSING for row in rows)


def _wanted(source: Source) -> list[tuple[str, str]]:
    ids = [("id", source.id)] if source.id is not None else []
    return [("text", source.text), *ids, *(("keep", name) for name in source.keep)]


def _require(
    source: Source, item: InputFile, names: Sequence[str], there: set[str], hint: str = ""
) -> dict[str, str]:
    lacking = {}
    for role, name in _wanted(source):
        if names.count(name) > 1:
            raise UsageError(
                f"{item.uri}: {names.count(name)} columns are named {name!r}; rename all but one"
            )
        if name not in there:
            line = _missing(item, role, name, names) + hint
            if role != "keep":
                raise UsageError(line + _way_out(source, item))
            lacking[name] = line
    return lacking


def _way_out(source: Source, item: InputFile) -> str:
    """How to go on without a file of several."""
    alone = source.path is None or source.path.endswith(item.name)
    return "" if alone else f"; if it is no part of the corpus: --exclude {item.name!r}"


def _check_keys(source: Source, item: InputFile) -> dict[str, str]:
    wanted = {name for _, name in _wanted(source)}
    seen: dict[str, None] = {}
    first: dict[str, Any] | None = None
    there: set[str] = set()
    rows = 0
    for row in islice(json_rows(source, item), HEAD_ROWS):
        rows += 1
        if row.value is None:
            continue
        first = row.value if first is None else first
        seen.update(dict.fromkeys(row.value))
        there |= {name for name in wanted - there if value_at(row.value, name) is not MISSING}
        if there == wanted and rows > 1:
            break
    if first is None:
        return {}
    if source.id is not None and isinstance(inner := value_at(first, source.id), dict) and inner:
        raise UsageError(
            f"{item.uri}: the id column {source.id!r} holds objects; name a field inside it, as in "
            f"--id '{source.id}.{next(iter(inner))}'"
        )
    alone = rows == 1
    if alone and source.text in first and len(first) > 1 and all(map(_is_many, first.values())):
        raise UsageError(f"{item.uri}: {columns_hint(item.name)}")
    asked = next((n for n in (source.text, source.id) if n is not None and n not in there), None)
    more = "" if asked is None else hint(first, asked, item.name, alone)
    late = wanted - there - ({asked} if more or alone else set())
    there |= {name for name in late if _occurs(source, item, name)}
    return _require(source, item, list(seen), there, more)


def _is_many(value: Any) -> bool:
    return isinstance(value, list | dict)


def _occurs(source: Source, item: InputFile, name: str) -> bool:
    """Whether a key, or the last one of a path of keys, is anywhere in a JSON input."""
    if item.size == 0:
        return False
    key = name if "." not in name else name.rpartition(".")[2]
    encoding = stream_encoding(source, item)
    plain, ascii = json.dumps(key, ensure_ascii=False), json.dumps(key)
    marks = {text.encode(encoding, "replace") for text in (plain, ascii)}
    before = b""
    for block in byte_range(source, item):
        data = before + block
        if any(mark in data for mark in marks):
            return True
        before = data[-max(map(len, marks)) :]
    return False


def _missing(item: InputFile, role: str, name: str, names: Iterable[str]) -> str:
    shown = ", ".join(repr(other[:80]) for other in list(names)[:_SHOWN])
    return f"{item.uri}: no column {name!r} for `{role}`; the columns are {shown or 'none'}"
