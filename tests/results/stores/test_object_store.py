"""The client of stores: conditional puts, files in pieces, one line for what goes wrong."""

import hashlib
import random
from pathlib import Path

import pytest

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.results import object_store
from nocturna.tasks.results.object_store import ObjectStore


def test_an_object_is_put_once_or_over_the_version_that_was_read(uri):
    store = ObjectStore(uri)
    assert store.get("a") is None
    first = store.put_new("a", b"1")
    assert first is not None and store.put_new("a", b"2") is None
    second = store.put_over("a", b"3", first)
    assert second is not None and store.put_over("a", b"4", first) is None
    assert store.put_over("there/is/none", b"4", second) is None
    found = store.get("a")
    assert found is not None and found[:2] == (b"3", second)


def test_a_file_of_several_pieces_arrives_as_it_is(uri, tmp_path):
    store, path, back = ObjectStore(uri), tmp_path / "file", tmp_path / "back"
    size = 2 * object_store._PIECE + 12_345
    path.write_bytes(random.Random(1).randbytes(size))
    store.put_file("data/file", path)
    assert {name: found.size for name, found in store.listed("data/").items()} == {
        "data/file": size
    }
    back.touch()
    assert store.get_file("data/file", size, back)
    assert digest(back) == digest(path)
    assert not store.get_file("data/other", size, back)
    store.delete(["data/file", "data/other"])
    assert store.listed() == {}


def test_the_store_tells_the_time_and_its_folders(uri):
    store = ObjectStore(uri)
    before = store.now()
    store.put("prensa/log/1", b"x")
    assert before <= store.listed("prensa/")["prensa/log/1"].written
    assert store.folders() == ["prensa"]


@pytest.mark.parametrize(
    ("variables", "uri", "said"),
    [
        ({"AWS_ALLOW_HTTP": ""}, "s3://cubo/x", "plain HTTP needs AWS_ALLOW_HTTP=true"),
        (
            {
                "GOOGLE_SERVICE_ACCOUNT_KEY": '{"gcs_base_url": "", "disable_oauth": true, '
                '"client_email": "", "private_key": "", "private_key_id": ""}'
            },
            "gs://cubo/x",
            "what the environment says of it has no sense: ",
        ),
        ({}, "az://cubo/x", "needs AZURE_STORAGE_ACCOUNT_NAME in the environment"),
    ],
)
def test_what_the_environment_lacks_is_one_line(s3, monkeypatch, variables, uri, said):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=said):
        ObjectStore(uri).listed()


def test_keys_that_the_store_does_not_know_are_one_line(s3, s3_running):
    s3_running.open_to(0)
    try:
        with pytest.raises(
            NocturnaError, match=r"no credentials that it takes \(InvalidAccess"
        ) as caught:
            ObjectStore(s3).put("a", b"1")
        assert "\n" not in str(caught.value)
    finally:
        s3_running.open_to(float("inf"))


def test_without_its_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(object_store, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"needs obstore: pip install 'nocturna\[stores\]'"):
        ObjectStore("s3://cubo/x").listed()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
