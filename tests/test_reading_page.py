"""Every example in docs/reading.md does what it says, on the job of the tests of reading."""

import shlex

from tests.flows.command import runner
from tests.reading.conftest import job  # noqa: F401
from tests.test_readme import ROOT, blocks

PAGE = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")


def test_the_examples_run_as_written(job, capsys, monkeypatch, tmp_path):  # noqa: F811
    (tmp_path / "out").symlink_to(job.parent)
    monkeypatch.chdir(tmp_path)
    nocturna = runner(capsys, monkeypatch)
    lines = [line for block in blocks("sh", PAGE) for line in block.splitlines() if line.strip()]
    for line in lines:
        words = shlex.split(line, comments=True)
        done = nocturna(*words[1:])
        assert words[0] == "nocturna" and done.code == 0 and done.out.strip(), (line, done.err)
    for code in blocks("python", PAGE):
        exec(code, {})
