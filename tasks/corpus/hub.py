"""Data sets on the Hugging Face Hub: which files a configuration and split are made of."""

import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from nocturna.tasks.corpus.file_names import format_of
from nocturna.tasks.corpus.formats import formats
from nocturna.tasks.errors import Transient, UsageError
from nocturna.tasks.job.source import Source
from nocturna.tasks.network import network_errors

_OWN_OPTIONS = {"csv": ("sep", "delimiter"), "json": ("field",)}
_SHA = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(
    r"hf://(?:(?P<kind>datasets|spaces|models)/)?(?!buckets/)(?P<name>[^/@]+/[^/@]+)"
    r"(?:@(?P<revision>refs/(?:pr|convert)/[^/]+|[^/]+))?(?P<path>/.*)?"
)


def dataset_files(source: Source) -> list[str]:
    """The files of a data set's configuration and split, as hf:// URIs at a commit.

    The revision is resolved to a commit first, and that commit is what is listed and read.

    Raises:
        UsageError: if the data set, its revision, configuration or split does not exist, may not
            be read, or is stored in a format that is not read here.
        Transient: if the Hub does not answer.
    """
    name = source.dataset or ""
    refuse_offline(f"data set {name}")
    sha = _commit(name, source.revision)
    builder = _builder(name, source.config, sha)
    splits = {str(split): files for split, files in (builder.config.data_files or {}).items()}
    if source.split not in splits:
        known = ", ".join(splits) or "none"
        raise UsageError(f"data set {name}: no split {source.split!r}; the splits are {known}")
    files = [str(file) for file in splits[source.split]]
    unread = [file for file in files if source.format == "auto" and format_of(file) is None]
    if unread or not files:
        example = unread[0].rsplit("/", 1)[-1] if unread else "no files"
        raise UsageError(
            f"data set {name}: its format ({example}) is not read here; formats are "
            f"{', '.join(formats())}"
        )
    for file in files:
        if f"@{sha}/" not in file:
            raise UsageError(f"data set {name}: {file} is not part of commit {sha}; it is not read")
    _refuse_options(name, builder.config, files[0])
    return files


@dataclass(frozen=True)
class Place:
    """What an hf:// URI names.

    Attributes:
        kind: `dataset`, `model` or `space`.
        name: of the repository.
        revision: branch, tag or commit; None for the main one.
        path: inside it, empty for all of it.
        before: what stands in front of the name in the URI.
    """

    kind: str
    name: str
    revision: str | None
    path: str
    before: str

    @property
    def is_pinned(self) -> bool:
        """Whether it is at a commit, so that it never changes."""
        return bool(_SHA.fullmatch(self.revision or ""))


def place_of(uri: str) -> Place | None:
    """What an hf:// URI names; None of every other."""
    found = _REPOSITORY.fullmatch(uri)
    if found is None:
        return None
    kind, revision = found["kind"], found["revision"]
    return Place(
        kind=(kind or "models").removesuffix("s"),
        name=found["name"],
        revision=unquote(revision) if revision else None,
        path=(found["path"] or "").lstrip("/"),
        before=f"{kind}/" if kind else "",
    )


def pinned(uri: str) -> str:
    """An hf:// URI with its branch or tag replaced by the commit it stands for; others as given.

    Raises:
        UsageError: if the repository or the revision does not exist or may not be read.
        Transient: if the Hub does not answer.
    """
    place = place_of(uri)
    if place is None:
        return uri
    refuse_offline(uri)
    sha = _commit(place.name, place.revision, place.kind)
    return f"hf://{place.before}{place.name}@{sha}/{place.path}".rstrip("/")


def _commit(name: str, revision: str | None, kind: str = "dataset") -> str:
    from huggingface_hub import HfApi, errors

    shown = f"{'data set' if kind == 'dataset' else kind} {name}"
    at = f" at revision {revision!r}" if revision else ""
    try:
        sha = HfApi().repo_info(name, revision=revision, repo_type=kind).sha
    except errors.GatedRepoError:
        raise UsageError(f"{shown}: needs permission; accept its terms and set HF_TOKEN") from None
    except errors.RevisionNotFoundError:
        raise UsageError(f"{shown}: no revision {revision!r}; check the branch or tag") from None
    except errors.RepositoryNotFoundError:
        raise UsageError(f"{shown}: not found; check the name, or set HF_TOKEN") from None
    except errors.HFValidationError:
        raise UsageError(f"{shown}: not a name of the Hub; names look like owner/name") from None
    except network_errors() as error:
        raise Transient(f"{shown}: the Hub does not answer ({type(error).__name__})") from None
    if not sha or not _SHA.fullmatch(sha):
        raise UsageError(f"{shown}: the Hub names no commit{at}")
    return sha


def offline_by() -> str | None:
    """The variable that tells one of the two libraries not to go online; None where none does."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE"):
            return name
    return None


def refuse_offline(shown: str) -> None:
    """Refuses to go online where one of the two libraries was told not to."""
    if name := offline_by():
        raise UsageError(
            f"{shown}: {name} is set, and `nocturna fetch` has not fetched it; unset it, or give "
            "local files"
        )


def _builder(name: str, config: str | None, sha: str) -> Any:
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetNotFoundError

    try:
        return load_dataset_builder(name, name=config, revision=sha)
    except (ValueError, RuntimeError, DatasetNotFoundError, FileNotFoundError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"data set {name}: {reason}") from None
    except network_errors() as error:
        raise Transient(
            f"data set {name}: the Hub does not answer ({type(error).__name__})"
        ) from None


def _refuse_options(name: str, config: Any, file: str) -> None:
    """Refuses reader options in the data set's README that change what a file says."""
    defaults = {"sep": (None, "\t" if format_of(file) == "tsv" else ",")}
    for options in _OWN_OPTIONS.values():
        for option in options:
            value = getattr(config, option, None)
            if value not in defaults.get(option, (None,)):
                raise UsageError(
                    f"data set {name}: its README sets {option} to {value!r}, which is not read "
                    "here; download it and convert it to JSON lines"
                )
