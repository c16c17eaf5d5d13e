"""Formats of a corpus, a file each: only there is one named.

A format is a module, here or under an entry point of the group `nocturna.formats`, with

- `NAMES`: the format's name for `source.format`, and the endings of files that are of it.
- `ABOUT`: what a document is in it, for the table of formats.
- `PACKED`: whether its files may be compressed; others have a compression of their own inside.
- `columns(source, item)`: the `Absent` of an input that has rows, told by its beginning.
- `has_rows(source, item)`: whether an input has a row.
- `read(source, item, rows)`: hands every row of an input to a `Collector`, in order and once. A row
  that cannot be read is a reject with its reason, never an exception.
- `OWN_IDS`, where each of its files is one document that is named by its path.
- `ON_REQUEST`, where its files are read only if `source.format` names it.
- `names(source, item)`, where `keep: "*"` is to work: the columns of an input, as far as its
  beginning tells. What comes later a reader says itself, with `rows.widen(names)`.

Each raises a UsageError of one line where an input cannot be read at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from nocturna.tasks.registry import registered

if TYPE_CHECKING:
    from nocturna.tasks.corpus.collector import Collector
    from nocturna.tasks.corpus.input_files import InputFile
    from nocturna.tasks.job.source import Source

GROUP = "nocturna.formats"


@dataclass(frozen=True)
class Absent:
    """What an input lacks of the columns that a source names.

    Attributes:
        lacking: kept columns that it does not have, with a line that says so.
        unsure: columns of which only the whole input can tell, with the line that says so if it
            does not have them.
        names: the columns that its beginning shows, also those that the source does not name.
    """

    lacking: Mapping[str, str] = field(default_factory=dict)
    unsure: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()


class Format(Protocol):
    """What a module in this folder offers."""

    NAMES: tuple[str, ...]
    ABOUT: str
    PACKED: bool

    def columns(self, source: "Source", item: "InputFile") -> Absent: ...

    def has_rows(self, source: "Source", item: "InputFile") -> bool: ...

    def read(self, source: "Source", item: "InputFile", rows: "Collector") -> None: ...


def formats() -> dict[str, Format]:
    """Every format by its name."""
    found = registered(__name__, GROUP)
    return cast(dict[str, Format], {module.NAMES[0]: module for module in found.values()})


def endings() -> dict[str, str]:
    """The format that each ending names by itself, the dot included."""
    named = {n: one for n, one in formats().items() if not getattr(one, "ON_REQUEST", False)}
    return {ending: name for name, one in named.items() for ending in one.NAMES[1:]}
