"""Lots that are on the shelf, and which inputs they hold."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from nocturna.tasks.corpus.lots import Lot, StagedInput, read_lot


class Held:
    """What is staged in some places.

    Args:
        homes: folders of lots, what is first counts.
    """

    def __init__(self, homes: Sequence[Path]) -> None:
        self._homes = homes
        self._lots: dict[Path, Lot | None] = {}

    def whole(self, folder: Path) -> Lot | None:
        """A lot that can be trusted; None where there is none."""
        if folder not in self._lots:
            self._lots[folder] = read_lot(folder) if folder.is_dir() else None
        return self._lots[folder]

    def home_of(self, key: str | None) -> Path | None:
        """The lot that an input is in."""
        home = self._places.get(key or "")
        return home if home and self.whole(home) else None

    def inputs_in(self, folder: Path, keys: Iterable[str]) -> list[StagedInput]:
        """Inputs of a lot, by their keys and in their order."""
        lot = self.whole(folder)
        by_key = {one.key: one for one in lot.inputs} if lot else {}
        return [by_key[key] for key in keys]

    @cached_property
    def _places(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for home in reversed(self._homes):
            for folder in sorted(home.iterdir()) if home.is_dir() else ():
                lot = read_lot(folder, trusted=True)
                found |= {one.key: folder for one in lot.inputs if one.key} if lot else {}
        return found
