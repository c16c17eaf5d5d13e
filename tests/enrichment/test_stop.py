"""A long run can be watched and stopped, and nothing that was paid for is lost."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from nocturna.tasks.enrichment.summary_records import DocumentText, Progress
from nocturna.tasks.enrichment.summary_stream import summarise
from nocturna.tasks.errors import NocturnaError, Stopped
from tests.enrichment.conftest import (
    QUICK,
    Run,
    Worker,
    answers,
    documents,
    make_settings,
    opinions,
    wait_for,
)
from tests.enrichment.fake_gemini import FakeGemini


def test_a_stop_awaits_the_calls_in_hand_and_keeps_them(run: Run, fake: FakeGemini) -> None:
    fake.latency = 0.02
    with pytest.raises(Stopped, match="every answer is kept"):
        run(opinions(200), concurrency=4, stop=lambda: fake.calls >= 20)
    assert 20 <= fake.calls <= 24
    calls = fake.calls
    assert fake.billed.total() == calls
    rows = run(opinions(200))
    assert [row["summary_status"] for row in rows].count("cached") == calls
    assert fake.billed.total() == 200


@pytest.mark.slow
def test_a_stopped_batch_run_leaves_its_job_to_be_adopted(fake: FakeGemini, tmp_path: Path) -> None:
    fake.job_polls = 10**9
    flag = tmp_path / "stop"
    worker = Worker(tmp_path / "state", "run-1", 5, flag, mode="batch")
    wait_for(lambda: any(job["polls"] for job in fake.jobs.values()))
    flag.touch()
    worker.process.communicate(timeout=120)
    assert worker.process.returncode == 143
    fake.job_polls = 1
    rows = Worker(tmp_path / "state", "run-1", 5, mode="batch").rows()
    assert {row["summary_status"] for row in rows} <= {"ok", "cached"}
    assert fake.created == 1


def test_progress_shows_spend_and_throttling(run: Run, fake: FakeGemini) -> None:
    fake.faults = lambda text, turn: "429" if turn == 1 and "número 7:" in text else None
    seen: list[Progress] = []
    run(opinions(20), seen=seen)
    last = seen[-1]
    assert (last.documents, last.total, last.answered, last.calls) == (20, 20, 20, 21)
    assert last.throttled_s == pytest.approx(0.2)
    assert last.stopped is None
    assert 0 < last.spent_usd == last.expected_usd


def test_documents_are_read_as_they_are_needed(
    fake: FakeGemini, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nocturna.tasks.enrichment.summary_stream.WINDOW", 10)
    read: list[str] = []

    def stream() -> Iterator[DocumentText]:
        for document in documents(opinions(100)):
            read.append(document.doc_id)
            yield document

    tables = summarise(
        stream(),
        make_settings(),
        language="es",
        state_folder=tmp_path,
        run_id="run-1",
        timing=QUICK,
    )
    assert read == []
    first = next(tables)
    assert (first.num_rows, len(read), fake.calls) == (10, 10, 10)
    assert sum(table.num_rows for table in tables) == 90


def test_an_abandoned_run_gives_up_its_claims(fake: FakeGemini, tmp_path: Path) -> None:
    tables = summarise(
        documents(opinions(3)),
        make_settings(),
        language="es",
        state_folder=tmp_path,
        run_id="run-1",
        timing=QUICK,
    )
    next(tables)
    assert isinstance(tables, Generator)
    tables.close()
    assert list((tmp_path / "owners").iterdir()) == []
    assert answers(tmp_path) == 3


def test_a_state_that_is_no_database_is_set_aside_with_one_line(
    fake: FakeGemini, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").mkdir()
    damaged = b"not a database" * 100
    (tmp_path / "state" / "summaries.sqlite").write_bytes(damaged)
    tables = summarise(
        documents(opinions(3)),
        make_settings(),
        language="es",
        state_folder=tmp_path / "state",
        run_id="run-1",
        timing=QUICK,
    )
    assert sum(table.num_rows for table in tables) == 3
    (kept,) = (tmp_path / "state").glob("summaries.sqlite.damaged-*")
    assert kept.read_bytes() == damaged
    (line,) = [r.getMessage() for r in caplog.records if "cannot be read" in r.getMessage()]
    assert kept.name in line


def test_a_state_folder_that_cannot_be_used_is_one_clear_line(
    fake: FakeGemini, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    tables = summarise(
        documents(opinions(3)),
        make_settings(),
        language="es",
        state_folder=tmp_path / "state",
        run_id="run-1",
        timing=QUICK,
    )
    with pytest.raises(NocturnaError, match=r"state"):
        list(tables)
