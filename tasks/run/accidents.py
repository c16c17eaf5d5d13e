"""Refusing to publish something else than last night without being asked."""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from nocturna.tasks.addresses import is_remote, member_of
from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.job.base import ScoreOptions
from nocturna.tasks.job.job import Job, Source
from nocturna.tasks.job.source import EVERY
from nocturna.tasks.results.identity import Accident, Identity, accidents, identity_of
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.log_entries import Snapshot, current_snapshot
from nocturna.tasks.results.parts import schema_of
from nocturna.tasks.results.schema import Columns, results_schema

if TYPE_CHECKING:
    from nocturna.tasks.results.difference import Difference

_log = logging.getLogger(__name__)


def identity_for(job: Job, schema: pa.Schema, documents: int | None = None) -> Identity:
    """What a job's snapshot is made from.

    Args:
        schema: the columns of its results.
        documents: how many its corpus has, where that is known.
    """
    return replace(
        identity_of(schema),
        source=place_of(job.source),
        id=job.source.id or "",
        text=job.source.text,
        documents=documents,
    )


def described_identity(job: Job, scores: Mapping[str, ScorePlan | None]) -> Identity:
    """What a job's snapshot will be made from, as far as its description says, without its corpus.

    Args:
        scores: each of the job; None where it is not known yet what labels it has.
    """
    planned = tuple(score for score in scores.values() if score is not None)
    columns = Columns(
        scores=planned,
        keep=pa.schema([pa.field(name, pa.null()) for name in job.kept if name != EVERY]),
        renamed=job.source.renamed,
        keep_text=job.output.keep_text,
        summaries=job.summaries.enabled,
    )
    found = identity_for(job, results_schema(columns, job.name))
    unknown = {name: _labels_of(job.scores[name]) for name in scores if scores[name] is None}
    if unknown or EVERY in job.kept:
        return replace(found, scores={**found.scores, **unknown}, columns=None)
    return found


def _labels_of(options: ScoreOptions) -> tuple[str, ...] | None:
    """The labels that a job itself lists for a score; None where they are the model's to tell."""
    labels = getattr(options, "labels", None)
    return labels if isinstance(labels, tuple) else None


def refuse_accidents(
    layout: Layout, job: Job, tonight: Identity, difference: "Difference | None" = None
) -> list[Accident]:
    """Compares a job with what is published, as far as tonight's identity is known.

    Args:
        difference: how the corpus differs from the snapshot; before that is known, nothing is said
            of the source and its size.

    Returns:
        what would be lost and is allowed.

    Raises:
        UsageError: something would be lost that the job does not allow; the line names the option.
    """
    snapshot = current_snapshot(layout)
    published = _published(snapshot)
    if published is None:
        return []
    known_again, replaced, reissued = None, 0.0, 0.0
    if difference is not None:
        known_again = _known_again(published, difference)
        before = published.documents or 1
        replaced = min(1.0, difference.changed / before)
        if not difference.drop_vanished:
            reissued = min(1.0, difference.reissued / before)
    shrink = job.quality.max_shrink
    found = accidents(published, tonight, known_again, shrink, replaced, reissued)
    if job.once.replace and any(a.strange_rows for a in found):
        found = [a for a in found if a.options != ("--allow-shrink",)]
    refused = [a for a in found if not job.once.options & set(a.options)]
    if refused:
        what = "; ".join(a.what for a in refused)
        ways = "; ".join(dict.fromkeys(a.advice for a in refused))
        raise UsageError(f"{layout.place}: {what}; {ways}")
    if reissued and difference is not None and difference.respelt[0]:
        _log.warning(
            "%s: ids of published documents are written otherwise (%d, of which %r is %r now): "
            "their rows of before stay beside the new ones; --deletions drop leaves those out",
            layout.place,
            *difference.respelt,
        )
    return found


def place_of(source: Source) -> str:
    """Where a corpus is, so that the same place has one name; without secrets.

    Several paths are a line each."""
    if source.dataset is not None:
        return f"hub:{source.dataset}/{source.config or 'default'}/{source.split}"
    return "\n".join(sorted(map(place_of_path, source.paths)))


def place_of_path(path: str) -> str:
    """Where one path of a corpus is, wherever it is asked from."""
    if (member := member_of(path)) is not None:
        return f"{member[0]}://{member[1]}::{place_of_path(member[2])}"
    local = path.removeprefix("file://").removeprefix("local://")
    if is_remote(local):
        return path.rstrip("/")
    return os.path.normpath(Path(local).expanduser().absolute())


def _published(snapshot: Snapshot | None) -> Identity | None:
    if snapshot is None or not snapshot.parts:
        return None
    if snapshot.identity is not None:
        return snapshot.identity
    try:
        return identity_of(schema_of(snapshot.parts[0].path))
    except (OSError, pa.ArrowException):
        return None


def _known_again(published: Identity, difference: "Difference") -> float:
    """Share of the published documents that the corpus has with the same text."""
    same = (
        difference.unchanged + difference.reconfigured + difference.retried + difference.rewritten
    )
    return min(1.0, same / published.documents) if published.documents else 1.0
