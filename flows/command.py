"""The first instructions of the `nocturna` command: from then on signals end it with a line."""

from flows.garbage import collect_rarely
from tasks.leaving import leave_on_signals


def main() -> None:
    """Runs the command and ends the process."""
    leave_on_signals()
    collect_rarely()
    from flows.cli import command

    command()
