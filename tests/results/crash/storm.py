"""A storm: random kills under two competing runs while readers read without pause."""

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nocturna
from nocturna.tasks.results.layout import is_store, layout_of
from nocturna.tasks.results.lease import VARIABLE
from nocturna.tasks.results.log_entries import last_number
from nocturna.tasks.results.object_store import ObjectStore
from nocturna.tasks.results.replica import FENCE, LOG
from tests.results.crash.reading import KINDS
from tests.results.crash.store_trials import SECONDS
from tests.results.crash.trials import Attempt, serving

DOCUMENTS = 12
VERSIONS = 3


@dataclass(frozen=True)
class Storm:
    """What a storm did.

    Attributes:
        kills: nights that were killed.
        locked_out: nights that found the folder held, and said so.
        published: nights that were published in spite of it all.
        reads: times that results were read meanwhile.
        wrong_reads: of those, the ones that saw anything but one whole published version.
        read_again: of those, the ones that met a file that had just been replaced, and failed.
        lost, duplicated, wrong: rows, after a last night that was left alone.
        scored_again: texts scored more than once.
        seconds: in all.
    """

    kills: int
    locked_out: int
    published: int
    reads: int
    wrong_reads: int
    read_again: int
    lost: int
    duplicated: int
    wrong: int
    scored_again: int
    seconds: float

    @property
    def clean(self) -> bool:
        return self.wrong_reads + self.lost + self.duplicated + self.wrong == 0


def storm(folder: Path, kills: int, seed: int = 0, out: str = "") -> Storm:
    """Kills nights at random moments until `kills` were killed, then lets a last one end.

    Args:
        out: address in an object store, which two machines then share; else the two runs share a
            folder on this one.

    Every published version of the corpus has the same ids and other texts, so that a reader can
    tell from what it sees whether it is one version, whole.
    """
    start, chance = time.monotonic(), random.Random(seed)
    place = out or str(folder / "out")
    corpora = [_write(folder, version) for version in range(VERSIONS)]
    with ExitStack() as stack:
        runs = []
        for name in ("one", "other"):
            (folder / name).mkdir()
            run = stack.enter_context(serving(folder / name))
            machine = {"NOCTURNA_CACHE": str(folder / name / "cache"), VARIABLE: SECONDS}
            runs.append(partial(run.run, place, **(machine if out else {})))
        first = runs[0](corpora[0])
        assert first.exit == 0, first.error
        scored = needed = first.scored
        version, killed, locked, length = 0, 0, 0, 1.5
        seen = stack.enter_context(_readers(f"{place}/prensa", folder))
        while killed < kills:
            published, corpus = _last(place), corpora[(version + 1) % VERSIONS]
            for attempt in _compete(runs, corpus, [chance.uniform(0, length) for _ in runs]):
                shut_out = _is_shut_out(attempt)
                assert attempt.signal or attempt.exit == 0 or shut_out, attempt.error
                scored += attempt.scored
                killed += attempt.signal == 9
                locked += shut_out
            if _last(place) == published:
                length = min(8.0, length * 1.1)
                continue
            needed, version, length = needed + _changed(version), version + 1, length * 0.9
        while _is_shut_out(last := runs[0](corpora[(version + 1) % VERSIONS])):
            time.sleep(1)
        assert last.exit == 0, last.error
        needed, scored, version = needed + _changed(version), scored + last.scored, version + 1
    expected = json.loads(_versions_file(folder).read_text())
    rows = nocturna.read_results(f"{place}/prensa")
    texts = dict(zip(rows["doc_id"], rows["content_hash"], strict=True))
    target = expected[version % VERSIONS]
    return Storm(
        kills=killed,
        locked_out=locked,
        published=_last(place),
        reads=sum(s["reads"] for s in seen),
        wrong_reads=sum(s["wrong"] for s in seen),
        read_again=sum(s["again"] for s in seen),
        lost=len(target.keys() - texts.keys()),
        duplicated=len(rows) - len(texts),
        wrong=sum(texts.get(d) != h for d, h in target.items()),
        scored_again=scored - needed,
        seconds=round(time.monotonic() - start, 1),
    )


def _write(folder: Path, version: int) -> Path:
    """One version of the corpus; the versions' texts are kept for the readers."""
    texts = {f"d{n}": _text(n, version) for n in range(DOCUMENTS)}
    lines = [json.dumps({"id": doc_id, "text": text}) for doc_id, text in texts.items()]
    path = folder / f"corpus-2026-11-{version + 1:02}.jsonl"  # one source, of several days
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    versions = _versions_file(folder)
    known = json.loads(versions.read_text()) if versions.exists() else []
    hashes = {d: hashlib.sha256(t.encode()).hexdigest()[:32] for d, t in texts.items()}
    versions.write_text(json.dumps([*known, hashes]))
    return path


def _text(number: int, version: int) -> str:
    """A third of the documents differs from one version to the next."""
    return f"Texto {number}, {version if number % VERSIONS == version else 'igual'}."


def _changed(version: int) -> int:
    """Texts that have to be scored for the version after this one."""
    now, then = (version + 1) % VERSIONS, version % VERSIONS
    return sum(_text(n, now) != _text(n, then) for n in range(DOCUMENTS))


def _versions_file(folder: Path) -> Path:
    return folder / "versions.json"


def _is_shut_out(attempt: Attempt) -> bool:
    """Whether a night said that another one works there, and published nothing."""
    said = attempt.error or ""
    return said.startswith("RunLocked") or "nothing was published, run the same command" in said


def _last(place: str) -> int:
    """How many snapshots were published; numbers that a fence took are none."""
    if not is_store(place):
        return last_number(layout_of(place, "prensa"))
    store = ObjectStore(f"{place}/prensa")
    entries = [store.get(name) for name in store.listed(LOG)]
    return sum(FENCE not in json.loads(entry[0]) for entry in entries if entry)


def _compete(runs: list[Callable[..., Attempt]], corpus: Path, lengths: list[float]) -> list:
    """Starts a night in every server at once, each killed after its own time."""
    found: list = [None] * len(runs)

    def one(place: int) -> None:
        found[place] = runs[place](corpus, kill_after=lengths[place])

    threads = [threading.Thread(target=one, args=[n]) for n in range(len(runs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@contextmanager
def _readers(place: str, folder: Path) -> Iterator[list[dict[str, int]]]:
    """Reads in a process a library until the block ends; the list is filled then."""
    stop, seen = folder / "stop", []
    command = [sys.executable, "-m", "tests.results.crash.reading", place]
    command += [str(_versions_file(folder)), str(stop)]
    started = [
        subprocess.Popen([*command, kind], stdout=subprocess.PIPE, text=True) for kind in KINDS
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    try:
        yield seen
    finally:
        stop.touch()
        for process in started:
            told, _ = process.communicate()
            seen.append(json.loads(told))
