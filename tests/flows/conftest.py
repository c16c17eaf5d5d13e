from pathlib import Path

import pytest

from tests.flows.command import Command, runner

LABELS = "política,computación,estadística"


@pytest.fixture
def nocturna(capsys, monkeypatch, tmp_path) -> Command:
    """The command, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return runner(capsys, monkeypatch)


@pytest.fixture
def models(small_models: dict[str, Path]) -> list[str]:
    """Options that name the small models and three labels."""
    return [
        *("--sentiment-model", str(small_models["sentiment"])),
        *("--topic-model", str(small_models["encoder"]), "--method", "embedding"),
        *("--labels", LABELS),
    ]
