"""Spreadsheets of Excel and LibreOffice: a row of a sheet a document, its first row the header."""

import logging
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nocturna.tasks.corpus.columns import require
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.prover import SHEET_BYTES, fits_in_memory
from nocturna.tasks.corpus.storage import local_path, state_of, storage_errors
from nocturna.tasks.corpus.unpacking import Unpacked
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector

log = logging.getLogger(__name__)

NAMES = ("spreadsheet", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
ABOUT = "a row below the header of the sheet `--sheet`, else of the first one that has rows"
PACKED = False
MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")

_EXACT = 2**53
_LONGEST = 1 << 16
_UNCOMPUTED = re.compile(
    rb'<c (?![^>]*t="str")[^>]*><f[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\Z'
)
"""A cell, up to its end, with a formula and nothing that it gave; an empty text is something."""
_Row = tuple[int, list[Any]]


def columns(source: Source, item: InputFile) -> Absent:
    there = next(_rows(source, item), (0, []))[1]
    hint = (
        "; if this is a title, delete the rows above the header or name --sheet"
        if len(there) == 1
        else ""
    )
    return require(source, item, there, set(there), hint)


def names(source: Source, item: InputFile) -> list[str]:
    header = next(_rows(source, item), (0, []))[1]
    return [str(name) for name in header if isinstance(name, str)]


def has_rows(source: Source, item: InputFile) -> bool:
    if not item.size:
        return False
    rows = _rows(source, item)
    return next(rows, None) is not None and next(rows, None) is not None


def read(source: Source, item: InputFile, rows: "Collector") -> None:
    from nocturna.tasks.corpus.input_files import MISSING
    from nocturna.tasks.corpus.jsonrows import Number

    found = _rows(source, item) if item.size else iter(())
    _tell_formulas(source, item)
    header = next(found, (0, []))[1]
    ids = source.parts.get("id", (source.id,))
    at = {name: place for place, name in enumerate(header)}
    for number, cells in found:
        if cells[len(header) :]:
            message = f"row {number}: a value beside the columns of the header"
            rows.reject(number, None, "wrong_field_count", message, repr(cells).encode())
            continue
        if cells == header:
            message = f"row {number}: the header again, as in sheets that were joined"
            rows.reject(number, None, "header_again", message, repr(cells).encode())
            continue
        values = dict(zip(header, cells, strict=False))
        for name in ids:
            if isinstance(value := values.get(name), Number) and abs(float(value)) >= _EXACT:
                values[name] = float(value)  # a cell holds no more digits, so that others have it
        kept = [values.get(name, MISSING if name not in at else None) for name in source.keep]
        doc_id = values.get(source.id, MISSING) if source.id is not None else None
        rows.add(number, None, doc_id, values.get(source.text), kept)


def _rows(source: Source, item: InputFile) -> Iterator[_Row]:
    """The rows that are not empty, each with its number; cells after the last value are left out.

    Raises:
        UsageError: it is no spreadsheet, unpacks to too much, or has no such sheet.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    path = local_path(source, item)
    with storage_errors(item.uri), Path(path).open("rb") as raw:
        try:
            _check_size(item, raw)
            if not _fits(path, source.sheet, state_of(path)):
                raise UsageError(
                    f"{item.uri}: a sheet of it takes more than {SHEET_BYTES >> 30} GiB of memory, "
                    "perhaps for a cell far from the others; delete the rows and columns behind "
                    "the last ones, or save it as CSV"
                )
            book = CalamineWorkbook.from_filelike(raw)
            left = _sheets(source, item, book.sheet_names)
            while left:
                sheet, count = left.pop(0), 0
                for row in _filled(book, sheet):
                    count += 1
                    yield row
                if count:
                    state = state_of(path)
                    more = [n for n in left if not _fits(path, n, state) or any(_filled(book, n))]
                    _tell_more(item, sheet, count, more)
                    return
        except (CalamineError, zipfile.BadZipFile, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UsageError(
                f"{item.uri}: cannot be read as a spreadsheet ({reason}); save it again, without "
                "a password, or if it is text with such an ending, set --format (tsv, csv, html)"
            ) from None


def _filled(book: Any, sheet: str) -> Iterator[_Row]:
    """As `_rows`, of one sheet of an open workbook."""
    for number, cells in enumerate(book.get_sheet_by_name(sheet).iter_rows(), 1):
        values = [_value(cell) for cell in cells]
        while values and values[-1] is None:
            values.pop()
        if values:
            yield number, values


def _tell_more(item: InputFile, sheet: str, count: int, more: list[str]) -> None:
    """Says which further sheets are filled, where one of so many rows is read.

    Raises:
        UsageError: it has a header only, as a cover may look.
    """
    if not more:
        return
    others = ", ".join(map(repr, more[:20]))
    if count == 1:
        raise UsageError(
            f"{item.uri}: the sheet {sheet!r} has no rows below its header; name another one with "
            f"--sheet: {others}"
        )
    log.warning(
        "%s: only the sheet %r is read, not %s; --sheet names another", item.uri, sheet, others
    )


@lru_cache(maxsize=64)
def _fits(path: str, sheet: str | None, state: object) -> bool:
    return fits_in_memory(path, sheet)


def _sheets(source: Source, item: InputFile, names: list[str]) -> list[str]:
    if source.sheet is None:
        return list(names)
    if source.sheet not in names:
        shown = ", ".join(map(repr, names[:20]))
        raise UsageError(f"{item.uri}: no sheet {source.sheet!r}; the sheets are {shown}")
    return [source.sheet]


def _check_size(item: InputFile, raw: Any) -> None:
    """Refuses a packed one that unpacks to too much, by what it says of itself."""
    if raw.read(2) == b"PK":
        with zipfile.ZipFile(raw) as packed:
            Unpacked(item, inside=True).add(sum(one.file_size for one in packed.infolist()))
    raw.seek(0)


def _tell_formulas(source: Source, item: InputFile) -> None:
    """Says where formulas have no value, as those that no spreadsheet program has computed yet."""
    with storage_errors(item.uri), Path(local_path(source, item)).open("rb") as raw:
        if not zipfile.is_zipfile(raw):
            return
        count = 0
        with zipfile.ZipFile(raw) as packed:
            for name in packed.namelist():
                if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                    count += _formulas_without_value(packed.open(name))
    if count:
        log.warning(
            "%s: %s of its formulas have no value and are read as empty; open it in a spreadsheet "
            "program and save it",
            item.uri,
            f"{count:,}",
        )


def _formulas_without_value(sheet: Any) -> int:
    count, rest = 0, b""
    while block := sheet.read(1 << 20):
        *cells, rest = (rest + block).split(b"</c>")
        count += sum(bool(_UNCOMPUTED.search(cell)) for cell in cells if b"<f" in cell)
        rest = rest[-_LONGEST:]
    return count


def _value(cell: Any) -> Any:
    """A cell as JSON would have it: numbers as they are shown, times in ISO 8601."""
    from nocturna.tasks.corpus.jsonrows import Number

    match cell:
        case "":
            return None
        case bool() | str():
            return cell
        case int() | float():
            whole = isinstance(cell, int) or (cell.is_integer() and abs(cell) < _EXACT)
            return Number(int(cell) if whole else repr(cell))
        case datetime() | date() | time():
            return cell.isoformat()
    return str(cell)
