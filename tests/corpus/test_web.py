"""Files behind http addresses: read as any other, or one line that shows no secret."""

import logging
import threading

import pytest

from nocturna.tasks.errors import NocturnaError, Transient, UsageError
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
    tarred,
    texts,
    zipped,
)
from tests.web import SECRETS, web_server

ROWS = [{"id": f"{i}", "text": f"texto {i}"} for i in range(3000)]


@pytest.fixture
def web():
    with web_server() as served:
        served.files = {
            "c.jsonl": jsonl(ROWS),
            "c.jsonl.gz": compressed(jsonl(ROWS), ".gz"),
            "c.csv": delimited(ROWS),
            "c.parquet": parquet(ROWS, 700),
            "datos": jsonl(ROWS),
            "c.zip": zipped([("m/a.jsonl", jsonl(ROWS)), ("b.parquet", parquet(ROWS[:5]))]),
            "c.tar.gz": tarred([("m/a.jsonl", jsonl(ROWS)), ("b.parquet", parquet(ROWS))], ".gz"),
        }
        yield served


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz", "c.csv", "c.parquet", "to/c.jsonl"])
def test_a_signed_file_is_fetched_once_and_read_as_any_other(web, tmp_path, name, caplog):
    caplog.set_level(logging.DEBUG)
    origin = source(web.address(name), id="id")
    documents, rejects, summary = read_indexed(origin, tmp_path / "i", 400)
    assert texts(documents) == texts(ROWS)
    assert {row["source_uri"] for row in documents} == {web.shown(name)}
    assert [status for _, status in web.answers if status == 200] == [200]
    kept = f"{caplog.text}{origin!r}{documents}{rejects}{summary}"
    assert not [secret for secret in SECRETS if secret in kept]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("member", [None, "m/a.jsonl", "m/*"])
def test_so_is_a_signed_archive_and_what_is_in_it(web, tmp_path, kind, member, caplog):
    caplog.set_level(logging.DEBUG)
    address, scheme = web.address(f"c.{kind}"), kind.partition(".")[0]
    origin = source(f"{scheme}://{member}::{address}" if member else address, keep=("id",))
    documents, rejects, summary = read_indexed(origin, tmp_path / "i")
    uris = {f"{scheme}://{name}::{web.shown(f'c.{kind}')}" for name in ("m/a.jsonl", "b.parquet")}
    found = {row["source_uri"] for row in documents}
    assert found == ({uri for uri in uris if "m/a" in uri} if member else uris)
    assert [status for _, status in web.answers if status == 200] == [200]
    kept = f"{caplog.text}{origin!r}{documents}{rejects}{summary}"
    assert not [secret for secret in SECRETS if secret in kept]


def test_a_name_without_an_ending_takes_its_format_from_the_job(web):
    with pytest.raises(UsageError, match="datos: the ending names no format"):
        inputs_of(source(web.address("datos")))
    documents, _ = read_all(source(web.address("datos"), format="jsonl"))
    assert texts(documents) == texts(ROWS)


def test_another_night_reads_what_is_there_then_whatever_the_signature(web):
    (before,) = inputs_of(source(web.address("c.jsonl")))
    web.also = "otra"
    signed_anew = web.address("c.jsonl", query="?X-Amz-Signature=otra")
    assert inputs_of(source(signed_anew)) == [before]
    web.files["c.jsonl"] = jsonl(ROWS[:5])
    origin = source(web.address("c.jsonl"))
    (after,) = inputs_of(origin)
    assert after.fingerprint != before.fingerprint
    assert texts(read_all(origin)[0]) == texts(ROWS[:5])


def test_readers_of_one_file_do_not_disturb_each_other(web):
    origin = source(web.address("c.jsonl.gz"))
    found = []
    threads = [threading.Thread(target=lambda: found.append(read_all(origin))) for _ in "abc"]
    with chunks_of(500):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [texts(documents) for documents, _ in found] == [texts(ROWS)] * 3


@pytest.mark.parametrize(
    ("name", "given", "kind", "message"),
    [
        ("nada.jsonl", {}, UsageError, "nada.jsonl: not found"),
        ("c.jsonl", {"query": "?X-Amz-Signature=mala"}, UsageError, "HTTP 403 Forbidden; its user"),
        ("c.jsonl", {"user": "ana:mala@"}, UsageError, "c.jsonl: cannot be read: HTTP 403"),
        ("418/c.jsonl", {}, UsageError, "c.jsonl: cannot be read: HTTP 418"),
        ("503/c.jsonl", {}, Transient, "c.jsonl: the server has trouble: HTTP 503"),
        ("cut/c.jsonl", {}, Transient, "c.jsonl: the store failed: RemoteProtocolError"),
    ],
)
def test_what_cannot_be_fetched_is_one_line_without_secrets(web, name, given, kind, message):
    origin = source(web.address(name, **given))
    with pytest.raises(kind, match=message) as error:
        read_all(origin)
    assert "\n" not in str(error.value)
    assert not [secret for secret in (*SECRETS, "mala") if secret in str(error.value)]


@pytest.mark.parametrize("address", ["http://ana:clave-7781@127.0.0.1:1/c.jsonl", "http://[::1/c"])
def test_no_server_and_no_address_are_one_line(address):
    with pytest.raises(NocturnaError) as error:
        inputs_of(source(address))
    assert "\n" not in str(error.value) and "clave" not in str(error.value)
