import threading
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from nocturna.tasks.corpus import store_drivers
from nocturna.tasks.errors import Transient, UsageError
from tests.corpus.corpora import (
    chunks_of,
    compressed,
    delimited,
    inputs_of,
    jsonl,
    parquet,
    read_all,
    read_indexed,
    source,
    staged_in,
    texts,
    write,
)

ROWS = [{"id": f"{i}", "text": f"texto {i}"} for i in range(200)]


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def test_memory_uris_of_every_kind(memory, tmp_path):
    memory.pipe_file("/c/a.jsonl", jsonl(ROWS))
    memory.pipe_file("/c/b/b.jsonl.gz", compressed(jsonl(ROWS), ".gz"))
    memory.pipe_file("/c/b/c.parquet", parquet(ROWS, 33))
    memory.pipe_file("/c/d.csv", delimited(ROWS))
    memory.pipe_file("/c/README.md", b"nada")
    memory.pipe_file("/d [1]/d.csv", delimited(ROWS))
    for path, files in (
        ("memory://c", ["a.jsonl", "b/b.jsonl.gz", "b/c.parquet", "d.csv"]),
        ("memory://c/a.jsonl", ["a.jsonl"]),
        ("memory://c/**/b.jsonl.gz", ["b/b.jsonl.gz"]),
        ("memory://c/b/*", ["b.jsonl.gz", "c.parquet"]),
        ("memory://c/[ab]*", ["a.jsonl", "b/b.jsonl.gz", "b/c.parquet"]),
        ("memory://d [1]/*.csv", ["d.csv"]),
    ):
        origin = source(path)
        assert [item.name for item in inputs_of(origin)] == files
        for size in (7, 1000):
            documents, rejects = read_all(origin, size)
            assert texts(documents) == texts(ROWS) * len(files)
            assert rejects == []
    (item,) = staged_in(source("memory://c/a.jsonl"), tmp_path / "s").inputs
    assert item.uri == "memory://c/a.jsonl"
    assert item.fingerprint.startswith("sha256:")


def test_a_changed_remote_file_has_another_fingerprint(memory, tmp_path):
    def fingerprint():
        (item,) = staged_in(source("memory://c.jsonl"), tmp_path).inputs
        return item.fingerprint

    memory.pipe_file("/c.jsonl", jsonl(ROWS))
    before = fingerprint()
    memory.pipe_file("/c.jsonl", jsonl(ROWS))
    assert fingerprint() == before
    memory.pipe_file("/c.jsonl", jsonl(ROWS[::-1]))
    assert fingerprint() != before


def test_readers_of_one_memory_file_do_not_disturb_each_other(memory):
    memory.pipe_file("/c.jsonl.gz", compressed(jsonl(ROWS), ".gz"))
    origin = source("memory://c.jsonl.gz")
    found = []
    threads = [threading.Thread(target=lambda: found.append(read_all(origin))) for _ in range(4)]
    with chunks_of(3):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [texts(documents) for documents, _ in found] == [texts(ROWS)] * 4


def test_an_index_of_a_remote_corpus(memory, tmp_path):
    memory.pipe_file("/c.jsonl", jsonl([*ROWS, ROWS[0]]))
    documents, rejects, summary = read_indexed(source("memory://c.jsonl", id="id"), tmp_path, 50)
    assert (len(documents), len(rejects), summary.duplicates) == (200, 1, 1)


def test_file_uris(tmp_path):
    path = write(tmp_path / "año nuevo" / "c.jsonl", jsonl(ROWS))
    for uri in (f"file://{path}", path.as_uri()):
        (item,) = inputs_of(source(uri))
        assert item.uri == str(path)
        assert texts(read_all(source(uri), 60)[0]) == texts(ROWS)
    assert len(inputs_of(source(path.parent.as_uri()))) == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("memory://nada/c.jsonl", "memory://nada/c.jsonl: not found"),
        ("nube://cubo/c.jsonl", "nube://cubo/c.jsonl: cannot use nube://: Protocol not known"),
        ("file:///nada/c.jsonl", "/nada/c.jsonl: not found"),
    ],
)
def test_what_is_not_there_is_one_line(path, message):
    with pytest.raises(UsageError, match=message) as error:
        inputs_of(source(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scheme", ["s3a", "gcs", "az"])
def test_a_missing_driver_names_the_package(monkeypatch, scheme):
    monkeypatch.setattr(store_drivers, "find_spec", lambda name: None)
    line = rf"{scheme}://cubo/c.jsonl: {scheme}:// needs a driver .* 'nocturna\[stores\]'"
    with pytest.raises(UsageError, match=line):
        inputs_of(source(f"{scheme}://cubo/c.jsonl"))


class UserStore(MemoryFileSystem):
    """A store that takes its user from the address, as sftp does, and wants it every time."""

    protocol = "users"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    cachable = False

    @staticmethod
    def _get_kwargs_from_urls(path):
        return {"user": path.removeprefix("users://").rpartition("@")[0]}

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.removeprefix("users://").rpartition("@")[2].strip("/")

    def unstrip_protocol(self, name):
        return "users://" + name.lstrip("/")

    def ls(self, path, **kwargs):
        return super().ls(path, **kwargs) if self.allowed() else []

    def info(self, path, **kwargs):
        return super().info(path, **kwargs) if self.allowed() else {}

    def cat_file(self, path, **kwargs):
        return super().cat_file(path, **kwargs) if self.allowed() else b""

    def _open(self, path, *args, **kwargs):
        return super()._open(path, *args, **kwargs) if self.allowed() else None

    def allowed(self):
        if self.storage_options.get("user") != "ana:clave":
            raise PermissionError("no user")
        return True


def test_a_folder_behind_a_user_is_read_and_the_user_stored_nowhere(tmp_path):
    fsspec.register_implementation("users", UserStore, clobber=True)
    put(UserStore.store, "/cubo/c/a.jsonl.gz", compressed(jsonl(ROWS), ".gz"))
    put(UserStore.store, "/cubo/c/b.parquet", parquet(ROWS))
    origin = source("users://ana:clave@cubo/c")
    items = inputs_of(origin)
    assert [item.uri for item in items] == ["users://cubo/c/a.jsonl.gz", "users://cubo/c/b.parquet"]
    documents, *_ = read_indexed(origin, tmp_path / "i", 70)
    assert texts(documents) == texts(ROWS) * 2
    assert "clave" not in f"{items}{documents}"


class SignedStore(MemoryFileSystem):
    """A store that answers only to addresses that carry its user and signature."""

    protocol = "signed"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    cachable = False

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.removeprefix("signed://").lstrip("/")

    def info(self, path, **kwargs):
        return super().info(self.allowed(path), **kwargs)

    def cat_file(self, path, **kwargs):
        return super().cat_file(self.allowed(path), **kwargs)

    def _open(self, path, *args, **kwargs):
        return super()._open(self.allowed(path), *args, **kwargs)

    @staticmethod
    def allowed(path):
        if "caida" in path:
            raise ConnectionResetError("no route to ana:clave@cubo?sig=secreta")
        if not (path.startswith("/ana:clave@") and path.endswith("?sig=secreta")):
            raise PermissionError(f"wrong signature for {path}")
        return "/" + path.removeprefix("/ana:clave@").removesuffix("?sig=secreta")


@pytest.fixture
def signed():
    fsspec.register_implementation("signed", SignedStore, clobber=True)
    yield SignedStore.store
    SignedStore.store.clear()


SIGNED = "signed://ana:clave@cubo/c.jsonl.gz?sig=secreta"


def put(store, name, data):
    store[name] = MemoryFile(None, name, data)


def test_a_signed_address_is_read_and_its_secrets_stored_nowhere(tmp_path, signed):
    put(signed, "/cubo/c.jsonl.gz", compressed(jsonl(ROWS), ".gz"))
    (item,) = inputs_of(source(SIGNED))
    assert item.uri == "signed://cubo/c.jsonl.gz"
    documents, rejects, summary = read_indexed(source(SIGNED), tmp_path / "i", 50)
    assert texts(documents) == texts(ROWS)
    stored = b"".join(p.read_bytes() for p in (tmp_path / "i").rglob("*") if p.is_file())
    for secret in ("secreta", "clave"):
        assert secret not in f"{item}{documents}{rejects}{summary}"
        assert secret.encode() not in stored


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        (
            "signed://ana:clave@cubo/c.csv?sig=mala",
            UsageError,
            "signed://cubo/c.csv: cannot be read",
        ),
        ("signed://ana:mala@cubo/c.csv?sig=secreta", UsageError, "cannot be read"),
        (
            "signed://ana:clave@cubo/caida?sig=secreta",
            Transient,
            "cubo/caida: the store does not answer",
        ),
        (SIGNED, UsageError, "cubo/c.jsonl.gz: the corpus has no rows"),
    ],
)
def test_no_message_shows_a_secret(signed, path, kind, message):
    put(signed, "/cubo/c.jsonl.gz", compressed(b"\n", ".gz"))
    with pytest.raises(kind, match=message) as error:
        read_all(source(path))
    for secret in ("secreta", "clave", "mala"):
        assert secret not in str(error.value)
