"""Tables whose log says which of the files in their folder are part of them: Delta tables."""

import base64
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nocturna.tasks.addresses import redact
from nocturna.tasks.corpus.folder_columns import folder_columns
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.listing import Found
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_LOG = "_delta_log/"
_FEATURES = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "typeWidening"}
"""What a table may ask of its readers that does not change what its files say."""

_MASKS = "deletionVectors"
_PARTITION, _SINCE = "partition.", "modification_time"
_WAY = "in DuckDB: COPY (FROM delta_scan('FOLDER')) TO 'rows.parquet'"


def live_files(source: Source, address: str, found: Sequence[Found]) -> list[Found] | None:
    """The files of a folder that are part of the table there, in order; None where there is none.

    A column that the table is partitioned by, which the files do not have, goes with them, and when
    they became part of it.

    Args:
        address: of the folder, with its secrets.
        found: all files in it.

    Raises:
        UsageError: the table cannot be read or has no rows, or its files alone do not say what
            they are.
    """
    where = redact(address)
    if not any(file.name.startswith(_LOG) for file in found):
        if source.delta_version is not None:
            raise UsageError(f"{where}: is no Delta table; leave `delta_version` out")
        return None
    import pyarrow as pa

    if find_spec("deltalake") is None:
        raise UsageError(
            f"{where}: reading a Delta table needs deltalake: pip install 'nocturna[delta]'"
        )
    with _table_errors(where):
        table = _open(address, source.delta_version)
        _refuse_features(where, table)
        actions = pa.table(table.get_add_actions(flatten=True))
    by_name = {file.name: file for file in found}
    live = []
    for action in actions.select(_of_interest(actions.column_names)).to_batches():
        for at, path in enumerate(action["path"].to_pylist()):
            name = unquote(path)
            if name not in by_name:
                raise UsageError(
                    f"{where}: the table's file {name} is not in its folder; if a vacuum removed "
                    "it, name a later --delta-version"
                )
            about = {"fixed": _fixed(action.slice(at, 1)), "since": action[_SINCE][at].as_py()}
            file = by_name[name]
            live.append(Found(file.path, name, {**file.info, **about}))
    if not live:
        raise UsageError(f"{where}: the Delta table has no rows; check the path or `delta_version`")
    return sorted(live, key=lambda file: file.name)


def fixed_columns(item: InputFile) -> "pa.RecordBatch":
    """The columns that have one value in all rows of an input, as a row.

    They are those that the log of its table tells of, else those of its folders, which are texts.
    """
    import pyarrow as pa

    if item.fixed:
        return pa.ipc.open_stream(base64.b64decode(item.fixed)).read_next_batch()
    row = folder_columns(item)
    texts = [pa.array([value], pa.string()) for value in row.values()]
    return pa.RecordBatch.from_arrays(texts, list(row))


def _fixed(action: "pa.RecordBatch") -> str:
    """The values of a file's partition, as an Arrow stream in base64."""
    import pyarrow as pa

    names = [name for name in action.schema.names if name.startswith(_PARTITION)]
    if not names:
        return ""
    row = action.select(names).rename_columns([n.removeprefix(_PARTITION) for n in names])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, row.schema) as out:
        out.write_batch(row)
    return base64.b64encode(sink.getvalue()).decode()


def _of_interest(names: list[str]) -> list[str]:
    return [name for name in names if name in ("path", _SINCE) or name.startswith(_PARTITION)]


def _open(address: str, version: int | None) -> "DeltaTable":
    os.environ.setdefault("RUST_LOG", "error")
    from deltalake import DeltaTable

    return DeltaTable(address, version=version)


def _refuse_features(where: str, table: Any) -> None:
    features = set(table.protocol().reader_features or ())
    mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none")
    odd = sorted(features - _FEATURES - {_MASKS, "columnMapping"})
    if mapped != "none":
        odd.append(f"columnMapping ({mapped})")
    if _MASKS in features and any(batch.num_rows for batch in table.deletion_vectors()):
        odd.append(_MASKS)
    if odd:
        raise UsageError(
            f"{where}: the Delta table uses {', '.join(odd)}, so that its files alone do not say "
            f"what its rows are; write them to a file first, {_WAY}"
        )


@contextmanager
def _table_errors(where: str) -> Iterator[None]:
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else "no reason"
        raise UsageError(f"{where}: the Delta table cannot be read: {redact(reason)}") from None
