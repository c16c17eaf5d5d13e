"""The values of a JSON document, one after the other, without holding it."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from nocturna.tasks.corpus.input_files import MAX_RECORD
from nocturna.tasks.corpus.jsonrows import Ambiguous, Number, check_size, decoder
from nocturna.tasks.errors import UsageError

_SPACE = re.compile(r"[ \t\r\n\ufeff]*")  # a byte order mark where files were joined
_EDGE = 16
"""Characters at a window's end where an error may only mean that the value goes on."""

_LARGE = 4 * 1024 * 1024
"""Characters of a window from which on its value is measured before it is made."""

_plain = json.JSONDecoder(strict=False)


class JsonValue(NamedTuple):
    """One value of a JSON stream.

    Attributes:
        offset, end: where it starts and stops, in bytes of the stream.
        number: from 1.
        text: as it was written.
        value: as `parse` gives it, or the Ambiguous that it raises.
    """

    offset: int
    end: int
    number: int
    text: str
    value: Any


def iter_values(
    blocks: Iterable[bytes], where: str, offset: int = 0, number: int = 1, inside: bool = False
) -> Iterator[JsonValue]:
    """The elements of a JSON array, or the values that follow one another in a stream.

    Args:
        blocks: UTF-8 bytes; what is not UTF-8 comes as lone surrogates.
        where: the file, for errors.
        offset, number: of the first value.
        inside: whether the blocks are a stretch of values that an earlier pass found, with or
            without commas between them.

    Raises:
        UsageError: where the stream stops being JSON; what follows cannot be told apart.
    """
    return _Values(blocks, where, offset, number, inside).run()


class _Values:
    """The state of one pass: a window of text that grows until a value fits into it."""

    def __init__(
        self, blocks: Iterable[bytes], where: str, offset: int, number: int, inside: bool
    ) -> None:
        self.blocks = iter(blocks)
        self.where = where
        self.offset = offset
        self.number = number
        self.inside = inside
        self.text = ""
        self.at = 0
        self.tail = b""
        self.ended = False

    def run(self) -> Iterator[JsonValue]:
        array = self.inside
        if not self.inside:
            self._skip_space()
            if self._peek() == "[":
                array = True
                self._advance(1)
        first = True
        while True:
            self._skip_space()
            char = self._peek()
            if not char:
                if array and not self.inside:
                    raise self._broken("the array does not end")
                return
            if array and char == "]":
                self._advance(1)
                self._finish()
                return
            if array and not first and (char == "," or not self.inside):
                if char != ",":
                    raise self._broken("a comma or the end of the array is missing")
                self._advance(1)
                self._skip_space()
            yield self._value()
            first = False

    def _value(self) -> JsonValue:
        grown = False
        while True:
            value, stop = self._decode(grown)
            if isinstance(value, Number) and stop - self.at > MAX_RECORD:
                raise self._too_long()
            # a number may go on beyond the window; at most two characters of it can be left over
            if stop and (stop + 2 < len(self.text) or not self._more()):
                break
            grown = True
        text = self.text[self.at : stop]
        try:
            check_size(text)
        except Ambiguous as error:
            value = error
        start = self.offset
        self._advance(stop - self.at)
        self.number += 1
        return JsonValue(start, self.offset, self.number - 1, text, value)

    def _decode(self, grown: bool) -> tuple[Any, int]:
        """The value at the window's start and where it stops; 0 after the window had to grow."""
        if grown and len(self.text) - self.at > _LARGE:
            try:
                check_size(self.text, self.at)
            except Ambiguous as error:
                raise self._broken(str(error)) from None
        try:
            return decoder.raw_decode(self.text, self.at)
        except Ambiguous as twice:
            return twice, _plain.raw_decode(self.text, self.at)[1]
        except RecursionError:
            raise self._broken("nested too deeply") from None
        except json.JSONDecodeError as error:
            unfinished = error.pos > len(self.text) - _EDGE or error.msg.startswith("Unterminated")
            if len(self.text) - self.at > MAX_RECORD:
                raise self._too_long() from None
            if unfinished and self._more():
                return None, 0
            raise self._broken(error.msg, error.pos) from None

    def _more(self) -> bool:
        """Makes the window at least twice as large; False at the end of the stream."""
        if self.ended:
            return False
        kept = self.text[self.at :]
        pieces, size = [self.tail], 0
        for block in self.blocks:
            pieces.append(block)
            size += len(block)
            if size > len(kept):
                break
        else:
            self.ended = True
        data = b"".join(pieces)
        cut = len(data) if self.ended else _whole_characters(data)
        self.tail = data[cut:]
        self.text = kept + data[:cut].decode("utf-8", "surrogateescape")
        self.at = 0
        return True

    def _peek(self) -> str:
        while self.at >= len(self.text):
            if not self._more():
                return ""
        return self.text[self.at]

    def _skip_space(self) -> None:
        while self._peek() and (space := _SPACE.match(self.text, self.at)) and space[0]:
            self._advance(len(space[0]))

    def _advance(self, characters: int) -> None:
        passed = self.text[self.at : self.at + characters]
        self.offset += len(passed.encode("utf-8", "surrogateescape"))
        self.at += characters

    def _finish(self) -> None:
        self._skip_space()
        if self._peek():
            raise self._broken("there is more after the end of the array")

    def _too_long(self) -> UsageError:
        return self._broken(f"a value longer than {MAX_RECORD} characters")

    def _broken(self, reason: str, position: int | None = None) -> UsageError:
        ahead = self.text[self.at : position] if position is not None else ""
        byte = self.offset + len(ahead.encode("utf-8", "surrogateescape"))
        return UsageError(
            f"{self.where}: not valid JSON in value {self.number}, byte {byte}: {reason}; "
            "repair the file or store it as JSON lines, where one broken line costs one row"
        )


def _whole_characters(data: bytes) -> int:
    """How many of the bytes end with a whole UTF-8 character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            need = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < need else len(data)
        if byte < 0x80:
            break
    return len(data)
