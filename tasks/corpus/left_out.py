"""Files of a corpus that are not read, by what its job says or by what they are."""

import logging
import unicodedata
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from nocturna.tasks.corpus.inputs import Listed, some_names
from nocturna.tasks.corpus.listing import Found

log = logging.getLogger(__name__)


class LeftOut:
    """Files of a corpus that are not read, and why."""

    def __init__(self) -> None:
        self._reasons: dict[str, list[Found]] = {}

    def note(self, why: str, before: Iterable[Found], after: Iterable[Found]) -> None:
        """Notes the files that are not among others any more."""
        kept = {file.path for file in after}
        gone = [file for file in before if file.path not in kept]
        self._reasons.setdefault(why, []).extend(gone)

    def tell(self, chosen: Iterable[Listed]) -> None:
        """Says all of it in one line, but for files that another path names."""
        read = {file.path for file, _ in chosen}
        total, said = 0, []
        for why, files in self._reasons.items():
            names = [file.name for file in files if file.path not in read]
            total += len(names)
            said += [f"{len(names)} {why} ({some_names(names)})"] * bool(names)
        if total:
            log.warning("left out %d file%s: %s", total, "s" * (total > 1), "; ".join(said))

    def tell_unmatched(self, patterns: Iterable[str]) -> None:
        """Says which patterns of `exclude` mean none of the files that were left out."""
        ways = [matcher(file) for files in self._reasons.values() for file in files]
        idle = [one for one in patterns if not any(matches(one) for matches in ways)]
        if idle:
            log.warning("`exclude`: no file matches %s", ", ".join(map(repr, idle)))


def matcher(file: Found) -> Callable[[str], bool]:
    """What tells whether a pattern means a file: its path, its name, a folder or archive around."""
    paths = [unicodedata.normalize("NFC", p) for p in (file.name, file.info.get("archive")) if p]
    names = [*paths, *(PurePosixPath(path).name for path in paths)]

    def matches(pattern: str) -> bool:
        pattern = unicodedata.normalize("NFC", pattern).removeprefix("./")
        if pattern.endswith("/"):
            pattern += "*"
        ways = (pattern, pattern.replace("**/", ""))
        return any(fnmatchcase(one, way) for way in ways for one in names)

    return matches
