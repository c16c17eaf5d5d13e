"""The paths of a job's output folder.

out/<job>/
  results -> snapshots/00000042      the only thing analysts touch
  configs.parquet                    what the configs in the rows stand for
  snapshots/00000042/                the parts of one snapshot
  log/00000042.json                  its existence commits the snapshot
  runs/<run_id>/                     plan, manifest, metrics, report, what sinks note
  damaged/                           what could not be read, under the path that it had
  quarantine/<run_id>/               rows that could not be read
  work/<run_id>/                     what a run needs to go on: its shards and those that are
                                     done; removed once it is published
  staged/                            what the inputs of the corpus hold, without texts, so that
                                     an input that is the same need not be read again
  .lock                              held by the one run that writes

Where `output.dir` is a URI, this folder is on each machine that runs the job, in the user's cache,
and what is published is in the store too; `shared.py` says how.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from nocturna.tasks.addresses import refusal_of_place
from nocturna.tasks.errors import UsageError
from nocturna.tasks.settings import cache_folder

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")
_NUMBER = re.compile(r"[0-9]{8}")
PART_NAME = re.compile(r"part-([0-9a-z]{1,8})-[0-9]{5,}-([0-9a-f]{8})(?:-([0-9]{8}))?\.parquet")
"""A part: of which run, with which hash, in which snapshot."""

REJECTS_NAME = re.compile(r"rows-[0-9]{6,}\.parquet")
"""A file of rows that could not be read."""

_SNAPSHOT_ENDING = re.compile(r"(?<=-[0-9a-f]{8})(-\d{8})?\.parquet$")


@dataclass(frozen=True)
class Layout:
    """The output folder of one job; nothing here touches the disk.

    Attributes:
        root: the folder on this machine.
        uri: where the job's results are in an object store, if they are published in one.
    """

    root: Path
    uri: str | None = None

    @property
    def place(self) -> str:
        """Where the results are, as a person names it."""
        return self.uri or str(self.root)

    @property
    def out(self) -> str:
        """The `output.dir` that it is in."""
        return self.place.rpartition("/")[0]

    @property
    def job_name(self) -> str:
        return self.root.name

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def damaged(self) -> Path:
        return self.root / "damaged"

    @property
    def lock(self) -> Path:
        return self.root / ".lock"

    @property
    def configs(self) -> Path:
        return self.root / "configs.parquet"

    def snapshot(self, number: int) -> Path:
        return self.snapshots / f"{number:08d}"

    def entry(self, number: int) -> Path:
        return self.log / f"{number:08d}.json"

    def run(self, run_id: str) -> Path:
        return self.runs / checked_run_id(run_id)

    def plan(self, run_id: str) -> Path:
        return self.run(run_id) / "plan.json"

    def manifest(self, run_id: str) -> Path:
        return self.run(run_id) / "manifest.json"

    def metrics(self, run_id: str) -> Path:
        return self.run(run_id) / "metrics.json"

    def inputs(self, run_id: str) -> Path:
        return self.run(run_id) / "inputs.parquet"

    def report(self, run_id: str) -> Path:
        return self.run(run_id) / "report.html"

    def figures(self, run_id: str) -> Path:
        return self.run(run_id) / "report.json"

    def quarantine(self, run_id: str) -> Path:
        return self.root / "quarantine" / checked_run_id(run_id)

    def work(self, run_id: str) -> Path:
        return self.root / "work" / checked_run_id(run_id)

    def index(self, run_id: str) -> Path:
        return self.work(run_id) / "index"

    def shards(self, run_id: str) -> Path:
        return self.work(run_id) / "shards"

    @property
    def staged(self) -> Path:
        return self.root / "staged"


def layout_of(out_dir: str | Path, job_name: str) -> Layout:
    """The output folder of a job: `<out_dir>/<job_name>`, as an absolute path.

    Args:
        out_dir: folder, or URI in an object store.
    """
    uri = f"{str(out_dir).rstrip('/')}/{job_name}" if is_store(out_dir) else None
    return Layout(home_of(out_dir) / job_name, uri)


def out_and_job(place: str | Path) -> tuple[str, str]:
    """The `output.dir` and the name of the job whose output folder or URI is named.

    >>> out_and_job("s3://cubo/out/prensa/")
    ('s3://cubo/out', 'prensa')

    Raises:
        UsageError: a URI that names no folder in a bucket.
    """
    if not is_store(place):
        folder = Path(place).expanduser().absolute()
        return str(folder.parent), folder.name
    out, _, job = str(place).rstrip("/").rpartition("/")
    if not is_store(out) or out.endswith("/"):
        raise UsageError(f"{place}: name the output folder of a job, such as s3://cubo/out/prensa")
    return out, job


def home_of(out_dir: str | Path) -> Path:
    """The folder on this machine that holds the output folders of an `output.dir`."""
    if not is_store(out_dir):
        return Path(out_dir).expanduser().absolute()
    name = hashlib.sha256(str(out_dir).rstrip("/").encode()).hexdigest()[:16]
    return cache_folder().absolute() / "stores" / name


def is_store(place: str | Path) -> bool:
    """Whether results are in an object store there, and not in a folder.

    Raises:
        UsageError: neither can be there.
    """
    if refusal := refusal_of_place(str(place)):
        raise UsageError(f"{place}: {refusal}")
    return "://" in str(place)


def new_run_id(now: datetime | None = None) -> str:
    """A run id that sorts by start time (UTC) and ends in eight random hex digits."""
    return f"{now or datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(4)}"


def short_run_id(run_id: str) -> str:
    """The part of a run id that file names carry: its last eight letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", run_id)[-8:].lower()


def name_in_snapshot(name: str, number: int) -> str:
    """What a part is called in a snapshot: its own name and the snapshot's number.

    No two snapshots share a name. A reader that lists one snapshot and opens files just after
    another took its place must not find some of them: it would read those and silently miss the
    others. So it finds none, and fails or sees nothing.

    >>> name_in_snapshot("part-1a2b3c4d-00007-0f0f0f0f-00000041.parquet", 42)
    'part-1a2b3c4d-00007-0f0f0f0f-00000042.parquet'
    """
    return f"{_SNAPSHOT_ENDING.sub('', name)}-{number:08d}.parquet"


def bare_name(name: str) -> str:
    """What a part is called outside of any snapshot: the same in every one that it is part of.

    >>> bare_name("part-1a2b3c4d-00007-0f0f0f0f-00000041.parquet")
    'part-1a2b3c4d-00007-0f0f0f0f.parquet'
    """
    return _SNAPSHOT_ENDING.sub(".parquet", name)


def checked_run_id(run_id: str) -> str:
    """The run id, if it is safe as a folder name.

    Raises:
        UsageError: if it is not; `nocturna runs` lists the ids that exist.
    """
    if not is_safe(run_id):
        raise UsageError(
            f"run id {run_id!r}: expected letters, digits, - and _; `nocturna runs` lists them"
        )
    return run_id


def start_of(run_id: str) -> str:
    """When the run of an id started, ISO 8601 in UTC.

    >>> start_of("20260131T020000-1a2b3c4d")
    '2026-01-31T02:00:00+00:00'
    """
    try:
        start = datetime.strptime(run_id[:15], "%Y%m%dT%H%M%S")
    except ValueError:
        start = datetime(1970, 1, 1)
    return start.replace(tzinfo=UTC).isoformat(timespec="seconds")


def is_safe(run_id: str) -> bool:
    """Whether a run id names a folder in its place, and nothing elsewhere."""
    return _SAFE.fullmatch(run_id) is not None


def is_run_id(name: str) -> bool:
    """Whether a name is one that `new_run_id` makes; a folder of another name is not ours."""
    return _RUN_ID.fullmatch(name) is not None


def number_of(name: str) -> int | None:
    """The snapshot number that a folder or log entry is named for; None for any other name."""
    stem = name.removesuffix(".json")
    return int(stem) or None if _NUMBER.fullmatch(stem) else None
