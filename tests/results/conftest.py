from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from nocturna.tasks.results.layout import Layout, layout_of
from tests.gcs import gcs_server
from tests.results.examples import JOB
from tests.s3 import BUCKET, S3Server, s3_server


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layout_of(tmp_path / "out", JOB)


@pytest.fixture(scope="module")
def s3_running() -> Iterator[S3Server]:
    """An S3 server in a process of its own."""
    with s3_server() as running:
        yield running


@pytest.fixture
def s3(s3_running: S3Server, monkeypatch) -> str:
    """An address on it that nothing was put under."""
    for name, value in s3_running.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"


@pytest.fixture
def gs(monkeypatch) -> Iterator[str]:
    """An address on an empty stand-in for GCS."""
    with gcs_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield f"gs://{BUCKET}/out"
