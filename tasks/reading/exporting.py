"""Published rows as a file for another program."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.cells import plain_rows
from nocturna.tasks.reading.comma_separated import write_csv
from nocturna.tasks.reading.target_file import check_target, whole_file
from nocturna.tasks.reading.views import View
from nocturna.tasks.reading.workbook import Written, check_fits, write_workbook

ROWS_AT_ONCE = 10_000
_ENDINGS = {"csv": (".csv", ".txt"), "jsonl": (".jsonl", ".ndjson"), "xlsx": (".xlsx",)}


def export(view: View, form: str, path: Path, columns: Sequence[str] = ()) -> tuple[int, Written]:
    """Writes the rows of a snapshot; a file of that name is replaced once the new one is whole.

    Args:
        form: `csv` (UTF-8 with a mark, which Excel needs), `xlsx` or `jsonl`.
        columns: those that are wanted; all of them where none are named.

    Returns:
        rows, and what was changed so that they fit in cells.

    Raises:
        UsageError: there is no such column, the file must not lie there, or a sheet does not hold
            the rows.
        NocturnaError: it cannot be written.
    """
    check_target(path, _ENDINGS[form], view.layout, f"--{form}")
    schema = _chosen(view, columns)
    rows = sum(pq.read_metadata(part).num_rows for part in view.parts)
    if form == "xlsx":
        check_fits(rows, len(schema))
    reader = pa.RecordBatchReader.from_batches(schema, _batches(view, schema))
    return rows, write_rows(reader, schema, form, path, private="text" in schema.names)


def write_rows(
    reader: pa.RecordBatchReader, schema: pa.Schema, form: str, path: Path, private: bool
) -> Written:
    """Writes rows as one of `FORMS`; a file of that name is replaced once the new one is whole.

    Args:
        private: whether only its owner may read the file.

    Raises:
        NocturnaError: it cannot be written.
    """
    return whole_file(path, private, lambda place: FORMS[form](reader, schema, place))


def _write_csv(reader: pa.RecordBatchReader, schema: pa.Schema, path: Path) -> Written:
    with path.open("a", encoding="utf-8-sig", newline="") as target:
        return Written(formulas=write_csv(reader, target))


def _write_jsonl(reader: pa.RecordBatchReader, schema: pa.Schema, path: Path) -> Written:
    with path.open("a", encoding="utf-8", newline="\n") as target:
        for row in plain_rows(reader):
            target.write(json.dumps(row, ensure_ascii=False) + "\n")
    return Written()


FORMS: dict[str, Callable[[pa.RecordBatchReader, pa.Schema, Path], Written]] = {
    "csv": _write_csv,
    "xlsx": write_workbook,
    "jsonl": _write_jsonl,
}


def _chosen(view: View, columns: Sequence[str]) -> pa.Schema:
    schema = view.schema
    odd = next((name for name in columns if name not in schema.names), None)
    if odd is not None:
        raise UsageError(f"--columns: no column {odd!r}; there are {', '.join(schema.names)}")
    return pa.schema([schema.field(name) for name in dict.fromkeys(columns)] or schema)


def _batches(view: View, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for part in view.parts:
        with pq.ParquetFile(part) as rows:
            for batch in rows.iter_batches(ROWS_AT_ONCE, columns=schema.names):
                yield batch.select(schema.names).cast(schema)
