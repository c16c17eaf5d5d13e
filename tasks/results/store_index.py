"""What was last seen of a job's store, noted in its folder on this machine."""

from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.stored import as_record, made_of, read_values

PARTS = "data/"
"""The folder of the parts in a store; each has its bare name there, whatever snapshots name it."""


@dataclass(frozen=True)
class Seen:
    """A record that is the same here and in the store.

    Attributes:
        etag: of the object.
        size, mtime_ns: of the file.
    """

    etag: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Index:
    """What was seen.

    Attributes:
        records: by the name of the object, which is that of the file under the folder too.
        parts: bytes of each part in the store, by its bare name.
    """

    records: dict[str, Seen] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)


def read_index(layout: Layout) -> Index:
    """What was noted; nothing where that is gone or cannot be read: then all is fetched again."""
    path = _path(layout)
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError:
        return Index()


def write_index(layout: Layout, index: Index) -> None:
    """Notes what was seen."""
    files.write_whole(_path(layout), as_record(asdict(index)))


def parts_in_store(layout: Layout) -> dict[str, int]:
    """Bytes of each part in a job's store, by its bare name; none where the job has no store."""
    return read_index(layout).parts if layout.uri else {}


def seen(path: Path, etag: str) -> Seen:
    """That a file is the same as an object."""
    found = path.stat()
    return Seen(etag, found.st_size, found.st_mtime_ns)


def is_changed(path: Path, was: Seen | None) -> bool:
    """Whether a file is another than when it was last the same as an object."""
    return was is None or seen(path, was.etag) != was


@lru_cache(maxsize=8)
def _read(path: Path, mtime_ns: int) -> Index:
    found = read_values(path)
    return (made_of(Index, found).value if found else None) or Index()


def _path(layout: Layout) -> Path:
    return layout.root / "store.json"
