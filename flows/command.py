"""The first instructions of the `nocturna` command: from then on signals end it with a line."""

from nocturna.garbage import collect_rarely
from nocturna.guard import open_streams
from nocturna.tasks.leaving import leave_on_signals


def main() -> None:
    """Runs the command and ends the process."""
    open_streams()
    leave_on_signals()
    collect_rarely()
    from nocturna.cli import command

    command()
