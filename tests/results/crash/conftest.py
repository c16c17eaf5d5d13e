from collections.abc import Iterator

import pytest

from tests.results.crash.trials import Case, Server, prepare, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("notes")) as running:
        yield running


@pytest.fixture(scope="session")
def case(server, tmp_path_factory) -> Case:
    return prepare(server, tmp_path_factory.mktemp("case"))
