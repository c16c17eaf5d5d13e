"""The `nocturna` command: a file a command, read when it is asked for."""

import os
import sys
import traceback
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tasks.addresses import without_secrets
from tasks.errors import NocturnaError

COMMANDS = ("score", "jobs", "runs", "publish", "columns", "evaluate", "serve")
"""In the order of the help; `<name>_command.py` holds each."""


class _Commands(TyperGroup):
    """Commands whose modules are imported when they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"flows.cli.{cmd_name}_command")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="nocturna",
    cls=_Commands,
    help="Scores large text corpora: sentiment, zero-shot topics and summaries, into Parquet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Runs the command; a failure is one line on standard error and an exit code."""
    try:
        app()
    except NocturnaError as error:
        print(f"nocturna: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("NOCTURNA_DEBUG"):
            print(without_secrets(traceback.format_exc()), file=sys.stderr, end="")
            sys.exit(1)
        line = (without_secrets(str(error)).strip() or "no message").splitlines()[0]
        print(
            f"nocturna: unexpected {type(error).__name__}: {line} "
            "(NOCTURNA_DEBUG=1 shows where; please report it)",
            file=sys.stderr,
        )
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        from tasks.steps.run import code_version

        print(f"nocturna {code_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Scores large text corpora: sentiment, zero-shot topics and summaries, into Parquet."""
