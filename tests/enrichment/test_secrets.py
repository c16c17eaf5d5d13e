"""The key, and what documents hold, appear nowhere they should not."""

import io
import logging
import pickle
import traceback
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nocturna.tasks.enrichment.client_errors import ServiceError
from nocturna.tasks.enrichment.prompt import make_request, render
from nocturna.tasks.enrichment.providers.gemini import Client
from nocturna.tasks.enrichment.summary_records import Progress
from nocturna.tasks.enrichment.summary_stream import summarise
from nocturna.tasks.errors import NocturnaError
from tests.enrichment.conftest import QUICK, documents, make_settings, opinions
from tests.enrichment.fake_gemini import KEY, FakeGemini

CANARY = "quetzalcoatlus"
FAULTS = [
    "429",
    "429_header",
    "429_bare",
    "400",
    "500",
    "503",
    "504",
    "drop",
    "bad_json",
    "blocked",
    "SAFETY",
    "RECITATION",
    "MAX_TOKENS",
    "empty",
    "schema",
    "cut_answer",
    "wrong_reference",
    "wrong_language",
    "403",
]


def files_with(folder: Path, word: str) -> list[str]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return [str(path) for path in found if word.encode() in path.read_bytes()]


@pytest.mark.parametrize("mode", ["online", "batch"])
def test_the_key_is_nowhere_after_a_run_full_of_failures(
    fake: FakeGemini, tmp_path: Path, mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    last = len(FAULTS) * 3 - 1
    order = {text: i for i, text in enumerate(texts(last + 1))}
    fake.faults = lambda text, turn: FAULTS[order[text] % len(FAULTS)] if turn < 4 else None
    seen: list[Progress] = []
    try:
        tables = list(
            summarise(
                documents(texts(last + 1)),
                make_settings(mode=mode, attempts=3, concurrency=2, redact="none"),
                language="es",
                state_folder=tmp_path / "state",
                run_id="run-1",
                progress=seen.append,
                timing=QUICK,
            )
        )
        for number, table in enumerate(tables):
            pq.write_table(table, tmp_path / f"rows-{number}.parquet", compression="none")
        (tmp_path / "progress.pickle").write_bytes(pickle.dumps(seen))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    (tmp_path / "log.txt").write_text(log.getvalue() + "".join(capfd.readouterr()))
    assert len(log.getvalue()) > 1000
    assert fake.tries.total() > len(FAULTS)
    assert files_with(tmp_path, KEY) == []
    reasons = {row["summary_reason"] for table in tables for row in table.to_pylist()}
    assert len(reasons) >= 8
    assert CANARY not in str(reasons)
    assert CANARY not in log.getvalue()


def texts(count: int) -> list[str]:
    return [
        f"Documento {i} sobre el {CANARY} y otras cosas que nadie debe leer." for i in range(count)
    ]


@pytest.mark.parametrize("fault", ["403", "400", "429", "500", "drop", "bad_json", "no key"])
def test_an_error_of_the_client_leads_nowhere(fake: FakeGemini, fault: str) -> None:
    """Neither its text, pickle, context nor a traceback with local variables holds the key."""
    import asyncio

    fake.faults = lambda text, turn: fault
    request = make_request(make_settings(), "es", "whole", f"El {CANARY} vuela.")
    gemini = Client(make_settings(), lambda: None if fault == "no key" else KEY)

    async def ask() -> None:
        try:
            system, message = render(request)
            await gemini.generate(system, message)
        finally:
            await gemini.close()

    with pytest.raises(ServiceError) as caught:
        asyncio.run(ask())
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    pickled = pickle.dumps(error)
    assert KEY.encode() not in pickled
    assert CANARY.encode() not in pickled
    assert str(pickle.loads(pickled)) == str(error)
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert KEY not in "".join(frames.format())
    assert CANARY not in str(error)


def test_an_error_of_the_stage_holds_no_key(fake: FakeGemini, tmp_path: Path) -> None:
    tables = summarise(
        documents(opinions(3)),
        make_settings(),
        language="es",
        state_folder=tmp_path,
        run_id="run-1",
        stop=lambda: True,
        timing=QUICK,
    )
    with pytest.raises(NocturnaError) as caught:
        list(tables)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY not in "".join(frames.format())


def test_the_vertex_switch_of_the_environment_is_ignored(
    fake: FakeGemini, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "1")
    monkeypatch.setenv("GOOGLE_API_KEY", "another")
    [table] = summarise(
        documents(opinions(1)),
        make_settings(),
        language="es",
        state_folder=tmp_path,
        run_id="run-1",
        timing=QUICK,
    )
    assert table.to_pylist()[0]["summary_status"] == "ok"
