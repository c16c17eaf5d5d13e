from pathlib import Path

import pytest

from tests.flows.command import Command, runner
from tests.flows.leftovers import nothing_left
from tests.flows.serving import Serving

LABELS = "política,computación,estadística"


@pytest.fixture
def nocturna(capsys, monkeypatch, tmp_path) -> Command:
    """The command, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal in which the tests run
    return runner(capsys, monkeypatch)


@pytest.fixture
def models(small_models: dict[str, Path]) -> list[str]:
    """Options that name the small models and three labels."""
    return [
        *("--sentiment-model", str(small_models["sentiment"])),
        *("--topic-model", str(small_models["encoder"]), "--method", "embedding"),
        *("--labels", LABELS),
    ]


@pytest.fixture
def serve(tmp_path):
    """Starts `nocturna serve` in the test's folder; nothing of it is left afterwards."""
    started = []

    def start(*arguments: str, **more: str) -> Serving:
        started.append(Serving(tmp_path, *arguments, **more))
        return started[-1]

    yield start
    for one in started:
        one.kill()
    assert nothing_left(tmp_path / "home")
