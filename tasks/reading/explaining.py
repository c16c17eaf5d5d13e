"""Everything that is published of one document: where it is, its scores and what they are from."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nocturna.tasks.corpus.kept_types import text_of
from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.cells import columns_of, plain
from nocturna.tasks.reading.questions import asking
from nocturna.tasks.reading.scores_there import ScoreThere, scores_there
from nocturna.tasks.reading.views import At, View, kept_snapshots, view_of
from nocturna.tasks.results.configs import read_configs
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.schema import OUR_NAMES, source_columns

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class ScoreOfOne:
    """A score of one document.

    Attributes:
        value: its label, or its number; None where it has none, or no label is high enough.
        score: of that label, 0 to 1.
        labels: the score of every label that was asked about, the highest first.
        status: why it is null, where the score says that.
        config: what it was computed with, as in `configs.parquet`; the hash where that is lost.
        beside: the text that the document's own was read with.
    """

    name: str
    value: str | float | None
    score: float | None
    labels: dict[str, float]
    status: str | None
    config: dict[str, Any]
    beside: str | None = None

    @property
    def label(self) -> str | None:
        """The label with the highest score; None of a number, or where there is no score."""
        return next(iter(self.labels), None)


@dataclass(frozen=True)
class Night:
    """What an earlier or later snapshot that is kept says of the document.

    Attributes:
        labels: label or number of each score.
        same_text: whether its text was the one that is explained.
    """

    snapshot: int
    published_at: str
    labels: dict[str, Any]
    same_text: bool


@dataclass(frozen=True)
class Explained:
    """A document as published.

    Attributes:
        facts: its identity, status, lengths and language, by the names of the columns.
        kept: the kept columns.
        run: the run that wrote the row: id, start, code version.
        nights: every snapshot that is kept and has the document, oldest first.
    """

    doc_id: str
    snapshot: int | None
    facts: dict[str, Any]
    text: str | None
    scores: tuple[ScoreOfOne, ...]
    kept: dict[str, Any]
    run: dict[str, Any]
    nights: tuple[Night, ...]


def explain(out: str | Path, doc_id: str, at: At = None) -> Explained:
    """Says where a document comes from, what its scores are and what they were computed with.

    Args:
        out: output folder of a job.
        at: which snapshot; see `view_of`.

    Raises:
        UsageError: there is no such document; the line says whether an earlier night had it.
    """
    view = view_of(out, at)
    row = _row(view, doc_id)
    if row is None:
        raise UsageError(_not_there(view, doc_id))
    scores = scores_there(view.schema)
    configs = {str(c["config"]): c for c in read_configs(view.layout).to_pylist()}
    ours = OUR_NAMES | set(_columns(scores))
    trace = {name: row.get(name) for name in ("run_id", "scored_at", "code_version")}
    facts = {
        name: value
        for name, value in row.items()
        if name in OUR_NAMES and name not in {"doc_id", "text", *trace}
    }
    return Explained(
        doc_id=doc_id,
        snapshot=view.number,
        facts=facts,
        text=row.get("text"),
        scores=tuple(
            _score(score, row, configs, source_columns(view.schema)) for score in scores.values()
        ),
        kept={name: value for name, value in row.items() if name not in ours},
        run=trace,
        nights=tuple(_nights(view.layout, doc_id, row)),
    )


def _row(view: View, doc_id: str) -> dict[str, Any] | None:
    """The row of a document, its values as JSON has them."""
    with asking(view) as database:
        found = _one(database, doc_id)
    return found


def _one(database: "duckdb.DuckDBPyConnection", doc_id: str) -> dict[str, Any] | None:
    relation = database.sql("SELECT * FROM results WHERE doc_id = ? LIMIT 1", params=[doc_id])
    for batch in relation.to_arrow_reader():
        for values in zip(*columns_of(batch), strict=True):
            return {n: plain(v) for n, v in zip(batch.schema.names, values, strict=True)}
    return None


def _not_there(view: View, doc_id: str) -> str:
    for snapshot in reversed(kept_snapshots(view.layout)):
        if snapshot.number != view.number and _row(
            view_of(view.layout.root, snapshot.number), doc_id
        ):
            return (
                f"{view.layout.place}: no document {doc_id!r} in snapshot {view.number}; "
                f"snapshot {snapshot.number} has it: --at {snapshot.number}"
            )
    return (
        f"{view.layout.place}: no document {doc_id!r} in what is kept; `nocturna show` lists ids, "
        "and `nocturna query` what is in quarantine"
    )


def _columns(scores: dict[str, ScoreThere]) -> Iterator[str]:
    for score in scores.values():
        yield from (score.name, *score.labels.values())
        yield from (f"{score.name}_{part}" for part in _PARTS)


_PARTS = ("score", "status", "config", "labels", "scores")


def _score(
    score: ScoreThere,
    row: dict[str, Any],
    configs: dict[str, dict[str, Any]],
    columns: dict[str, str],
) -> ScoreOfOne:
    of = {part: row.get(f"{score.name}_{part}") for part in _PARTS}
    labels = {label: row.get(column) for label, column in score.labels.items()}
    if score.gives == "choices":
        labels = dict(zip(of["labels"] or (), of["scores"] or (), strict=True))
    known = {label: value for label, value in labels.items() if value is not None}
    config = dict(configs.get(of["config"] or "") or {"config": of["config"]})
    if isinstance(config.get("settings"), str):
        config["settings"] = json.loads(config["settings"])
    pair = (config.get("settings") or {}).get("text_pair")
    beside = row.get(columns.get(pair, pair)) if pair else None
    return ScoreOfOne(
        name=score.name,
        value=row[score.name],
        score=of["score"],
        labels=dict(sorted(known.items(), key=lambda item: -item[1])),
        status=of["status"],
        config=config,
        beside=None if beside is None else text_of(beside),
    )


def _nights(layout: Layout, doc_id: str, row: dict[str, Any]) -> Iterator[Night]:
    for snapshot in kept_snapshots(layout):
        view = view_of(layout.root, snapshot.number)
        found = _row(view, doc_id)
        if found is not None:
            labels = {name: found[name] for name in scores_there(view.schema)}
            same = found["content_hash"] == row["content_hash"]
            yield Night(snapshot.number, snapshot.published_at, labels, same)
