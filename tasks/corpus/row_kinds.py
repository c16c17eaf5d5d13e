"""What a row becomes: a document to be scored, a document with an error code, or a reject."""

import hashlib
from typing import Any

import pyarrow as pa

from nocturna.tasks.corpus.columnar import is_text
from nocturna.tasks.corpus.document_tables import (
    DOCUMENT_SCHEMA,
    REJECT_SCHEMA,
    ShardRows,
    kept_name,
)
from nocturna.tasks.corpus.input_files import MISSING, RAW_BYTES
from nocturna.tasks.corpus.jsonrows import Number, to_text
from nocturna.tasks.corpus.kept_json import column_of
from nocturna.tasks.corpus.kept_types import KeptTypes, seen_in, with_kept_types

MAX_ID = 1024
"""Longest id, in characters."""

_CHUNK_BYTES = 8 * 1024 * 1024
_HASH_DIGITS = 32


def content_hash(data: bytes) -> str:
    """The first 32 hex digits of the sha256 of a text's UTF-8 bytes."""
    return hashlib.sha256(data).hexdigest()[:_HASH_DIGITS]


_Row = tuple[str, str | None, bytes | None, str, int, str | None, str | None]
"""Input, id, text, content hash, row, error code and message of a document."""


class Collector:
    """Gathers the rows of a shard into Arrow tables, a few megabytes at a time.

    `uri` names the input that the next rows come from.

    Args:
        max_chars: longest text that is scored, in characters.
        has_id: whether documents bring their own id.
        keep: names of the kept columns.
    """

    def __init__(self, max_chars: int, has_id: bool, keep: tuple[str, ...]) -> None:
        self.uri = ""
        self._max_chars = max_chars
        self._has_id = has_id
        self._keep = keep
        # one hash a column: where the tables are cut must not show in the digest
        self._digests = [hashlib.sha256() for _ in ("documents", "rejects", *keep)]
        self._documents: list[pa.Table] = []
        self._rejects: list[tuple[str, int, int | None, str, str, bytes]] = []
        self._types = KeptTypes(keep)
        self._start()

    def _start(self) -> None:
        self._rows: list[_Row] = []
        self._kept: list[list[Any]] = []
        self._bytes = 0

    def add(
        self, row: int, offset: int | None, doc_id: Any, text: Any, kept: list[Any] | None = None
    ) -> bool:
        """Takes a row; a text row's kept values go with it, columnar ones come with `flush`.

        Returns:
            whether it became a document; False: it was rejected for its id.
        """
        name: str | None = None
        if self._has_id:
            name, problem = _read_id(doc_id)
            if problem:
                self.reject(row, offset, *problem, raw=_raw_of(doc_id))
                return False
        data, code, message = self._read_text(text)
        if kept is not None:
            self._kept.append(kept)
        text_bytes = None if code else data
        self._rows.append((self.uri, name, text_bytes, content_hash(data), row, code, message))
        self._bytes += len(data)
        if kept is not None and (self._bytes > _CHUNK_BYTES or len(self._rows) >= 16_384):
            self.flush()
        return True

    def reject(self, row: int, offset: int | None, reason: str, message: str, raw: bytes) -> None:
        """Takes a row that is no document."""
        self._rejects.append((self.uri, row, offset, reason, message, raw[:RAW_BYTES]))
        self._digests[1].update(f"{self.uri}\t{row}\t{reason}\n".encode("utf-8", "surrogatepass"))

    def flush(self, kept: list[pa.Array] | None = None) -> None:
        """Turns the rows taken since the last time into Arrow.

        Args:
            kept: the kept columns of columnar formats, aligned with the documents taken; None:
                they came with each row.
        """
        if not self._rows:
            self._start()
            return
        uris, ids, texts, hashes, rows, codes, messages = zip(*self._rows, strict=True)
        columns = [
            pa.array(ids, pa.string()),
            pa.array(texts, pa.large_binary()).cast(pa.large_string()),
            pa.array(hashes, pa.string()),
            pa.array(uris, pa.string()),
            pa.array(rows, pa.int64()),
            pa.array(codes, pa.string()),
            pa.array(messages, pa.string()),
        ]
        if kept is None:
            columns_kept = list(zip(*self._kept, strict=True)) if self._keep else []
            kept = [column_of(column) for column in columns_kept]
        for name, array in zip(self._keep, kept, strict=True):
            self._types.add(name, array.type, seen_in(array, self.uri))
        fields = [
            pa.field(kept_name(name), array.type)
            for name, array in zip(self._keep, kept, strict=True)
        ]
        schema = pa.schema([*DOCUMENT_SCHEMA, *fields])
        self._documents.append(pa.Table.from_arrays([*columns, *kept], schema=schema))
        seen = "".join(
            f"{uri}\t{row}\t{doc_id!r}\t{digest}\t{code}\n"
            for uri, row, doc_id, digest, code in zip(uris, rows, ids, hashes, codes, strict=True)
        )
        self._digests[0].update(seen.encode("utf-8", "surrogatepass"))
        for hasher, array in zip(self._digests[2:], kept, strict=True):
            hasher.update("".join(f"{value!r}\n" for value in _values(array)).encode())
        self._start()

    def finish(self, types: pa.Schema | None = None) -> ShardRows:
        """Everything taken so far.

        Args:
            types: of the kept columns; those that hold what was taken if none are given.
        """
        self.flush()
        types = types or self._types.schema()
        empty = pa.schema([*DOCUMENT_SCHEMA, *types]).empty_table()
        documents = pa.concat_tables(
            [empty, *(with_kept_types(table, types) for table in self._documents)]
        )
        names = REJECT_SCHEMA.names
        rejects = pa.Table.from_pylist(
            [dict(zip(names, reject, strict=True)) for reject in self._rejects], REJECT_SCHEMA
        )
        digest = hashlib.sha256("".join(h.hexdigest() for h in self._digests).encode())
        return ShardRows(documents, rejects, digest.hexdigest(), self._types)

    def _read_text(self, text: Any) -> tuple[bytes, str | None, str | None]:
        """The bytes that the content hash is made of, an error code and its message."""
        if text is MISSING or text is None:
            missing = "missing_text", "the row has no text column"
            return b"", *(missing if text is MISSING else ("null_text", "the text is null"))
        if not isinstance(text, str) or isinstance(text, Number):
            kind = "number" if isinstance(text, Number) else type(text).__name__
            data = to_text(text).encode("utf-8", "surrogatepass")
            return data, "not_text", f"the text column holds a {kind}, not a text"
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            data = text.encode("utf-8", "surrogatepass")
            message = f"a lone surrogate at character {error.start + 1}, which is no Unicode text"
            return data, "invalid_unicode", message
        if not text or text.isspace():
            return data, "empty_text", "the text is empty or white space"
        if len(text) > self._max_chars:
            message = f"{len(text):,} characters, more than max_chars ({self._max_chars:,})"
            return data, "too_long", message
        return data, None, None


def _values(array: pa.Array) -> list[Any]:
    """The values of an array, in a form that never fails to print."""
    kind = array.type
    if pa.types.is_nested(kind) or pa.types.is_fixed_size_binary(kind) or is_text(kind):
        return array.to_pylist()
    return array.cast(pa.string()).to_pylist()


def _read_id(value: Any) -> tuple[str | None, tuple[str, str] | None]:
    if value is MISSING or value is None or (isinstance(value, str) and not value.strip()):
        return None, ("missing_id", "the id is missing, null or empty")
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str):
        return None, ("invalid_id", f"the id is a {type(value).__name__}, not a text or a number")
    try:
        value.encode()
    except UnicodeEncodeError:
        return None, ("invalid_id", "the id holds a lone surrogate, which is no Unicode text")
    if len(value) > MAX_ID:
        return None, ("invalid_id", f"the id is longer than {MAX_ID:,} characters")
    return str(value), None


def _raw_of(value: Any) -> bytes:
    if value is MISSING or value is None:
        return b""
    text = value if isinstance(value, str) else to_text(value)
    return text[:RAW_BYTES].encode("utf-8", "surrogatepass")
