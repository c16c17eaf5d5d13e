"""Remote files of which the beginning is fetched once, however often it is looked at."""

from collections import OrderedDict
from threading import Lock
from typing import Any

from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.raw_streams import SeekableStream

HEAD = 1 << 20
"""Bytes of a file that are fetched at the first look and kept."""

_KEPT = 16
_heads: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
_lock = Lock()


class HeadFirst(SeekableStream):
    """A remote file; its beginning is asked for once, what follows only if it is read."""

    def __init__(self, fs: Any, path: str, item: InputFile) -> None:
        super().__init__(item.size)
        self._fs, self._path = fs, path
        self._head = _head_of(fs, path, item)
        self._rest: Any = None

    def read(self, n: int = -1, /) -> bytes:
        if 0 <= self._at < len(self._head):
            stop = len(self._head) if n < 0 else self._at + n
            data = self._head[self._at : stop]
            self._at += len(data)
            return data + self.read() if n < 0 else data
        if self._at >= self._size:
            return b""
        if self._rest is None:
            self._rest = self._fs.open(self._path, "rb", cache_type="readahead")
        if self._rest.tell() != self._at:
            self._rest.seek(self._at)
        data = self._rest.read(n)
        self._at += len(data)
        return bytes(data)

    def close(self) -> None:
        if self._rest is not None:
            self._rest.close()
        super().close()


def _head_of(fs: Any, path: str, item: InputFile) -> bytes:
    key = (item.uri, item.fingerprint, item.size)
    with _lock:
        if key in _heads:
            _heads.move_to_end(key)
            return _heads[key]
    found = fs.cat_file(path, start=0, end=min(HEAD, item.size)) if item.size else b""
    with _lock:
        _heads[key] = found
        while len(_heads) > _KEPT:
            _heads.popitem(last=False)
    return found
