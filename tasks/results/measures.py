"""The figures that gates and reports need, each file read once by DuckDB."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from tasks.results import files
from tasks.results.layout import Layout
from tasks.results.records import PartFile
from tasks.results.schema import score_columns
from tasks.results.sql import connect, literal, quoted

SUM_TOLERANCE = 1e-3
SATURATED = 0.999
Labels = dict[str, dict[str, str]]
"""Column of each label, by kind: `sentiment` and `topic`."""


def measure(
    layout: Layout,
    parts: Sequence[PartFile],
    schema: pa.Schema,
    single_label: bool = True,
    aggregate: str = "mean",
    shortlist: int | None = None,
) -> dict[str, Any]:
    """Counts, label and language shares, confidence, lengths, errors, rows that break a rule.

    Args:
        parts: parts with the columns of `schema`.
        single_label: whether topic scores must add up to 1.
        aggregate: how windows were joined; scores joined by `max` need not add up to 1.
        shortlist: topic labels that must have a score in each row, and the others none; None for
            all of them.
    """
    kinds = {kind: score_columns(schema, kind) for kind in ("sentiment", "topic")}
    kinds = {kind: named for kind, named in kinds.items() if named}
    wanted = _expressions(kinds, single_label, aggregate, shortlist)
    row = dict.fromkeys(wanted, 0) | _row(layout, parts, wanted)
    return _tidy(row, kinds)


def measure_whole(
    layout: Layout, parts: Sequence[PartFile], schema: pa.Schema
) -> tuple[int, dict[str, Any]]:
    """Distinct ids of a whole snapshot, and its rows, errors and label shares.

    A share is of the rows that have a label: rows of documents that left the corpus before the
    labels were others have none.
    """
    kinds = {kind: score_columns(schema, kind) for kind in ("sentiment", "topic")}
    wanted = {
        "rows": "count(*)",
        "ids": "count(DISTINCT doc_id)",
        "ok": "count(*) FILTER (WHERE status = 'ok')",
        "errors": "histogram(error_code)",
    }
    wanted |= {kind: f"histogram({quoted(kind)})" for kind, named in kinds.items() if named}
    row = dict.fromkeys(wanted, 0) | _row(layout, parts, wanted)
    whole = {
        "rows": row["rows"],
        "scored": row["ok"],
        "failed": row["rows"] - row["ok"],
        "errors": dict(sorted((row["errors"] or {}).items())),
    }
    for kind, named in kinds.items():
        if named:
            labels = row[kind] or {}
            some = {label: labels.get(label, 0) for label in named}
            of = sum(labels.values())
            shares = {label: _share(n, of) for label, n in some.items()}
            whole[kind] = {"counts": some, "shares": shares if of else {}}
    return row["ids"], whole


def _row(layout: Layout, parts: Sequence[PartFile], wanted: dict[str, str]) -> dict[str, Any]:
    paths = [str(part.path) for part in parts if part.rows]
    if not paths:
        return {}
    sql = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in wanted.items())
    source = f"read_parquet([{', '.join(map(literal, paths))}])"
    with files.clear_errors(layout.root), connect(layout) as database:
        values = database.execute(f"SELECT {sql} FROM {source}").fetchone()
    return dict(zip(wanted, values or (), strict=True))


def _expressions(
    kinds: Labels, single_label: bool, aggregate: str, shortlist: int | None
) -> dict[str, str]:
    scores = [quoted(c) for named in kinds.values() for c in named.values()]
    every = [*scores, *(quoted(f"{kind}_score") for kind in kinds)]
    lacking = [f"{quoted(f'{kind}_score')} IS NULL" for kind in kinds]
    for kind, named in kinds.items():
        due = shortlist if kind == "topic" and shortlist is not None else len(named)
        lacking.append(f"list_count([{', '.join(map(quoted, named.values()))}]) <> {due}")
    sums = [
        f"list_sum([{', '.join(f'{quoted(c)}::DOUBLE' for c in named.values())}])"
        for kind, named in kinds.items()
        if kind == "sentiment" or single_label
    ]
    summed = "status = 'ok'" + (" AND coalesce(n_windows, 1) = 1" if aggregate == "max" else "")
    tops = [_not_top(kind, named) for kind, named in kinds.items()]
    where = {
        "ok": "status = 'ok'",
        "v.status": "status IS NULL OR status NOT IN ('ok', 'failed')",
        "v.nulls": f"status = 'ok' AND ({_any(lacking)})",
        "v.extra": f"status <> 'ok' AND ({_any(f'{c} IS NOT NULL' for c in every)})",
        "v.range": _any(f"NOT ({c} BETWEEN 0 AND 1)" for c in every),
        "v.sum": f"{summed} AND ({_any(f'abs({s} - 1) > {SUM_TOLERANCE}' for s in sums)})",
        "v.top": f"status = 'ok' AND ({_any(tops)})",
        "truncated": "truncated",
    }
    found = {"rows": "count(*)", "distinct_doc_ids": "count(DISTINCT doc_id)"}
    found |= {name: f"count(*) FILTER (WHERE {test})" for name, test in where.items()}
    found["n_tokens"] = "quantile_disc(n_tokens, [0.5, 0.9, 0.99, 1.0])"
    found["errors"] = "histogram(error_code)"
    found["languages"] = "histogram(language) FILTER (WHERE status = 'ok')"
    for kind in kinds:
        top = quoted(f"{kind}_score")
        found[f"{kind}.labels"] = f"histogram({quoted(kind)})"
        found[f"{kind}.mean_score"] = f"avg({top})"
        found[f"{kind}.saturated"] = f"count(*) FILTER (WHERE {top} > {SATURATED})"
    return found


def _not_top(kind: str, named: dict[str, str]) -> str:
    cases = " ".join(f"WHEN {literal(label)} THEN {quoted(c)}" for label, c in named.items())
    top = quoted(f"{kind}_score")
    highest = f"greatest({', '.join(quoted(c) for c in named.values())})"
    return (
        f"(CASE {quoted(kind)} {cases} END) IS DISTINCT FROM {top} "
        f"OR {top} IS DISTINCT FROM {highest}"
    )


def _any(tests: Iterable[str]) -> str:
    return " OR ".join(tests) or "false"


def _tidy(row: dict[str, Any], kinds: Labels) -> dict[str, Any]:
    ok = row["ok"]
    tokens = row["n_tokens"] or [0, 0, 0, 0]
    tidy: dict[str, Any] = {
        "violations": {n.removeprefix("v."): v for n, v in row.items() if n.startswith("v.")},
        "rows": row["rows"],
        "ok": ok,
        "distinct_doc_ids": row["distinct_doc_ids"],
        "truncated_share": _share(row["truncated"], ok),
        "n_tokens": dict(zip(("median", "p90", "p99", "max"), tokens, strict=True)),
        "errors": dict(sorted((row["errors"] or {}).items())),
        "language": _languages(row["languages"] or {}, ok),
    }
    for kind, named in kinds.items():
        labels = row[f"{kind}.labels"] or {}
        tidy[kind] = {
            "counts": {label: labels.get(label, 0) for label in named},
            "shares": {label: _share(labels.get(label, 0), ok) for label in named},
            "mean_score": round(row[f"{kind}.mean_score"] or 0.0, 6),
            "saturated_share": _share(row[f"{kind}.saturated"], ok),
        }
    return tidy


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
