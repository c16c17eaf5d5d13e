"""The file that a person labels documents in: a spreadsheet, or CSV."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from nocturna.tasks.corpus.gold_sample import ID, LABEL, TEXT, UNSURE, GoldSample, sample_file
from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.comma_separated import write_csv
from nocturna.tasks.reading.gold_drawing import Drawn
from nocturna.tasks.reading.target_file import check_target, whole_file
from nocturna.tasks.reading.workbook import AS_GIVEN, Cells, Written, check_fits
from nocturna.tasks.results.layout import Layout

ENDINGS = (".xlsx", ".csv")


def check_gold_file(path: Path, layout: Layout) -> None:
    """Refuses a file that must not be written, before anything is drawn.

    Raises:
        UsageError: it is there, in the job's folder, or of another kind.
    """
    check_target(path, ENDINGS, layout, "--to")
    there = next((p for p in (path, sample_file(path)) if p.exists()), None)
    if there is not None:
        raise UsageError(f"{there}: is there, and may hold labels; name another file with --to")


def write_gold_file(path: Path, sample: GoldSample, rows: Sequence[Drawn]) -> Written:
    """Writes documents with an empty column for the label, and beside it how they were drawn.

    A workbook offers the labels in each cell of that column. Only the owner may read either.

    Raises:
        UsageError: a sheet does not hold the rows.
        NocturnaError: it cannot be written.
    """
    if path.suffix.lower() == ".xlsx":
        check_fits(len(rows), 3)
    whole_file(sample_file(path), True, lambda place: place.write_text(sample.as_text(), "utf-8"))
    if path.suffix.lower() == ".xlsx":
        return whole_file(path, True, lambda place: _write_workbook(place, sample, rows))
    columns = {
        ID: pa.array([row.doc_id for row in rows], pa.string()),
        TEXT: pa.array([row.text for row in rows], pa.large_string()),
        LABEL: pa.nulls(len(rows), pa.string()),
    }
    table = pa.table(columns)
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())

    def write(place: Path) -> Written:
        with place.open("a", encoding="utf-8-sig", newline="") as target:
            return Written(formulas=write_csv(reader, target))

    return whole_file(path, True, write)


def _write_workbook(path: Path, sample: GoldSample, rows: Sequence[Drawn]) -> Written:
    import xlsxwriter

    written = Written()
    book = xlsxwriter.Workbook(path, AS_GIVEN)
    sheet, offered = book.add_worksheet("gold"), book.add_worksheet("labels")
    cells = Cells(book, sheet, written, wrapped=True)
    for at, values in enumerate([(ID, TEXT, LABEL), *((r.doc_id, r.text, None) for r in rows)]):
        for column, value in enumerate(values):
            cells.put(at, column, value)
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, 0, 14)
    sheet.set_column(1, 1, 90)
    sheet.set_column(2, 2, 24)
    labels = Cells(book, offered, written)
    for at, label in enumerate((*sample.labels, UNSURE)):
        labels.put(at, 0, label)
    labels.put(len(sample.labels), 1, "none of these, or it cannot be told")
    sheet.data_validation(
        *(1, 2, len(rows), 2),
        {
            "validate": "list",
            "source": f"=labels!$A$1:$A${len(sample.labels) + 1}",
            "error_title": "No such label",
            "error_message": "Take one of the list; ? where none fits.",
        },
    )
    book.close()
    return written
