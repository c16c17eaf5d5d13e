"""Rows as CSV that a spreadsheet opens without computing anything."""

import csv
from collections.abc import Iterable
from typing import Any, TextIO

import pyarrow as pa

from nocturna.tasks.reading.cells import columns_of, csv_cell, is_formula


def write_csv(reader: pa.RecordBatchReader, target: TextIO) -> int:
    """Writes a header and every row; see `csv_cell`.

    Returns:
        how many texts got an apostrophe.
    """
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in reader.schema.names])
    return sum(_write(writer, batch) for batch in reader)


def _write(writer: Any, batch: pa.RecordBatch) -> int:
    columns = columns_of(batch)
    cells: list[Iterable[object]] = [map(csv_cell, column) for column in columns]
    writer.writerows(zip(*cells, strict=True))
    return sum(is_formula(value) for column in columns for value in column)
