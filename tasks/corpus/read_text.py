"""Documents of inputs without columns: a line each, or a file each."""

from nocturna.tasks.corpus.input_files import MAX_RECORD, InputFile, Slice
from nocturna.tasks.corpus.lines import BOM, is_blank, iter_lines, not_decoded, too_long
from nocturna.tasks.corpus.row_kinds import Collector
from nocturna.tasks.corpus.streams import byte_range, stream_encoding
from nocturna.tasks.job.job import Source


def read_text(source: Source, item: InputFile, part: Slice, rows: Collector) -> None:
    """Reads a slice of a text input into `rows`, a document a line."""
    encoding = stream_encoding(source, item)
    blocks = byte_range(source, item, part.start, part.stop)
    for line in iter_lines(blocks, part.start, part.first_row):
        if is_blank(line):
            continue
        if not line.whole:
            rows.reject(line.number, line.offset, *too_long(line), line.data)
            continue
        try:
            text = line.data.removesuffix(b"\r").decode(encoding)
        except UnicodeDecodeError as error:
            problem = not_decoded(line, error, encoding)
            rows.reject(line.number, line.offset, *problem, line.data)
        else:
            rows.add(line.number, line.offset, None, text, [])


def read_file(source: Source, item: InputFile, part: Slice, rows: Collector) -> None:
    """Reads a whole file into `rows` as one document, named by its path in the corpus."""
    pieces, size = [], 0
    for block in byte_range(source, item):
        pieces.append(block)
        size += len(block)
        if size > MAX_RECORD:
            message = f"the file is longer than {MAX_RECORD} bytes"
            rows.reject(1, 0, "file_too_long", message, pieces[0])
            return
    data = b"".join(pieces).removeprefix(BOM)
    try:
        text = data.decode(stream_encoding(source, item))
    except UnicodeDecodeError as error:
        message = f"byte {error.start}: not valid {source.encoding}; set `encoding`"
        rows.reject(1, error.start, "encoding", message, data)
    else:
        rows.add(1, 0, item.name, text, [])
