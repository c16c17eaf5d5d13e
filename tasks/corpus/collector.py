"""What a row becomes: a document to be scored, a document with an error code, or a reject."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from nocturna.tasks.control import go_on
from nocturna.tasks.corpus.columns import named_columns
from nocturna.tasks.corpus.composed import composed_of, made_of, reading_with
from nocturna.tasks.corpus.document_tables import (
    DOCUMENT_SCHEMA,
    kept_name,
    reject_table,
    written_name,
)
from nocturna.tasks.corpus.every_column import all_columns, check_names, text_and_id
from nocturna.tasks.corpus.folder_columns import folder_columns
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import MISSING, RAW_BYTES, InputFile
from nocturna.tasks.corpus.jsonrows import Number
from nocturna.tasks.corpus.kept_json import column_of
from nocturna.tasks.corpus.kept_types import KeptTypes, joined, seen_in
from nocturna.tasks.corpus.read_texts import read_text_array, read_texts
from nocturna.tasks.corpus.row_ids import raw_of, read_id
from nocturna.tasks.corpus.storage import Digest
from nocturna.tasks.corpus.unpacking import LEAST_ROW, Unpacked
from nocturna.tasks.job.source import EVERY, Source

_CHUNK_BYTES = 8 * 1024 * 1024
_CHUNK_ROWS = 16_384

Emit = Callable[[pa.Table, pa.Table], None]
"""Takes a chunk: documents and rejects, in corpus order."""

log = logging.getLogger(__name__)


class Collector:
    """Gathers the rows of inputs into chunks of Arrow tables, a few megabytes each.

    Args:
        emit: called with each chunk. Documents have DOCUMENT_SCHEMA, the kept source columns of
            types that hold what the chunk has, and columns of values that were written otherwise.

    Attributes:
        digest: gets the stored bytes of the input in hand; None where it is not asked for.
        types: what the kept columns were met with.
        float_ids: the first input whose ids are floats; empty where none's are.
        has_id: whether the documents of the input in hand bring their own id.
        asked: the source with every column that it names, and those that a text or id is made of.
        keep: the kept columns.
        reading: the source as formats read it: as `asked`, and where `every` column is kept, with
            those that were met.
        text, id: how those are made, where they are made of several columns.
    """

    def __init__(self, source: Source, emit: Emit) -> None:
        self.digest: Digest | None = None
        self.float_ids = ""
        self.keep = list(named_columns(source))
        self.types = KeptTypes(self.keep)
        self.has_id = source.id is not None
        self.every = EVERY in source.keep
        self.reading = self.asked = reading_with(self.keep, source)
        self.text, self.id = composed_of(source.text), composed_of(source.id, whole=True)
        self._source, self._emit = source, emit
        self._known = {*self.keep, *text_and_id(source)}
        self._chunk_rows = _CHUNK_ROWS
        self._uri = ""
        self._folders: dict[str, str | None] = {}
        self._in_folders: list[tuple[int, str | None]] = []
        self._unpacked: Unpacked
        self._tables: list[pa.Table] = []
        self._waiting = self._waiting_bytes = 0
        self._rejects: list[tuple[str, int, int | None, str, str, bytes]] = []
        self._start()

    def take(self, item: InputFile, unsure: Collection[str] = ()) -> tuple[InputFile, set[str]]:
        """Reads an input.

        Args:
            unsure: columns of which only the whole input can tell whether it has them.

        Returns:
            the input with its rows, and those of the columns that it does not have.

        Raises:
            UsageError: it cannot be read.
        """
        format = formats()[item.format]
        if unsure:
            self.flush()
        self._uri = item.uri
        self.has_id = self._source.id is not None or getattr(format, "OWN_IDS", False)
        self._unpacked = Unpacked(item)
        self._rows = self._no_text = self._no_id = 0
        self._unmet = set(unsure)
        self._folders = folder_columns(item)
        self._place_folders()
        if self.every and item.size:
            self.widen(dict.fromkeys([*all_columns(self.asked, item), *self._folders]))
        format.read(self.reading, item, self)
        if unsure:
            self.flush()
        absent = self._unmet & {*self.asked.keep}
        if self.reading.text in unsure and self._no_text == self._rows:
            absent.add(self.reading.text)
        if self.reading.id in unsure and self._no_id == self._rows:
            absent.add(str(self.reading.id))
        return replace(item, rows=self._rows), absent

    def widen(self, names: Iterable[str]) -> None:
        """Keeps further columns, null in the rows before, where every column is kept.

        Raises:
            UsageError: they are too many to be columns.
        """
        if not (new := [name for name in names if name not in self._known]):
            return
        if "" in new:
            log.warning("%s: a column without a name is not kept", self._uri)
            self._known.add("")
            if not (new := [name for name in new if name]):
                return
        self.keep += new
        self._known |= {*new}
        check_names(self._uri, self.keep)
        self._kept += [[MISSING] * len(self._ids) for _ in new]
        self.reading = reading_with(self.keep, self._source)
        self._place_folders()

    def _place_folders(self) -> None:
        """Finds where among the kept columns of a row those are that folders are named by."""
        keep = enumerate(self.reading.keep)
        self._in_folders = [(at, self._folders[n]) for at, n in keep if n in self._folders]

    def finish(self) -> None:
        """Hands out what is left."""
        self.flush()
        self._cut()

    def _start(self) -> None:
        self._ids: list[str | None] = []
        self._texts: list[Any] = []
        self._numbers: list[int] = []
        self._uris: list[str] = []
        self._kept: list[list[Any]] = [[] for _ in self.keep]
        self._bytes = 0

    def add(
        self,
        row: int,
        offset: int | None,
        doc_id: Any,
        text: Any,
        kept: Sequence[Any],
        size: int = 0,
    ) -> None:
        """Takes a row, which becomes a document or is rejected for its id.

        Args:
            kept: the values of the kept columns of `reading`; MISSING, as of text and id, where the
                row has none, so that its folder may.
            size: bytes that it takes in its stream.
        """
        if self._folders:
            doc_id = self._in_folder(self.reading.id, doc_id)
            text = self._in_folder(self.reading.text, text)
            kept = list(kept)
            for at, value in self._in_folders:
                kept[at] = value if kept[at] is MISSING else kept[at]
        if self.text or self.id:
            row_of = dict(zip(self.reading.keep, kept, strict=True))
            self._unmet -= {name for name, value in row_of.items() if value is not MISSING}
            text, doc_id = made_of(self.text, text, row_of), made_of(self.id, doc_id, row_of)
            kept = kept[: len(self.keep)]
        if self.hold(row, doc_id, text, offset, size):
            for column, value in zip(self._kept, kept, strict=True):
                column.append(value)
            self._flush_if_full()

    def add_many(
        self,
        numbers: Sequence[int],
        ids: Sequence[str] | None,
        texts: Sequence[str],
        kept: Sequence[Sequence[Any]],
        size: int = 0,
    ) -> None:
        """Takes rows that become documents.

        Args:
            numbers: their rows.
            ids: as `read_id` gives them; None if they bring none.
            kept: the values of each kept column.
            size: bytes that they take in their stream.
        """
        rows = len(numbers)
        if self._in_folders:
            kept = list(kept)
            for at, value in self._in_folders:
                kept[at] = [value if one is MISSING else one for one in kept[at]]
        for start in range(0, rows, self._chunk_rows):
            part = slice(start, start + self._chunk_rows)
            some = None if ids is None else ids[part]
            self.hold_many(
                numbers[part], some, texts[part], min(size, size * self._chunk_rows // rows)
            )
            for column, values in zip(self._kept, kept, strict=True):
                column.extend(values[part])
            self._flush_if_full()

    def _in_folder(self, column: str | None, value: Any) -> Any:
        """A value of a row, or of its folder where the row has none."""
        return self._folders.get(column or "", value) if value is MISSING else value

    def hold(
        self, row: int, doc_id: Any, text: Any, offset: int | None = None, size: int = 0
    ) -> bool:
        """As `add`, of a row whose kept values come with `flush`; whether it is a document."""
        self._no_text += text is MISSING
        name: str | None = None
        if self.has_id:
            name, problem = read_id(doc_id)
            if problem:
                self._no_id += doc_id is MISSING
                self.reject(row, offset, *problem, raw=raw_of(doc_id), size=size)
                return False
            if name != doc_id and isinstance(doc_id, float | Number):
                self.float_ids = self.float_ids or self._uri
        self._rows += 1
        self._unpacked.add(max(LEAST_ROW, size))
        self._ids.append(name)
        self._texts.append(text)
        self._numbers.append(row)
        self._uris.append(self._uri)
        self._bytes += len(text) if isinstance(text, str) else 0
        return True

    def hold_many(
        self,
        numbers: Sequence[int],
        ids: Sequence[str] | None,
        texts: Sequence[str] | None,
        size: int = 0,
    ) -> None:
        """As `add_many`, of rows whose kept values come with `flush`, and perhaps their texts."""
        rows = len(numbers)
        self._rows += rows
        self._unpacked.add(max(LEAST_ROW * rows, size))
        self._ids.extend(ids or [None] * rows)
        self._numbers.extend(numbers)
        self._uris.extend([self._uri] * rows)
        if texts is not None:
            self._texts.extend(texts)
            self._bytes += sum(map(len, texts))

    def _flush_if_full(self) -> None:
        if self._bytes > _CHUNK_BYTES or len(self._ids) >= self._chunk_rows:
            self.flush()

    def reject(
        self, row: int, offset: int | None, reason: str, message: str, raw: bytes, size: int = 0
    ) -> None:
        """Takes a row that is no document."""
        self._rows += 1
        self._unpacked.add(max(LEAST_ROW, size))
        self._rejects.append((self._uri, row, offset, reason, message, raw[:RAW_BYTES]))
        if len(self._rejects) >= self._chunk_rows:
            self._cut()

    def flush(
        self, kept: Sequence[pa.Array] | None = None, texts: pa.LargeStringArray | None = None
    ) -> None:
        """Turns the rows taken since the last time into Arrow.

        Args:
            kept: the kept columns where they are Arrow already, and not among the rows.
            texts: the texts where they are.
        """
        if not self._ids:
            self._start()
            return
        most = self._source.max_chars
        read = read_texts(self._texts, most) if texts is None else read_text_array(texts, most)
        found, hashes, sizes, codes, messages = read
        columns = [
            pa.array(self._ids, pa.string()),
            found,
            hashes,
            pa.array(self._uris, pa.string()),
            pa.array(self._numbers, pa.int64()),
            codes,
            messages,
            sizes,
        ]
        named: list[tuple[str, pa.Array]] = []
        more: list[tuple[str, pa.Array]] = []
        for at, name in enumerate(self.keep):
            if kept is None:
                values = self._kept[at]
                if name in self._unmet and any(value is not MISSING for value in values):
                    self._unmet.discard(name)
                array, written = column_of(values)
                if written is not None:
                    more.append((written_name(name), written))
            else:
                array = kept[at]
            named.append((kept_name(name), array))
            self.types.add(name, array.type, seen_in(array, self._uri))
        named += more
        schema = pa.schema([*DOCUMENT_SCHEMA, *(pa.field(n, array.type) for n, array in named)])
        table = pa.Table.from_arrays([*columns, *(array for _, array in named)], schema=schema)
        self._tables.append(table)
        self._waiting += table.num_rows
        self._waiting_bytes += self._bytes
        self._start()
        if self._waiting >= self._chunk_rows or self._waiting_bytes > _CHUNK_BYTES:
            self._cut()

    def _cut(self) -> None:
        """Hands a chunk out."""
        go_on()
        if not self._tables and not self._rejects:
            return
        self._emit(joined(self._tables, self.keep), reject_table(self._rejects))
        self._tables, self._rejects = [], []
        self._waiting = self._waiting_bytes = 0
