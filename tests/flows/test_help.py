"""The command explains itself: an example in every help, and completion in the shell."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from nocturna.cli import COMMANDS, app

ROOT = typer.main.get_command(app)
MARK = "Example: "


def walk(command: Any, context: typer.Context, *names: str) -> Iterator[tuple[str, Any]]:
    """Every command by the words that call it, those of groups too."""
    yield " ".join(names), command
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from walk(command.get_command(context, name), context, *names, name)


EVERY = dict(walk(ROOT, typer.Context(ROOT)))


def examples(command: Any) -> list[list[str]]:
    """What the help says after each `Example:`, as a shell would hand it over."""
    lines = (line.strip() for line in (command.help or "").splitlines())
    return [shlex.split(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)]


def parse(command: Any, words: list[str], parent: Any = None) -> list[str]:
    """Parses words as the command line would, down to the command that they name.

    Returns:
        the commands on the way, the last one first.
    """
    context = command.make_context(words[0], list(words[1:]), parent=parent)
    if not hasattr(command, "list_commands"):
        return [words[0]]
    rest = [*context._protected_args, *context.args]
    name, below, _ = command.resolve_command(context, list(rest))
    return [*parse(below, [name, *rest[1:]], context), words[0]]


@pytest.mark.parametrize("name", EVERY)
def test_every_help_has_an_example_of_that_command_whose_options_parse(name, tmp_path, monkeypatch):
    (tmp_path / "out" / "prensa").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    found = examples(EVERY[name])
    assert found, f"nocturna {name} --help shows no example"
    for words in found:
        assert words[: 1 + len(name.split())] == ["nocturna", *name.split()]
        assert parse(ROOT, words)[-1] == "nocturna"


def test_an_option_that_is_not_there_would_be_found():
    with pytest.raises(typer.TyperException):
        parse(ROOT, ["nocturna", "score", "a.csv", "--no-such-option"])
    assert parse(ROOT, ["nocturna", "runs", "prensa"]) == ["list", "runs", "nocturna"]


def test_the_help_is_shown_with_its_example(nocturna, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert (
        f"{MARK}nocturna fetch data/jobs/opiniones.yaml --check" in nocturna("fetch", "--help").out
    )


@pytest.mark.parametrize(
    ("typed", "offered", "not_offered"),
    [
        ("nocturna ", {*COMMANDS}, set()),
        ("nocturna sc", {"score"}, {"serve"}),
        ("nocturna score --lab", {"--labels"}, {"--text"}),
        ("nocturna fetch --", {"--check", "--pin"}, set()),
        ("nocturna serve --overlap ", {"refuse", "wait"}, set()),
        ("nocturna runs ", {"list", "show", "clean"}, set()),
    ],
)
def test_a_shell_is_told_what_may_come_next(nocturna, monkeypatch, typed, offered, not_offered):
    monkeypatch.setenv("_NOCTURNA_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    said = set(nocturna().out.split())
    assert offered <= said and not said & not_offered


def test_completion_is_shown_and_installed_for_the_shell_at_hand(nocturna, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: "bash", raising=False)
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    assert (
        "complete -o default -F _nocturna_completion nocturna" in nocturna("--show-completion").out
    )
    done = nocturna("--install-completion")
    assert done.code == 0 and "bash" in done.out
    (made,) = tmp_path.rglob("nocturna.sh")
    assert (
        "_NOCTURNA_COMPLETE" in made.read_text() and str(made) in (tmp_path / ".bashrc").read_text()
    )
