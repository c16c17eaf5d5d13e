"""A trial in an object store: copy a place and its machine, kill the next night, look, go on."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pandas as pd

import nocturna
from nocturna.tasks.results.layout import bare_name, home_of, layout_of, number_of
from nocturna.tasks.results.lease import NAME, VARIABLE
from nocturna.tasks.results.log_entries import committed
from nocturna.tasks.results.object_store import ObjectStore
from nocturna.tasks.results.replica import LOG, reading_layout
from nocturna.tasks.results.store_index import PARTS
from tests.results.crash.night import write_corpus
from tests.results.crash.trials import Attempt, Server, different, is_one_night

SECONDS = "1"
"""Of the leases of these nights."""

OVER = 3.1
"""After so many seconds such a lease is over for sure: stores tell whole seconds."""


@dataclass(frozen=True)
class StoreCase:
    """Two nights that were published, and the third one that is to be killed; see `Case`."""

    out: str
    cache: Path
    corpus: Path
    scored: int
    before: pd.DataFrame
    oracle: pd.DataFrame
    operations: list[str]


@dataclass(frozen=True)
class StoreTrial:
    """What a kill did; see `Trial`.

    Attributes:
        elsewhere: whether another machine, with an empty cache, ran the same command again.
        strange: objects that should not be there, or should.
    """

    point: str
    elsewhere: bool
    committed: bool
    wrong_reads: int
    lost: int
    duplicated: int
    wrong: int
    strange: list[str]
    scored_again: int
    scored_anew: int

    @property
    def clean(self) -> bool:
        bad = self.wrong_reads + self.lost + self.duplicated + self.wrong
        return bad == 0 and not self.strange


def prepare(server: Server, out: str, folder: Path, documents: int = 10) -> StoreCase:
    """Publishes two nights, and finds out what a third one does if left alone."""
    case, corpus, cache = f"{out}/case", folder / "corpus.jsonl", folder / "cache"
    for night in range(2):
        write_corpus(corpus, range(documents), night)
        night_in(server, case, corpus, cache)
    before = rows_of(case, folder / "reader")
    write_corpus(corpus, range(2, documents + 3), 4)
    copy_place(case, f"{out}/oracle", cache, folder / "oracle")
    attempt = night_in(server, f"{out}/oracle", corpus, folder / "oracle")
    oracle = rows_of(f"{out}/oracle", folder / "reader")
    return StoreCase(case, cache, corpus, attempt.scored, before, oracle, attempt.operations)


def crash(
    server: Server, case: StoreCase, folder: Path, kill_at: int, when: str, elsewhere: bool
) -> StoreTrial:
    """Kills a night at one point, reads, runs the same command again, and compares."""
    out, here = f"{case.out}-{folder.name}", folder / "here"
    copy_place(case.out, out, case.cache, here)
    about = {"NOCTURNA_CACHE": str(here), VARIABLE: SECONDS}
    attempt = server.run(out, case.corpus, kill_at, when, **about)
    assert attempt.signal == 9, f"operation {kill_at} was never reached: {attempt.error}"
    seen = rows_of(out, folder / "reader")
    wrong_reads = not is_one_night(dict(zip(seen["doc_id"], seen["run_id"], strict=True)), case)
    published = last_in(out) == 3
    if elsewhere:
        time.sleep(OVER)
    again = night_in(server, out, case.corpus, folder / "there" if elsewhere else here)
    found = rows_of(out, folder / "reader")
    return StoreTrial(
        point=f"{when} {case.operations[kill_at]}",
        elsewhere=elsewhere,
        committed=published,
        wrong_reads=int(wrong_reads),
        lost=len(set(case.oracle["doc_id"]) - set(found["doc_id"])),
        duplicated=int(found["doc_id"].duplicated().sum()),
        wrong=different(found, case.oracle),
        strange=strange(out, folder / "reader", orphans=elsewhere),
        scored_again=attempt.scored + (0 if published else again.scored) - case.scored,
        scored_anew=again.scored if published else 0,
    )


def decisive(case: StoreCase) -> list[tuple[int, str]]:
    """The points around the operations by which a night gets into the store and becomes visible."""
    names = case.operations
    part = next(n for n, name in enumerate(names) if name.startswith("put_file"))
    entry = next(n for n, name in enumerate(names) if name.startswith("put_new log/"))
    return [(part, "after"), (entry, "before"), (entry, "after")]


def store_points(case: StoreCase) -> list[tuple[int, str]]:
    """Before and after each operation on an object, and a tenth of those on files."""
    ours = [n for n, name in enumerate(case.operations) if name.startswith(("put", "delete"))]
    files = [n for n in range(len(case.operations)) if n not in ours][::10]
    return [(n, when) for n in (*ours, *files) for when in ("before", "after")]


def night_in(server: Server, out: str, corpus: Path, cache: Path) -> Attempt:
    """A night of a machine that must be published."""
    attempt = server.run(out, corpus, **{"NOCTURNA_CACHE": str(cache), VARIABLE: SECONDS})
    assert attempt.exit == 0, attempt.error
    return attempt


def rows_of(out: str, cache: Path) -> pd.DataFrame:
    """What a reader on a machine of its own sees, in the order of the ids."""
    with mock.patch.dict(os.environ, NOCTURNA_CACHE=str(cache)):
        frame = nocturna.read_results(f"{out}/prensa")
    return frame.sort_values("doc_id", ignore_index=True)


def last_in(out: str) -> int:
    """The number of the newest entry in the log."""
    names = ObjectStore(f"{out}/prensa").listed(LOG)
    return max(number_of(name.removeprefix(LOG)) or 0 for name in names)


def strange(out: str, cache: Path, orphans: bool) -> list[str]:
    """Parts that no entry names, entries whose parts are gone, a lease that was not let go.

    Args:
        orphans: whether a dead run of another machine may have left parts.
    """
    there = ObjectStore(f"{out}/prensa").listed()
    with mock.patch.dict(os.environ, NOCTURNA_CACHE=str(cache)):
        snapshots = committed(reading_layout(f"{out}/prensa"))
    named = {f"{PARTS}{bare_name(part.name)}" for s in snapshots for part in s.parts}
    stored = {name for name in there if name.startswith(PARTS)}
    found = sorted(named - stored) + ([] if orphans else sorted(stored - named))
    lease = ObjectStore(f"{out}/prensa").get(NAME)
    return found + ([] if lease and b'"released": true' in lease[0] else [NAME])


def copy_place(source: str, target: str, cache: Path, other_cache: Path) -> None:
    """Copies a place, and the folder that a machine has of it."""
    objects, copy = ObjectStore(f"{source}/prensa"), ObjectStore(f"{target}/prensa")
    for name in objects.listed():
        found = objects.get(name)
        assert found is not None
        copy.put(name, found[0])
    folders = []
    for place, home in ((source, cache), (target, other_cache)):
        with mock.patch.dict(os.environ, NOCTURNA_CACHE=str(home)):
            folders.append(home_of(place))
            assert layout_of(place, "prensa").root.parent == home_of(place)
    shutil.copytree(*folders, symlinks=True)
