"""Runs nights in forked children, each killed where it is told; one JSON line in, one out.

The parent only imports and forks, so that a child starts in milliseconds and with no threads.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from nocturna.tasks.cores import usable_cores
from nocturna.tasks.corpus.language import languages_of
from nocturna.tasks.inference.planned import plan_inference
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.results import files
from nocturna.tasks.results.lease import NAME
from nocturna.tasks.results.object_store import ObjectStore
from tests.results.crash.night import count_texts, job_of, models, run_night, write_corpus

OPERATIONS = {
    files: ("fsync", "rename", "link", "symlink", "unlink"),
    ObjectStore: ("put", "put_new", "put_over", "put_file", "delete"),
}


def main() -> None:
    _import_what_a_night_imports()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _night(order)
        status = _wait(child, order.get("kill_after"))
        died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        print(json.dumps({"signal": died, "exit": os.waitstatus_to_exitcode(status)}), flush=True)


def _import_what_a_night_imports() -> None:
    """Leaves each child nothing to import and no model to load, without starting a thread."""
    known = models() / "modules.json"
    if not known.exists():
        known.write_text(json.dumps(_modules_of_a_night()))
    for module in json.loads(known.read_text()):
        with contextlib.suppress(Exception):
            import_module(module)
    _load_models()
    threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    own = [name for name in threads if not name.startswith("jemalloc")]
    assert len(own) <= 1, f"a process with threads must not be forked: {own}"


def _modules_of_a_night() -> list[str]:
    """The modules that a night imports, found out by a child that runs one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child = os.fork()
        if child == 0:
            write_corpus(folder / "corpus.jsonl", range(5), 0)
            order = {"out": str(folder / "out"), "corpus": str(folder / "corpus.jsonl")}
            order |= {"report": str(folder / "report"), "scored": str(folder / "scored")}
            _night(order)
        os.waitpid(child, 0)
        modules: list[str] = json.loads((folder / "report").read_text())["modules"]
    return modules


def _load_models() -> None:
    """Leaves each child no model to load; with one thread, so that there is none to be forked."""
    job = job_of(Path("unused"), Path("unused"))
    alone = job.compute.model_copy(update={"workers": usable_cores()})
    plan, text = plan_inference(job), ["Un texto que se entiende."]
    score_texts(plan, text, running(alone, "fp32"), lambda documents: None)
    languages_of(text)


def _wait(child: int, kill_after: float | None) -> int:
    """Waits for a child, or kills it when its time is over."""
    deadline = None if kill_after is None else time.monotonic() + kill_after
    while True:
        done, status = os.waitpid(child, 0 if deadline is None else os.WNOHANG)
        if done:
            return status
        if deadline is not None and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            deadline = None
        time.sleep(0.001)


def _night(order: dict[str, Any]) -> None:
    """Runs a night and leaves what it did in `order["report"]`; never returns.

    The texts it scores are counted in `order["scored"]`, a line each time, so that a kill loses
    no count.
    """

    def note(texts: int) -> None:
        with Path(order["scored"]).open("a", encoding="utf-8") as scored:
            scored.write(f"{texts}\n")

    os.environ |= order.get("environment") or {}
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    count_texts(note)
    report: dict[str, Any] = {"operations": [], "run_id": None, "error": None}
    _watch(report["operations"], order.get("kill_at"), order.get("when"))
    try:
        job = job_of(order["out"], Path(order["corpus"]))
        report["run_id"] = run_night(job)
    except Exception as error:
        report["error"] = f"{type(error).__name__}: {error}"
    report["modules"] = sorted(sys.modules)
    building = Path(order["report"]).with_suffix(".building")  # a kill may come here too
    building.write_text(json.dumps(report), encoding="utf-8")
    building.replace(order["report"])
    os._exit(1 if report["error"] else 0)


def _watch(seen: list[str], kill_at: int | None, when: str | None) -> None:
    """Counts operations on files and objects from 0 and kills the process before or after one."""
    for home, name in ((home, name) for home, names in OPERATIONS.items() for name in names):
        real = getattr(home, name)

        def watched(*given: Any, home: Any = home, name: str = name, real: Any = real) -> Any:
            if threading.current_thread().name == NAME:
                return real(*given)  # the lease beats when it will
            number = len(seen)
            seen.append(f"{name} {given[1 if home is ObjectStore else -1]}")
            if number == kill_at and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = real(*given)
            if number == kill_at and when == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        setattr(home, name, watched)


if __name__ == "__main__":
    main()
