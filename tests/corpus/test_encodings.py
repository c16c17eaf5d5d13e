import pytest

from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    compressed,
    delimited,
    inputs_of,
    jsonl,
    read_all,
    reasons,
    source,
    texts,
    write,
)

ROWS = [{"id": f"{i}", "text": f"año {i} ¿qué? «bien»"} for i in range(400)]
LINES = "".join(f"{row['text']}\n" for row in ROWS)
ENCODINGS = ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf8"]


def in_encoding(name: str, encoding: str) -> bytes:
    text = {
        "jsonl": jsonl(ROWS).decode(),
        "json": "[" + ",".join(jsonl(ROWS).decode().splitlines()) + "]",
        "csv": delimited(ROWS).decode(),
        "txt": LINES,
    }[name]
    return text.encode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["jsonl", "json", "csv", "txt"])
def test_every_encoding_reads_as_utf8_does(tmp_path, name, encoding):
    for ending in ("", ".gz"):
        data = compressed(in_encoding(name, encoding), ending)
        origin = source(write(tmp_path / f"c.{name}{ending}", data), encoding=encoding)
        for size in (37, 1000):
            documents, rejects = read_all(origin, size)
            assert texts(documents) == texts(ROWS)
            assert rejects == []


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "big5", "euc_jp"])
def test_multibyte_encodings(tmp_path, encoding):
    rows = [{"text": "日本語\n中文, 表示"}, {"text": "一"}]
    for name, data in (("c.jsonl", jsonl(rows)), ("c.csv", delimited(rows))):
        path = write(tmp_path / name, data.decode().encode(encoding))
        assert texts(read_all(source(path, encoding=encoding), 1)[0]) == texts(rows)


def test_whole_files_in_another_encoding(tmp_path):
    for encoding in ("latin-1", "utf-16"):
        write(tmp_path / "d" / "a.txt", "año\r\n".encode(encoding))
        origin = source(tmp_path / "d", format="files", encoding=encoding)
        assert texts(read_all(origin)[0]) == ["año\r\n"]


def test_a_byte_order_mark_is_no_text(tmp_path):
    mark = b"\xef\xbb\xbf"
    for name, data in (
        ("c.jsonl", jsonl(ROWS)),
        ("c.json", b"  " + in_encoding("json", "utf-8")),
        ("c.csv", delimited(ROWS)),
        ("c.txt", LINES.encode()),
        ("d.jsonl.gz", compressed(mark + jsonl(ROWS), ".gz")),
    ):
        path = write(tmp_path / name, data if name.endswith(".gz") else mark + data)
        origin = source(path, id=None if name.endswith("txt") else "id")
        documents, rejects = read_all(origin, 100)
        assert texts(documents) == texts(ROWS), name
        assert rejects == []


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (
            "hola".encode("utf-16"),
            "utf-8",
            "byte order mark of utf-16, but the encoding is utf-8; set",
        ),
        ("hola".encode("utf-32"), "utf-8", "byte order mark of utf-32"),
        ("hola".encode("utf-16"), "latin-1", "byte order mark of utf-16"),
        (
            "hola".encode("utf-8-sig"),
            "latin-1",
            "byte order mark of utf-8, but the encoding is latin-1",
        ),
        ("hola".encode("utf-16-le"), "utf-8", "NUL, as in utf-16 without a byte order mark"),
    ],
)
def test_an_encoding_that_the_first_bytes_deny_is_one_line(tmp_path, data, encoding, message):
    for name in ("c.txt", "c.csv", "c.txt.gz"):
        path = write(tmp_path / name, compressed(data, ".gz") if name.endswith(".gz") else data)
        with pytest.raises(UsageError, match=f"{name}: .*{message}"):
            inputs_of(source(path, encoding=encoding))


def test_lines_that_cannot_be_decoded_are_rejected(tmp_path):
    bad = b"a\xf1o"
    for name, data in (
        ("c.jsonl", b'{"text": "uno"}\n{"text": "' + bad + b'"}\n{"text": "tres"}\n'),
        ("c.csv", b'text,id\nuno,1\n"' + bad + b'",2\ntres,3\n'),
        ("c.txt", b"uno\n" + bad + b"\ntres\n"),
        ("c.json", b'[{"text": "uno"}, {"text": "' + bad + b'"}, {"text": "tres"}]'),
    ):
        documents, rejects = read_all(source(write(tmp_path / name, data)), 1)
        assert texts(documents) == ["uno", "tres"], name
        assert reasons(rejects) == ["encoding"]
        assert bad in rejects[0]["raw"]
    _, rejects = read_all(source(tmp_path / "c.txt"))
    assert rejects[0]["message"] == "line 2, byte 5: not valid utf-8; set `encoding`"


def test_a_file_that_cannot_be_decoded_is_rejected(tmp_path):
    write(tmp_path / "a.txt", b"a\xf1o")
    write(tmp_path / "b.txt", b"bien")
    documents, rejects = read_all(source(tmp_path, format="files"))
    assert (texts(documents), reasons(rejects)) == (["bien"], ["encoding"])


def test_broken_utf16_costs_its_line(tmp_path):
    data = "uno\n".encode("utf-16-le") + b"\x00\xd8" + "x\ntres\n".encode("utf-16-le") + b"\x41"
    documents, rejects = read_all(source(write(tmp_path / "c.txt", data), encoding="utf-16-le"), 1)
    assert texts(documents) == ["uno", "tres"]
    assert reasons(rejects) == ["encoding", "encoding"]


def test_line_ends(tmp_path):
    path = write(
        tmp_path / "c.txt", b"uno\r\ndos\n\r\n \t\ntres\rcuatro\x0bcinco\xc2\x85seis\r\nfin"
    )
    documents, _ = read_all(source(path), 1)
    assert [(row["text"], row["source_row"]) for row in documents] == [
        ("uno", 1),
        ("dos", 2),
        ("tres", 5),
        ("cuatro\x0bcinco\x85seis", 6),
        ("fin", 7),
    ]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(
    ("encoding", "stored", "said"),
    [
        ("utf-16", "utf-16-le", "set `encoding` to utf-16-le or utf-16-be"),
        ("UTF16", "utf-8", "it seems to be utf-8"),
        ("utf-32", "utf-8", "it seems to be utf-8"),
        ("utf-32", "utf-16", "starts with the byte order mark of utf-16"),
        *((name, "utf-8", "is unknown") for name in ("idna", "punycode", "undefined")),
    ],
)
def test_an_encoding_that_a_file_cannot_be_in(tmp_path, encoding, stored, said, packed):
    path = write(tmp_path / f"c.csv{packed}", compressed(in_encoding("csv", stored), packed))
    with pytest.raises(UsageError, match=said):
        inputs_of(source(path, encoding=encoding))


def test_utf8_that_is_read_as_another_encoding_is_told(tmp_path, caplog):
    path = write(tmp_path / "c.txt", "año\n")
    read_all(source(path, encoding="latin-1"))
    assert "c.txt: its bytes are valid utf-8 and are read as latin-1" in caplog.text
    caplog.clear()
    read_all(source(write(path, "año\n".encode("latin-1")), encoding="latin-1"))
    read_all(source(write(path, b"ano\n"), encoding="latin-1"))
    assert not caplog.text
