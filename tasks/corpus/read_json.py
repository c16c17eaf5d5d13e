"""Rows of jsonl and json inputs."""

from collections.abc import Iterator
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, NamedTuple

from nocturna.tasks.corpus.input_files import InputFile, Slice
from nocturna.tasks.corpus.jsonpaths import value_at
from nocturna.tasks.corpus.jsonrows import Ambiguous, parse
from nocturna.tasks.corpus.jsonstream import JsonValue, iter_values
from nocturna.tasks.corpus.lines import Line, is_blank, iter_lines, not_decoded, too_long
from nocturna.tasks.corpus.streams import byte_range, stream_encoding
from nocturna.tasks.job.job import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.row_kinds import Collector


class JsonRow(NamedTuple):
    """A row: its number, its byte offset, and its object or the reason and message of a reject."""

    number: int
    offset: int
    value: dict[str, Any] | None
    problem: tuple[str, str]
    raw: bytes


def read_json(source: Source, item: InputFile, part: Slice, rows: "Collector") -> None:
    """Reads a slice of a jsonl or json input into `rows`."""
    for number, offset, value, problem, raw in json_rows(source, item, part):
        if value is None:
            rows.reject(number, offset, *problem, raw)
        else:
            doc_id = value_at(value, source.id) if source.id is not None else None
            kept = [value_at(value, name) for name in source.keep]
            rows.add(number, offset, doc_id, value_at(value, source.text), kept)


def json_rows(source: Source, item: InputFile, part: Slice | None = None) -> Iterator[JsonRow]:
    """The rows of a jsonl or json slice; without one, those of the whole input."""
    start, first_row = (part.start, part.first_row) if part else (0, 1)
    blocks = byte_range(source, item, start, part.stop if part else None)
    if item.format == "json":
        found = iter_values(blocks, item.uri, start, first_row, inside=start > 0)
        yield from map(_of_value, found)
        return
    encoding = stream_encoding(source, item)
    for line in iter_lines(blocks, start, first_row):
        if not is_blank(line):
            yield _of_line(line, encoding)


def _of_line(line: Line, encoding: str) -> JsonRow:
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
    return JsonRow(line.number, line.offset, found, problem, line.data)


def _of_value(value: JsonValue) -> JsonRow:
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
    return JsonRow(number, offset, found, problem, raw)


def _broken(line: Line, error: JSONDecodeError, encoding: str) -> tuple[str, str]:
    byte = line.offset + len(error.doc[: error.pos].encode(encoding))
    where = f"line {line.number}, column {error.pos + 1}, byte {byte}"
    return "invalid_json", f"{where}: {error.msg}"
