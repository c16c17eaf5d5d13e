"""The story of one run for a person."""

from collections.abc import Iterator
from typing import Any

from nocturna.tasks.results.comparison import shares_of
from nocturna.tasks.results.manifest import Manifest
from nocturna.tasks.results.story import Story
from nocturna.tasks.visible import visible

_WIDTH = 12


def print_story(story: Story) -> None:
    """Prints a run from its outcome to how to go on, a fact a line."""
    for heading, lines in _sections(story):
        if not lines:
            continue
        print(f"{heading:<{_WIDTH}} {visible(lines[0])}")
        for line in lines[1:]:
            print(f"{'':<{_WIDTH}} {visible(line)}")


def _sections(story: Story) -> Iterator[tuple[str, list[str]]]:
    run = story.manifest
    yield "run", [f"{run.job_name}  {run.run_id}  {run.status}"]
    yield "why", [" ".join(run.reason.split())] if run.reason else []
    yield "go on", list(story.go_on)
    yield "time", [_time(run)]
    yield "snapshot", _snapshot(story)
    yield (
        "inputs",
        [f"{i.uri}: {i.rows:,} rows, {i.size:,} bytes, {i.fingerprint}" for i in run.inputs]
        + [
            f"and {more:,} more, in inputs.parquet"
            for more in (run.n_inputs - len(run.inputs),)
            if more > 0
        ],
    )
    yield "scores", [_score(name, score) for name, score in run.scores.items()]
    yield "precision", _precision(run)
    yield "counts", _counts(story)
    yield "shares", _shares(story.metrics)
    yield "quarantine", _quarantine(story)
    yield "summaries", _summaries(run)
    yield "checks", _checks(story)
    yield "timings", _joined({name: f"{seconds:,.1f} s" for name, seconds in run.timings.items()})
    yield "engine", [f"did not record it, or not all: {run.unrecorded}"] if run.unrecorded else []
    yield "machine", _joined(run.machine)
    yield "versions", _joined(run.versions)


def _joined(facts: dict[str, Any]) -> list[str]:
    line = ", ".join(f"{name} {value}" for name, value in facts.items())
    return [line] if line else []


def _time(run: Manifest) -> str:
    line = f"{run.started_at} to {run.finished_at or '?'}"
    if run.seconds:
        line += f", {run.seconds:,.1f} s, {run.documents_per_second:,.1f} documents a second"
    if run.peak_rss_bytes:
        line += f", at most {run.peak_rss_bytes / 1e6:,.0f} MB of memory"
    return line


def _snapshot(story: Story) -> list[str]:
    run = story.manifest
    if run.snapshot is None:
        return []
    where = story.results or "its rows are gone: only the newest snapshots are kept"
    lines = [f"{run.snapshot}: {where}"]
    if run.base:
        lines.append(f"planned against snapshot {run.base}")
    lines += [_place(name, place) for name, place in run.sinks.items()]
    return lines


def _place(name: str, place: dict[str, Any]) -> str:
    version = place.get("version")
    return f"{name}: {place.get('uri')}" + (f", version {version}" if version is not None else "")


def _score(name: str, score: dict[str, Any]) -> str:
    models = (
        f"{model.get('name')} at {model.get('revision')} ({model.get('weights')})"
        for model in score.get("models", {}).values()
    )
    labels = ", ".join(score.get("labels") or ())
    return f"{name}: {' and '.join(models)}" + (f"; labels {labels}" if labels else "")


def _precision(run: Manifest) -> list[str]:
    if not run.scores:
        return []
    lines = [run.precision + (f" by {run.backend}" if run.backend else "")]
    if run.deviation:
        found = run.deviation
        lines.append(f"against fp32, on {_changed(found)}, measured since {found.get('since')}")
        tonight = found.get("tonight")
        lines.append(f"tonight on {_changed(tonight)}" if tonight else "tonight on none")
    if run.choice:
        lines.append(f"chosen on {run.choice.get('documents')} documents")
    return lines


def _changed(found: dict[str, Any]) -> str:
    return (
        f"{found.get('documents')} documents: largest change of a score {found.get('largest')}, "
        f"other top labels {found.get('changed_top')}"
    )


def _counts(story: Story) -> list[str]:
    counts = story.manifest.counts
    line = (
        f"{counts.read:,} read = {counts.scored:,} scored + {counts.failed:,} failed + "
        f"{counts.quarantined:,} quarantined + {counts.superseded:,} superseded + "
        f"{counts.carried:,} carried over"
    )
    errors = [f"failed for {code}: {n:,}" for code, n in story.metrics.get("errors", {}).items()]
    tokens = f"{counts.tokens:,} tokens, {counts.padding:.1%} padding" if counts.tokens else ""
    return [part for part in (line, *errors, tokens) if part]


def _shares(metrics: dict[str, Any]) -> list[str]:
    return [
        f"{kind}: " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
        for kind, shares in shares_of(metrics).items()
    ]


def _quarantine(story: Story) -> list[str]:
    if story.quarantine is None:
        return []
    return [story.quarantine, *(f"{reason}: {n:,}" for reason, n in story.quarantined.items())]


def _summaries(run: Manifest) -> list[str]:
    if not run.summaries:
        return []
    statuses = run.summaries.get("statuses", {})
    lines = [", ".join(f"{n:,} {status}" for status, n in statuses.items())]
    lines.append(f"{run.summaries.get('spent_usd', 0.0):.4f} USD")
    stopped = run.summaries.get("stopped")
    return [*lines, f"stopped: {stopped}"] if stopped else lines


def _checks(story: Story) -> list[str]:
    lines = []
    for check in story.checks:
        if check.passed:
            continue
        word = "warning" if check.warning else "failed"
        lines.append(f"{word}  {check.name}: {check.said_of(story.manifest.run_id)}")
    passed = [check.name for check in story.checks if check.passed]
    return [*lines, f"passed  {', '.join(passed)}"] if passed else lines
