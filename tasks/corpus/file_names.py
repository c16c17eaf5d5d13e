"""What kind of file an input is: its format by the ending, its compression by ending and magic."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from nocturna.tasks.corpus.formats import endings, formats
from nocturna.tasks.errors import UsageError

_COMPRESSED = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".zst": "zstd",
    ".zstd": "zstd",
    ".bz2": "bzip2",
    ".xz": "xz",
}
_UNSUPPORTED = (".7z", ".lz4", ".br", ".rar")
_TARS = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst")
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\0": "xz",
    **{bytes([0x50 + n]) + b"\x2a\x4d\x18": "zstd" for n in range(16)},  # a frame to skip
}
_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")
"""What follows the level: a block, or the end of an empty file."""
_COMPANIONS = (
    *("readme", "license", "licence", "notice", "manifest", "changelog", "citation"),
    *(
        "leeme",
        "léeme",
        "leame",
        "léame",
        "leiame",
        "lisezmoi",
        "lisez",
        "liesmich",
        "requirements",
    ),
    *("licencia", "licença", "licenca"),
    *("checksum", "checksums", "md5sum", "md5sums", "sha1sums", "sha256sum", "sha256sums"),
)
_CHECKSUMS = (".md5", ".sha1", ".sha256", ".sha512", ".crc", ".sig", ".asc")
_COMPANION_FILES = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")


def format_of(name: str) -> str | None:
    """The format that a file's ending names, behind a compression ending; None if unknown."""
    path = PurePosixPath(name.lower())
    if path.suffix in _COMPRESSED:
        path = path.with_suffix("")
    return endings().get(path.suffix)


def is_of(name: str, format: str) -> bool:
    """Whether a file's ending is one of a format, behind a compression ending."""
    return PurePosixPath(without_compression(name.lower())).suffix in endings_of(format)


def endings_of(format: str) -> tuple[str, ...]:
    """The endings that name a format; none of one that is never told by them."""
    return formats()[format].NAMES[1:]


def meant_by(names: Iterable[str], format: str) -> set[str]:
    """The names of a folder's files that are meant where a job says that they are of a format.

    They are those with one of its endings or without any; where there are none, those with an
    ending that is unknown here; else all, since their ending then says what they are not.
    """
    readable = [name for name in names if not unsupported_ending(name)]
    own = [name for name in readable if is_of(name, format) or not has_ending(name)]
    return {*(own or [name for name in readable if not format_of(name)] or readable)}


def without_compression(name: str) -> str:
    """A file name without the ending of its compression."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in _COMPRESSED else name


def has_ending(name: str) -> bool:
    """Whether a file name has an ending besides that of its compression."""
    path = PurePosixPath(name.lower())
    return bool((path.with_suffix("") if path.suffix in _COMPRESSED else path).suffix)


def is_companion(name: str) -> bool:
    """Whether a file describes the corpus (README, LICENSE, manifest...) rather than holds it."""
    base = PurePosixPath(name.lower()).name
    named = base.split(".")[0].split("-")[0] in _COMPANIONS or base in _COMPANION_FILES
    return named or base.endswith(_CHECKSUMS)


def is_hidden(name: str) -> bool:
    """Whether a part of the path starts with a dot, an underscore or `~$`, as staging files do."""
    return any(part.startswith((".", "_", "~$")) for part in PurePosixPath(name).parts)


def archive_kind(name: str) -> str | None:
    """zip or tar where a file's ending names an archive that is read, or None."""
    path = PurePosixPath(without_compression(name.lower()))
    return "zip" if path.suffix == ".zip" else "tar" if path.suffix in _TARS else None


def archive_stem(name: str) -> str:
    """The name of an archive without its endings."""
    return without_compression(name).rpartition(".")[0]


def packed_as(head: bytes) -> str | None:
    """gzip, zstd, bzip2, xz or None, by the first bytes."""
    if head.startswith(b"BZh") and head[4:10] in _BZIP2:
        return "bzip2"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def unsupported_ending(name: str) -> str | None:
    """The ending of an archive or a compression that is not read, or None."""
    suffix = PurePosixPath(name.lower()).suffix
    return suffix if suffix in _UNSUPPORTED else None


def compression_of(name: str, shown: str, format: str, head: bytes) -> str | None:
    """gzip, zstd, bzip2, xz or None, by the ending and the first bytes.

    Args:
        name: file name.
        shown: the file as the error names it.
        format: its format; some have a compression of their own inside.
        head: its first bytes; empty for an empty file.

    Raises:
        UsageError: if ending and content disagree, or a compressed format is compressed again.
    """
    by_magic = packed_as(head)
    by_name = _COMPRESSED.get(PurePosixPath(name.lower()).suffix)
    if head and by_name and by_magic != by_name:
        raise UsageError(
            f"{shown}: named as {by_name} but does not hold {by_name} data; "
            "restore the file or give it its right ending"
        )
    if by_magic and not formats()[format].PACKED:
        raise UsageError(f"{shown}: {format} inside {by_magic} cannot be read; decompress it first")
    return by_magic or by_name
