"""Whether an input has the columns that a source names, said before anything is scored."""

import json
import logging
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping

from nocturna.tasks.corpus.folder_columns import folder_columns
from nocturna.tasks.corpus.formats import Absent
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import EVERY, Source

log = logging.getLogger(__name__)

_SHOWN = 30
_FEW = 5


class MissingColumn(UsageError):
    """An input lacks a column that it must have.

    Attributes:
        names: the columns that it has, as far as its beginning shows.
    """

    def __init__(self, line: str, names: Iterable[str] = ()) -> None:
        super().__init__(line)
        self.names = tuple(names)


class Lacking:
    """Inputs that lack a kept column, which is null in their rows if another input has it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._inputs = 0
        self._by_name: dict[str, list[tuple[str, str]]] = {}

    def add(self, item: InputFile, lacking: Mapping[str, str]) -> None:
        """Notes what an input with rows lacks: a line for each name."""
        self._inputs += 1
        for name, line in lacking.items():
            self._by_name.setdefault(name, []).append((item.name, line))

    def refuse(self) -> None:
        """Refuses a column that no input has.

        Raises:
            UsageError: naming the first input, the column and the columns that exist.
        """
        for name in self._source.keep:
            found = self._by_name.get(name, ())
            if found and len(found) == self._inputs:
                raise UsageError(found[0][1])

    def tell(self) -> None:
        """Says which inputs lack a column that others have."""
        for name, found in self._by_name.items():
            names = ", ".join(item for item, _ in found[:_FEW])
            more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
            log.warning("no column %r, which is null in their rows: %s%s", name, names, more)


def splits(name: str) -> Iterator[tuple[str, str]]:
    """A name with dots as a column and a path inside it, the longest column first.

    >>> list(splits("a.b.c"))
    [('a.b', 'c'), ('a', 'b.c')]
    """
    parts = name.split(".")
    for at in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:at]), ".".join(parts[at:])


def named_columns(source: Source) -> tuple[str, ...]:
    """The kept columns that a source names one by one."""
    return tuple(name for name in source.keep if name != EVERY)


def wanted_columns(source: Source) -> list[tuple[str, str]]:
    """The role and name of each column that a source names."""
    ids = [("id", source.id)] if source.id is not None else []
    return [("text", source.text), *ids, *(("keep", name) for name in named_columns(source))]


def require(
    source: Source, item: InputFile, names: Collection[str], there: set[str], hint: str = ""
) -> Absent:
    """The kept columns that an input lacks, with a line that says so.

    Args:
        names: the columns of the file; those of its folders are its own too.
        there: those that the source names and the file has.
        hint: where a missing one may be, for the line.

    Raises:
        MissingColumn: it lacks the text or the id.
        UsageError: it has one of them twice.
    """
    lacking = {}
    folders = folder_columns(item)
    listed = [*names, *(name for name in folders if name not in names)]
    for role, name in wanted_columns(source):
        if listed.count(name) > 1:
            raise UsageError(
                f"{item.uri}: {listed.count(name)} columns are named {name!r}; rename all but one"
            )
        if name not in there and name not in folders:
            line = missing_line(item, role, name, listed) + (_above(item, name) or hint)
            if role != "keep":
                raise MissingColumn(line + way_out(source, item), listed)
            lacking[name] = line
    return Absent(lacking, names=tuple(listed))


def require_none(source: Source, item: InputFile, what: str) -> Absent:
    """As `require`, of a format without columns but those of its folders.

    Args:
        what: is a document in it.

    Raises:
        UsageError: texts or ids are to be made of columns.
    """

    def line(name: str) -> str:
        rest = _above(item, name) or "; drop `id` and `keep` or set `format`"
        return f"{item.uri}: no column {name!r}: here {what} is a document without columns{rest}"

    made = [source.id] if source.id is not None else source.parts.get("text", ())
    if made:
        raise UsageError(line(made[-1]))
    folders = folder_columns(item)
    return Absent({name: line(name) for name in named_columns(source) if name not in folders})


def missing_line(item: InputFile, role: str, name: str, names: Iterable[str]) -> str:
    """The line that says which column an input lacks, and which it has."""
    shown = ", ".join(repr(other[:80]) for other in list(names)[:_SHOWN])
    line = f"{item.uri}: no column {name!r} for `{role}`; the columns are {shown or 'none'}"
    if role == "keep" and (longer := next((o for o in names if o.startswith(f"{name}=")), None)):
        line += f"; {longer!r} is kept as '{longer}='"
    plain = unicodedata.normalize("NFC", name)
    alike = next((o for o in names if o != name and unicodedata.normalize("NFC", o) == plain), None)
    if alike is None:
        return line
    return (
        f"{line}; its accents are coded otherwise there: name it {json.dumps(alike)} in a job file"
    )


def _above(item: InputFile, name: str) -> str:
    """Says of a column that a folder is named by it, but none below the path that is given."""
    parts = item.uri.split("/")[:-1]
    folder = next((part for part in parts if part.startswith(f"{name}=")), None)
    return f"; {folder!r} is a folder above what is given: give the one it is in" if folder else ""


def refuse_absent(source: Source, lacks: Mapping[str, str]) -> None:
    """Refuses an input of which it turned out that it has no text or no id."""
    for role, name in wanted_columns(source):
        if role != "keep" and name in lacks:
            raise MissingColumn(lacks[name])


def way_out(source: Source, item: InputFile) -> str:
    """How to go on without a file of several."""
    few = len(source.paths) < 2
    alone = few and (source.dataset is not None or source.place.endswith(item.name))
    return "" if alone else f"; if it is no part of the corpus: --exclude {item.name!r}"
