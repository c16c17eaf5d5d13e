"""Folders as people leave them: what is data in them and what only lies beside it."""

import logging

import pyarrow as pa
import pytest

from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    arrow,
    compressed,
    inputs_of,
    jsonl,
    parquet,
    read_all,
    source,
    texts,
    write,
)

ROWS = [{"id": "1", "text": "uno"}, {"id": "2", "text": "dos"}]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 1048576\n"


def names(origin):
    return [item.name for item in inputs_of(origin)]


def test_companion_names(tmp_path, caplog):
    write(tmp_path / "part-0.jsonl", jsonl(ROWS[:1]))
    write(tmp_path / "part-1.jsonl", jsonl(ROWS[1:]))
    odd = {
        "checksums.txt": "0f1e  part-0.jsonl\n",
        "SHA256SUMS.txt": "0f1e  part-0.jsonl\n",
        "urls.txt": "https://example.org\n",
        "metadata.json": '{"rows": 3}',
        "schema.json": '{"fields": [{"name": "text"}]}',
        "stats.csv": "file,rows\npart-0.jsonl,2\n",
        "broken-index.json": "{",
        "_metadata": "",
        "part-0.jsonl.sha256": "0f1e",
        "part-2.jsonl.tmp": "{",
        "~$part-0.csv": "x",
        "Thumbs.db": "x",
    }
    for name, data in odd.items():
        write(tmp_path / name, data)
    for options in ({}, {"id": "id"}):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert names(source(tmp_path, **options)) == ["part-0.jsonl", "part-1.jsonl"]
        assert "without a column 'text', beside files that have it" in caplog.text
        assert all(name in caplog.text for name in ("metadata.json", "stats.csv", "checksums.txt"))


def test_companion_names_of_files_with_the_text_column_are_data(tmp_path):
    write(tmp_path / "metadata.csv", "text\nuno\n")
    write(tmp_path / "schema.jsonl", jsonl(ROWS))
    write(tmp_path / "a.jsonl", jsonl([{"text": "tres"}]))
    assert len(read_all(source(tmp_path))[0]) == 4


def test_a_file_of_the_corpus_s_own_format_without_the_column_is_never_left_out(tmp_path):
    write(tmp_path / "2022.jsonl", jsonl([{"texto": "a"}]))
    write(tmp_path / "2023.jsonl", jsonl(ROWS))
    with pytest.raises(
        UsageError, match=r"2022\.jsonl: no column 'text' .*--exclude '2022\.jsonl'"
    ):
        read_all(source(tmp_path))
    assert texts(read_all(source(tmp_path, exclude=("2022.*",)))[0]) == ["uno", "dos"]


@pytest.mark.parametrize(
    ("mark", "what"),
    [
        ("metadata/v2.metadata.json", "an Iceberg table"),
        ("metadata/version-hint.text", "an Iceberg table"),
        (".hoodie/hoodie.properties", "a Hudi table"),
        ("_versions/1.manifest", "a Lance data set"),
        ("snapshot/LATEST", "a Paimon table"),
        ("delta_0000001_0000002/bucket_00000", "a Hive table with transactions"),
    ],
)
def test_iceberg_folder_and_its_like(tmp_path, caplog, mark, what):
    table = tmp_path / "corpus" / "tabla"
    write(table / mark, "{}")
    write(table / "data" / "a.parquet", parquet(ROWS))
    for folder in (table, tmp_path / "corpus"):
        with pytest.raises(UsageError, match=rf"tabla: is {what}, .* no longer part of it") as line:
            inputs_of(source(folder))
        assert "\n" not in str(line.value)
    if "Hive" not in what:
        with pytest.raises(UsageError, match=f"is {what}"):
            inputs_of(source(table / "data"))
        assert names(source(f"{table}/data/*.parquet")) == ["a.parquet"]
        assert f"lies in {what}" in caplog.text


def test_empty_part_file(tmp_path, caplog):
    for name in ("part-0.parquet", "part-2.arrow", "part-3.jsonl", "part-4.csv"):
        write(tmp_path / name, b"")
    whole = write(tmp_path / "part-1.parquet", parquet(ROWS))
    assert texts(read_all(source(tmp_path, id="id"))[0]) == ["uno", "dos"]
    assert "4 empty files hold no rows: part-0.parquet" in caplog.text
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(UsageError, match=r"part-1\.parquet: cannot be read"):
        read_all(source(tmp_path, id="id"))
    with pytest.raises(UsageError, match="the corpus has no rows"):
        read_all(source(tmp_path / "part-0.parquet"))


def test_hf_save_to_disk(tmp_path, caplog):
    capitals = [{"id": row["id"], "text": row["text"].upper()} for row in ROWS]
    for folder, state in (
        ("train", '{"_data_files": [{"filename": "data-0.arrow"}]}'),
        ("info", ""),
    ):
        write(tmp_path / folder / "data-0.arrow", arrow(ROWS, stream=True))
        write(tmp_path / folder / "cache-1f2e3d.arrow", arrow(capitals, stream=True))
        write(tmp_path / folder / "dataset_info.json", "{}")
        if state:
            write(tmp_path / folder / "state.json", state)
    assert names(source(tmp_path)) == ["info/data-0.arrow", "train/data-0.arrow"]
    assert "working files of the library `datasets` (info/cache-1f2e3d.arrow" in caplog.text
    write(tmp_path / "train/state.json", '{"_data_files": [], "_indices_data_files": ["i.arrow"]}')
    with pytest.raises(UsageError, match="a selection of the rows"):
        inputs_of(source(tmp_path))


@pytest.mark.parametrize("name", ["p.parquet", "p.jsonl", "p.csv", "p.txt", "p.jsonl.gz", "p.json"])
@pytest.mark.parametrize(
    "data",
    [
        POINTER,
        b"/annex/objects/SHA256E-s1--0f.csv\n",
        b"../../.git/annex/objects/XX/YY/SHA256E-s10--4bf5.csv/SHA256E-s10--4bf5.csv",
    ],
    ids=["lfs", "annex", "annex-link-as-text"],
)
def test_lfs_pointer(tmp_path, name, data):
    write(tmp_path / "c" / name, data)
    write(tmp_path / "c" / "z.jsonl", jsonl(ROWS))
    for origin in (tmp_path / "c", tmp_path / "c" / name):
        with pytest.raises(UsageError, match=rf"{name}: is a .* pointer, .*(lfs pull|annex get)"):
            inputs_of(source(origin))


@pytest.mark.parametrize("data", [b"<!DOCTYPE html><p>403", b"<?xml version='1.0'?><Error/>"])
def test_a_web_page_in_place_of_data(tmp_path, data):
    path = write(tmp_path / "c.txt", data)
    with pytest.raises(UsageError, match="holds a web page or XML"):
        inputs_of(source(path))
    assert len(read_all(source(path, format="text"))[0]) == 1


def test_unpacked_beside_packed(tmp_path, caplog):
    write(tmp_path / "mayo.jsonl", jsonl(ROWS))
    write(tmp_path / "mayo.jsonl.gz", compressed(jsonl(ROWS), ".gz"))
    write(tmp_path / "mayo (1).jsonl", jsonl(ROWS))
    write(tmp_path / "mayo - copia.jsonl.zst", compressed(jsonl(ROWS), ".zst"))
    write(tmp_path / "otro.jsonl", jsonl(ROWS))
    assert names(source(tmp_path)) == ["mayo.jsonl", "otro.jsonl"]
    assert "left out mayo.jsonl.gz: mayo.jsonl holds the same" in caplog.text
    assert len(read_all(source(tmp_path))[0]) == 4
    assert "mayo.jsonl and otro.jsonl hold the same rows" in caplog.text
    write(tmp_path / "mayo.jsonl.gz", compressed(jsonl(ROWS[:1]), ".gz"))
    with pytest.raises(UsageError, match=r"mayo\.jsonl and .*mayo\.jsonl\.gz: have one name"):
        inputs_of(source(tmp_path))


def test_the_newest_of_some_beside_the_one_it_is(tmp_path, caplog):
    write(tmp_path / "2026-11-29.jsonl", jsonl(ROWS[:1]))
    write(tmp_path / "2026-11-30.jsonl", jsonl(ROWS))
    write(tmp_path / "latest.jsonl", jsonl(ROWS))
    write(tmp_path / "Ventas.JSONL.gz", compressed(jsonl(ROWS), ".gz"))
    write(tmp_path / "ventas.jsonl", jsonl(ROWS))
    assert names(source(tmp_path)) == ["2026-11-29.jsonl", "2026-11-30.jsonl", "ventas.jsonl"]
    assert "left out latest.jsonl: 2026-11-30.jsonl holds the same" in caplog.text
    assert "left out Ventas.JSONL.gz: ventas.jsonl holds the same" in caplog.text
    write(tmp_path / "latest.jsonl", jsonl([{"id": "3", "text": "tre"}, ROWS[1]]))
    assert "latest.jsonl" in names(source(tmp_path))


def test_the_same_name_in_two_formats_is_read_where_ids_tell(tmp_path):
    write(tmp_path / "mayo.jsonl", jsonl(ROWS))
    write(tmp_path / "mayo.parquet", parquet(ROWS))
    with pytest.raises(UsageError, match=r"two formats; .* --exclude"):
        inputs_of(source(tmp_path))
    assert len(names(source(tmp_path, id="id"))) == 2
    assert names(source(tmp_path, exclude=("mayo.parquet",))) == ["mayo.jsonl"]


def test_column_added_later(tmp_path, caplog):
    write(tmp_path / "2023.parquet", parquet(ROWS))
    write(tmp_path / "2024.parquet", parquet([{"id": "3", "text": "tres", "channel": "web"}]))
    write(tmp_path / "2025.csv", "id,text\n4,cuatro\n")
    documents, _ = read_all(source(tmp_path, id="id", keep=("channel",)))
    assert [row["channel"] for row in documents] == [None, None, "web", None]
    assert "no column 'channel', which is null in their rows: 2023.parquet, 2025.csv" in caplog.text
    with pytest.raises(UsageError, match="no column 'canal' for `keep`"):
        read_all(source(tmp_path, id="id", keep=("canal",)))


def test_optional_key_comes_late(tmp_path):
    rows = [{"id": n, "text": f"t{n}"} | ({"lang": "es"} if n >= 400 else {}) for n in range(420)]
    write(tmp_path / "lunes.jsonl", jsonl(rows))
    write(tmp_path / "martes.jsonl", jsonl(ROWS))
    documents, _ = read_all(source(tmp_path, id="id", keep=("lang",)))
    assert [row["lang"] for row in documents] == [None] * 400 + ["es"] * 20 + [None] * 2
    with pytest.raises(UsageError, match="no column 'idioma' for `keep`"):
        read_all(source(tmp_path, id="id", keep=("idioma",)))


def test_columns_of_parts_may_differ_in_type_too(tmp_path):
    write(tmp_path / "a.parquet", parquet(pa.table({"text": ["a"], "meta": [{"x": 1}]})))
    write(tmp_path / "b.parquet", parquet(pa.table({"text": ["b"], "meta": [{"y": "z"}]})))
    documents, _ = read_all(source(tmp_path, keep=("meta",)))
    assert [row["meta"] for row in documents] == [{"x": 1, "y": None}, {"x": None, "y": "z"}]
