"""Files of the Hub that were fetched beforehand, and which of them a source is made of."""

import glob
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nocturna.tasks.cached import cached_at, keep_cached, read_cached
from nocturna.tasks.corpus.hub import Place, place_of
from nocturna.tasks.job.source import Source

Listing = tuple[list[tuple[str, str]], str]
"""The URI at a commit and the name of each file of a source, and what they are: a folder, say."""


def fetch_files(uris: Iterable[str]) -> None:
    """Downloads files of the Hub into its cache.

    Args:
        uris: `hf://` URIs at a commit.
    """
    from huggingface_hub import snapshot_download

    by_repository: dict[tuple[str, str, str], list[str]] = {}
    for uri in uris:
        place = _place(uri)
        by_repository.setdefault((place.kind, place.name, str(place.revision)), []).append(
            place.path
        )
    for (kind, name, sha), paths in by_repository.items():
        wanted = [glob.escape(path) for path in paths]
        snapshot_download(name, repo_type=kind, revision=sha, allow_patterns=wanted)


def fetched_file(uri: str) -> Path | None:
    """Where a file of the Hub is on this machine; None if it was not fetched at its commit."""
    place = place_of(uri)
    if place is None or not place.is_pinned or not place.path:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        place.name, place.path, revision=place.revision, repo_type=place.kind
    )
    return Path(found) if isinstance(found, str) else None


def fetched_info(uri: str) -> dict[str, Any]:
    """What the Hub would say of a file that was fetched; its blob has the name of its checksum."""
    path = fetched_file(uri)
    assert path is not None, uri
    return {"type": "file", "size": path.stat().st_size, "blob_id": path.resolve().name}


def keep_listing(source: Source, address: str | None, found: Listing) -> None:
    """Notes which files an address of a source on the Hub stands for, for nights that cannot ask.

    They are what it is made of at their commit too.
    """
    pinned = source.model_copy(update={"revision": _place(found[0][0][0]).revision})
    for named in (source, pinned):
        keep_cached(_noted_at(named, address), json.dumps(found).encode())


def kept_listing(source: Source, address: str | None) -> Listing | None:
    """The files at an address, if each of them was fetched; they stay at their commit.

    Args:
        address: None for the data set of the source.
    """
    here = address in hub_addresses(source)
    data = read_cached(_noted_at(source, address)) if here else None
    if data is None:
        return None
    files, kind = json.loads(data)
    if not all(fetched_file(uri) for uri, _ in files):
        return None
    return [(uri, name) for uri, name in files], kind


def hub_addresses(source: Source) -> list[str | None]:
    """The addresses of a source that are on the Hub; None for its data set."""
    if source.dataset is not None:
        return [None]
    return [address for address in source.addresses if place_of(address) is not None]


def _noted_at(source: Source, address: str | None) -> Path:
    return cached_at(
        "listings", [address, source.dataset, source.config, source.split, source.revision]
    )


def _place(uri: str) -> Place:
    place = place_of(uri)
    assert place is not None and place.is_pinned, uri
    return place
