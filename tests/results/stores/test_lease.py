"""The lease: one holder, a higher token each time, and nothing for whoever lost it."""

import json
import time
from pathlib import Path

import pytest

from nocturna.tasks.errors import NocturnaError, RunLocked, Transient
from nocturna.tasks.results import lease
from nocturna.tasks.results.lease import hold_lease
from nocturna.tasks.results.object_store import ObjectStore
from tests.results.holders import holding

HOLD = """
import sys
from pathlib import Path
from nocturna.tasks.results.lease import hold_lease
from nocturna.tasks.results.object_store import ObjectStore
with hold_lease(ObjectStore(sys.argv[1]), "the-other", Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(uri) -> ObjectStore:
    return ObjectStore(f"{uri}/prensa")


@pytest.fixture
def lock(tmp_path) -> Path:
    (tmp_path / "lock").touch()
    return tmp_path / "lock"


def other_machine(tmp_path: Path) -> Path:
    """The lock file of another folder."""
    (tmp_path / "other").touch()
    return tmp_path / "other"


def other_run(store: ObjectStore, lock: Path):
    """Another process that holds the lease until its input is closed or it is killed."""
    return holding(HOLD, store.uri, str(lock))


def token_in(store: ObjectStore) -> int:
    found = store.get(lease.NAME)
    assert found is not None
    return int(json.loads(found[0])["token"])


def test_a_second_run_is_refused_and_told_who_holds_the_place(store, lock, tmp_path):
    with other_run(store, other_machine(tmp_path)) as process:
        with pytest.raises(RunLocked) as caught, hold_lease(store, "second", lock):
            pass
        assert caught.value.exit_code == 75
        assert f"{store.uri}: run the-other holds this place since" in str(caught.value)
        assert f"process {process.pid} on " in str(caught.value)
        process.stdin.close()
        process.wait()
    with hold_lease(store, "second", lock) as held:
        assert held.token == 2 and not held.taken_over
    with hold_lease(store, "third", lock):
        assert token_in(store) == 3


def test_after_a_kill_the_same_machine_goes_on_at_once_and_another_when_the_lease_is_over(
    store, lock, tmp_path, monkeypatch
):
    monkeypatch.setenv(lease.VARIABLE, "1")
    with other_run(store, lock) as process:
        process.kill()
    with hold_lease(store, "next", lock) as held:
        assert not held.taken_over
    with other_run(store, lock) as process:
        process.kill()
    with pytest.raises(RunLocked, match="or for 1 s after it died"):
        hold_lease(store, "next", other_machine(tmp_path)).__enter__()
    living = ObjectStore(f"{store.uri}/living")
    with other_run(living, lock):
        time.sleep(3.1)  # stores tell whole seconds
        with pytest.raises(RunLocked):
            hold_lease(living, "next", other_machine(tmp_path)).__enter__()
    with hold_lease(store, "next", other_machine(tmp_path)) as held:
        assert held.taken_over


def test_who_was_held_up_has_lost_it(store, lock):
    with hold_lease(store, "first", lock) as held:
        with other_run(store, lock) as process:  # as after a kill of the first
            with pytest.raises(NocturnaError, match="held up for longer than its lease of 60 s"):
                held.check()
            process.kill()
        assert token_in(store) == 2
    assert token_in(store) == 2, "who lost it lets nothing go"


@pytest.mark.parametrize("there", [b"", b"{broken", b'{"token": "x"}', b"[1]"])
def test_a_lease_that_cannot_be_read_holds_for_its_time(store, lock, there, monkeypatch):
    store.put(lease.NAME, there)
    with pytest.raises(RunLocked):
        hold_lease(store, "first", lock).__enter__()
    monkeypatch.setattr(lease, "_is_over", lambda *about: True)
    with hold_lease(store, "first", lock) as held:
        assert held.taken_over and held.token == 1


def test_of_two_that_take_it_at_once_one_gets_it(store, lock, tmp_path, monkeypatch):
    with hold_lease(store, "before", lock):
        pass
    real = ObjectStore.put_over

    def overtaken(self, *arguments):
        monkeypatch.setattr(ObjectStore, "put_over", real)
        with hold_lease(store, "faster", other_machine(tmp_path)):
            return real(self, *arguments)

    monkeypatch.setattr(ObjectStore, "put_over", overtaken)
    with pytest.raises(RunLocked, match="took this place just now"):
        hold_lease(store, "slower", lock).__enter__()


def test_an_answer_that_was_lost_loses_no_lease(store, lock, monkeypatch):
    with hold_lease(store, "first", lock) as held:
        real = ObjectStore.put_over

        def again(self, *arguments):
            """As the client does where the first answer does not arrive."""
            assert real(self, *arguments) is not None
            return real(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(ObjectStore, "put_over", again)
            held.check()
        held.check()


def test_a_store_that_is_not_there_is_one_line(lock, monkeypatch, s3_running):
    for name, value in s3_running.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NocturnaError, match=r"NoSuchBucket.*; check that the bucket exists"):
        hold_lease(ObjectStore("s3://ninguno/out/prensa"), "first", lock).__enter__()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Transient, match=r"s3://cubo/out: the store does not answer: .*\n?") as e:
        hold_lease(ObjectStore("s3://cubo/out"), "first", lock).__enter__()
    assert "\n" not in str(e.value)
