"""Lots: inputs that are staged together, and what is known of them once they are.

A lot is a folder. Its name stands for the inputs and for how they are read; `lot.json.zst`, written
last, says what is in it. Whatever of it cannot be trusted is staged again.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pyarrow as pa
import zstandard
from pydantic import TypeAdapter

from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.inputs import Listed
from nocturna.tasks.corpus.kept_types import KeptTypes, Seen
from nocturna.tasks.corpus.storage import mark_of
from nocturna.tasks.job.source import Source
from nocturna.tasks.version import code_version

FORMAT = 1
RECORD = "lot.json.zst"
_INDEX = re.compile(r"index-[0-9]{6,}\.parquet")
_FILES, _BYTES, _EDGE = 256, 32 << 20, 64
"""Most inputs and stored bytes of a lot, and how many inputs it has on average."""

_READING = {
    *(
        "text",
        "id",
        "format",
        "encoding",
        "keep",
        "delimiter",
        "escape",
        "quotes",
        "nulls",
        "sheet",
        "max_chars",
    ),
}


@dataclass(frozen=True)
class StagedInput:
    """An input that was read.

    Attributes:
        key: names the input, its content and how it is read; None where nothing tells that it
            is the same another time.
        lacks: the kept columns that it does not have, with a line that says so.
    """

    key: str | None
    item: InputFile
    lacks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TypeSeen:
    """A type that a kept column was met with: an Arrow schema of one field, in base64."""

    schema: str
    uri: str
    low: int
    high: int


@dataclass(frozen=True)
class Chunk:
    """A chunk of a lot: how many documents and rejects, and the SHA-256 of their two files."""

    documents: int
    rejects: int
    digests: tuple[str, str]


@dataclass(frozen=True)
class Lot:
    """A lot that is staged.

    Attributes:
        named: whether its documents bring ids.
        failed, reasons: how many documents cannot be scored and how many rows are rejected, by
            code and reason.
        float_ids: the first input whose ids are floats; empty where none's are.
    """

    inputs: tuple[StagedInput, ...]
    chunks: tuple[Chunk, ...]
    types: tuple[TypeSeen, ...]
    named: bool
    failed: dict[str, int]
    reasons: dict[str, int]
    float_ids: str = ""
    format: int = FORMAT


_LOT = TypeAdapter(Lot)


@dataclass(frozen=True)
class Member:
    """An input on its way into a lot: the file, its format by name, and its key."""

    listed: Listed
    key: str | None


def members(source: Source, lists: Iterable[str], listed: Iterable[Listed]) -> Iterator[Member]:
    """The inputs with their keys."""
    reading = source.model_dump_json(include=_READING)
    common = f"{FORMAT}\n{code_version()}\n{reading}\n{sorted(lists)}"
    for file, format in listed:
        mark = mark_of(source, file.path, file.info)
        size, code = str(file.info.get("size")), _code_of(format)
        fixed = str(file.info.get("fixed") or "")
        about = (common, file.path, file.name, size, format, code, mark, fixed)
        key = hashlib.sha256("\n".join(about).encode()).hexdigest()[:32]
        yield Member((file, format), key if mark else None)


@cache
def _code_of(format: str) -> str:
    """What tells one version of a format's module from another: those of users have no other."""
    file = getattr(formats()[format], "__file__", None)
    return digest_of(Path(file)) if file else ""


def cut_lots(inputs: Iterable[Member]) -> Iterator[tuple[Member, ...]]:
    """Groups of inputs in their order: large ones alone, small ones together.

    Where a group ends follows from the names in it, so that one file more or less changes one of
    them.
    """
    lot: list[Member] = []
    size = 0
    for member in inputs:
        file = member.listed[0]
        bytes_ = int(file.info.get("size") or 0)
        if lot and (size + bytes_ > _BYTES or len(lot) >= _FILES):
            yield tuple(lot)
            lot, size = [], 0
        lot.append(member)
        size += bytes_
        if zlib.crc32(file.name.encode()) % _EDGE == 0:
            yield tuple(lot)
            lot, size = [], 0
    if lot:
        yield tuple(lot)


def name_of(lot: tuple[Member, ...]) -> str:
    """The folder of a lot; the same for the same inputs with the same content."""
    parts = [member.key or f"new {member.listed[0].path}" for member in lot]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def chunk_in_sql(kind: str = "index") -> str:
    """The number of the chunk that a row of `index-*` or `rejects-*` files is from, in DuckDB."""
    first = len(kind) + 2
    return f"parse_filename(filename)[{first}:{first + 5}]::INTEGER"


def index_file(folder: Path, chunk: int) -> Path:
    """Where the documents of a chunk are."""
    return folder / f"index-{chunk:06}.parquet"


def index_files(folder: Path) -> list[Path]:
    """The documents of every chunk that is there, in order."""
    return [path for path in sorted(folder.glob("index-*.parquet")) if _INDEX.fullmatch(path.name)]


def rejects_file(folder: Path, chunk: int) -> Path:
    """Where the rows of a chunk are that are no documents."""
    return folder / f"rejects-{chunk:06}.parquet"


def texts_file(folder: Path, chunk: int) -> Path:
    """Where the texts of a chunk are that may be wanted."""
    return folder / f"texts-{chunk:06}.parquet"


def write_lot(folder: Path, lot: Lot) -> None:
    """Says that a lot is whole."""
    data = zstandard.ZstdCompressor().compress(_LOT.dump_json(lot))
    (folder / RECORD).write_bytes(data)


def read_lot(folder: Path, trusted: bool = False) -> Lot | None:
    """A lot as it was staged; None where there is none that can be trusted.

    Args:
        trusted: whether its files are not looked at.
    """
    try:
        lot = _LOT.validate_json(_unpacked((folder / RECORD).read_bytes()))
        for number, chunk in enumerate(() if trusted else lot.chunks):
            names = index_file(folder, number), rejects_file(folder, number)
            if tuple(map(digest_of, names)) != chunk.digests:
                return None
    except (OSError, ValueError, zstandard.ZstdError):
        return None
    return lot if lot.format == FORMAT else None


def _unpacked(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def noted_types(types: KeptTypes) -> tuple[TypeSeen, ...]:
    """What kept columns were met with, as a record."""
    return tuple(
        TypeSeen(
            base64.b64encode(pa.schema([pa.field(name, kind)]).serialize()).decode(),
            seen.uri,
            seen.low,
            seen.high,
        )
        for name, kind, seen in types.listed()
    )


def join_types(types: KeptTypes, noted: Iterable[TypeSeen]) -> None:
    """Notes what a record says."""
    for one in noted:
        found = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(one.schema)))
        types.add(found.names[0], found.types[0], Seen(one.uri, one.low, one.high))
