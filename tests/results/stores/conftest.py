"""Results in an object store, and machines that see it."""

import pytest


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
