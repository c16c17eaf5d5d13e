"""Corpora in an object store, read by the client that also puts results there."""

import obstore
import pytest
from deltalake import DeltaTable, write_deltalake

from nocturna.tasks.errors import NocturnaError, UsageError
from tests.corpus.corpora import (
    compressed,
    delimited,
    inputs_of,
    jsonl,
    parquet,
    read_all,
    source,
    staged_in,
    texts,
)
from tests.corpus.test_delta import rows

ROWS = [{"id": f"{i}", "text": f"texto {i}"} for i in range(200)]


@pytest.fixture
def put(s3):
    """Puts an object under an address."""
    return lambda name, data: obstore.put(obstore.store.from_url(s3), name, data)


def test_a_folder_of_a_bucket_of_every_kind(s3, put):
    put("c/a.jsonl", jsonl(ROWS))
    put("c/b/b.jsonl.gz", compressed(jsonl(ROWS), ".gz"))
    put("c/b/c año.parquet", parquet(ROWS, 33))
    put("c/d.csv", delimited(ROWS))
    put("c/_SUCCESS", b"")
    put("c/vacía/", b"")
    for path, names in (
        ("c", ["a.jsonl", "b/b.jsonl.gz", "b/c año.parquet", "d.csv"]),
        ("c/a.jsonl", ["a.jsonl"]),
        ("c/**/b.jsonl.gz", ["b/b.jsonl.gz"]),
        ("c/b/*", ["b.jsonl.gz", "c año.parquet"]),
    ):
        origin = source(f"{s3}/{path}")
        assert [item.name for item in inputs_of(origin)] == names
        documents, rejects = read_all(origin)
        assert (texts(documents), rejects) == (texts(ROWS) * len(names), [])


def test_an_object_that_is_the_same_is_not_fetched_again(s3, put, tmp_path):
    put("d/a.jsonl", jsonl(ROWS))
    origin = source(f"{s3}/d")
    first = staged_in(origin, tmp_path / "s")
    again = staged_in(origin, tmp_path / "s")
    assert [path for path, _ in first.lots] == [path for path, _ in again.lots]
    put("d/a.jsonl", jsonl(ROWS[::-1]))
    (changed,) = staged_in(origin, tmp_path / "s").inputs
    assert changed.fingerprint != first.inputs[0].fingerprint


def test_a_delta_table_in_a_store(s3, s3_running):
    address = f"{s3}/tabla"
    options = s3_running.environment
    write_deltalake(address, rows(["1", "2"], "borrador"), storage_options=options)
    new = rows(["1", "2", "3"], "final")
    write_deltalake(address, new, mode="overwrite", storage_options=options)
    DeltaTable(address, storage_options=options).delete("id = '3'")
    documents, rejects = read_all(source(address, id="id"))
    assert (texts(documents), rejects) == (["1 final", "2 final"], [])
    documents, _ = read_all(source(address, id="id", delta_version=0))
    assert texts(documents) == ["1 borrador", "2 borrador"]


def test_what_is_not_there_is_one_line(s3):
    for path, kind, said in (
        ("s3://clave:secreta@cubo/c.jsonl", UsageError, "s3://cubo/c.jsonl: the credentials of a"),
        (f"{s3}/c.jsonl?X-Amz-Signature=9", UsageError, "come from the environment"),
        (f"{s3}/nada.jsonl", UsageError, "nada.jsonl: not found; check the path"),
        ("s3://ninguno/c.jsonl", NocturnaError, "s3://ninguno/c.jsonl: .*NoSuchBucket"),
    ):
        with pytest.raises(kind, match=said) as error:
            inputs_of(source(path))
        assert "\n" not in str(error.value)
