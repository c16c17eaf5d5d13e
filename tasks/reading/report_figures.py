"""The figures of a night's report: everything that its page shows, as plain values."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.confidence import confidence
from nocturna.tasks.reading.crossings import crossed_columns, crossed_scores, over_time
from nocturna.tasks.reading.gold_told import gold_told
from nocturna.tasks.reading.history import history_table
from nocturna.tasks.reading.lengths import lengths
from nocturna.tasks.reading.questions import asking
from nocturna.tasks.reading.scores_there import ScoreThere, scores_there
from nocturna.tasks.reading.shares import score_shares, shares_by_night
from nocturna.tasks.reading.surest import ends, repeats
from nocturna.tasks.reading.views import View, view_of
from nocturna.tasks.results.checks import read_checked
from nocturna.tasks.results.manifest import Manifest, list_runs
from nocturna.tasks.results.story import story_of

FORMAT = 1
"""Version of the figures."""

MOST_NIGHTS = 60
"""In the lines of history."""


def report_figures(out: str | Path, run: str | None = None) -> dict[str, Any]:
    """The figures of a published night.

    Args:
        out: output folder of a job.
        run: id of the run, or what else `view_of` takes; what is shown now by default.

    Raises:
        UsageError: nothing is published, the run published nothing, or its rows are not kept.
    """
    view = view_of(out, run)
    manifest = _manifest(view)
    number = manifest.snapshot or view.number or 0
    nights = [n for n in history_table(view.layout).to_pylist() if n["snapshot"] <= number]
    shares = shares_by_night(nights)
    scores = scores_there(view.schema)
    labelled = [score for score in scores.values() if score.has_label]
    gold = gold_told(view.layout, nights, view.run_id)
    with asking(view) as database:
        found = {
            "scores": [
                asdict(score_shares(database, score, _before(shares, score, number)))
                for score in scores.values()
            ],
            "crossed": [asdict(c) for c in crossed_scores(database, scores)],
            "by_column": [asdict(c) for c in crossed_columns(database, view.schema, scores)],
            "over_time": [asdict(t) for t in over_time(database, view.schema, scores)],
            "confidence": [
                asdict(confidence(database, view.schema, s, gold.get(s.name))) for s in labelled
            ],
            "documents": [asdict(e) for s in labelled for e in ends(database, view.schema, s)],
            "lengths": asdict(lengths(database)),
            "repeats": asdict(repeats(database, view.schema)),
            "published": _published(database),
        }
    return {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "job": view.layout.job_name,
        "snapshot": view.number,
        "published_at": view.published_at,
        **_of_run(view, manifest),
        **found,
        "gold": gold,
        "history": _history(shares),
    }


def _manifest(view: View) -> Manifest:
    found = next((m for m in list_runs(view.layout) if m.run_id == view.run_id), None)
    if found is None:
        raise UsageError(
            f"{view.layout.place}: the record of the run that published snapshot {view.number} is "
            "not kept, so there is no report of it; `nocturna runs` lists the runs"
        )
    return found


def _of_run(view: View, run: Manifest) -> dict[str, Any]:
    """What the run did and with what, and what a person should look at."""
    story = story_of(view.layout, run.run_id)
    checks = read_checked(view.layout, run.run_id)
    warnings = [check.said_of(run.run_id) for check in checks.warnings]
    if run.reason:
        warnings.insert(0, f"published although a gate refused it, because: {run.reason}")
    if run.unrecorded:
        warnings.append(f"the engine did not record it, or not all: {run.unrecorded}")
    return {
        "run_id": run.run_id,
        "started_at": run.started_at,
        "warnings": warnings,
        "rows": asdict(run.counts),
        "quarantined": story.quarantined,
        "models": [
            {
                "score": name,
                **{k: of.get(k) for k in ("kind", "config", "models", "settings", "when")},
            }
            for name, of in run.scores.items()
        ],
        "precision": run.precision,
        "backend": run.backend,
        "deviation": run.deviation,
        "inputs": run.n_inputs or len(run.inputs),
        "versions": run.versions,
        "machine": run.machine,
        "seconds": run.seconds,
        "documents_per_second": run.documents_per_second,
        "tokens_per_second": run.tokens_per_second,
        "timings": run.timings,
        "peak_rss_bytes": run.peak_rss_bytes,
        "summaries": run.summaries,
        "spent_usd": _spent(view),
    }


def _spent(view: View) -> float:
    """What all runs of the job that are on record have spent."""
    return sum(float((m.summaries or {}).get("spent_usd") or 0) for m in list_runs(view.layout))


def _before(
    shares: dict[str, dict[int, dict[str, float]]], score: ScoreThere, number: int
) -> dict[str, float]:
    nights = [n for n in shares.get(score.name, {}) if n < number]
    return shares[score.name][max(nights)] if nights else {}


def _published(database: Any) -> dict[str, Any]:
    sql = "SELECT count(*), count(*) FILTER (WHERE status = 'ok') FROM results"
    ((rows, scored),) = database.execute(sql).fetchall()
    errors = "SELECT error_code, count(*) FROM results WHERE error_code IS NOT NULL GROUP BY 1"
    codes = dict(database.execute(f"{errors} ORDER BY 2 DESC, 1").fetchall())
    return {"rows": rows, "scored": scored, "failed": rows - scored, "errors": codes}


def _history(shares: dict[str, dict[int, dict[str, float]]]) -> dict[str, dict[str, list[Any]]]:
    """By score and label, the share of each of the last nights, oldest first."""
    found: dict[str, dict[str, list[Any]]] = {}
    for score, nights in shares.items():
        last = [nights[number] for number in sorted(nights)[-MOST_NIGHTS:]]
        labels = dict.fromkeys(label for night in last for label in night)
        found[score] = {label: [night.get(label) for night in last] for label in labels}
    return found
