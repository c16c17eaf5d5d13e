"""Results in an object store: a snapshot is published by one entry, whole and once."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

import nocturna
from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.job.retention import Retention
from nocturna.tasks.results import lease, pruning, shared
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.log_entries import current_snapshot
from nocturna.tasks.results.object_store import ObjectStore
from nocturna.tasks.results.recovery import recover
from nocturna.tasks.results.replica import LOG
from nocturna.tasks.results.snapshots import Snapshot, publish
from nocturna.tasks.results.store_index import PARTS
from tests.results.examples import JOB, SCHEMA, documents, part_of, publish_ids, run_of

KILLED = """
import os, signal, sys
from nocturna.tasks.results import shared
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.object_store import ObjectStore
from nocturna.tasks.results.recovery import recover
from tests.results.examples import JOB, publish_ids

out, name, when, run_id = sys.argv[1:]
real = getattr(ObjectStore, name)

def dying(self, key, *rest):
    if when == "before" and not key.startswith("lease"):
        os.kill(os.getpid(), signal.SIGKILL)
    answer = real(self, key, *rest)
    if not key.startswith("lease"):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

layout = layout_of(out, JOB)
with hold_lock(layout, run_id):
    recover(layout)
    setattr(ObjectStore, name, dying)
    publish_ids(layout, run_id, "abc")
"""


def night(uri: str, number: int, ids: str, *carried: int) -> Snapshot:
    """Publishes some documents, and parts of the snapshot before by their position."""
    layout = layout_of(uri, JOB)
    with hold_lock(layout, run_of(number)):
        recover(layout)
        before = current_snapshot(layout)
        parts = [before.parts[at] for at in carried] if before else []
        new = part_of(layout, run_of(number), number, documents(ids))
        return publish(layout, run_of(number), [*parts, new], SCHEMA)


def ids_in(uri: str) -> str:
    return "".join(sorted(nocturna.read_results(f"{uri}/{JOB}")["doc_id"]))


def stored(uri: str, prefix: str) -> list[str]:
    return sorted(ObjectStore(f"{uri}/{JOB}").listed(prefix))


def test_a_second_machine_goes_on_where_the_first_one_ended(uri, on):
    night(uri, 1, "ab")
    first = stored(uri, PARTS)
    on("otra")
    assert ids_in(uri) == "ab"
    second = night(uri, 2, "c", 0)
    assert second.number == 2 and set(first) < set(stored(uri, PARTS)), "parts are put once"
    on("una")
    assert ids_in(uri) == "abc"
    assert night(uri, 3, "d", 0, 1).number == 3
    assert ids_in(uri) == "abcd"
    found = nocturna.read_results(f"{uri}/{JOB}", ["doc_id"], at=1, as_="arrow")
    assert sorted(found["doc_id"].to_pylist()) == ["a", "b"]


def test_the_entry_says_where_its_parts_are_to_who_reads_it_without_nocturna(uri, on):
    night(uri, 1, "ab")
    store = ObjectStore(f"{uri}/{JOB}")
    entry = json.loads(store.get(f"{LOG}00000001.json")[0])
    assert entry["token"] == 1 and entry["rows"] == 2
    assert [part["path"] for part in entry["parts"]] == stored(uri, PARTS)


def test_a_kill_on_the_way_into_the_store_loses_nothing(s3, on):
    on("una")
    dying = {}
    for name in ("put_file", "put_new"):
        for when in ("before", "after"):
            uri = f"{s3}/{name}-{when}"
            night(uri, 1, "ab")
            command = [sys.executable, "-c", KILLED, uri, name, when, run_of(2)]
            dying[uri] = subprocess.Popen(command)
    for uri, process in dying.items():
        assert process.wait() == -signal.SIGKILL
        assert ids_in(uri) == ("abc" if uri.endswith("put_new-after") else "ab")
        layout = layout_of(uri, JOB)
        with hold_lock(layout, run_of(3)):
            recover(layout)
            publish_ids(layout, run_of(2), "abc")
        assert ids_in(uri) == "abc"
        assert stored(uri, LOG) == [f"{LOG}00000001.json", f"{LOG}00000002.json"]


def test_an_entry_whose_answer_was_lost_is_not_put_twice(uri, on, monkeypatch):
    real = ObjectStore.put_new

    def again(self, name, data):
        answer = real(self, name, data)
        return real(self, name, data) if name.startswith(LOG) else answer

    monkeypatch.setattr(ObjectStore, "put_new", again)
    assert night(uri, 1, "ab").number == 1
    assert ids_in(uri) == "ab"


def test_of_two_that_planned_from_the_same_snapshot_one_publishes(uri, on, monkeypatch):
    """The lease is passed over, so that the log alone stands between them."""
    night(uri, 1, "ab")
    slow = layout_of(uri, JOB)
    with hold_lock(slow, run_of(2)):
        recover(slow)
        part = part_of(slow, run_of(2), 0, documents("slow"))
        with monkeypatch.context() as patch:
            patch.setattr(lease, "_is_over", lambda *about: True)
            patch.setattr(shared, "_fence", lambda *about: None)
            on("otra")
            night(uri, 3, "c", 0)
        on("una")
        monkeypatch.setattr(lease.HeldLease, "check", lambda self: None)
        with pytest.raises(NocturnaError, match="another run took snapshot 2 meanwhile"):
            publish(slow, run_of(2), [part], SCHEMA)
    assert ids_in(uri) == "abc"


def test_who_lost_the_lease_publishes_nothing_not_even_past_its_last_look(uri, on, monkeypatch):
    night(uri, 1, "ab")
    slow = layout_of(uri, JOB)
    with hold_lock(slow, run_of(2)):
        recover(slow)
        part = part_of(slow, run_of(2), 0, documents("slow"))
        monkeypatch.setattr(lease, "_is_over", lambda *about: True)
        on("otra")
        with hold_lock(layout_of(uri, JOB), run_of(3)):
            pass  # it only looked, and published nothing
        on("una")
        with pytest.raises(NocturnaError, match="held up for longer than its lease"):
            publish(slow, run_of(2), [part], SCHEMA)
        monkeypatch.setattr(lease.HeldLease, "check", lambda self: None)
        with pytest.raises(NocturnaError, match="another run took snapshot 2 meanwhile"):
            publish(slow, run_of(2), [part], SCHEMA)
    assert ids_in(uri) == "ab"
    assert night(uri, 4, "c", 0).number == 3, "the fence has taken 2"
    assert ids_in(uri) == "abc"


def test_what_is_over_the_retention_leaves_the_store_and_nothing_else(s3, on, monkeypatch):
    night(s3, 1, "a")
    night(s3, 2, "b", 0)
    night(s3, 3, "c")
    on("otra")  # which never fetched the first two
    ObjectStore(f"{s3}/{JOB}").put(f"{PARTS}part-of-a-run-that-died.parquet", b"x")
    layout, later = layout_of(s3, JOB), datetime.now(UTC) + timedelta(hours=25)
    policy = Retention(snapshots=1)
    with hold_lock(layout, run_of(4)):
        recover(layout)
        assert pruning.clean(layout, policy) == [], "replaced just now"
    assert len(stored(s3, PARTS)) == 4
    with hold_lock(layout, run_of(4)):
        recover(layout)
        gone = pruning.clean(layout, policy, later)
    assert [(item.kind, item.name) for item in gone][:2] == [("snapshot", "1"), ("snapshot", "2")]
    left = stored(s3, PARTS)
    assert len(left) == 2 and f"{PARTS}part-of-a-run-that-died.parquet" in left
    assert ids_in(s3) == "c"
    with pytest.raises(UsageError, match=r"snapshot 1 of .* is not kept any more; kept are 3"):
        nocturna.read_results(f"{s3}/{JOB}", at=1)
    monkeypatch.setattr(ObjectStore, "now", lambda self: later)
    with hold_lock(layout, run_of(5)):
        recover(layout)
    assert len(stored(s3, PARTS)) == 1, "no run goes on with a part that is a day old"
    assert ids_in(s3) == "c"


def test_a_part_that_the_store_lost_is_said_to_readers_and_scored_again_by_a_night(s3, on):
    night(s3, 1, "ab")
    night(s3, 2, "c", 0)
    store, lost = ObjectStore(f"{s3}/{JOB}"), stored(s3, PARTS)[0]
    store.put(lost, store.get(lost)[0][:-3])
    on("otra")
    with pytest.raises(NocturnaError, match=r"of snapshot 2 is gone or damaged in the store"):
        ids_in(s3)
    store.delete([lost])
    with pytest.raises(NocturnaError, match=r"of snapshot 2 is gone or damaged in the store"):
        ids_in(s3)
    layout = layout_of(s3, JOB)
    with hold_lock(layout, run_of(3)):
        recover(layout)
        base = current_snapshot(layout)
        there = [part for part in base.parts if part.path.exists()]
        assert base.number == 2 and len(there) == 1
        new = part_of(layout, run_of(3), 0, documents("ab"))
        publish(layout, run_of(3), [*there, new], SCHEMA)
    assert ids_in(s3) == "abc"


def test_a_part_that_was_damaged_on_this_machine_is_fetched_again(s3, on):
    first = night(s3, 1, "ab")
    first.parts[0].path.write_bytes(b"damaged")
    night(s3, 2, "c", 0)
    assert ids_in(s3) == "abc"


def test_an_entry_that_cannot_be_read_keeps_every_part(s3, on, monkeypatch):
    night(s3, 1, "a")
    night(s3, 2, "b")
    store = ObjectStore(f"{s3}/{JOB}")
    store.put(f"{LOG}00000001.json", b"{broken")
    later = datetime.now(UTC) + timedelta(hours=25)
    monkeypatch.setattr(ObjectStore, "now", lambda self: later)
    night(s3, 3, "c")
    assert len(stored(s3, PARTS)) == 3
    assert ids_in(s3) == "c"


def test_a_store_that_was_emptied_is_begun_anew(s3, on):
    night(s3, 1, "ab")
    night(s3, 2, "c", 0)
    store = ObjectStore(f"{s3}/{JOB}")
    store.delete(store.listed())
    with pytest.raises(UsageError, match="nothing is published here"):
        ids_in(s3)
    assert night(s3, 3, "x").number == 1
    assert ids_in(s3) == "x"


def test_records_travel_with_the_results(s3, on):
    layout = layout_of(s3, JOB)
    night(s3, 1, "ab")
    (layout.run(run_of(1))).mkdir(parents=True)
    (layout.run(run_of(1)) / "manifest.json").write_text('{"status": "ready"}')
    (layout.run(run_of(1)) / "plan.json").write_text("{}")
    night(s3, 2, "c", 0)
    assert f"runs/{run_of(1)}/manifest.json" in stored(s3, "runs/")
    assert f"runs/{run_of(1)}/plan.json" not in stored(s3, "runs/"), "it is for this machine"
    on("otra")
    runs = nocturna.read_runs(f"{s3}/{JOB}", as_="arrow").to_pylist()
    assert [(run["run_id"], run["status"]) for run in runs] == [(run_of(1), "published")]


def test_a_night_that_cannot_leave_its_records_is_published_all_the_same(
    s3, on, monkeypatch, caplog
):
    layout = layout_of(s3, JOB)
    with hold_lock(layout, run_of(1)):
        recover(layout)
        publish_ids(layout, run_of(1), "ab")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "the records of this run are not in the store: " in caplog.text
