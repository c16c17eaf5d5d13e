"""What all tests share: an engine of their own, and small models made once."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

os.environ["HF_HUB_OFFLINE"] = "0"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "60"  # many tests run at once
os.environ["PREFECT_API_REQUEST_TIMEOUT"] = "60"
os.environ["PREFECT_CLIENT_MAX_RETRIES"] = "5"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every command compiles all of it again
os.environ.setdefault("NOCTURNA_CACHE", tempfile.mkdtemp(prefix="nocturna-test-cache-"))

import nocturna.tasks.settings  # noqa: F401  before the engine
from tests.s3 import BUCKET, S3Server, s3_server

SLOWED = 2.0 if "PYTEST_XDIST_WORKER" in os.environ else 1.0
"""How much longer things may take where other tests run on the same cores."""

SHARED = Path(__file__).parents[2] / "shared" / "data"
SAMPLES = Path(__file__).parents[1] / "data" / "samples"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the files that take longest, so that no process is left alone with them.

    They wait for a clock, or run every command of a page.
    """
    home = Path(__file__).parent

    def turn(item: pytest.Item) -> int:
        if item.path.name.startswith(("test_serve", "test_clock")):
            return 0
        return 1 if item.path.parent == home else 2

    items.sort(key=turn)


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process hides the secrets that it has seen; each test is a process of its own in that."""
    import nocturna.tasks.addresses

    monkeypatch.setattr(nocturna.tasks.addresses, "_seen", set())
    before = os.environ.pop(nocturna.tasks.addresses.VARIABLE, None)
    yield
    os.environ.pop(nocturna.tasks.addresses.VARIABLE, None)
    if before is not None:
        os.environ[nocturna.tasks.addresses.VARIABLE] = before


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a standing engine with its own database, once for a test process."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    from nocturna.engine import start_engine

    home = tmp_path_factory.mktemp("engine")
    started = start_engine(home, home / "log")
    assert started.wait(120) is None
    named = {PREFECT_API_URL: started.url, PREFECT_API_AUTH_STRING: started.auth}
    os.environ.update(started.environment())
    with temporary_settings(named):
        yield home
    for name in started.environment():
        os.environ.pop(name)
    started.stop()


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A sentiment model, an NLI model and a sentence encoder with random weights."""
    from tests.models import NLI, bert_classifier, sentence_encoder

    folder = tmp_path_factory.mktemp("small-models")
    return {
        "sentiment": bert_classifier(folder / "sentiment"),
        "nli": bert_classifier(folder / "nli", labels=NLI, seed=3),
        "encoder": sentence_encoder(folder / "encoder"),
    }


@pytest.fixture(scope="session")
def speeches() -> Path:
    """The speeches corpus beside the checkout; tests that need it are skipped without it."""
    path = SHARED / "load" / "speeches-es.jsonl.gz"
    if not path.exists():
        pytest.skip(f"needs {path}, which is not part of the project")
    return path


@pytest.fixture(scope="module")
def s3_running() -> Iterator[S3Server]:
    """An S3 server in a process of its own."""
    with s3_server() as running:
        yield running


@pytest.fixture
def s3(s3_running: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address on it that nothing was put under."""
    for name, value in s3_running.environment.items():
        monkeypatch.setenv(name, value)
    if "s3" in fsspec.registry:
        fsspec.registry["s3"].clear_instance_cache()  # which remembers another server
    return f"s3://{BUCKET}/{uuid4().hex}"
