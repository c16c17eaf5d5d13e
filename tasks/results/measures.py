"""The figures that gates and reports need, each file read once by DuckDB."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.results import files
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.score_fields import has_status, label_columns
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.sql import connect, literal, quoted, rows_of

if TYPE_CHECKING:
    import duckdb

SUM_TOLERANCE = 1e-3
SATURATED = 0.999
_IDS, _BATCH = "distinct ids", 100_000
MOST_LABELS = 50
"""Labels in the figures of a score whose labels each document brings along."""


def measure(
    layout: Layout,
    parts: Sequence[PartFile],
    scores: Sequence[ScorePlan] = (),
    aggregate: str = "mean",
) -> dict[str, Any]:
    """Counts, label and language shares, confidence, lengths, errors, rows that break a rule.

    Args:
        parts: parts with the columns of these scores.
        scores: the scores of the rows.
        aggregate: how windows were joined; scores joined by `max` need not add up to 1.
    """
    wanted = _expressions(scores, aggregate)
    row = dict.fromkeys([*wanted, _IDS], 0) | _row(layout, parts, wanted)
    return _tidy(row, scores)


def measure_whole(
    layout: Layout, parts: Sequence[PartFile], scores: Sequence[ScorePlan] = ()
) -> tuple[int, dict[str, Any]]:
    """Distinct ids of a whole snapshot, and its rows, errors and what it says of each score.

    A share is of the rows that have a label: rows of documents that left the corpus before the
    labels were others have none.
    """
    wanted = {
        "rows": "count(*)",
        "ok": "count(*) FILTER (WHERE status = 'ok')",
        "errors": "histogram(error_code)",
    }
    for score in scores:
        wanted |= _figures(score)
    row = dict.fromkeys([*wanted, _IDS], 0) | _row(layout, parts, wanted)
    whole = {
        "rows": row["rows"],
        "scored": row["ok"],
        "failed": row["rows"] - row["ok"],
        "errors": dict(sorted((row["errors"] or {}).items())),
        "scores": {score.name: _tidy_score(row, score) for score in scores},
    }
    return row[_IDS], whole


def _row(layout: Layout, parts: Sequence[PartFile], wanted: dict[str, str]) -> dict[str, Any]:
    paths = [part.path for part in parts if part.rows]
    if not paths:
        return {}
    sql = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in wanted.items())
    source = rows_of(paths)
    with files.clear_errors(layout.root), connect(layout) as database:
        (values,) = database.execute(f"SELECT {sql} FROM {source}").fetchall()
        distinct = _distinct(database, source, sum(part.rows for part in parts))
    return dict(zip(wanted, values, strict=True)) | {_IDS: distinct}


def _distinct(database: "duckdb.DuckDBPyConnection", source: str, rows: int) -> int:
    """Distinct ids: by their hashes, eight bytes a row, as long as no two of them are equal."""
    hashes, end = np.empty(rows, np.uint64), 0
    ids = f"FROM {source} WHERE doc_id IS NOT NULL"
    for batch in database.sql(f"SELECT hash(doc_id) AS hash {ids}").to_arrow_reader(_BATCH):
        found = batch["hash"].to_numpy()
        hashes[end : end + len(found)] = found
        end += len(found)
    hashes = hashes[:end]
    hashes.sort()
    if (hashes[1:] != hashes[:-1]).all():
        return end
    ((distinct,),) = database.execute(f"SELECT count(DISTINCT doc_id) {ids}").fetchall()
    return int(distinct)


def _expressions(scores: Sequence[ScorePlan], aggregate: str) -> dict[str, str]:
    rules = [_rules(score) for score in scores]
    summed = "status = 'ok'" + (" AND coalesce(n_windows, 1) = 1" if aggregate == "max" else "")
    where = {
        "ok": "status = 'ok'",
        "v.status": "status IS NULL OR status NOT IN ('ok', 'failed')",
        "v.nulls": f"status = 'ok' AND ({_any(rule.lacking for rule in rules)})",
        "v.extra": f"status <> 'ok' AND ({_any(rule.extra for rule in rules)})",
        "v.range": _any(rule.range for rule in rules if rule.range),
        "v.sum": f"{summed} AND ({_any(rule.sum for rule in rules if rule.sum)})",
        "v.top": f"status = 'ok' AND ({_any(rule.top for rule in rules if rule.top)})",
        "truncated": "truncated",
    }
    found = {"rows": "count(*)"}
    found |= {name: f"count(*) FILTER (WHERE {test})" for name, test in where.items()}
    found["n_tokens"] = "quantile_disc(n_tokens, [0.5, 0.9, 0.99, 1.0])"
    found["errors"] = "histogram(error_code)"
    found["languages"] = "histogram(language) FILTER (WHERE status = 'ok')"
    for score in scores:
        found |= _figures(score)
    return found


def _figures(score: ScorePlan) -> dict[str, str]:
    """What is counted of a score, as `_tidy_score` takes it."""
    name = score.name
    if score.gives == "number":
        return {f"{name}.known": f"count({quoted(name)})", f"{name}.mean": f"avg({quoted(name)})"}
    top = quoted(f"{name}_score")
    return {
        f"{name}.known": f"count({top})",
        f"{name}.labels": f"histogram({quoted(name)})",
        f"{name}.mean_score": f"avg({top})",
        f"{name}.saturated": f"count(*) FILTER (WHERE {top} > {SATURATED})",
    }


@dataclass(frozen=True)
class _Rules:
    """Conditions under which a row breaks a rule of one score; empty where there is no rule."""

    lacking: str
    extra: str
    range: str = ""
    sum: str = ""
    top: str = ""


def _rules(score: ScorePlan) -> _Rules:
    name = score.name
    asked = f"coalesce({quoted(f'{name}_status')}, '') = 'ok'" if has_status(score) else "true"
    if score.gives == "number":
        value = quoted(name)
        return _Rules(f"{asked} AND {value} IS NULL", f"{value} IS NOT NULL")
    top = quoted(f"{name}_score")
    if score.gives == "choices":
        scores = f"{quoted(f'{name}_scores')}"
        lacking = f"{asked} AND ({top} IS NULL OR list_count({scores}) <> len({scores}))"
        shared = f"len({scores}) > 1 AND abs(list_sum({scores}) - 1) > {SUM_TOLERANCE}"
        return _Rules(
            lacking,
            f"{top} IS NOT NULL",
            f"NOT ({top} BETWEEN 0 AND 1)",
            shared if score.sums_to_one else "",  # an only label may be scored by itself
            f"{top} IS DISTINCT FROM list_max({scores})",
        )
    named = label_columns(name, score.labels)
    columns = [quoted(column) for column in named.values()]
    due = score.asked or len(columns)
    every = [*columns, top]
    total = f"list_sum([{', '.join(f'{c}::DOUBLE' for c in columns)}])"
    return _Rules(
        f"{asked} AND ({top} IS NULL OR list_count([{', '.join(columns)}]) <> {due})",
        _any(f"{column} IS NOT NULL" for column in every),
        _any(f"NOT ({column} BETWEEN 0 AND 1)" for column in every),
        f"abs({total} - 1) > {SUM_TOLERANCE}" if score.sums_to_one else "",
        _not_top(name, named, score.threshold),
    )


def _not_top(name: str, named: dict[str, str], threshold: float | None) -> str:
    cases = " ".join(f"WHEN {literal(label)} THEN {quoted(c)}" for label, c in named.items())
    top = quoted(f"{name}_score")
    highest = f"greatest({', '.join(quoted(c) for c in named.values())})"
    named_wrong = f"(CASE {quoted(name)} {cases} END) IS DISTINCT FROM {top}"
    if threshold is not None:
        none_due = f"{top} < {threshold}::FLOAT"
        named_wrong = (
            f"({quoted(name)} IS NOT NULL) = ({none_due}) OR NOT ({none_due}) AND {named_wrong}"
        )
    return f"{named_wrong} OR {top} IS DISTINCT FROM {highest}"


def _any(tests: Iterable[str]) -> str:
    return " OR ".join(f"({test})" for test in tests) or "false"


def _tidy(row: dict[str, Any], scores: Sequence[ScorePlan]) -> dict[str, Any]:
    ok = row["ok"]
    tokens = row["n_tokens"] or [0, 0, 0, 0]
    tidy: dict[str, Any] = {
        "violations": {n.removeprefix("v."): v for n, v in row.items() if n.startswith("v.")},
        "rows": row["rows"],
        "ok": ok,
        "distinct_doc_ids": row[_IDS],
        "truncated_share": _share(row["truncated"], ok),
        "n_tokens": dict(zip(("median", "p90", "p99", "max"), tokens, strict=True)),
        "errors": dict(sorted((row["errors"] or {}).items())),
        "language": _languages(row["languages"] or {}, ok),
    }
    tidy["scores"] = {score.name: _tidy_score(row, score) for score in scores}
    return tidy


def _tidy_score(row: dict[str, Any], score: ScorePlan) -> dict[str, Any]:
    """The figures of one score; shares are of the documents that it was computed for."""
    name = score.name
    if score.gives == "number":
        return {"documents": row[f"{name}.known"], "mean": row[f"{name}.mean"] or 0.0}
    found = row[f"{name}.labels"] or {}
    known = row[f"{name}.known"]
    labels = score.labels or sorted(found, key=lambda label: (-found[label], label))[:MOST_LABELS]
    return {
        "documents": known,
        "counts": {label: found.get(label, 0) for label in labels},
        "shares": {label: _share(found.get(label, 0), known) for label in labels},
        "mean_score": round(row[f"{name}.mean_score"] or 0.0, 6),
        "saturated_share": _share(row[f"{name}.saturated"], known),
    }


def _languages(counts: dict[str, int], ok: int) -> dict[str, Any]:
    """Scored documents by language, the most frequent first, and those of no known one."""
    by_count = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return {
        "counts": by_count,
        "shares": {code: _share(count, ok) for code, count in by_count.items()},
        "unknown_share": _share(ok - sum(counts.values()), ok),
    }


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0
