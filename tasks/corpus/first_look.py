"""A look at the first inputs of a corpus, without reading more of them than that takes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from nocturna.tasks.addresses import is_remote
from nocturna.tasks.corpus.columns import Lacking, refuse_absent
from nocturna.tasks.corpus.composed import reading_of
from nocturna.tasks.corpus.copies import tell_equal
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.inputs import tell_empty
from nocturna.tasks.corpus.streams import blocks
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source


def check_head(source: Source, inputs: Iterable[InputFile], most: int) -> None:
    """Checks the columns of the first inputs.

    It says nothing that staging would not say of them.

    Args:
        most: inputs to look at.

    Raises:
        UsageError: an input cannot be read, or lacks a column that it must have.
    """
    source, listed = reading_of(source), iter(inputs)
    rows = False
    lacking = Lacking(source)
    for item in islice(listed, most):
        format = formats()[item.format]
        if format.has_rows(source, item):
            rows = True
            found = format.columns(source, item)
            absent = {} if is_remote(item.uri) else _absent(source, item, found.unsure)
            refuse_absent(source, absent)
            lacking.add(item, {**found.lacking, **absent})
    if next(listed, None) is not None:
        return
    if not rows:
        raise no_rows(source)
    lacking.refuse()


def check_whole(source: Source, inputs: Sequence[tuple[InputFile, Mapping[str, str]]]) -> None:
    """Checks what only a whole corpus can tell: that it has rows, and each kept column somewhere.

    Args:
        inputs: each with what it lacks.

    Raises:
        UsageError: it has no rows, or lacks a column.
    """
    lacking, rows = Lacking(source), 0
    for item, lacks in inputs:
        rows += item.rows
        if item.rows:
            lacking.add(item, lacks)
    if not rows:
        raise no_rows(source)
    lacking.refuse()
    lacking.tell()
    tell_empty(item for item, _ in inputs)
    tell_equal(item for item, _ in inputs)


def no_rows(source: Source) -> UsageError:
    """What is said of a corpus without rows."""
    return UsageError(f"{source.place}: the corpus has no rows; check the path and the format")


def _absent(source: Source, item: InputFile, unsure: Mapping[str, str]) -> dict[str, str]:
    """Columns whose key, or the last one of a path of keys, is nowhere in the bytes of an input."""
    marks: dict[str, set[bytes]] = {}
    for name in unsure:
        _, inside, key = name.rpartition(".")  # a key with dots in it ends so
        written = json.dumps(key, ensure_ascii=False), json.dumps(key)
        texts = [text[1:] if inside else text for text in written]
        marks[name] = {text.encode(source.encoding, "replace") for text in texts}
        marks[name] |= {text.encode() for text in texts}
    before = b""
    for block in blocks(source, item) if marks else ():
        data = before + block
        marks = {n: these for n, these in marks.items() if not any(m in data for m in these)}
        if not marks:
            break
        before = data[-max(len(mark) for these in marks.values() for mark in these) :]
    return {name: unsure[name] for name in marks}
