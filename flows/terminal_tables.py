"""Tables for the terminal: the end of a run, jobs, and columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from nocturna.console import person_console
from nocturna.tasks.results.dictionary import ColumnNote
from nocturna.tasks.results.report import Summary, table_rows

if TYPE_CHECKING:
    from nocturna.tasks.evaluation.model_check import ModelCheck


def print_summary(summary: Summary) -> None:
    """Counts, label shares, where the results are and the lines that read them."""
    console = person_console()
    table = Table(title=f"{summary.job}: run {summary.run_id}", title_justify="left", box=None)
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", overflow="fold")
    for name, value in table_rows(summary):
        table.add_row(name, value)
    console.print(table)
    console.print()
    plain(console, f"results     {summary.results}")
    for name, place in summary.sinks.items():
        known = "table" if place == summary.table else name
        plain(console, f"{known:<11} {place['uri']}")
    if summary.report:
        plain(console, f"report      {summary.report}")
    if summary.quarantine:
        plain(console, f"quarantine  {summary.quarantine}")
    for library, line in summary.reading.items():
        plain(console, f"{library:<11} {line}")


def print_jobs(found: Sequence[dict[str, Any]]) -> None:
    """One line a job file: valid, or what is wrong with it."""
    console = person_console()
    for entry in found:
        if entry["error"]:
            plain(console, f"wrong  {entry['error']}")
        else:
            source = entry["job"]["source"]
            place = source["path"] or source["dataset"]
            shown = place if isinstance(place, str) else ", ".join(place)
            plain(console, f"valid  {entry['file']}: {entry['name']}, {shown}")


def print_model(found: "ModelCheck") -> None:
    """One line a fact about a model."""
    count = "not told" if found.parameters is None else f"{found.parameters / 1e6:,.1f} million"
    facts = {
        "model": f"{found.name}@{found.revision}",
        "kind": found.kind,
        "labels": ", ".join(found.labels) or "none, one number",
        "window": " and ".join(f"{window:,} tokens" for window in found.windows),
        "parameters": f"{count}, {found.size / 1e6:,.1f} MB",
        "licence": found.licence or "not told: it has no card",
        "here": f"{found.backend}; worth while: {', '.join(found.precisions)}",
        "speed": f"{found.documents_per_second:,} sample texts a second in fp32",
        "compared": f"with {found.compared}: {found.largest:.1e} at most, "
        f"{'equal' if found.equal else 'NOT equal'}",
    }
    console = person_console()
    for name, value in facts.items():
        plain(console, f"{name:<11} {value}")
    for note in found.notes:
        plain(console, f"{'note':<11} {note}")


def print_columns(notes: Sequence[ColumnNote]) -> None:
    """One line a column: type, unit, label and meaning."""
    table = Table(box=None)
    for heading in ("column", "type", "unit", "label", "meaning"):
        table.add_column(heading, overflow="fold")
    for note in notes:
        table.add_row(note.name, note.type, note.unit or "", note.label or "", note.meaning)
    person_console().print(table)


def plain(console: Console, line: str) -> None:
    """Prints a line as it is, unwrapped, so that it can be copied."""
    console.print(line, soft_wrap=True)
