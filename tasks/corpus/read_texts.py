"""What a text is before any model reads it: its bytes and their hash, or why it has none."""

import hashlib
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nocturna.tasks.corpus.input_files import MISSING
from nocturna.tasks.corpus.jsonrows import Number, to_text

_DIGITS = 32
"""Hex digits of the sha256 of its UTF-8 bytes that name a text."""
_sha256 = hashlib.sha256

Read = tuple[pa.Array, pa.Array, pa.Array, pa.Array, pa.Array]
"""Texts, content hashes, sizes in bytes, error codes and messages."""


def read_texts(values: Sequence[Any], max_chars: int) -> Read:
    """The values of a text column.

    Args:
        max_chars: longest text that is scored, in characters.

    Returns:
        a text is null where it has an error code; it has a hash and a size nevertheless.
    """
    if {*map(type, values)} == {str}:
        try:
            data = list(map(str.encode, values))
        except UnicodeEncodeError:
            return _one_by_one(values, max_chars)
        odd = [at for at, text in enumerate(values) if not text or text.isspace()]
        if not odd and max(map(len, values)) <= max_chars:
            nothing = pa.nulls(len(data), pa.string())
            return _arrays(data, data, nothing, nothing)
    return _one_by_one(values, max_chars)


def read_text_array(texts: pa.LargeStringArray, max_chars: int) -> Read:
    """As `read_texts`, of texts that are Arrow already: no null and no bytes that are not UTF-8."""
    longest = pc.max(pc.utf8_length(texts)).as_py() or 0
    shortest = pc.min(pc.binary_length(pc.utf8_trim_whitespace(texts))).as_py() or 0
    if not shortest or longest > max_chars:
        return read_texts(texts.to_pylist(), max_chars)
    nothing = pa.nulls(len(texts), pa.string())
    return texts, _hashes(texts), pc.binary_length(texts), nothing, nothing


def _hashes(texts: pa.Array) -> pa.Array:
    """The hash of each text's bytes; equal texts are hashed once."""
    found = texts.dictionary_encode()
    distinct = found.dictionary.cast(pa.large_binary()).to_pylist()
    hashes = [_sha256(data).hexdigest()[:_DIGITS] for data in distinct]
    return pa.array(hashes, pa.string()).take(found.indices)


def _one_by_one(values: Sequence[Any], max_chars: int) -> Read:
    data, codes, messages = zip(*map(_read, values, repeat(max_chars)), strict=True)
    texts = [None if code else one for one, code in zip(data, codes, strict=True)]
    return _arrays(data, texts, pa.array(codes, pa.string()), pa.array(messages, pa.string()))


def _arrays(
    data: Sequence[bytes], texts: Sequence[bytes | None], codes: pa.Array, messages: pa.Array
) -> Read:
    all_data = pa.array(data, pa.large_binary())
    found = all_data if texts is data else pa.array(texts, pa.large_binary())
    sizes = pc.binary_length(all_data)
    return found.cast(pa.large_string()), _hashes(all_data), sizes, codes, messages


def _read(text: Any, max_chars: int) -> tuple[bytes, str | None, str | None]:
    """The bytes that the content hash is made of, an error code and its message."""
    if type(text) is not str:
        if text is MISSING or text is None:
            missing = "missing_text", "the row has no text column"
            return b"", *(missing if text is MISSING else ("null_text", "the text is null"))
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
    if len(text) > max_chars:
        return data, "too_long", f"{len(text):,} characters, more than max_chars ({max_chars:,})"
    return data, None, None
