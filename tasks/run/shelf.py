"""Where what was staged of a job's corpus is kept, and how it is put there."""

import logging
from pathlib import Path

from nocturna.tasks.corpus.lots import texts_file
from nocturna.tasks.corpus.staging import Shelf, Staged
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.stored import shown

log = logging.getLogger(__name__)


def shelf_of(layout: Layout, run_id: str, rehearsal: bool = False) -> Shelf:
    """The shelf of a run.

    Args:
        rehearsal: whether nothing is to be left behind: it is then in the run's work folder.
    """
    folder = layout.work(run_id) / "staged"
    if not rehearsal:
        if files.is_folder(layout.staged) or not files.is_there(layout.staged):
            folder = layout.staged
        else:
            log.warning(
                "%s: is no folder, so that nothing is kept there: every input is read each night",
                shown(layout.staged),
            )
    with files.clear_errors(layout.root):
        files.make_folder(folder, private=True)
    return Shelf(folder, _put, (layout.staged,) if rehearsal else ())


def tidy(staged: Staged, shelf: Shelf) -> None:
    """Removes what no input of tonight needs."""
    lots = {folder for folder, _ in staged.lots}
    for found in files.listed(shelf.folder):
        if found not in lots and files.is_folder(found):
            files.remove_folder(found)


def drop_texts(staged: Staged) -> None:
    """Removes the texts that were staged, once they are where they are needed."""
    for folder, lot in staged.lots:
        for chunk in range(len(lot.chunks)):
            files.unlink(texts_file(folder, chunk))


def link(source: Path, target: Path) -> None:
    """Puts a file of a lot at a second place."""
    files.link_or_copy(source, target)


def _put(building: Path, folder: Path) -> None:
    with files.clear_errors(folder):
        files.put_folder(building, folder)
