import logging
import os

import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.source import Source
from tests.corpus.corpora import (
    compressed,
    inputs_of,
    jsonl,
    parquet,
    read_all,
    source,
    texts,
    write,
)

ONE = jsonl([{"text": "uno"}])


def names(origin):
    return [item.name for item in inputs_of(origin)]


def test_a_folder_is_read_with_its_folders_in_the_order_of_its_paths(tmp_path):
    for name in ("b.jsonl", "a/2.jsonl", "a/1.jsonl.gz", "a-1.jsonl", "Z.jsonl"):
        write(tmp_path / name, compressed(ONE, "." + name.rpartition(".")[2]))
    assert names(source(tmp_path)) == [
        "Z.jsonl",
        "a-1.jsonl",
        "a/1.jsonl.gz",
        "a/2.jsonl",
        "b.jsonl",
    ]


def test_what_a_folder_leaves_out_is_said(tmp_path, caplog):
    write(tmp_path / "datos.jsonl", ONE)
    for name in (".oculto.jsonl", "_staging/x.jsonl", ".git/y.jsonl", "_SUCCESS"):
        write(tmp_path / name, ONE)
    for name in ("README.md", "LICENSE.txt", "manifest.json", "dataset_info.json"):
        write(tmp_path / name, ONE)
    for name in ("foto.png", "notas.md", "copia.jsonl.lz4"):
        write(tmp_path / name, b"?")
    with caplog.at_level(logging.WARNING):
        assert names(source(tmp_path)) == ["datos.jsonl"]
    assert caplog.messages == [
        "left out 11 files: "
        "4 hidden (.git/y.jsonl, .oculto.jsonl, _SUCCESS, _staging/x.jsonl); "
        "4 not part of the corpus by their names "
        "(LICENSE.txt, README.md, dataset_info.json, manifest.json); "
        "3 of no format to read here (copia.jsonl.lz4, foto.png, notas.md)"
    ]


def test_companions_have_names_in_other_languages_too(tmp_path):
    for name in ("a.txt", "LEEME.txt", "LÉEME-primero.txt", "LICENCIA.txt", "requirements.txt"):
        write(tmp_path / name, b"hola")
    assert names(source(tmp_path)) == ["a.txt"]


@pytest.mark.parametrize("name", ["b.zip", "b.tar", "b.tar.gz"])
def test_an_archive_without_a_byte_is_left_out_of_a_folder(tmp_path, caplog, name):
    write(tmp_path / "c" / "a.jsonl", ONE)
    write(tmp_path / "c" / name, b"")
    assert names(source(tmp_path / "c")) == ["a.jsonl"]
    assert caplog.messages == [f"left out 1 file: 1 an archive without a byte ({name})"]
    with pytest.raises(UsageError, match="archive cannot be read"):
        names(source(tmp_path / "c" / name))


def test_a_folder_with_nothing_to_read_is_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"no file to read \(it is empty\)"):
        inputs_of(source(tmp_path))
    write(tmp_path / "foto.png", b"?")
    with pytest.raises(UsageError, match=r"no file to read \(foto\.png\); check the path or set"):
        inputs_of(source(tmp_path))


def test_an_explicit_format_reads_files_without_an_ending(tmp_path):
    write(tmp_path / "part-00000", ONE)
    write(tmp_path / "part-00001.jsonl", ONE)
    write(tmp_path / "otro.csv", b"text\nx\n")
    write(tmp_path / "suma.crc", b"x")
    assert names(source(tmp_path, format="jsonl")) == ["part-00000", "part-00001.jsonl"]
    for name in ("part-00000", "part-00001.jsonl"):
        (tmp_path / name).unlink()
    write(tmp_path / "log.dump", ONE)
    assert names(source(tmp_path, format="jsonl")) == ["log.dump"]


def test_format_files_reads_every_visible_file_as_a_document(tmp_path):
    write(tmp_path / "a.md", "# uno\n")
    write(tmp_path / "sub" / "b.html", "<p>dos\n\n")
    write(tmp_path / "README.txt", "tres")
    write(tmp_path / "vacío.txt", "")
    write(tmp_path / "z.txt.gz", compressed(b"zip", ".gz"))
    documents, rejects = read_all(source(tmp_path, format="files"))
    assert [(row["doc_id"], row["text"], row["error_code"]) for row in documents] == [
        ("README.txt", "tres", None),
        ("a.md", "# uno\n", None),
        ("sub/b.html", "<p>dos\n\n", None),
        ("vacío.txt", None, "empty_text"),
        ("z.txt.gz", "zip", None),
    ]
    assert rejects == []


def test_a_glob_reads_what_it_matches(tmp_path):
    for name in ("2024/01.jsonl", "2024/02.jsonl", "2025/01.jsonl", "2024/01.csv"):
        write(tmp_path / name, ONE)
    assert names(source(tmp_path / "2024" / "*.jsonl")) == ["01.jsonl", "02.jsonl"]
    assert names(source(f"{tmp_path}/**/01.jsonl")) == ["2024/01.jsonl", "2025/01.jsonl"]
    with pytest.raises(UsageError, match="no file to read"):
        inputs_of(source(f"{tmp_path}/*.arrow"))


def test_a_glob_reads_the_folders_that_it_matches(tmp_path, caplog):
    for name in ("2024-01/a.jsonl", "2024-01/b/c.jsonl", "2024-02.jsonl", "2024-03/_tmp/d.jsonl"):
        write(tmp_path / name, ONE)
    wanted = ["2024-01/a.jsonl", "2024-01/b/c.jsonl", "2024-02.jsonl"]
    for pattern in ("2024-*", "**", "20*/**"):
        found = names(source(f"{tmp_path}/{pattern}"))
        assert found == (wanted if pattern != "20*/**" else wanted[:2])
    assert "left out 1 file: 1 hidden (2024-03/_tmp/d.jsonl)" in caplog.text


def test_a_folder_of_a_glob_whose_name_is_like_one_is_itself(tmp_path):
    for name in ("d [2024]/a.jsonl", "d [2024]/b.csv", "d 2/c.jsonl"):
        write(tmp_path / name, ONE)
    assert names(source(f"{tmp_path}/d [2024]/*.jsonl")) == ["a.jsonl"]


def test_files_are_included_and_excluded_by_patterns(tmp_path, caplog):
    for name in ("a.jsonl", "b.csv", "2024/a.jsonl", "2024/x/c.jsonl", "año.jsonl", "README.md"):
        write(tmp_path / name, ONE if name.endswith("jsonl") else "text\nuno\n")
    decomposed = "an\u0303o.jsonl"

    def read(**patterns):
        return names(source(tmp_path, **patterns))

    assert read(include=("2024/",)) == ["2024/a.jsonl", "2024/x/c.jsonl"]
    assert read(include=("2024/**/*.jsonl",)) == ["2024/a.jsonl", "2024/x/c.jsonl"]
    assert read(include=("a.jsonl",)) == ["2024/a.jsonl", "a.jsonl"]
    assert read(include=(decomposed, "*.csv")) == ["año.jsonl", "b.csv"]
    caplog.clear()
    assert read(include=("*.jsonl",), exclude=("2024/", "año*")) == ["a.jsonl"]
    (line,) = caplog.messages
    assert line.startswith("left out 5 files: 5 as `include` and `exclude` say (2024/a.jsonl, ")
    with pytest.raises(UsageError, match=r"no file to read is left by `include`: \*\.parquet; che"):
        read(include=("*.parquet",))
    with pytest.raises(UsageError, match="no file to read is left by `exclude`"):
        names(source(tmp_path / "a.jsonl", exclude=("a.*",)))


def test_a_list_of_paths_is_read_in_one_order_with_each_file_once(tmp_path, caplog):
    for number, name in enumerate(("x/d/a.jsonl", "y/d/a.jsonl", "y/d/_b.jsonl", "c.jsonl"), 1):
        write(tmp_path / name, jsonl([{"id": f"{number}", "text": name}]))
    parts = ("y/d", "x/d/*.jsonl", "c.jsonl", "y/d/a.jsonl", "y/d/_b.jsonl")
    wanted = [
        f"{tmp_path.parent.name}/{tmp_path.name}/c.jsonl",
        "x/d/a.jsonl",
        "y/d/_b.jsonl",
        "y/d/a.jsonl",
    ]
    for order in (parts, parts[::-1]):
        origin = source(tmp_path, id="id").model_copy(
            update={"path": tuple(str(tmp_path / part) for part in order)}
        )
        caplog.clear()
        assert names(origin) == wanted
        assert [row["doc_id"] for row in read_all(origin)[0]] == ["4", "1", "3", "2"]
        assert not [line for line in caplog.messages if "left out" in line]
    one = [str(tmp_path / "x/d"), str(tmp_path / "x/d/a.jsonl")]
    assert names(Source(path=one)) == ["a.jsonl"]
    for lost in ("nada.jsonl", "x/*.csv"):
        with pytest.raises(UsageError, match=r"nada\.jsonl: not found|\*\.csv: no file to read"):
            names(Source(path=[*one, str(tmp_path / lost)]))


def test_a_path_whose_name_looks_like_a_glob_is_itself(tmp_path):
    write(tmp_path / "a[1].jsonl", ONE)
    write(tmp_path / "a1.jsonl", jsonl([{"text": "otro"}]))
    assert texts(read_all(source(tmp_path / "a[1].jsonl"))[0]) == ["uno"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nada.jsonl", "not found; check the path"),
        ("foto.png", "the ending names no format; set `format`"),
        ("c.jsonl.lz4", r"\.lz4 is not read; store it plain"),
        ("c.zip", r"the archive cannot be read"),
        ("c.tar", r"the archive cannot be read"),
        ("c.rar", r"\.rar is not read"),
        ("mal.jsonl.gz", "named as gzip but does not hold gzip data"),
        ("c.parquet.gz", "parquet inside gzip cannot be read; decompress it first"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, name, message):
    if name != "nada.jsonl":
        data = compressed(parquet([{"text": "a"}]), ".gz") if name == "c.parquet.gz" else b"hola"
        write(tmp_path / name, data)
    with pytest.raises(UsageError, match=rf"{name}: {message}") as error:
        inputs_of(source(tmp_path / name))
    assert "\n" not in str(error.value)


def test_compression_is_told_by_content_too(tmp_path):
    path = write(tmp_path / "c.jsonl", compressed(ONE, ".zst"))
    (item,) = inputs_of(source(path))
    assert item.compression == "zstd"
    assert texts(read_all(source(path))[0]) == ["uno"]


def test_pipes_and_broken_links_are_not_waited_for(tmp_path, caplog):
    os.mkfifo(tmp_path / "tubo.jsonl")
    with pytest.raises(UsageError, match="not a regular file"):
        inputs_of(source(tmp_path / "tubo.jsonl"))
    (tmp_path / "roto.jsonl").symlink_to(tmp_path / "nada")
    (tmp_path / "vuelta").symlink_to(tmp_path)
    write(tmp_path / "a.jsonl", ONE)
    assert names(source(tmp_path)) == ["a.jsonl"]
    assert "tubo.jsonl: left out" in caplog.text
    assert "roto.jsonl: left out" in caplog.text


def test_a_linked_folder_is_read(tmp_path):
    write(tmp_path / "real" / "a.jsonl", ONE)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "enlace").symlink_to(tmp_path / "real")
    assert names(source(tmp_path / "corpus")) == ["enlace/a.jsonl"]


def test_a_file_name_that_is_no_unicode_is_one_line(tmp_path):
    path = os.fsencode(tmp_path) + b"/a\xf1o.jsonl"
    with open(path, "wb") as stream:  # noqa: PTH123
        stream.write(ONE)
    with pytest.raises(UsageError, match="name is not UTF-8; rename it"):
        inputs_of(source(tmp_path))


def test_relative_paths_become_absolute(tmp_path, monkeypatch):
    write(tmp_path / "a.jsonl", ONE)
    monkeypatch.chdir(tmp_path)
    (item,) = inputs_of(source("./a.jsonl"))
    assert item.uri == str(tmp_path / "a.jsonl")


def test_an_unknown_encoding_is_one_line(tmp_path):
    path = write(tmp_path / "a.jsonl", ONE)
    with pytest.raises(UsageError, match="encoding: 'latín' is unknown"):
        inputs_of(source(path, encoding="latín"))
