"""The `nocturna` command: a file a command, read when it is asked for."""

import os
import re
import signal
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nocturna.guard import guard_output
from nocturna.process_list import hide_addresses
from nocturna.tasks.addresses import without_secrets
from nocturna.tasks.errors import STOPPED, NocturnaError
from nocturna.tasks.visible import visible

COMMANDS = (
    *("init", "score", "jobs", "runs", "publish", "rollback", "columns"),
    *("query", "show", "explain", "history", "diff", "report", "export"),
    *("labels", "gold", "evaluate", "check-model", "fetch", "serve", "doctor"),
)
"""In the order of the help; `<name>_command.py` holds each, with _ for -."""


class _Commands(TyperGroup):
    """Commands whose modules are imported when they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"nocturna.cli.{cmd_name.replace('-', '_')}_command")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="nocturna",
    cls=_Commands,
    pretty_exceptions_enable=False,
)


def command() -> None:
    """The installed command: `main`, and an end that waits for no library.

    What libraries take down at exit can hang for minutes where an engine has died.
    """
    code: int | str | None = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 1 if code else 0)


def main() -> None:
    """Runs the command; a failure is one line on standard error and an exit code."""
    guard_output()
    hide_addresses()
    try:
        sys.exit(app(args=sys.argv[1:] or ["--help"], prog_name="nocturna", standalone_mode=False))
    except NocturnaError as error:
        _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        _fail(_usage_line(error), 2)
    except BrokenPipeError:
        sys.exit(1)  # who reads no further needs no line
    except (KeyboardInterrupt, typer.Abort):
        _fail(STOPPED, 128 + signal.SIGINT)
    except Exception as error:
        if os.environ.get("NOCTURNA_DEBUG"):
            print(without_secrets(traceback.format_exc()), file=sys.stderr, end="")
            sys.exit(1)
        _fail(*_said_of(error))


def _said_of(error: Exception) -> tuple[str, int]:
    """The line and the exit code for an error of the system, or one that nobody foresaw."""
    from nocturna.tasks.results.files import said_of_full_disk, said_of_path

    if full := said_of_full_disk(error):
        return full, 1
    if said := said_of_path(error):
        return said, 2
    odd = next((text for text in sys.argv[1:] if re.search("[\ud800-\udfff]", text)), None)
    if odd is not None:
        return f"{odd!r} is not UTF-8; write it so, or rename what it names", 2
    line = (str(error).strip() or "no message").splitlines()[0]
    hint = "(NOCTURNA_DEBUG=1 shows where; please report it)"
    return f"unexpected {type(error).__name__}: {line} {hint}", 1


def _fail(line: str, exit_code: int) -> None:
    print(f"nocturna: {visible(without_secrets(line))}", file=sys.stderr)
    sys.exit(exit_code)


def _usage_line(error: Any) -> str:
    """What the parser says of the arguments, and where the help is."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else app.info.name
    return f"{error.format_message().rstrip('.')}; `{command} --help` says what there is"


def _version(wanted: bool) -> None:
    if wanted:
        from nocturna.tasks.version import code_version

        print(f"nocturna {code_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Scores large text corpora: sentiment, zero-shot topics and summaries, into Parquet.

    Example: nocturna score textos.csv --text texto --labels "política,economía,cultura"
    """
