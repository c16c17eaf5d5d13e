"""Every example in docs/reading.md does what it says, on the job of the tests of reading."""

from tests.flows.command import runner
from tests.reading.conftest import job  # noqa: F401
from tests.test_readme import ROOT, blocks, run_as_written

PAGE = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")


def test_the_examples_run_as_written(job, capsys, monkeypatch, tmp_path):  # noqa: F811
    (tmp_path / "out").symlink_to(job.parent)
    monkeypatch.chdir(tmp_path)
    run_as_written(PAGE, runner(capsys, monkeypatch))
    for code in blocks("python", PAGE):
        exec(code, {})
