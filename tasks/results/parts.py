"""Parts: the Parquet files that shards become, written whole or not at all."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import PART_NAME, REJECTS_NAME, short_run_id
from nocturna.tasks.results.schema import names_label, same_columns
from nocturna.tasks.results.shard_records import PartFile

ROW_GROUP = 131_072
FEW_VALUES = frozenset(
    {
        "source_uri",
        "status",
        "error_code",
        "error_message",
        "language",
        "summary_status",
        "summary_model",
        "run_id",
        "code_version",
        "scored_at",
        "reason",
        "message",
    }
)
"""Columns of few values, the only ones that a Parquet dictionary makes smaller."""


def write_part(table: pa.Table, folder: Path, run_id: str, shard: int) -> PartFile:
    """Writes a shard's rows as a part; see `write_streamed`."""
    return write_streamed([table], table.schema, table.num_rows, folder, run_id, shard)


def write_streamed(
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    rows: int,
    folder: Path,
    run_id: str,
    shard: int,
) -> PartFile:
    """Writes rows as `part-<run8>-<shard5>-<hash8>.parquet`, durable and read back.

    Args:
        tables: the rows, in pieces of any size; about a row group of them is held in memory.
        schema: the schema of the results, which each piece has.
        rows: how many rows there must be in all.
        folder: the run's work folder; made if it is missing.
        run_id: the run, whose last eight characters the name carries.
        shard: position of the shard in the plan, or a number beyond the last one.

    Raises:
        NocturnaError: if what is on the disk is not what was asked to be written, or if there is
            no space or permission.
    """
    with files.clear_errors(folder):
        files.make_folder(folder, private=True)
        stem = f"part-{short_run_id(run_id)}-{shard:05d}"
        temporary = files.own_temporary_of(folder / stem)
        files.new_file(temporary, private="text" in schema.names)
        write_tables(tables, schema, temporary)
        files.fsync(temporary)
        _read_back(temporary, rows, schema)
        digest = sha256_of(temporary)
        part = PartFile(
            path=folder / f"{stem}-{digest[:8]}.parquet",
            rows=rows,
            bytes=temporary.stat().st_size,
            sha256=digest,
        )
        files.rename(temporary, part.path)
        files.fsync(folder)
    return part


def write_tables(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Writes one Parquet file with the settings that were measured; not yet durable.

    zstd level 3, row groups of 131,072 rows, a page index, dictionaries only where values are few,
    and a bloom filter on `doc_id` for point look-ups.
    """
    pieces = _row_groups(tables)
    first = next(pieces, schema.empty_table())
    blooms = {"doc_id": {"ndv": max(1, first.num_rows), "fpp": 0.01}}
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[f.name for f in schema if f.name in FEW_VALUES or names_label(f)],
        write_page_index=True,
        bloom_filter_options={k: v for k, v in blooms.items() if k in schema.names},
    ) as writer:
        for piece in chain([first], pieces):
            writer.write_table(piece, row_group_size=ROW_GROUP)


def is_whole(part: PartFile) -> bool:
    """Whether a part is still, byte for byte, the file that was written.

    False if it is missing, cut short, emptied, changed, swapped for another, a link or a folder,
    or cannot be read.
    """
    try:
        return _has_size(part) and sha256_of(part.path) == part.sha256
    except OSError:
        return False


def is_sound(part: PartFile) -> bool:
    """Whether a part has the size and the rows that were written: the look that costs nothing."""
    try:
        return _has_size(part) and has_rows(part.path, part.rows)
    except OSError:
        return False


def parts_in(folder: Path) -> list[Path]:
    """The parts in a folder of results, by name; where somebody named them anew, every file.

    Raises:
        PermissionError: it may not be read, as where its rows hold text.
    """
    files_there = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [p for p in files_there if p.suffix == ".parquet" and not p.name.startswith(".")]
    return [path for path in found if PART_NAME.fullmatch(path.name)] or found


def rejects_in(folder: Path) -> list[Path]:
    """The files in a run's quarantine, by name."""
    return [path for path in files.listed(folder) if REJECTS_NAME.fullmatch(path.name)]


def has_rows(path: Path, rows: int) -> bool:
    """Whether a Parquet file, and no link to one, can be read and holds so many rows."""
    return rows_in(path) == rows


def rows_in(path: Path) -> int:
    """The rows of a Parquet file, and no link to one; -1 where it cannot be read."""
    try:
        return pq.read_metadata(path).num_rows if files.is_file(path) else -1
    except (OSError, pa.ArrowException):
        return -1


def _has_size(part: PartFile) -> bool:
    found = part.path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size == part.bytes


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, 64 hex digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def schema_of(path: Path) -> pa.Schema:
    """The Arrow schema of a Parquet file, field metadata included.

    Raises:
        OSError: it cannot be read, or is no file: what is none may never end.
    """
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return pq.read_schema(path)


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of ROW_GROUP rows, but for the last one."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(t.num_rows for t in waiting) >= ROW_GROUP:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, ROW_GROUP)
            waiting = [joined.slice(ROW_GROUP)]
    if any(t.num_rows for t in waiting):
        yield pa.concat_tables(waiting)


def _read_back(path: Path, rows: int, schema: pa.Schema) -> None:
    try:
        with pq.ParquetFile(path) as written:
            found, columns = written.metadata.num_rows, written.schema_arrow
    except pa.ArrowException as error:
        raise NocturnaError(
            f"{path}: cannot be read back after writing ({error}); "
            "run the same command again, it resumes"
        ) from error
    if found != rows or not same_columns(columns, schema):
        raise NocturnaError(
            f"{path}: holds {found} rows of {rows} that were written, or other columns; "
            "run the same command again, it resumes"
        )
