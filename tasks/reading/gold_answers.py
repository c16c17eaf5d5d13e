"""The labels that a person gives on the page, in the CSV that they stand in, saved one by one."""

import csv
import io
import threading
from collections.abc import Sequence
from pathlib import Path

from nocturna.tasks.corpus.gold_sample import LABEL, TEXT, GoldSample
from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.cells import is_formula
from nocturna.tasks.reading.target_file import whole_file


class Answers:
    """The rows of a CSV with documents, and the label of each.

    Columns that somebody added stay as they are.

    Args:
        path: the CSV, in UTF-8.
        sample: how its documents were drawn.

    Raises:
        UsageError: it cannot be read, or lacks a column.
    """

    def __init__(self, path: Path, sample: GoldSample) -> None:
        self.path, self._sample = path, sample
        self._lock = threading.Lock()
        try:
            text = path.read_text("utf-8-sig")
            head = text.split("\n", 1)[0]
            self._delimiter = ";" if head.count(";") > head.count(",") else ","
            rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=self._delimiter))
            self._columns = list(rows[0]) if rows else []
            self._seen = _state(path)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"{path}: cannot be read as CSV in UTF-8: {error}") from None
        lacking = next((name for name in (TEXT, LABEL) if name not in self._columns), None)
        if lacking is not None or None in self._columns:
            raise UsageError(f"{path}: has no column {lacking!r}; draw documents into another file")
        self._rows = rows

    @property
    def texts(self) -> list[str]:
        """The text of each row, as it was before a spreadsheet's apostrophe."""
        given = [row[TEXT] or "" for row in self._rows]
        return [t[1:] if t.startswith("'") and is_formula(t[1:]) else t for t in given]

    @property
    def labels(self) -> list[str]:
        """The label of each row; empty where there is none yet."""
        return [(row[LABEL] or "").strip() for row in self._rows]

    @property
    def choices(self) -> tuple[str, ...]:
        """The labels that may be given."""
        return self._sample.labels

    @property
    def done(self) -> int:
        """Rows with a label."""
        return sum(map(bool, self.labels))

    def give(self, row: int, label: str, allowed: Sequence[str]) -> None:
        """Gives a row a label, or takes it back, and saves the file.

        Raises:
            UsageError: no such row or label, or another program changed the file meanwhile.
            NocturnaError: it cannot be written; the label is not given.
        """
        if not 0 <= row < len(self._rows) or (label and label not in allowed):
            raise UsageError(f"{self.path}: no row {row + 1}, or no label {label!r}")
        with self._lock:
            if _state(self.path) != self._seen:
                raise UsageError(
                    f"{self.path}: another program has changed it; stop this one and begin again"
                )
            before = self._rows[row][LABEL]
            self._rows[row][LABEL] = label
            try:
                whole_file(self.path, True, self._write)
            except BaseException:
                self._rows[row][LABEL] = before
                raise
            self._seen = _state(self.path)

    def _write(self, place: Path) -> None:
        with place.open("w", encoding="utf-8-sig", newline="") as file:
            out = csv.DictWriter(file, self._columns, delimiter=self._delimiter)
            out.writeheader()
            out.writerows(self._rows)


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
