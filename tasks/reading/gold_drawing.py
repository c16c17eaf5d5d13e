"""Drawing documents for a person to label: some of every label, of the sure and of the unsure."""

import heapq
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from nocturna.tasks.corpus.gold_sample import GoldSample, Stratum
from nocturna.tasks.corpus.in_memory import find_texts
from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.job.source import Source
from nocturna.tasks.reading.questions import asking
from nocturna.tasks.reading.scores_there import ScoreThere, scores_there
from nocturna.tasks.reading.views import View
from nocturna.tasks.results.manifest import list_runs
from nocturna.tasks.results.sql import quoted

if TYPE_CHECKING:
    import duckdb

BANDS = 3
LEAST = 2
"""Documents of a stratum, so that what they differ by is known."""


@dataclass(frozen=True)
class Drawn:
    """A document to be labelled."""

    doc_id: str
    text: str


def draw(
    view: View, n: int, score: str | None = None, seed: int = 0
) -> tuple[GoldSample, list[Drawn]]:
    """Draws documents of what a job has published.

    A stratum is a third of the documents of a label, by their score. Of each as many are drawn as
    the root of its size, two at least (Bankier, Power Allocations, 1988): a rare label has enough
    to be judged by, a frequent one weighs on.

    Args:
        n: how many.
        score: by whose labels; may be left out where only one score has labels.
        seed: another one draws others.

    Returns:
        how they were drawn, and the documents in an order that says nothing of their labels.

    Raises:
        UsageError: no such score, too few documents are asked for, or the texts are not there.
    """
    chosen = chosen_score(view, score)
    with asking(view) as database:
        strata = _strata(database, chosen, BANDS)
        if n < LEAST * len(strata):
            strata = _strata(database, chosen, 1)
        if n < LEAST * len(strata):
            raise UsageError(
                f"-n {n}: {len(strata)} labels are given, so at least {LEAST * len(strata)} "
                "documents are needed to know anything of each"
            )
        if not strata:
            raise UsageError(f"{view.layout.place}: no document has the score {chosen.name!r}")
        bands = max(stratum.band for stratum in strata)
        sizes = allocate([stratum.documents for stratum in strata], n)
        strata = [
            Stratum(s.label, s.band, s.low, s.high, s.documents, size)
            for s, size in zip(strata, sizes, strict=True)
        ]
        rows = _rows(database, chosen, strata, bands, seed)
        kept = _kept_texts(database, view, rows)
    random.Random(seed).shuffle(rows)
    texts = kept or _source_texts(view, {digest for _, _, digest in rows})
    sample = GoldSample(
        job=view.layout.job_name,
        snapshot=view.number,
        run_id=view.run_id,
        score=chosen.name,
        labels=tuple(chosen.labels),
        seed=seed,
        strata=tuple(strata),
        rows={doc_id: (stratum, digest) for doc_id, stratum, digest in rows},
    )
    return sample, [Drawn(doc_id, texts[digest]) for doc_id, _, digest in rows]


def allocate(sizes: Sequence[int], n: int) -> list[int]:
    """How many of each stratum are drawn, as many as it has at most.

    >>> allocate([10_000, 100, 1], 33)
    [30, 2, 1]
    """
    drawn = [min(LEAST, size) for size in sizes]
    waiting = [(-(size**0.5) / (drawn[at] + 1), at) for at, size in enumerate(sizes)]
    heapq.heapify(waiting)
    for _ in range(n - sum(drawn)):
        while waiting and drawn[waiting[0][1]] >= sizes[waiting[0][1]]:
            heapq.heappop(waiting)
        if not waiting:
            break
        at = waiting[0][1]
        drawn[at] += 1
        heapq.heapreplace(waiting, (-(sizes[at] ** 0.5) / (drawn[at] + 1), at))
    return drawn


def chosen_score(view: View, name: str | None) -> ScoreThere:
    """The score of that name, or the only one that has labels."""
    scores = {n: score for n, score in scores_there(view.schema).items() if score.labels}
    listed = ", ".join(scores) or "none"
    if name is None and len(scores) == 1:
        return next(iter(scores.values()))
    if name is None:
        raise UsageError(f"--score: say which score the labels are of; there are {listed}")
    if name not in scores:
        raise UsageError(f"--score {name}: no score of that name with labels; there are {listed}")
    return scores[name]


def _banded(score: ScoreThere, bands: int) -> str:
    label, top = quoted(score.name), quoted(f"{score.name}_score")
    order = f"PARTITION BY {label} ORDER BY {top}, doc_id"
    return f"""
    SELECT doc_id, content_hash, {label} AS label, {top} AS top,
        ntile({bands}) OVER ({order}) AS band
    FROM results WHERE {top} IS NOT NULL"""


def _strata(database: "duckdb.DuckDBPyConnection", score: ScoreThere, bands: int) -> list[Stratum]:
    sql = f"SELECT label, band, min(top), max(top), count(*) FROM ({_banded(score, bands)})"
    rows = database.execute(f"{sql} GROUP BY 1, 2").fetchall()
    order = {label: at for at, label in enumerate(score.labels)}
    rows.sort(key=lambda row: (order.get(row[0], len(order)), row[1]))
    return [
        Stratum(label, band, low, high, documents, drawn=0)
        for label, band, low, high, documents in rows
    ]


def _rows(
    database: "duckdb.DuckDBPyConnection",
    score: ScoreThere,
    strata: Sequence[Stratum],
    bands: int,
    seed: int,
) -> list[tuple[str, int, str]]:
    """Id, stratum and content hash of the documents that are drawn."""
    sql = f"""
    WITH w AS (SELECT unnest($at) AS stratum, unnest($labels) AS label, unnest($bands) AS band,
        unnest($sizes) AS size)
    SELECT doc_id, stratum, content_hash FROM ({_banded(score, bands)}) AS r
    JOIN w ON r.label IS NOT DISTINCT FROM w.label AND r.band = w.band
    QUALIFY row_number() OVER (PARTITION BY stratum ORDER BY md5(doc_id || $seed), doc_id) <= size
    ORDER BY md5(doc_id || $seed), doc_id"""
    wanted = {
        "at": list(range(len(strata))),
        "labels": [stratum.label for stratum in strata],
        "bands": [stratum.band for stratum in strata],
        "sizes": [stratum.drawn for stratum in strata],
        "seed": f"\n{seed}",
    }
    return [
        (str(i), int(at), str(digest)) for i, at, digest in database.execute(sql, wanted).fetchall()
    ]


def _kept_texts(
    database: "duckdb.DuckDBPyConnection", view: View, rows: Sequence[tuple[str, int, str]]
) -> dict[str, str]:
    """Texts by their hash, where the job keeps them."""
    if "text" not in view.schema.names:
        return {}
    sql = "SELECT content_hash, text FROM results WHERE list_contains($ids, doc_id)"
    return dict(database.execute(sql, {"ids": [row[0] for row in rows]}).fetchall())


def _source_texts(view: View, hashes: set[str]) -> Mapping[str, str]:
    """Texts by their hash, read again from the job's source."""
    run = next((m for m in list_runs(view.layout) if m.run_id == view.run_id), None)
    way_out = "keep the texts (--keep-text) and run the job again"
    try:
        source = Source.model_validate((run.job if run else {}).get("source"))
        found = find_texts(source.model_copy(update={"keep": ()}), hashes)
    except (ValidationError, NocturnaError) as error:
        why = error if isinstance(error, NocturnaError) else "the record of its run is not kept"
        raise UsageError(
            f"{view.layout.place}: the texts are not kept and cannot be read from the source "
            f"({why}); {way_out}"
        ) from None
    lost = len(hashes - found.keys())
    if lost:
        raise UsageError(
            f"{view.layout.place}: {lost:,} of {len(hashes):,} documents are not in the source any "
            f"more as they were scored; run the job again, or {way_out}"
        )
    return found
