"""Text files as people write them: dialects, line ends, joined files, rows that lie deeper."""

import hashlib
import json

import pytest
import zstandard

from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    compressed,
    delimited,
    inputs_of,
    jsonl,
    parquet,
    read_all,
    reasons,
    source,
    texts,
    write,
)

ROWS = [{"id": "1", "text": "uno"}, {"id": "2", "text": "dos"}]
BOM = "\ufeff"


@pytest.mark.parametrize(
    "data",
    [
        "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "".join(json.dumps(row, indent=2) + "\n" for row in ROWS),
        BOM + json.dumps(ROWS, indent=1),
    ],
)
def test_array_named_jsonl(tmp_path, data):
    documents, rejects = read_all(source(write(tmp_path / "c.jsonl", data), id="id"), 1)
    assert (texts(documents), rejects) == (["uno", "dos"], [])


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("c.jsonl", parquet(ROWS), "holds parquet, not jsonl; rename it or set --format parquet"),
        ("c.csv", b"PK\x03\x04rest", "holds a zip archive or a spreadsheet, not csv"),
        (
            "c.csv",
            b"\xd0\xcf\x11\xe0rest",
            r"not csv; rename it \(.xls\) or set --format spreadsheet",
        ),
        ("carta.txt", b"{\\rtf1\\ansi hola}", "holds RTF, not text"),
        ("c.feather", b"FEA1rest", "holds Feather of version 1, not arrow"),
        ("c.txt", jsonl(ROWS), "holds JSON objects, not lines of text; set --format jsonl"),
        (
            "c.jsonl",
            delimited(ROWS),
            "holds no JSON objects: its first line is 'id,text'; rename it",
        ),
        (
            "c.ndjson.bz2",
            compressed(delimited(ROWS), ".bz2"),
            "holds no JSON objects: its first line is",
        ),
    ],
)
def test_a_content_of_another_format_than_the_ending_is_one_line(tmp_path, name, data, said):
    path = write(tmp_path / name, data)
    with pytest.raises(UsageError, match=said):
        read_all(source(path))
    if name == "c.txt":
        assert len(read_all(source(path, format="text"))[0]) == 2
        assert texts(read_all(source(path, format="jsonl"))[0]) == ["uno", "dos"]


def test_objects_under_an_ending_of_tables_are_rows_and_a_broken_first_line_costs_one(tmp_path):
    for name in ("c.csv", "c.tsv"):
        documents, rejects = read_all(source(write(tmp_path / name, jsonl(ROWS)), id="id"))
        assert (texts(documents), rejects) == (["uno", "dos"], [])
    for rest in (jsonl(ROWS), jsonl(ROWS).rstrip()):
        broken = b"roto, del todo " * 500 + b"\n" + rest
        documents, rejects = read_all(source(write(tmp_path / "c.jsonl", broken), id="id"))
        assert (texts(documents), len(rejects)) == (["uno", "dos"], 1)


def test_bom_in_the_middle(tmp_path):
    one, two = jsonl(ROWS[:1]).decode(), jsonl(ROWS[1:]).decode()
    for name in ("c.jsonl", "c.json"):
        data = f"{BOM}{one}{BOM}{BOM}{two}{BOM}\n"
        documents, rejects = read_all(source(write(tmp_path / name, data), id="id"), 1)
        assert (texts(documents), rejects) == (["uno", "dos"], [])
    path = write(tmp_path / "c.csv", f"{BOM}id,text\n1,uno\n{BOM}id,text\n{BOM}2,dos\n")
    documents, rejects = read_all(source(path, id="id"))
    assert [(row["doc_id"], row["text"]) for row in documents] == [("1", "uno"), ("2", "dos")]
    assert reasons(rejects) == ["header_again"]
    documents, _ = read_all(source(write(tmp_path / "c.txt", f"{BOM}uno\n{BOM}dos\n")))
    assert [row["content_hash"] for row in documents] == [
        hashlib.sha256(text).hexdigest()[:32] for text in (b"uno", b"dos")
    ]
    mixed = "\ufeffuno\n\ufeffdos\n".encode("utf-16-le")
    path = write(tmp_path / "d.txt", mixed)
    assert texts(read_all(source(path, encoding="utf-16"))[0]) == ["uno", "dos"]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n", '"sep={}"\r\n', BOM + "SEP={}\r\n"])
def test_excel_semicolon(tmp_path, mark, first):
    lines = ["id;text;nota", '1;"Muy bien; ""sí""";9,5', "2;Tarde, y frío;3,0"]
    data = first.format(mark) + "".join(line.replace(";", mark) + "\r\n" for line in lines)
    path = write(tmp_path / "c.csv", data)
    for size in (1, 10):
        documents, rejects = read_all(source(path, id="id", keep=("nota",)), size)
        assert [(row["text"], row["nota"]) for row in documents] == [
            (f'Muy bien{mark} "sí"', "9,5"),
            ("Tarde, y frío", "3,0"),
        ]
        assert rejects == []


def test_excel_semicolon_by_an_option(tmp_path):
    path = write(tmp_path / "c.csv", "texto#id\na#1\n")
    with pytest.raises(UsageError, match="--delimiter"):
        read_all(source(path, text="texto"))
    assert texts(read_all(source(path, text="texto", delimiter="#"))[0]) == ["a"]
    with pytest.raises(ValueError, match="give one character"):
        source(path, delimiter="##")


@pytest.mark.parametrize("again", ["id,text,lang", '"id","text","lang"', BOM + "id,text,lang"])
def test_header_repeated(tmp_path, again):
    path = write(tmp_path / "c.csv", f"id,text,lang\n1,uno,es\n{again}\n2,dos,es\nsep=,\n")
    for size in (1, 10):
        documents, rejects = read_all(source(path, id="id", keep=("lang",)), size)
        assert texts(documents) == ["uno", "dos"]
        assert [(row["reason"], row["source_row"]) for row in rejects] == [
            ("header_again", 3),
            ("header_again", 5),
        ]


def test_header_repeated_in_another_order_is_one_line(tmp_path):
    path = write(tmp_path / "c.csv", "id,text\n1,uno\ntext,id\ndos,2\n")
    with pytest.raises(UsageError, match="line 3: another header, with the columns in another"):
        read_all(source(path, id="id"))


def test_lone_cr(tmp_path):
    files = {
        "c.csv": 'id,text\r1,uno\r2,"dos, y"\r',
        "c.tsv": "id\ttext\r1\tuno\r2\tdos, y\r",
        "c.jsonl": '{"id": 1, "text": "uno"}\r{"id": 2, "text": "dos, y"}',
        "c.txt": "uno\rdos, y\r",
    }
    for name, data in files.items():
        path = write(tmp_path / name, data)
        for size in (1, 10):
            documents, rejects = read_all(source(path), size)
            assert (texts(documents), rejects) == (["uno", "dos, y"], []), name
    path = write(tmp_path / "mixed.txt", "uno\rdos\r\ntres\ncuatro\r")
    documents, _ = read_all(source(path), 1)
    assert [(row["text"], row["source_row"]) for row in documents] == [
        *(("uno", 1), ("dos", 2), ("tres", 3), ("cuatro", 4)),
    ]


SPARK = [
    ('"El dijo \\"ahora\\", y ya"', 'El dijo "ahora", y ya'),
    ('"C:\\\\datos\\\\hoy, y más"', "C:\\datos\\hoy, y más"),
    ('"\\"Volveremos\\""', '"Volveremos"'),
    ("C:\\datos sin comas", "C:\\datos sin comas"),
    ('"acaba en barra, \\\\"', "acaba en barra, \\"),
    ('"dos \\"líneas\\"\nseguidas"', 'dos "líneas"\nseguidas'),
    ('"C:\\temp, a medias"', "C:\\temp, a medias"),
]


def test_spark_csv_backslash(tmp_path):
    lines = [f"{n},{field},es\n" for n, (field, _) in enumerate(SPARK)]
    path = write(tmp_path / "c.csv", "id,text,lang\n" + "".join(lines))
    with pytest.raises(UsageError, match=r"after a backslash, .* --escape backslash"):
        read_all(source(path, id="id"))
    for size in (1, 100):
        documents, rejects = read_all(source(path, id="id", escape="backslash"), size)
        assert (texts(documents), rejects) == ([text for _, text in SPARK], [])
    assert "invalid_csv" in reasons(read_all(source(path, id="id", escape="doubled"))[1])


LITERAL = ["La puerta.", '"Hola" dijo y se fue', '"sin cerrar', "Nadie.", 'fin de la cita"', '"Sí"']


@pytest.mark.parametrize("ending", ["tsv", "csv"])
def test_tsv_literal_quotes(tmp_path, ending):
    data = "id\ttext\n" + "".join(f"{n}\t{text}\n" for n, text in enumerate(LITERAL))
    path = write(tmp_path / f"c.{ending}", data)
    for size in (1, 100):
        documents, rejects = read_all(source(path, id="id"), size)
        assert (texts(documents), rejects) == (LITERAL, [])


@pytest.mark.parametrize("mark", [",", ";"])
def test_tsv_literal_quotes_separated_otherwise(tmp_path, mark):
    rows = ["id,text", "1,Uno", '2,"sin cerrar', "3,Tres", '4,fin de la cita"', "5,Cinco"]
    path = write(tmp_path / "c.csv", "\n".join(rows).replace(",", mark))
    documents, rejects = read_all(source(path, id="id"), 1)
    assert texts(documents) == ["Uno", '"sin cerrar', "Tres", 'fin de la cita"', "Cinco"]
    assert rejects == []
    letter = 'id,text\n1,"Hola,\nte escribo, Juan\nun saludo, Ana"\n2,dos\n'
    documents, _ = read_all(source(write(tmp_path / "d.csv", letter), id="id"))
    assert texts(documents) == ["Hola,\nte escribo, Juan\nun saludo, Ana", "dos"]


def test_tsv_literal_quotes_far_into_a_file_take_in_no_other_row(tmp_path):
    many = "".join(f"{n}\tfrase {n} {'x' * 100}\n" for n in range(12_000))
    stray = 'a\t"sin cerrar\nb\tNadie.\nc\tfin de la cita"\nd\tTodo bien.\n'
    path = write(tmp_path / "c.tsv", "id\ttext\n" + many + stray)
    documents, rejects = read_all(source(path, id="id"))
    assert texts(documents)[-3:] == ["Nadie.", 'fin de la cita"', "Todo bien."]
    assert [(row["reason"], row["raw"]) for row in rejects] == [
        ("invalid_csv", b'a\t"sin cerrar'),
    ]
    assert "--quotes literal" in rejects[0]["message"]
    documents, rejects = read_all(source(path, id="id", quotes="literal"))
    assert (texts(documents)[-4], rejects) == ('"sin cerrar', [])


def test_a_tsv_that_quotes_is_read_as_quoted(tmp_path):
    path = write(tmp_path / "c.tsv", 'id\ttext\n1\t"con ""comillas"" y\n\ttabulador"\n2\tdos\n')
    documents, rejects = read_all(source(path, id="id"), 1)
    assert (texts(documents), rejects) == (['con "comillas" y\n\ttabulador', "dos"], [])


def test_json_shapes_that_hold_rows_elsewhere_say_how_to_get_them(tmp_path):
    shapes = {
        '{"page": 1, "data": [{"text": "a"}]}': r"jq -c '\.data\[\]' c\.json",
        '{"hits": {"hits": [{"_source": {"text": "a"}}]}}': r"jq -c '\.hits\.hits\[\]'",
        '{"k1": {"text": "a"}, "k2": {"text": "b"}}': r"by key.* jq -c 'to_entries\[\]",
        '{"k1": "a", "k2": "b", "k3": "c"}': r"by key.* \{key, text: \.value\}",
        '{"id": [1, 2], "text": ["a", "b"]}': "a list for each column .* jq -c",
        '{"id": {"0": 1}, "text": {"0": "a"}}': "a list for each column .* jq -c",
        '{"Item": {"text": {"S": "a"}}}': r"'Item\.text\.S' is there",
    }
    shapes |= {
        json.dumps(["a", "b"]): "holds texts, .* jq -c '",
        json.dumps([["id", "text"], [1, "a"]]): "holds lists, .* jq -c '",
        json.dumps({"columns": ["text"], "data": [["a"], ["b"]]}): "lists beside .* jq -c '",
    }
    for data, said in shapes.items():
        path = write(tmp_path / "c.json", data)
        with pytest.raises(UsageError, match=said) as line:
            read_all(source(path))
        assert "\n" not in str(line.value)


def test_json_shapes_with_ids_that_are_objects(tmp_path):
    path = write(tmp_path / "c.jsonl", '{"id": {"S": "1"}, "text": "a"}\n')
    with pytest.raises(UsageError, match=r"c\.jsonl: the id column 'id' holds objects; .*'id\.S'"):
        read_all(source(path, id="id"))
    assert read_all(source(path, id="id.S"))[0][0]["doc_id"] == "1"


def test_json_shapes_with_the_text_a_level_down(tmp_path):
    rows = [
        {"id": "1", "meta": {"lang": "es", "text": "uno"}},
        {"id": "2", "meta": {"lang": "pt"}},
        {"id": "3", "meta": None, "meta.text": "tres"},
    ]
    asked = {"id": "id", "text": "meta.text", "keep": ("meta.lang",)}
    for name, data in (("c.jsonl", jsonl(rows)), ("c.json", json.dumps(rows).encode())):
        documents, _ = read_all(source(write(tmp_path / name, data), **asked))
        assert texts(documents) == ["uno", None, "tres"]
        assert [row["error_code"] for row in documents] == [None, "missing_text", None]
        assert [row["meta.lang"] for row in documents] == ["es", "pt", None]
    path = write(tmp_path / "c.parquet", parquet(rows[:2]))
    documents, _ = read_all(source(path, **asked), 1)
    assert [(row["text"], row["meta.lang"]) for row in documents] == [("uno", "es"), (None, "pt")]
    with pytest.raises(UsageError, match=r"'meta\.text' is there, one level or more down"):
        read_all(source(write(tmp_path / "d.jsonl", jsonl(rows[:2])), id="id"))


def test_mongo_export(tmp_path):
    row = {
        "_id": {"$oid": "65f0c0ffee00000000000001"},
        "text": "Se busca piso.",
        "votes": {"$numberLong": "12"},
        "price": {"$numberDecimal": "1.10"},
        "at": {"$date": "2024-05-02T10:30:00Z"},
        "old": {"$date": {"$numberLong": "-62135596800000"}},
        "ms": {"$date": 1714645800123},
        "key": {"$binary": {"base64": "AAECAwQFBgcICQoLDA0ODw==", "subType": "04"}},
        "tags": {"a": 1},
    }
    keep = ("votes", "price", "at", "old", "ms", "key", "tags")
    path = write(tmp_path / "c.jsonl", jsonl([row]))
    for name in ("_id", "_id.$oid"):
        ((found,), _) = read_all(source(path, id=name, keep=keep))
        assert found["doc_id"] == "65f0c0ffee00000000000001"
        assert [found[name] for name in keep] == [
            12,
            1.1,
            "2024-05-02T10:30:00Z",
            "0001-01-01T00:00:00Z",
            "2024-05-02T10:30:00.123Z",
            "00010203-0405-0607-0809-0a0b0c0d0e0f",
            '{"a": 1}',
        ]


@pytest.mark.parametrize("log", [28, 31])
def test_zst_long_window(tmp_path, log):
    params = zstandard.ZstdCompressionParameters(
        window_log=log, enable_ldm=True, compression_level=1
    )
    packer = zstandard.ZstdCompressor(compression_params=params).compressobj()
    data = packer.compress(jsonl(ROWS)) + packer.flush()
    skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    for stored in (data, skipped + data, data + skipped):
        path = write(tmp_path / "c.jsonl.zst", stored)
        assert texts(read_all(source(path))[0]) == ["uno", "dos"]


def test_zst_with_a_dictionary_is_not_called_corrupt(tmp_path):
    samples = [jsonl([{"id": f"{n}", "text": f"frase número {n * 7}"}]) for n in range(2000)]
    words = zstandard.train_dictionary(4096, samples)
    stored = zstandard.ZstdCompressor(dict_data=words).compress(jsonl(ROWS))
    path = write(tmp_path / "c.jsonl.zst", stored)
    with pytest.raises(UsageError, match="packed with a zstd dictionary, which is not read"):
        read_all(source(path))


def test_a_page_for_every_file_is_looked_at_once(tmp_path):
    path = write(tmp_path / "c.jsonl", "[1, 2]\n[3, 4]\n")
    (item,) = inputs_of(source(path))
    assert item.format == "jsonl", "rows that are no objects stay rows"
