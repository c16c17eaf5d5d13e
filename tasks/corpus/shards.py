"""Cutting a corpus into shards: one pass over each input, no more than counts in memory."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice, pairwise

from nocturna.tasks.corpus.columns import Lacking, check_columns
from nocturna.tasks.corpus.delimited import iter_records
from nocturna.tasks.corpus.dialect import written
from nocturna.tasks.corpus.formats import COLUMNAR
from nocturna.tasks.corpus.input_files import InputFile, Shard, Slice
from nocturna.tasks.corpus.jsonstream import iter_values
from nocturna.tasks.corpus.lines import is_blank, iter_lines
from nocturna.tasks.corpus.streams import byte_range, stream_encoding
from nocturna.tasks.corpus.unpacking import LEAST_ROW, Unpacked
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source

SHARD_BYTES = 64 * 1024 * 1024
_SHARDS = 400
_LEAST_ROWS = 1000
_GRAIN_ROWS = 250
_ROW_BYTES = 64
_GRAIN_BYTES = 8 * 1024 * 1024
_GRAINS = 4096

Grain = tuple[Slice, int]
"""A slice and the bytes of text in it."""


def cut_shards(
    source: Source,
    inputs: Sequence[InputFile],
    shard_size: int | None = None,
    workers: int = 1,
) -> list[Shard]:
    """Cuts a corpus into shards of at most `shard_size` rows and about 64 MB of text.

    Small inputs share a shard. Without a size there are some 400 shards of about 1,000 rows or
    more, and of a small corpus as many shards as workers, with the same amount of text in each.

    Args:
        workers: shards that are scored at once.

    Raises:
        UsageError: if a file is cut off or corrupt, lacks a column that the source names, or the
            corpus has no rows at all.
    """
    grains: list[Grain] = []
    lacking = Lacking(source)
    size = shard_size or min(_GRAIN_ROWS, 1 + len(inputs) // 16)
    for position, item in enumerate(inputs):
        found = _grains(source, item, position, size, exact=shard_size is not None)
        if found:
            lacking.add(item, check_columns(source, item))
        grains.extend(found)
    rows = sum(part.rows for part, _ in grains)
    if not rows:
        raise no_rows(source)
    lacking.refuse()
    lacking.tell()
    packed = _pack(grains, shard_size) if shard_size else _spread(grains, rows, workers)
    return [
        Shard(index, slices, sum(part.rows for part in slices))
        for index, slices in enumerate(packed)
    ]


def _spread(grains: Sequence[Grain], rows: int, workers: int) -> Iterator[tuple[Slice, ...]]:
    """Shards of like size, whose number keeps every worker busy to the end."""
    most = max(_LEAST_ROWS, math.ceil(rows / _SHARDS))
    shards = math.ceil(math.ceil(rows / most) / workers) * workers
    total = sum(map(_weight, grains))
    before = 0.0

    def shard_of(grain: Grain) -> int:
        nonlocal before
        weight = _weight(grain)
        middle, before = before + weight / 2, before + weight
        return int(middle * shards / total)

    for _, group in groupby(grains, shard_of):
        yield from _pack(list(group), 2 * most)


def _weight(grain: Grain) -> int:
    """How much work a grain is, about: its bytes, and some for each row however short."""
    return grain[1] + _ROW_BYTES * grain[0].rows


def check_head(source: Source, inputs: Iterable[InputFile], most: int) -> None:
    """Checks the columns of the first inputs without reading more of them than that takes.

    It says nothing that `cut_shards` would not say of them.

    Args:
        most: inputs to look at.

    Raises:
        UsageError: as `cut_shards`.
    """
    listed = iter(inputs)
    rows = False
    lacking = Lacking(source)
    for item in islice(listed, most):
        if _has_rows(source, item):
            rows = True
            lacking.add(item, check_columns(source, item))
    if next(listed, None) is not None:
        return
    if not rows:
        raise no_rows(source)
    lacking.refuse()


def no_rows(source: Source) -> UsageError:
    """What is said of a corpus without rows."""
    where = source.path or source.dataset
    return UsageError(f"{where}: the corpus has no rows; check the path and the format")


def _has_rows(source: Source, item: InputFile) -> bool:
    if item.format == "files":
        return True
    if item.format in COLUMNAR:
        from nocturna.tasks.corpus.columnar import has_rows

        return has_rows(source, item)
    return item.size > 0 and next(_records(source, item), None) is not None


def _grains(source: Source, item: InputFile, position: int, size: int, exact: bool) -> list[Grain]:
    """The smallest slices of an input that shards are made of.

    Args:
        size: rows of a slice.
        exact: whether a large input is cut that finely too.
    """
    unpacked = Unpacked(item)
    if item.format == "files":
        return [(Slice(position, 0, 1, 1, 1), item.size)]
    if item.format in COLUMNAR:
        from nocturna.tasks.corpus.columnar import row_sizes

        groups = row_sizes(source, item, (source.text, *source.keep))
        unpacked.add(sum(length for _, length in groups))
        coarse = 0 if exact else sum(rows for rows, _ in groups) // _GRAINS
        return list(_cut_rows(groups, position, max(size, coarse)))
    if item.size == 0:
        return []
    grains: list[Grain] = []
    begin = end = first_row = rows = 0
    for start, stop, number in _records(source, item):
        if rows and (rows >= size or stop - begin > _GRAIN_BYTES):
            grains.append((Slice(position, begin, end, first_row, rows), end - begin))
            rows = 0
            if not exact and len(grains) > _GRAINS:
                grains, size = _coarser(grains), size * 2
        if not rows:
            begin, first_row = start, number
        end = stop
        rows += 1
        unpacked.add(max(LEAST_ROW, stop - start))
    if rows:
        grains.append((Slice(position, begin, end, first_row, rows), end - begin))
    return grains


def _records(source: Source, item: InputFile) -> Iterator[tuple[int, int, int]]:
    """Start, stop and number of each row of a line format or JSON file."""
    blocks = byte_range(source, item)
    if item.format == "json":
        for value in iter_values(blocks, item.uri):
            yield value.offset, value.end, value.number
        return
    lines = iter_lines(blocks)
    if item.format in ("csv", "tsv"):
        found = written(source, item)
        records = iter_records(lines, found.dialect, stream_encoding(source, item))
        for record in islice(records, found.before, None):
            yield record.offset, record.end, record.number
        return
    for line in lines:
        if not is_blank(line):
            yield line.offset, line.end, line.number


def _cut_rows(groups: Sequence[tuple[int, int]], position: int, size: int) -> Iterator[Grain]:
    """Whole row groups or record batches, and even pieces of those that are too large."""
    row = 0
    for rows, length in groups:
        if not rows:
            continue
        pieces = max(math.ceil(rows / size), min(rows, math.ceil(length / SHARD_BYTES)))
        edges = [row + rows * piece // pieces for piece in range(pieces + 1)]
        for start, stop in pairwise(edges):
            yield Slice(position, start, stop, start + 1, stop - start), length // pieces
        row += rows


def _coarser(grains: list[Grain]) -> list[Grain]:
    return [
        (_joined(a[0], b[0]), a[1] + b[1]) for a, b in zip(grains[::2], grains[1::2], strict=False)
    ] + ([grains[-1]] if len(grains) % 2 else [])


def _joined(first: Slice, second: Slice) -> Slice:
    return replace(first, stop=second.stop, rows=first.rows + second.rows)


def _pack(grains: Sequence[Grain], target: int) -> Iterator[tuple[Slice, ...]]:
    slices: list[Slice] = []
    rows = length = 0
    for part, size in grains:
        if slices and (rows + part.rows > target or length + size > SHARD_BYTES):
            yield tuple(slices)
            slices, rows, length = [], 0, 0
        near = slices and slices[-1].input == part.input
        if near and part.start - slices[-1].stop < _GRAIN_BYTES:
            slices[-1] = _joined(slices[-1], part)
        else:
            slices.append(part)
        rows += part.rows
        length += size
    if slices:
        yield tuple(slices)
