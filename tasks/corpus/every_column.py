"""Every column of an input, where a job keeps them all."""

from collections.abc import Sequence

from nocturna.tasks.corpus.columns import splits
from nocturna.tasks.corpus.composed import composed_of
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import EVERY, Source

MOST = 1000
"""Columns that a corpus may have; keys of more are data."""

_NAME_THEM = f"name those to keep, in place of {EVERY}"


def text_and_id(source: Source) -> set[str]:
    """The columns that text and id are made of; of one inside a column, that one."""
    names: set[str] = set()
    for template in (source.text, source.id):
        made = composed_of(template)
        names.update(made.columns if made else [template] if template else [])
    return names | {column for name in names for column, _ in splits(name)}


def all_columns(source: Source, item: InputFile) -> list[str]:
    """The columns of an input as far as its beginning tells.

    Raises:
        UsageError: one of them is there twice, or its format has no way to say them.
    """
    format = formats()[item.format]
    if not hasattr(format, "names"):
        raise UsageError(
            f"{item.uri}: the format {item.format} does not say its columns; {_NAME_THEM}"
        )
    names: list[str] = format.names(source, item)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"{item.uri}: {names.count(twice)} columns are named {twice!r}; rename all but one, or "
            f"{_NAME_THEM}"
        )
    return names


def check_names(uri: str, names: Sequence[str]) -> None:
    """Refuses names that are none of columns.

    Raises:
        UsageError: they are too many, or one is no text.
    """
    if len(names) > MOST:
        raise UsageError(f"{uri}: more than {MOST:,} columns, so its keys are data; {_NAME_THEM}")
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"{uri}: the name of the column {name!r} is no Unicode text; {_NAME_THEM}"
            ) from None
