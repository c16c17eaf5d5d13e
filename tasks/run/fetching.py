"""What a job takes from the Hub, brought to this machine at the commits that it is then read at."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nocturna.tasks.addresses import redact
from nocturna.tasks.corpus.choosing import list_all
from nocturna.tasks.corpus.fetched import (
    fetch_files,
    fetched_file,
    hub_addresses,
    keep_listing,
    kept_listing,
)
from nocturna.tasks.corpus.hub import place_of
from nocturna.tasks.corpus.storage import storage_errors
from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import ModelRef, fetch_model, resolve_here
from nocturna.tasks.inference.planned import plan_inference
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.job_edit import write_key

MODEL, DATASET = "model", "data set"


@dataclass(frozen=True)
class Fetched:
    """Something that a job needs, on this machine.

    Attributes:
        kind: `model` or `data set`.
        name: as the job has it.
        revision: Hub commit, or the hash of a local folder's files.
        place: its folder.
        bytes: of its files.
        of_hub: whether it comes from the Hub.
        scores: of the job, that a model is for.
    """

    kind: str
    name: str
    revision: str
    place: str
    bytes: int
    of_hub: bool
    scores: tuple[str, ...] = ()


def fetch(job: Job, check: bool = False) -> list[Fetched]:
    """Fetches the models and the Hub data set of a job, and looks at them as a night would.

    Args:
        check: to ask nobody, and say only what is there.

    Raises:
        UsageError: something does not exist, a night would refuse it or, with `check`, it is not
            on this machine.
        Transient: the Hub does not answer.
    """
    plan = plan_inference(job, resolve=resolve_here if check else fetch_model)
    found = [
        _model(ref, tuple(score.name for score in plan.scores if ref in score.models.values()))
        for ref in plan.models
    ]
    return found + [_dataset(job, address, check) for address in hub_addresses(job.source)]


def pin(path: Path, job: Job, found: Iterable[Fetched]) -> None:
    """Writes the commits of what was fetched into a job file, as `revision`.

    Raises:
        UsageError: the file does not write a score out, or cannot be written.
    """
    for one in found:
        if not one.of_hub:
            continue
        if one.kind == DATASET and job.source.dataset is not None:
            write_key(path, ("source",), "revision", one.revision)
        for name in one.scores:
            if getattr(job.scores[name], "model", None) == one.name:
                write_key(path, ("scores", name), "revision", one.revision)


def _model(ref: ModelRef, scores: tuple[str, ...]) -> Fetched:
    files = (path for path in Path(ref.folder).rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files)
    of_hub = not ref.revision.startswith("sha256:")
    return Fetched(MODEL, ref.name, ref.revision, ref.folder, size, of_hub, scores)


def _dataset(job: Job, address: str | None, check: bool) -> Fetched:
    source = job.source
    name = redact(address) if address else source.place
    kept = kept_listing(source, address) if check else None
    if check and kept is None:
        raise UsageError(f"{DATASET} {name}: not fetched; `nocturna fetch` does it, with a network")
    if kept is None:
        files, kind = list_all(source, address)
        kept = [(file.path, file.name) for file in files], kind
        with storage_errors(name):
            fetch_files(uri for uri, _ in kept[0])
        keep_listing(source, address, kept)
    here = [path for path in map(fetched_file, (uri for uri, _ in kept[0])) if path is not None]
    place = place_of(kept[0][0][0])
    sha = (place.revision if place else None) or ""
    root = next((path for path in here[0].parents if path.name == sha), here[0].parent)
    size = sum(path.stat().st_size for path in here)
    return Fetched(DATASET, name, sha, str(root), size, True)
