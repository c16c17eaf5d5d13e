"""The place of a file that a command writes for a person or another program."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from nocturna.tasks.errors import UsageError
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout

Result = TypeVar("Result")


def check_target(
    path: Path, endings: Sequence[str], layout: Layout | None = None, option: str = ""
) -> None:
    """Refuses a file that must not or cannot be written, before any work.

    Args:
        endings: those that say what is written; a pipe or a terminal without one gets the first.
        layout: of a job, in whose folder it must not lie.
        option: that names the file, for the error message.

    Raises:
        UsageError: one line that says what is wrong with the place.
    """
    where = f"{option} {path}".lstrip()
    if str(path) == "-":
        raise UsageError(f"{where}: is no name of a file; /dev/stdout is standard output")
    if path.is_dir():
        raise UsageError(f"{where}: is a folder; name a file")
    stream = is_stream(path)
    ending = path.suffix.lower() or (endings[0] if stream else "")
    if ending not in endings:
        raise UsageError(f"{where}: its ending is none of {', '.join(endings)}")
    if stream and ending == ".xlsx":
        raise UsageError(f"{where}: is a stream, and a workbook needs a file; name one")
    if stream:
        return
    place = _behind_links(path)
    if layout is not None and place.is_relative_to(layout.root.resolve()):
        raise UsageError(
            f"{where}: lies in the job's own folder, where readers would find it among the "
            "results; name a file elsewhere"
        )
    if not place.parent.is_dir():
        raise UsageError(f"{where}: its folder is not there; name a file")
    if place.exists() and not place.is_file():
        raise UsageError(f"{where}: is a disk or a socket; name a file")


def whole_file(path: Path, private: bool, write: Callable[[Path], Result]) -> Result:
    """Has a file written under another name and puts it in the place of the one that is there.

    A link stays, and what it leads to is replaced; a pipe or a terminal is written to as it is.

    Args:
        private: whether only its owner may read the file.
        write: adds to the end of the place that it is given.

    Raises:
        NocturnaError: it cannot be written.
    """
    if is_stream(path):
        with files.clear_errors(path):
            return write(path)
    path = _behind_links(path)
    temporary = files.temporary_of(path)
    with files.clear_errors(path.parent):
        files.new_file(temporary, private=private)
        try:
            found = write(temporary)
            files.put_whole(temporary, path)
        except BaseException:
            files.unlink(temporary)
            raise
    return found


def is_stream(path: Path) -> bool:
    """Whether a path leads to what is written to and never replaced: a pipe, a terminal.

    What the system keeps under /dev and /proc is one also where it leads to a file, as standard
    output may: what that holds already is not ours.
    """
    of_system = path.is_absolute() and path.parts[1:2] in (("dev",), ("proc",))
    return path.is_fifo() or path.is_char_device() or (of_system and path.is_file())


def _behind_links(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path}: leads nowhere: {error}") from None
