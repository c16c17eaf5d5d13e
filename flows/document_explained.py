"""One document for a person: what is published of it, fact by fact."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from nocturna.answers import as_text
from nocturna.console import person_console
from nocturna.documents_shown import lines_of
from nocturna.tasks.reading.explaining import Explained, ScoreOfOne
from nocturna.tasks.reading.window_scores import WindowScore
from nocturna.tasks.reading.words import Moved
from nocturna.terminal_tables import plain

MOST_LABELS = 12
MOST_SPANS = 12
_FEW_LABELS = 3
_BAR = 24


def print_explained(
    found: Explained, moved: Sequence[Moved] = (), windows: Sequence[WindowScore] = ()
) -> None:
    """Prints a document from where it is to what it was in other nights."""
    console = person_console()
    for heading, lines in _sections(found, moved, windows, console.width):
        for number, line in enumerate(lines):
            plain(console, f"{'' if number else heading:<12} {line}".rstrip())


def _sections(
    found: Explained, moved: Sequence[Moved], windows: Sequence[WindowScore], width: int
) -> Iterator[tuple[str, list[str]]]:
    facts = found.facts
    error = f": {facts['error_code']}, {facts['error_message']}" if facts.get("error_code") else ""
    yield "document", [f"{found.doc_id}, snapshot {found.snapshot}, {facts['status']}{error}"]
    yield "source", [f"{facts['source_uri']}, row {facts['source_row']:,}"]
    yield "text", lines_of(found.text, min(width, 100) - 13) if found.text else ["not kept"]
    yield "hash", [facts["content_hash"]]
    if facts.get("n_tokens") is not None:
        cut = ", truncated" if facts.get("truncated") else ""
        several = "s" if facts["n_windows"] != 1 else ""
        read = f"{facts['n_tokens']:,} tokens in {facts['n_windows']:,} window{several}{cut}"
        yield "length", [f"{read}; language {facts.get('language') or 'not told'}"]
    for score in found.scores:
        yield score.name, _score(score)
    for entry in moved:
        yield f"{entry.score} by", _words(entry)
    for name in dict.fromkeys(window.score for window in windows):
        yield f"{name} in", [_window(one) for one in windows if one.score == name]
    yield "kept", [f"{name}: {as_text(value)}" for name, value in found.kept.items()]
    run = found.run
    yield "run", [f"{run['run_id']}, row written {run['scored_at']}, code {run['code_version']}"]
    yield (
        "nights",
        [
            f"{night.snapshot} of {night.published_at[:16]}: {_labels(night.labels)}"
            + ("" if night.same_text else " (another text)")
            for night in found.nights
        ],
    )


def _score(score: ScoreOfOne) -> list[str]:
    if score.value is None:
        lines = [f"none: {score.status}" if score.status else "none"]
    elif isinstance(score.value, str):
        lines = [f"{score.value} {score.score:.3f}"]
    else:
        lines = [as_text(score.value)]
    shown = list(score.labels.items())[:MOST_LABELS]
    wide = max((len(label) for label, _ in shown), default=0)
    lines += [f"  {label:<{wide}} {value:.3f} {_bar(value)}".rstrip() for label, value in shown]
    if len(score.labels) > len(shown):
        lines.append(f"  and {len(score.labels) - len(shown):,} more labels")
    return [*lines, *_config(score.config)]


def _bar(value: float) -> str:
    return "█" * round(value * _BAR)


def _config(config: dict[str, Any]) -> list[str]:
    if "kind" not in config:
        return [f"  config {config.get('config')}: configs.parquet does not say what it is"]
    model = f"{config['model']} at {config['revision']}"
    lines = [f"  config {config['config']}: {config['kind']} by {model}, {config['precision']}"]
    settings = {k: v for k, v in (config.get("settings") or {}).items() if v not in (None, {}, [])}
    lines += [f"  {name} {_said(value)}" for name, value in settings.items()]
    return [*lines, f"  first used by run {config['run_id']}, code {config['code_version']}"]


def _said(value: Any) -> str:
    if isinstance(value, dict) and not any(isinstance(v, dict | list) for v in value.values()):
        return ", ".join(f"{name} {v}" for name, v in value.items())
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _labels(labels: dict[str, Any]) -> str:
    return ", ".join(f"{name} {as_text(value) or 'none'}" for name, value in labels.items())


def _window(window: WindowScore) -> str:
    most = sorted(window.labels.items(), key=lambda one: -one[1])[:_FEW_LABELS]
    said = ", ".join(f"{label} {value:.3f}" for label, value in most)
    return f"tokens {window.start + 1:,} to {window.end:,}: {said}"


def _words(entry: Moved) -> list[str]:
    what = f"{entry.label} {entry.again:.3f}" if entry.label else as_text(entry.again)
    lines = [f"{what} (published {entry.published:.3f}); without a span it loses or gains:"]
    wide = max((len(span.text) for span in entry.spans[:MOST_SPANS]), default=0)
    for span in entry.spans[:MOST_SPANS]:
        lines.append(f"  {-span.effect:+.3f}  {span.text:<{min(wide, 60)}}".rstrip())
    return lines
