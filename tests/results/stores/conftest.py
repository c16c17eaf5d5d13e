"""Addresses in object stores: a real S3 server, and a stand-in for GCS, each in its own process."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.gcs import gcs_server
from tests.s3 import BUCKET, S3Server, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def s3(server: S3Server, monkeypatch) -> str:
    """An address on the S3 server that nothing was put under."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"


@pytest.fixture
def gs(monkeypatch) -> Iterator[str]:
    """An address on an empty stand-in for GCS."""
    with gcs_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield f"gs://{BUCKET}/out"


@pytest.fixture(params=["s3", "gs"])
def uri(request) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture
def on(tmp_path, monkeypatch):
    """Makes this process be on another machine: one with a cache of its own."""

    def machine(name: str) -> None:
        monkeypatch.setenv("NOCTURNA_CACHE", str(tmp_path / name))

    machine("una")
    return machine
