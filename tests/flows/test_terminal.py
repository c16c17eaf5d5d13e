"""Words of the user on a person's terminal: shown as they are, never obeyed."""

import logging
import os
import pty
import subprocess
import sys

from rich.table import Table

from nocturna.console import person_console
from nocturna.guard import guard_output
from nocturna.terminal import say, say_warnings, show_progress

ODD = "\x1b]0;hola\x07\x9b31m[red]a[/b] :smile: \u202eb"
SHOWN = "\\x1b]0;hola\\x07\\u009b31m[red]a[/b] :smile: \\u202eb"


def test_all_that_python_prints_passes_the_guard(capsys):
    guard_output()
    print(ODD)
    say(f"{ODD}\n{ODD}")
    say_warnings()
    logging.getLogger("nocturna.tasks.corpus.inputs").warning("left out: %s", ODD)
    said = capsys.readouterr()
    assert said.out == f"{SHOWN}\n"
    lines = said.err.splitlines()
    assert lines[0] == f"{SHOWN}\\n{SHOWN}", "one line, whatever is in it"
    assert lines[-1] == f"nocturna: left out: {SHOWN}"
    assert not set(said.err) & set("\x1b\x07\x9b\u202e")


def test_a_table_shows_titles_and_cells_as_they_are_and_in_line(capsys):
    guard_output()
    table = Table(title=ODD, box=None)
    table.add_column("[b]nombre[/b]")
    table.add_column("n")
    table.add_row(ODD, "1")
    table.add_row("corto", "2")
    person_console().print(table)
    title, heading, first, second = capsys.readouterr().out.splitlines()
    assert title.strip() == SHOWN
    assert heading.split() == ["[b]nombre[/b]", "n"]
    assert first.strip() == f"{SHOWN}  1"
    assert first.rindex("1") == second.rindex("2"), "columns stay in line"


def test_the_progress_bar_of_a_terminal_keeps_its_own_escapes_and_no_others(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stderr", terminal)
        guard_output()
        with show_progress(2) as shown:
            shown.tell(f"summaries of {ODD}")
            say(ODD)
            print(ODD, file=sys.stderr)
            shown.advance(2)
    seen = b""
    while chunk := _read(ours):
        seen += chunk
    text = seen.decode()
    assert "\x1b[" in text, "a bar"
    assert SHOWN in text
    assert not set(text) & set("\x07\x9b\u202e")
    assert "\x1b]0" not in text


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:
        os.close(handle)
        return b""


def test_usage_errors_are_one_line_that_shows_the_argument(nocturna):
    for arguments, part in (
        (("score", f"--etiquetas{ODD}"), "--etiquetas\\x1b]0;hola"),
        ((f"puntuar{ODD}",), "puntuar\\x1b]0;hola"),
        (("score", f"fal{ODD}ta.jsonl", "--labels", "a,b"), f"fal{SHOWN}ta.jsonl"),
    ):
        done = nocturna(*arguments)
        assert done.code == 2
        assert part in done.err
        assert done.err.count("\n") == 1
        assert not set(done.err) & set("\x1b\x07\x9b\u202e")


def test_a_terminal_of_few_letters_gets_escapes_and_no_crash(tmp_path):
    code = "from nocturna.guard import guard_output; guard_output(); print('política 日本 \\udcff')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
        check=True,
    )
    assert done.stdout == "política \\u65e5\\u672c \\udcff\n".encode("latin-1")
