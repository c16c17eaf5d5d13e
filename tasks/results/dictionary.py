"""The data dictionary of results: what each column is, read from the files themselves."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from nocturna.tasks.errors import UsageError
from nocturna.tasks.results.parts import parts_in, schema_of


@dataclass(frozen=True)
class ColumnNote:
    """One column of the results.

    Attributes:
        name: as in the files.
        type: Arrow type.
        meaning: what it holds, in plain words.
        unit: unit or range, where it has one.
        label: the label that a score column stands for, as it was given.
    """

    name: str
    type: str
    meaning: str
    unit: str | None
    label: str | None


def data_dictionary(out: Path) -> list[ColumnNote]:
    """The columns of published results, in the order of the files.

    Args:
        out: the output folder of a job, its `results`, a snapshot or one Parquet file.

    Raises:
        UsageError: if there are no results there.
    """
    folder = out / "results" if (out / "results").exists() else out
    parts = [folder] if folder.is_file() else parts_in(folder)
    if not parts:
        raise UsageError(f"{out}: no results here; name the output folder of a job, out/<job>")
    try:
        return [_note(field) for field in schema_of(parts[0])]
    except pa.ArrowException as error:
        raise UsageError(f"{parts[0]}: not a Parquet file: {error}") from None


def _note(field: pa.Field) -> ColumnNote:
    about = {k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
    return ColumnNote(
        name=field.name,
        type=str(field.type),
        meaning=about.get("description", ""),
        unit=about.get("unit"),
        label=about.get("label"),
    )
