import subprocess
import sys

from nocturna.tasks.results.sql import THREADS, connect

PROGRAM = """
import sys
from pathlib import Path
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.sql import connect
with connect(Layout(Path(sys.argv[1]))) as database:
    print(database.execute("SELECT current_setting('enable_progress_bar')").fetchone()[0])
"""


def test_the_threads_stay_few_where_there_are_many_cores(layout, monkeypatch):
    monkeypatch.setattr("nocturna.tasks.results.sql.usable_cores", lambda: 64)
    with connect(layout) as database:
        assert database.execute("SELECT current_setting('threads')").fetchone() == (THREADS,)


def test_no_progress_bar_where_python_runs_without_a_script(layout):
    """DuckDB takes such a process, as a spawned worker is one, for somebody at a terminal."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, layout.root], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"
