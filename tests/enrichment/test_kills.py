"""kill -9 at moments that chance picks, again and again, until a run gets through."""

import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.enrichment.conftest import Worker, answers, ledger, wait_for
from tests.enrichment.fake_gemini import FakeGemini

DOCUMENTS = 150
CONCURRENCY = 4
KILLS = 6


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "batch"])
def test_the_ledger_never_counts_less_than_was_billed(
    fake: FakeGemini, tmp_path: Path, mode: str
) -> None:
    dice = random.Random(11)
    fake.latency = 0.03
    settings: dict[str, Any] = {"concurrency": CONCURRENCY, "mode": mode, "batch_size": 30}
    for _ in range(KILLS):
        before = answers(tmp_path)
        worker = Worker(tmp_path, "run-1", DOCUMENTS, **settings)
        wait_for(partial(moved_on, worker, tmp_path, before))
        time.sleep(dice.random() * 0.2)
        worker.kill()
    rows = Worker(tmp_path, "run-1", DOCUMENTS, **settings).rows()
    assert {row["summary_status"] for row in rows} <= {"ok", "cached"}
    again = fake.billed.total() - DOCUMENTS
    share = 1.0 if mode == "online" else 0.5
    billed = (fake.tokens_in * 300 + fake.tokens_out * 2500) * share
    found = ledger(tmp_path)
    print(f"{mode}: {KILLS} kills, {again} answers lost on the way, ledger {found}")
    assert again <= (KILLS * CONCURRENCY if mode == "online" else 0)
    assert found["committed"] >= billed
    assert found.get("open", 0) >= again


def moved_on(worker: Worker, folder: Path, before: int) -> bool:
    return answers(folder) > before or worker.process.poll() is not None
