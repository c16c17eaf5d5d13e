"""Files inside of zip and tar archives, among them archives that mean harm."""

import io
import logging
import os
import stat
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from nocturna.tasks.corpus import one_input, unpacking
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    ENCODERS,
    arrow,
    compressed,
    inputs_of,
    jsonl,
    parquet,
    read_all,
    read_indexed,
    source,
    staged_in,
    tarred,
    texts,
    write,
    zipped,
)

ROWS = [{"id": f"d{n}", "text": f"texto {n} ñ"} for n in range(40)]
PLAIN = [{"id": "1", "text": "uno"}]


PACKERS = {
    "zip": zipped,
    "tar": tarred,
    "tgz": lambda files: tarred(files, ".gz"),
    "tar.gz": lambda files: tarred(files, ".gz"),
    "tar.bz2": lambda files: tarred(files, ".bz2"),
    "tar.xz": lambda files: tarred(files, ".xz"),
    "tar.zst": lambda files: tarred(files, ".zst"),
}


def names(origin):
    return [item.name for item in inputs_of(origin)]


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_each_format_is_read_inside_of_each_archive(tmp_path, kind):
    made = [
        (f"a b/{form}.{form}", encode(ROWS)) for form, encode in ENCODERS.items() if form != "txt"
    ]
    made += [("x.jsonl.gz", compressed(jsonl(ROWS), ".gz")), ("README.md", b"#"), ("a b/", b"")]
    path = write(tmp_path / f"c.{kind}", PACKERS[kind](made))
    wanted = sorted(f"c.{kind}/{name}" for name, _ in made[:-2])
    assert names(source(path)) == wanted
    documents, rejects = read_all(source(path))
    assert not rejects and len(documents) == len(wanted) * len(ROWS)
    assert {tuple(texts(documents)[n::40]) for n in range(40)} == {
        (row["text"],) * len(wanted) for row in ROWS
    }
    scheme = kind.replace("tgz", "tar")
    inside = wanted[0].removeprefix(f"c.{kind}/")
    assert documents[0]["source_uri"] == f"{scheme}://{inside}::{path}"
    lines = write(tmp_path / f"d.{kind}", PACKERS[kind]([("a.txt", ENCODERS["txt"](ROWS))]))
    assert texts(read_all(source(lines))[0]) == texts(ROWS)


@pytest.mark.parametrize("kind", PACKERS)
def test_an_archive_lies_among_other_files(tmp_path, kind, caplog):
    write(
        tmp_path / "c" / f"c.{kind}", PACKERS[kind]([("b.jsonl", jsonl(ROWS)), ("foto.png", b"?")])
    )
    write(tmp_path / "c" / "d.jsonl", jsonl(PLAIN))
    documents, *_ = read_indexed(source(tmp_path / "c", id="id"), tmp_path / "i")
    assert len(documents) == 41
    assert f"1 of no format to read here (c.{kind}/foto.png)" in caplog.text
    assert names(source(tmp_path / "c", include=("b.jsonl",))) == [f"c.{kind}/b.jsonl"]
    assert names(source(tmp_path / "c", include=(f"c.{kind}",))) == [f"c.{kind}/b.jsonl"]
    assert names(source(tmp_path / "c", exclude=("c.*",))) == ["d.jsonl"]
    (item, _) = inputs_of(source(tmp_path / "c"))
    assert names(source(item.uri)) == [f"c.{kind}/b.jsonl"]
    with pytest.raises(UsageError, match="not found; check the path"):
        inputs_of(source(item.uri.replace("b.jsonl", "z.jsonl")))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_names_that_lead_elsewhere_lead_nowhere(tmp_path, kind):
    odd = ["../../fuera.jsonl", "/etc/x.jsonl", "a/../b.jsonl", "..\\..\\w.jsonl", "./c.jsonl"]
    path = write(tmp_path / "m" / f"c.{kind}", PACKERS[kind]([(n, jsonl(PLAIN)) for n in odd]))
    found = {"fuera.jsonl", "etc/x.jsonl", "a/b.jsonl", "w.jsonl", "c.jsonl"}
    assert {*names(source(path))} == {f"c.{kind}/{name}" for name in found}
    assert len(read_all(source(path))[0]) == 5
    assert [one.name for one in tmp_path.rglob("*")] == ["m", f"c.{kind}"]


def test_what_cannot_be_read_inside_is_named(tmp_path):
    inner = zipped([("a.jsonl", jsonl(PLAIN))])
    for name in ("dentro.zip", "dentro.tar.gz"):
        path = write(tmp_path / "c.zip", zipped([("a.jsonl", jsonl(PLAIN)), (name, inner)]))
        with pytest.raises(UsageError, match=rf"{name}::.*c\.zip: is an archive inside another"):
            inputs_of(source(path))
        assert names(source(path, exclude=("dentro.*",))) == ["c.zip/a.jsonl"]
    data = bytearray(zipped([("a.jsonl", jsonl(PLAIN)), ("b.jsonl", jsonl(PLAIN))]))
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    path = write(tmp_path / "e.zip", bytes(data))
    with pytest.raises(UsageError, match=r"zip://b\.jsonl::.*e\.zip: is encrypted; unpack it fir"):
        inputs_of(source(path))
    assert names(source(path, exclude=("e.zip/b.*",))) == ["e.zip/a.jsonl"]
    data[at + 8] &= ~1
    data[at + 10] = 9
    with pytest.raises(UsageError, match="is packed by method 9 of zip, which is not read"):
        inputs_of(source(write(tmp_path / "f.zip", bytes(data))))
    path = write(tmp_path / "g.zip", zipped([("a::b.jsonl", jsonl(PLAIN))]))
    with pytest.raises(UsageError, match="in it is not UTF-8, or has '::' in it"):
        inputs_of(source(path))


def test_links_and_replaced_files_are_left_out_with_a_line(tmp_path, caplog):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for text in ("vieja", "nueva"):
            data = jsonl([{"text": text}])
            info = tarfile.TarInfo("a.jsonl")
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("b.jsonl")
            info.type, info.linkname = kind, "/etc/passwd"
            packed.addfile(info)
    assert texts(read_all(source(write(tmp_path / "c.tar", out.getvalue())))[0]) == ["nueva"]
    link = zipfile.ZipInfo("b.jsonl")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped([*(("a.jsonl", jsonl([{"text": t}])) for t in "vn"), (link, "/etc/passwd")])
    assert texts(read_all(source(write(tmp_path / "c.zip", data)))[0]) == ["n"]
    assert "c.tar: left out, as no regular files: 3, such as links" in caplog.text
    assert "c.zip: left out, as no regular files: 1, such as links" in caplog.text
    assert caplog.text.count("left out, as replaced by later ones: 1") == 2


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_what_is_cut_off_or_corrupt_is_one_line(tmp_path, kind):
    noise = bytes(os.urandom(6000).hex(), "ascii")
    rows = [{"text": noise[n : n + 100].decode()} for n in range(0, 6000, 100)]
    whole = PACKERS[kind]([("a.jsonl", jsonl(rows)), ("b.parquet", parquet(rows))])
    flipped = bytearray(whole)
    flipped[700] ^= 255
    joined = whole + whole if kind != "zip" else whole[:-9]
    for data in (whole[: len(whole) // 2], bytes(flipped), joined):
        path = write(tmp_path / f"c.{kind}", data)
        if kind == "tar" and data == bytes(flipped):
            assert len(read_all(source(path))[0]) + len(read_all(source(path))[1]) == 120
            continue
        with pytest.raises(UsageError) as line:
            read_all(source(path))
        assert f"c.{kind}" in str(line.value) and "\n" not in str(line.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.txt"])
@pytest.mark.parametrize("kind", ["zip", "tar.zst"])
def test_archives_that_unpack_to_too_much_are_one_line(tmp_path, monkeypatch, kind, name):
    monkeypatch.setattr(unpacking, "FREE_ROWS", 1 << 20)
    row = {"text": "Odio este producto. " * 5000}
    data = parquet([row] * 200) if name == "a.parquet" else jsonl([row] * 20)
    path = write(tmp_path / f"c.{kind}", PACKERS[kind]([(name, data)]))
    if name == "a.txt":
        monkeypatch.setattr(unpacking, "FREE_ALL", 1 << 20)
    with pytest.raises(
        UsageError, match=rf"c\.{kind}: its .* bytes unpack to (rows of )?more than"
    ):
        read_all(source(path, format="text" if name == "a.txt" else "auto"))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_unpacked_beside_packed(tmp_path, caplog, kind):
    made = PACKERS[kind]([("v/a.jsonl", jsonl(ROWS)), ("b.jsonl", jsonl(PLAIN))])
    write(tmp_path / f"c.{kind}", made)
    write(tmp_path / f"c (1).{kind}", made)
    assert names(source(tmp_path)) == [f"c.{kind}/b.jsonl", f"c.{kind}/v/a.jsonl"]
    write(tmp_path / "c/v/a.jsonl", jsonl(ROWS))
    write(tmp_path / "b.jsonl", jsonl(PLAIN))
    assert names(source(tmp_path)) == ["b.jsonl", "c/v/a.jsonl"]
    assert f"left out c.{kind}/v/a.jsonl: c/v/a.jsonl holds the same" in caplog.text
    write(tmp_path / "b.jsonl", jsonl(ROWS[:1]))
    assert names(source(tmp_path)) == ["b.jsonl", f"c.{kind}/b.jsonl", "c/v/a.jsonl"]
    write(tmp_path / "c/v/a.jsonl", jsonl(ROWS[:1]))
    with pytest.raises(
        UsageError, match=r"c/v/a\.jsonl and .*v/a\.jsonl::.*: have one name and ho"
    ):
        inputs_of(source(tmp_path))


def open_files():
    """The archives that this process has open, and temporary files without a name."""
    found = {os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir()}
    return {path for path in found if path.endswith((".zip", ".tar.gz", "(deleted)"))}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_that_is_the_same_is_not_read_again(tmp_path, monkeypatch, kind):
    read = []
    before = one_input.look_at
    monkeypatch.setattr(
        one_input, "look_at", lambda s, f, n: read.append(f.name) or before(s, f, n)
    )
    files = [("a.jsonl", jsonl(ROWS)), ("b.csv", b"id,text\n1,uno\n")]
    write(tmp_path / "c" / f"c.{kind}", PACKERS[kind](files))
    time.sleep(0.1)
    before_it = open_files()
    first = staged_in(source(tmp_path / "c", id="id"), tmp_path / "s")
    again = staged_in(source(tmp_path / "c", id="id"), tmp_path / "s")
    assert open_files() <= before_it, "no copy stays"
    assert (first.rows, first.lots, len(read)) == (41, again.lots, 2)
    assert [item.fingerprint[:7] for item in first.inputs] == ["sha256:"] * 2


def test_a_corrupt_arrow_file_inside_does_not_end_the_process(tmp_path):
    data = bytearray(arrow(ROWS))
    data[-200:-100] = os.urandom(100)
    path = write(tmp_path / "c.zip", zipped([("a.arrow", bytes(data))], zipfile.ZIP_STORED))
    with pytest.raises(UsageError, match=r"a\.arrow::.*c\.zip: cannot be read as arrow"):
        read_all(source(path))


def test_an_archive_in_a_store_is_read_there(tmp_path):
    import fsspec

    store = fsspec.filesystem("memory")
    for kind in ("zip", "tar.gz"):
        made = [("a.jsonl", jsonl(PLAIN)), ("b.parquet", parquet(ROWS))]
        store.pipe_file(f"/cubo/c.{kind}", PACKERS[kind](made))
        documents, rejects = read_all(source(f"memory://cubo/c.{kind}"))
        assert len(documents) == 41 and not rejects
        assert documents[0]["source_uri"].endswith(f"://a.jsonl::memory://cubo/c.{kind}")
    store.rm("/cubo", recursive=True)


def test_documents_of_whole_files_are_named_by_archive_and_path(tmp_path, caplog):
    write(tmp_path / "c.zip", zipped([("x/a.md", "# uno"), (".b", "no"), ("__MACOSX/a", "no")]))
    with caplog.at_level(logging.WARNING):
        documents, _ = read_all(source(tmp_path, format="files"))
    assert [(row["doc_id"], row["text"]) for row in documents] == [("c.zip/x/a.md", "# uno")]
    assert "left out 2 files: 2 hidden (c.zip/.b, c.zip/__MACOSX/a)" in caplog.text
