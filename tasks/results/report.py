"""What a run did, for the terminal and for scripts."""

import glob
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import Manifest
from nocturna.tasks.results.shard_records import Counts
from nocturna.tasks.results.sinks import Received
from nocturna.tasks.results.sql import literal


@dataclass(frozen=True)
class Summary:
    """The end of a run in figures.

    Attributes:
        status: published, refused, failed or stopped, as in the manifest.
        seconds: wall-clock time.
        documents_per_second: documents, scored and failed, by wall-clock time.
        counts: what became of the rows that the run read.
        published: what the results hold now, carried rows included: rows, those scored, those
            failed.
        shares: share of the published documents by label, for each score that has labels.
        new_shares: the same of the documents that the run wrote, where others were carried.
        errors: published documents without scores, by error code.
        asked: labels that each document is asked about, for each score with more labels than that.
        results: folder to read.
        reading: lines of code that read it, by library.
        warnings: what a person should look at, a line each.
        summaries: documents by summary status, what they cost, and why they stopped early.
        sinks: `uri` and `version` of the further places that show the same rows, by sink.
        table: the one of them that is a table with versions.
        quarantine: folder of the rows that could not be read, if there are any.
        report: page with the figures of the night, if it was made.
    """

    job: str
    run_id: str
    status: str
    snapshot: int | None
    counts: Counts
    seconds: float
    documents_per_second: float
    published: dict[str, int]
    shares: dict[str, dict[str, float]]
    errors: dict[str, int]
    results: str
    reading: dict[str, str]
    new_shares: dict[str, dict[str, float]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    quarantine: str | None = None
    report: str | None = None
    reason: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    summaries: dict[str, Any] | None = None
    table: dict[str, Any] | None = None
    sinks: dict[str, dict[str, Any]] = field(default_factory=dict)


def summarise(
    layout: Layout, manifest: Manifest, metrics: dict[str, Any], warnings: Iterable[str] = ()
) -> Summary:
    """The summary of a run.

    Args:
        metrics: `Checked.metrics` of the run; empty if it did not come that far.
        warnings: what the gates warn of, in words.
    """
    quarantined = manifest.counts.quarantined
    whole = metrics.get("snapshot", {})
    carried = whole.get("rows", 0) > metrics.get("rows", 0)
    return Summary(
        job=manifest.job_name,
        run_id=manifest.run_id,
        status=manifest.status,
        snapshot=manifest.snapshot,
        counts=manifest.counts,
        seconds=round(manifest.seconds, 3),
        documents_per_second=round(manifest.documents_per_second, 3),
        published={name: whole[name] for name in ("rows", "scored", "failed") if name in whole},
        shares=_shares(whole),
        new_shares=_shares(metrics) if carried and metrics["ok"] else {},
        errors=whole.get("errors", {}),
        asked={name: n for name, score in manifest.scores.items() if (n := score.get("asked"))},
        results=layout.uri or str(layout.results),
        reading=reading_lines(layout),
        quarantine=str(layout.quarantine(manifest.run_id)) if quarantined else None,
        reason=manifest.reason,
        timings=manifest.timings,
        warnings=tuple(warnings),
        summaries=manifest.summaries,
    )


def _shares(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    scores = metrics.get("scores", {})
    return {name: f["shares"] for name, f in scores.items() if f.get("shares") and f["documents"]}


def reading_lines(layout: Layout) -> dict[str, str]:
    """One line of Python each that reads the results, by library."""
    if layout.uri:
        rows = f"nocturna.read_results({layout.uri!r}"
        arrow = f"{rows}, as_='arrow')"
        return {
            "pandas": f"{rows})",
            "polars": f"{rows}, as_='polars')",
            "duckdb": f"duckdb.from_arrow({arrow})",
        }
    results = layout.results
    sql = f"FROM {literal(f'{glob.escape(str(results))}/*.parquet')}"
    if "=" in str(results):  # which DuckDB would take for columns
        sql = f"FROM read_parquet({sql.removeprefix('FROM ')}, hive_partitioning = false)"
    return {
        "pandas": f"pd.read_parquet({str(results)!r})",
        "duckdb": f"duckdb.sql({sql!r})",
    }


def with_places(summary: Summary, reached: Mapping[str, Received]) -> Summary:
    """The summary of a run with the places that show its rows too."""
    sinks = {name: {"uri": r.uri, "version": r.version} for name, r in reached.items()}
    tables = (place for place in sinks.values() if place["version"] is not None)
    reading = {library: line for r in reached.values() for library, line in r.reading.items()}
    reading = {**summary.reading, **reading}
    return replace(summary, sinks=sinks, table=next(tables, None), reading=reading)


def as_dict(summary: Summary) -> dict[str, Any]:
    """The summary as plain values: what `--json` prints."""
    return asdict(summary)


def table_rows(summary: Summary) -> list[tuple[str, str]]:
    """The summary as name and text, in the order in which a terminal shows it."""
    counts = summary.counts
    rows = [
        ("read", f"{counts.read:,}"),
        ("scored", f"{counts.scored:,}"),
        ("failed", f"{counts.failed:,}"),
        ("quarantined", f"{counts.quarantined:,}"),
    ]
    if counts.superseded:
        rows.append(("superseded", f"{counts.superseded:,}"))
    if counts.carried:
        rows.append(("carried over", f"{counts.carried:,}"))
    if summary.published.get("rows", 0) > counts.scored + counts.failed:
        now = summary.published
        said = f"{now['rows']:,}, {now['scored']:,} scored and {now['failed']:,} failed"
        rows.append(("published", said))
    rows += [(f"  {code}", f"{n:,}") for code, n in summary.errors.items()]
    rows.append(("time", f"{summary.seconds:,.1f} s, {summary.documents_per_second:,.1f} a second"))
    rows += [("warning", warning) for warning in summary.warnings]
    for kind, shares in summary.shares.items():
        if kind in summary.asked:
            asked = f"{summary.asked[kind]:,} of {len(shares):,} labels a document"
            rows.append((f"{kind} shortlist", asked))
        new = summary.new_shares.get(kind, {})
        beside = {label: f" ({share:.1%} of the new)" for label, share in new.items()}
        rows += [
            (f"{kind} {label}", f"{share:.1%}{beside.get(label, '')}")
            for label, share in shares.items()
        ]
    if summary.summaries:
        rows += [
            (f"summary {status}", f"{n:,}") for status, n in summary.summaries["statuses"].items()
        ]
        rows.append(("summaries cost", f"{summary.summaries['spent_usd']:.4f} USD"))
        if summary.summaries["stopped"]:
            rows.append(("summaries stopped", summary.summaries["stopped"]))
    if summary.table:
        rows.append(("table version", f"{summary.table['version']:,}"))
    return rows
