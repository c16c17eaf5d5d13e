from collections.abc import Iterator
from pathlib import Path

import pytest

from nocturna.tasks.results.layout import Layout, layout_of
from tests.gcs import gcs_server
from tests.results.examples import JOB
from tests.s3 import BUCKET


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layout_of(tmp_path / "out", JOB)


@pytest.fixture
def gs(monkeypatch) -> Iterator[str]:
    """An address on an empty stand-in for GCS."""
    with gcs_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield f"gs://{BUCKET}/out"
