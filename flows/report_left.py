"""The report at the end of a night; a night is published with it or without."""

from dataclasses import replace

from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.report import Summary
from nocturna.terminal import say


def with_report(layout: Layout, summary: Summary) -> Summary:
    """The summary of a published run with the page of its figures; a line where it failed."""
    from nocturna.tasks.reading.report_files import leave_report

    try:
        return replace(summary, report=str(leave_report(layout, summary.run_id)))
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        say(f"nocturna: {layout.place}: no report of this night, which is published: {why}")
        return summary
