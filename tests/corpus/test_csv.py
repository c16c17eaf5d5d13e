import gzip
import io
import random
from pathlib import Path

import pandas as pd
import pytest

from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import delimited, read_all, reasons, source, texts, write

AWKWARD = Path(__file__).parents[3] / "shared" / "data" / "awkward" / "embedded-newlines.csv.gz"


def test_records_with_line_breaks_are_never_cut(tmp_path):
    rows = [{"id": f"{i}", "text": f'línea "{i}",\n\n  ;\r\n,"\n'} for i in range(500)]
    origin = source(write(tmp_path / "c.csv", delimited(rows)), id="id")
    for size in (1, 3, 250):
        documents, rejects = read_all(origin, size)
        assert texts(documents) == texts(rows)
        assert rejects == []


def test_source_rows_are_the_lines_that_records_start_on(tmp_path):
    data = 'id,text\r\n1,"a\r\nb"\r\n\r\n2,c\r\n'
    documents, _ = read_all(source(write(tmp_path / "c.csv", data)), 1)
    assert [(row["text"], row["source_row"]) for row in documents] == [("a\r\nb", 2), ("c", 5)]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ('1,"dijo ""hola"""', 'dijo "hola"'),
        ('1,dijo "hola"', 'dijo "hola"'),
        ('1,""""', '"'),
        ('1,"a,b"', "a,b"),
        ("1, con espacios ", " con espacios "),
        ("1,'a'", "'a'"),
        ('1,"\\"', "\\"),
        ("1,a\x00b", "a\x00b"),
        ("1,a\u2028b\x85c\x0bd", "a\u2028b\x85c\x0bd"),
        ('1,"a\tb\n\n"', "a\tb\n\n"),
    ],
)
def test_quoting(tmp_path, record, text):
    path = write(tmp_path / "c.csv", f"id,text\n0,antes\n{record}\n2,después\n")
    documents, rejects = read_all(source(path), 1)
    assert texts(documents) == ["antes", text, "después"]
    assert rejects == []


def test_a_stray_quote_costs_its_own_line_only(tmp_path):
    data = 'id,text\n1,"sin cerrar\n2,dos\n3,"tres"\n4,cuatro\n5,"otra vez\n6,seis\n'
    path = write(tmp_path / "c.csv", data)
    for size in (1, 2, 100):
        documents, rejects = read_all(source(path, id="id"), size)
        assert [row["doc_id"] for row in documents] == ["2", "3", "4", "6"]
        assert [(row["reason"], row["source_row"], row["raw"]) for row in rejects] == [
            ("invalid_csv", 2, b'1,"sin cerrar'),
            ("invalid_csv", 6, b'5,"otra vez'),
        ]
        assert rejects[0]["byte_offset"] == len("id,text\n")


def test_random_damage_is_read_alike_in_any_chunks(tmp_path):
    dice = random.Random(4)
    for case in range(60):
        data = "id,text\n" + "".join(dice.choices('a1,"\n\r x', k=dice.randint(0, 400)))
        origin = source(write(tmp_path / f"{case}.csv", data))
        try:
            seen = [read_all(origin, size) for size in (1, 2, 5, None)]
        except UsageError as error:
            assert "no rows" in str(error)
            continue
        assert all(one == seen[0] for one in seen)


def test_well_formed_csv_reads_as_in_pandas(tmp_path):
    dice = random.Random(5)
    rows = [
        {"id": f"{i}", "text": "x" + "".join(dice.choices('ab,;"\n\té🙂', k=dice.randint(0, 40)))}
        for i in range(3000)
    ]
    for end in ("\n", "\r\n"):
        data = delimited(rows, end=end)
        documents, _ = read_all(source(write(tmp_path / "c.csv", data), id="id"), 100)
        frame = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, na_filter=False)
        assert texts(documents) == frame["text"].tolist()
        assert [row["doc_id"] for row in documents] == frame["id"].tolist()


def test_a_wrong_number_of_fields_is_a_reject(tmp_path):
    path = write(tmp_path / "c.csv", "id,text\n1,uno\n2,dos,más\n3\n4,cuatro\n")
    documents, rejects = read_all(source(path))
    assert texts(documents) == ["uno", "cuatro"]
    assert [(row["reason"], row["message"]) for row in rejects] == [
        ("wrong_field_count", "line 3: 3 fields where the header has 2"),
        ("wrong_field_count", "line 4: 1 fields where the header has 2"),
    ]


def test_a_quoted_empty_value_is_a_row_and_a_blank_line_is_none(tmp_path):
    path = write(tmp_path / "c.csv", 'text\n""\n\n  \nhola\n')
    documents, _ = read_all(source(path))
    assert [(row["error_code"], row["text"]) for row in documents] == [
        ("empty_text", None),
        (None, "hola"),
    ]
    path = write(tmp_path / "c.tsv", "text\tid\n\t\nhola\t1\n")
    documents, _ = read_all(source(path))
    assert [row["error_code"] for row in documents] == ["empty_text", None]


def test_a_header_that_names_a_column_twice_is_refused(tmp_path):
    path = write(tmp_path / "c.csv", "text,text\na,b\n")
    with pytest.raises(UsageError, match=r"c\.csv: 2 columns are named 'text'"):
        read_all(source(path))


def test_a_missing_column_names_those_that_exist(tmp_path):
    path = write(tmp_path / "c.csv", "id,texto\n1,hola\n")
    with pytest.raises(
        UsageError, match=r"c\.csv: no column 'text' for `text`; the columns are 'id', 'texto'"
    ):
        read_all(source(path))


def test_a_quote_that_never_ends_is_given_up_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("nocturna.tasks.corpus.delimited.MAX_RECORD", 1000)
    lines = "\n".join(f"{i},fila" for i in range(2, 400))
    path = write(tmp_path / "c.csv", f'id,text\n1,"abierta\n{lines}\n')
    documents, rejects = read_all(source(path, id="id"), 50)
    assert [row["doc_id"] for row in documents] == [f"{i}" for i in range(2, 400)]
    assert [(row["reason"], row["source_row"]) for row in rejects] == [("invalid_csv", 2)]


def test_a_line_over_the_limit_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr("nocturna.tasks.corpus.lines.MAX_RECORD", 1000)
    path = write(tmp_path / "c.csv", f'id,text\n1,{"x" * 2000}\n2,b\n3,"{"y" * 2000}"\n4,d\n')
    documents, rejects = read_all(source(path, id="id"), 1)
    assert [row["doc_id"] for row in documents] == ["2", "4"]
    assert reasons(rejects) == ["line_too_long", "line_too_long"]


@pytest.mark.skipif(not AWKWARD.exists(), reason=f"{AWKWARD} is not here")
def test_a_real_csv_with_line_breaks_has_the_records_pandas_finds():
    with gzip.open(AWKWARD) as stream:
        frame = pd.read_csv(stream, dtype=str, keep_default_na=False, na_filter=False)
    documents, rejects = read_all(source(AWKWARD, id="id"), 777)
    assert reasons(rejects) == []
    assert [row["doc_id"] for row in documents] == frame["id"].tolist()
    assert texts(documents) == frame["text"].tolist()


LONE = [
    ("id,text\r\n1,uno\r\nid,text\r2,dos\r3,tres\r", ["uno", "dos", "tres"]),
    ("id,text\r1,uno\r2,dos\r3,tres\n", ["uno", "dos", "tres"]),
    ('id,text\n1,"u\rno"\r2,"d ""o"" s"\r3,t 5" r\n', ["u\rno", 'd "o" s', 't 5" r']),
    ('id,text\n1,"u\r\nno"\r2,"d\no\rs"\n3,tres', ["u\r\nno", "d\no\rs", "tres"]),
]


@pytest.mark.parametrize(("content", "expected"), LONE)
def test_rows_that_end_with_a_carriage_return_alone_among_others(tmp_path, content, expected):
    path = write(tmp_path / "c.csv", content.encode())
    for size in (1, 2, 100):
        documents, rejects = read_all(source(path, id="id"), size)
        assert texts(documents) == expected
        assert [row["doc_id"] for row in documents] == ["1", "2", "3"]
        assert {row["reason"] for row in rejects} <= {"header_again"}


def test_many_rows_of_an_old_mac_behind_others(tmp_path):
    usual = "".join(f"{at},fila {at}\r\n" for at in range(2000))
    old = "".join(f"{at},fila {at}\r" for at in range(2000, 5000))
    more = "".join(f"{at},fila {at}\n" for at in range(5000, 6000))
    path = write(tmp_path / "c.csv", f"id,text\r\n{usual}{old}{more}".encode())
    documents, rejects = read_all(source(path, id="id"))
    assert rejects == []
    assert [row["doc_id"] for row in documents] == [str(at) for at in range(6000)]
    assert texts(documents) == [f"fila {at}" for at in range(6000)]


COPIED = r"""id	text	n
1	hola\tque\nhay \\ x\	y	\N
2	\N	7
3	dos\
líneas	8
4	\303\261and\x75	\\N
\.
"""


def test_the_text_of_a_database_is_read_as_it_means(tmp_path):
    path = write(tmp_path / "c.tsv", COPIED.encode())
    documents, rejects = read_all(source(path, id="id", keep=("n",), escape="postgres"))
    assert texts(documents) == ["hola\tque\nhay \\ x\ty", None, "dos\nlíneas", "ñandu"]
    assert [row["error_code"] for row in documents] == [None, "null_text", None, None]
    assert [row["n"] for row in documents] == [None, "7", "8", "\\N"]
    assert [row["source_row"] for row in documents] == [2, 3, 4, 6] and rejects == []


def test_nulls_of_a_database_are_not_taken_for_texts(tmp_path):
    path = write(tmp_path / "c.csv", b"id,text\n1,hola\n2,\\N\n")
    with pytest.raises(UsageError, match=r"c\.csv, line 3: a field is \\N, .*--escape postgres"):
        read_all(source(path, id="id"))
    assert texts(read_all(source(path, id="id", escape="doubled"))[0]) == ["hola", "\\N"]
    assert texts(read_all(source(path, id="id", escape="postgres"))[0]) == ["hola", None]
    path.write_bytes(b"id,text\n1,el signo \\N es nulo\n")
    assert texts(read_all(source(path, id="id"))[0]) == ["el signo \\N es nulo"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_stands_for_null_may_be_said(tmp_path, encoding):
    rows = [f'"{at}","fila ""{at}""",a' for at in range(600)]
    rows[3:6] = [r'"3",\N,"b"', r'\N,"sin id",\N', r'"5","el signo \N","\N"']
    rows[400] = '"400","x",NULL'
    path = write(tmp_path / "c.csv", "\n".join(["id,text,n", *rows]).encode())
    origin = source(path, id="id", keep=("n",), nulls=r"\N", encoding=encoding)
    documents, rejects = read_all(origin)
    found = {row["doc_id"]: (row["text"], row["n"]) for row in documents}
    assert len(found) == 599 and [row["reason"] for row in rejects] == ["missing_id"]
    assert (found["3"], found["5"]) == ((None, "b"), (r"el signo \N", None))
    assert (found["400"], found["599"]) == (("x", "NULL"), ('fila "599"', "a"))
    origin = source(path, id="id", keep=("n",), nulls=r"\N, NULL", encoding=encoding)
    assert {row["doc_id"]: row["n"] for row in read_all(origin)[0]}["400"] is None
    with pytest.raises(UsageError, match=r"line 5: a field is \\N, .* else --nulls '\\N'"):
        read_all(source(path, id="id"))
    path = write(tmp_path / "d.csv", b'id,text\n1,"el \\"no\\""\n2,\\N\n')
    with pytest.raises(UsageError, match="line 3: a field is"):
        read_all(source(path, escape="backslash"))
    assert texts(read_all(source(path, escape="backslash", nulls=r"\N"))[0]) == ['el "no"', None]


def test_a_title_above_the_header_is_named_as_what_it_may_be(tmp_path):
    path = write(tmp_path / "c.csv", b"Informe de quejas\n\nid,text\n1,hola\n")
    with pytest.raises(UsageError, match="if this is a title, delete the lines above the header"):
        read_all(source(path, id="id"))
