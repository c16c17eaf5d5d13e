"""Runs nights on a disk that cannot be written or fills up, a little later each time.

Started in a mount namespace of its own: `unshare --map-root-user --mount python -m ... FOLDER`.
Prints one JSON line a disk: how the night ended there, and whether it was right after that, with
room to write.
"""

import gc
import json
import shutil
import subprocess
import sys
from pathlib import Path

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results.layout import layout_of
from tests.results.crash.night import job_of, run_night, write_corpus
from tests.results.crash.trials import different, left_over, rows_of, set_back

STEP = 56 << 10
ROOM = 64 << 20


def main(folder: Path) -> None:
    corpus, disk = folder / "corpus.jsonl", folder / "disk"
    write_corpus(corpus, range(10), 0)
    run_night(job_of(folder / "before", corpus))
    set_back(layout_of(folder / "before", "prensa"))
    write_corpus(corpus, range(2, 13), 1)
    shutil.copytree(folder / "before", folder / "oracle", symlinks=True)
    run_night(job_of(folder / "oracle", corpus))
    disk.mkdir()
    used = _used_before(folder, disk)
    _mount(disk, ROOM)
    print(json.dumps(_trial(folder, disk, corpus, read_only=True)), flush=True)
    _unmount(disk)
    for extra in range(STEP, ROOM, STEP):
        _mount(disk, used + extra)
        ended = _trial(folder, disk, corpus)
        _unmount(disk)
        print(json.dumps(ended), flush=True)
        if ended["first"] == "done":
            return


def _used_before(folder: Path, disk: Path) -> int:
    """Bytes that the nights before take on such a disk."""
    _mount(disk, ROOM)
    shutil.copytree(folder / "before", disk / "out", symlinks=True)
    used = shutil.disk_usage(disk).used
    _unmount(disk)
    return used


def _trial(folder: Path, disk: Path, corpus: Path, read_only: bool = False) -> dict[str, object]:
    shutil.copytree(folder / "before", disk / "out", symlinks=True)
    if read_only:
        _mount(disk, ROOM, "remount,ro")
    layout, job = layout_of(disk / "out", "prensa"), job_of(disk / "out", corpus)
    before = rows_of(layout)
    first = _night(job)
    shown = rows_of(layout)
    oracle = rows_of(layout_of(folder / "oracle", "prensa"))
    whole = shown.equals(before) or different(shown, oracle) == 0
    _mount(disk, ROOM, "remount,rw")
    second = _night(job)
    wrong = different(rows_of(layout), oracle)
    left = left_over(layout)
    return {"first": first, "whole": whole, "second": second, "wrong": wrong, "left": left}


def _night(job) -> str:
    try:
        run_night(job)
    except NocturnaError as error:
        return str(error)
    except Exception as error:
        return f"TRACEBACK {type(error).__name__}: {error}"
    return "done"


def _mount(disk: Path, size: int, how: str = "rw") -> None:
    options = f"size={size},{how}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True)


def _unmount(disk: Path) -> None:
    gc.collect()  # a night that failed leaves open files to the exception that says so
    subprocess.run(["umount", str(disk)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
