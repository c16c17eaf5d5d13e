"""What kind of file an input is: its format by the ending, its compression by ending and magic."""

from pathlib import PurePosixPath

from nocturna.tasks.errors import UsageError

ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".txt": "text",
    ".text": "text",
}
COLUMNAR = ("parquet", "arrow")
_COMPRESSED = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_UNSUPPORTED = (".bz2", ".xz", ".zip", ".7z", ".lz4", ".br", ".tar", ".tgz", ".rar")
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{bytes([0x50 + n]) + b"\x2a\x4d\x18": "zstd" for n in range(16)},  # a frame to skip
}
_COMPANIONS = (
    *("readme", "license", "licence", "notice", "manifest", "changelog", "citation"),
    *("checksum", "checksums", "md5sum", "md5sums", "sha1sums", "sha256sum", "sha256sums"),
)
_COMPANION_FILES = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")


def format_of(name: str) -> str | None:
    """The format that a file's ending names, behind a compression ending; None if unknown."""
    path = PurePosixPath(name.lower())
    if path.suffix in _COMPRESSED:
        path = path.with_suffix("")
    return ENDINGS.get(path.suffix)


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
    return base.split(".")[0].split("-")[0] in _COMPANIONS or base in _COMPANION_FILES


def is_hidden(name: str) -> bool:
    """Whether a part of the path starts with a dot, an underscore or `~$`, as staging files do."""
    return any(part.startswith((".", "_", "~$")) for part in PurePosixPath(name).parts)


def unsupported_ending(name: str) -> str | None:
    """The ending of an archive or a compression that is not read, or None."""
    suffix = PurePosixPath(name.lower()).suffix
    return suffix if suffix in _UNSUPPORTED else None


def compression_of(name: str, shown: str, format: str, head: bytes) -> str | None:
    """gzip, zstd or None, by the ending and the first bytes.

    Args:
        name: file name.
        shown: the file as the error names it.
        format: its format; Parquet and Arrow have their own compression inside.
        head: its first bytes; empty for an empty file.

    Raises:
        UsageError: if ending and content disagree, or a Parquet or Arrow file is compressed again.
    """
    by_magic = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    by_name = _COMPRESSED.get(PurePosixPath(name.lower()).suffix)
    if head and by_name and by_magic != by_name:
        raise UsageError(
            f"{shown}: named as {by_name} but does not hold {by_name} data; "
            "restore the file or give it its right ending"
        )
    if by_magic and format in COLUMNAR:
        raise UsageError(f"{shown}: {format} inside {by_magic} cannot be read; decompress it first")
    return by_magic or by_name
