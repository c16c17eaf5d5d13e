"""Spreadsheets and web archives, written byte by byte."""

import datetime as dt
import io
import zipfile
from xml.sax.saxutils import escape

import pytest
from warcio.warcwriter import WARCWriter

from nocturna.tasks.corpus import unpacking
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    compressed,
    inputs_of,
    read_all,
    reasons,
    source,
    texts,
    write,
    zipped,
)

_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
    'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument'
    '.spreadsheetml.sheet.main+xml"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def cell(value, column, row):
    at = f'r="{chr(65 + column)}{row}"'
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c {at} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f"<c {at}><v>{value!r}</v></c>"
    return f'<c {at} t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def xlsx(**sheets):
    """A workbook; each sheet is a list of rows, None an empty one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", _TYPES)
        target = f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        packed.writestr("_rels/.rels", f"{_RELS}{target}</Relationships>")
        names = list(sheets)
        listed = "".join(
            f'<sheet name="{name}" sheetId="{n}" r:id="s{n}"/>' for n, name in enumerate(names, 1)
        )
        book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
        packed.writestr("xl/workbook.xml", book)
        relations = "".join(
            f'<Relationship Id="s{n}" Type="{_OFFICE}/worksheet" Target="worksheets/{n}.xml"/>'
            for n in range(1, len(names) + 1)
        )
        packed.writestr("xl/_rels/workbook.xml.rels", f"{_RELS}{relations}</Relationships>")
        for n, rows in enumerate(sheets.values(), 1):
            lines = "".join(
                f'<row r="{r}">{"".join(cell(v, c, r) for c, v in enumerate(row))}</row>'
                for r, row in enumerate(rows, 1)
                if row
            )
            packed.writestr(
                f"xl/worksheets/{n}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>',
            )
    return out.getvalue()


HEADER = ["id", "texto", "nota", "visto"]
ROWS = [
    None,
    HEADER,
    [1, "uno", 2.5, True],
    None,
    [2.0, "línea\ny otra", 7, None],
    ["x-3", None, None, False],
    [4, 12, None, None],
    [5, "de más", None, None, "sobra"],
]


def test_the_rows_of_a_sheet_below_its_header(tmp_path):
    path = write(tmp_path / "c.xlsx", xlsx(Portada=[], Datos=ROWS))
    documents, rejects = read_all(source(path, text="texto", id="id", keep=("nota", "visto")))
    assert [row["doc_id"] for row in documents] == ["1", "2", "x-3", "4"]
    assert texts(documents) == ["uno", "línea\ny otra", None, None]
    assert [row["error_code"] for row in documents] == [None, None, "null_text", "not_text"]
    assert [row["source_row"] for row in documents] == [3, 5, 6, 7]
    assert [row["nota"] for row in documents] == [2.5, 7.0, None, None]
    assert [row["visto"] for row in documents] == [True, None, False, None]
    assert [(row["reason"], row["source_row"]) for row in rejects] == [("wrong_field_count", 8)]


@pytest.mark.parametrize("id", ["id", "{id}", "n{id}"])
def test_a_header_that_comes_again_and_ids_that_lost_digits_are_no_documents(tmp_path, id):
    rows = [["id", "text"], [1, "a"], ["id", "text"], [1234567890123456789, "b"], [2, "c"]]
    documents, rejects = read_all(source(write(tmp_path / "c.xlsx", xlsx(Uno=rows)), id=id))
    assert [(row["doc_id"][-1], row["text"]) for row in documents] == [("1", "a"), ("2", "c")]
    assert [row["reason"] for row in rejects] == ["header_again", "invalid_id"]
    assert "store ids as text" in rejects[1]["message"]


def test_a_sheet_by_its_name(tmp_path):
    sheets = xlsx(Uno=[["text"], ["a"]], Dos=[["text"], ["b"]])
    path = write(tmp_path / "c.xlsx", sheets)
    assert texts(read_all(source(path))[0]) == ["a"]
    assert texts(read_all(source(path, sheet="Dos"))[0]) == ["b"]
    with pytest.raises(UsageError, match="no sheet 'Tres'; the sheets are 'Uno', 'Dos'"):
        read_all(source(path, sheet="Tres"))
    with pytest.raises(UsageError, match="no column 'cuerpo' for `text`; the columns are 'text'"):
        read_all(source(path, text="cuerpo"))


def test_sheets_with_rows_that_are_not_read_are_told(tmp_path, caplog):
    path = write(tmp_path / "c.xlsx", xlsx(Uno=[["text"], ["a"]], Dos=[["text"]], Nada=[]))
    assert texts(read_all(source(path))[0]) == ["a"]
    assert "only the sheet 'Uno' is read, not 'Dos'; --sheet names another" in caplog.text
    caplog.clear()
    read_all(source(path, sheet="Uno"))
    assert not caplog.text
    write(path, xlsx(Portada=[["Informe"]], Datos=[["text"], ["a"]]))
    with pytest.raises(UsageError, match=r"'Portada' has no rows below .* --sheet: 'Datos'"):
        read_all(source(path))


def test_what_is_no_spreadsheet_is_one_line(tmp_path, monkeypatch):
    whole = xlsx(Uno=[["text"], ["a"]])
    for name, data in (("a.xlsx", whole[:400]), ("b.ods", b"no lo es"), ("c.xls", whole[:-60])):
        with pytest.raises(UsageError, match=rf"{name}: cannot be read as a spreadsheet"):
            read_all(source(write(tmp_path / name, data)))
    monkeypatch.setattr(unpacking, "FREE_ROWS", 1000)
    path = write(tmp_path / "d.xlsx", xlsx(Uno=[["text"], ["a" * 2_000_000]]))
    with pytest.raises(UsageError, match="unpack to rows of more than"):
        read_all(source(path))


_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "table", "text")
)


def ods_cell(value):
    shown = f"<text:p>{escape(str(value)).replace(chr(10), '</text:p><text:p>')}</text:p>"
    match value:
        case None:
            return "<table:table-cell/>"
        case bool():
            kind, said = "boolean", f'office:boolean-value="{str(value).lower()}"'
        case int() | float():
            kind, said = "float", f'office:value="{value!r}"'
        case dt.date():
            kind, said = "date", f'office:date-value="{value.isoformat()}"'
        case _:
            kind, said = "string", ""
    return f'<table:table-cell office:value-type="{kind}" {said}>{shown}</table:table-cell>'


def ods(**sheets):
    """A workbook of LibreOffice; each sheet is a list of rows, None an empty one."""
    tables = "".join(
        f'<table:table table:name="{name}">'
        + "".join(
            f"<table:table-row>{''.join(map(ods_cell, row or [None]))}</table:table-row>"
            for row in rows
        )
        + '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        'table:number-columns-repeated="1024"/></table:table-row></table:table>'
        for name, rows in sheets.items()
    )
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mimetype", _ODS, zipfile.ZIP_STORED)
        packed.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:'
            'manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODS}"/>'
            "</manifest:manifest>",
        )
        packed.writestr(
            "content.xml",
            f'<?xml version="1.0"?><office:document-content {_SPACES}>{body}'
            "</office:document-content>",
        )
    return out.getvalue()


def test_a_sheet_of_libreoffice(tmp_path):
    day = dt.date(2024, 5, 2)
    dated = [HEADER, *([*row[:2], day, *row[3:]] for row in ROWS[2:] if row and len(row) == 4)]
    path = write(tmp_path / "c.ods", ods(Portada=[], Datos=ROWS, Fechas=dated))
    documents, rejects = read_all(source(path, text="texto", id="id", keep=("nota", "visto")))
    assert [row["doc_id"] for row in documents] == ["1", "2", "x-3", "4"]
    assert texts(documents) == ["uno", "línea\ny otra", None, None]
    assert [row["error_code"] for row in documents] == [None, None, "null_text", "not_text"]
    assert [row["source_row"] for row in documents] == [3, 5, 6, 7]
    assert [row["nota"] for row in documents] == [2.5, 7.0, None, None]
    assert [row["visto"] for row in documents] == [True, None, False, None]
    assert [(row["reason"], row["source_row"]) for row in rejects] == [("wrong_field_count", 8)]
    documents, _ = read_all(source(path, text="texto", sheet="Fechas", keep=("*",)))
    assert [row["nota"] for row in documents] == ["2024-05-02"] * 4
    with pytest.raises(UsageError, match="no sheet 'Tres'; the sheets are 'Portada', 'Datos', 'F"):
        read_all(source(path, sheet="Tres"))


def repacked(data, name, old, new):
    """A workbook with another content of one of its files."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w") as packed:
        for one in before.namelist():
            content = before.read(one).decode()
            packed.writestr(one, content.replace(old, new) if one == name else content)
    return out.getvalue()


@pytest.mark.parametrize("place", ["c.{}", "m.zip"])
def test_a_cell_far_from_the_others_ends_no_process(tmp_path, place):
    sheet = xlsx(Uno=[["text"], ["x"]]), "xl/worksheets/1.xml"
    row, repeat = "<table:table-row>", '<table:table-row table:number-rows-repeated="1000000">'
    wide = '<table:table-cell office:value-type="string" table:number-columns-repeated="100" '
    bombs = {
        "xlsx": repacked(*sheet, 'r="A2"', 'r="XFD1048576"'),
        "ods": repacked(
            ods(Uno=[["text"], ["x"]]),
            "content.xml",
            f'{row}<table:table-cell office:value-type="string" ><text:p>x',
            f"{repeat}{wide}><text:p>x",
        ),
    }
    for form, data in bombs.items():
        path = tmp_path / place.format(form)
        write(path, zipped([(f"c.{form}", data)]) if place == "m.zip" else data)
        said = {"xlsx": "a sheet of it takes more than 2 GiB", "ods": "cannot be read as a spread"}
        with pytest.raises(UsageError, match=rf"c\.{form}.*: {said[form]}") as line:
            read_all(source(path))
        assert "\n" not in str(line.value)
    good = write(tmp_path / "d.xlsx", sheet[0])
    assert texts(read_all(source(good))[0]) == ["x"]


def warc(records):
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=False)
    for kind, uri, content, mime in records:
        writer.write_record(
            writer.create_warc_record(
                uri, kind, payload=io.BytesIO(content), warc_content_type=mime, length=len(content)
            )
        )
    return out.getvalue()


RECORDS = [
    ("conversion", "https://a.example/1", "Un texto.\nOtra línea.".encode(), "text/plain"),
    ("metadata", "https://a.example/1", b"nada", "text/plain"),
    ("conversion", "https://a.example/2", b"\xff\xfe", "text/plain"),
    ("resource", "https://a.example/3", b"<p>hola</p>", "text/html"),
    ("conversion", "https://a.example/4", "Ñandú".encode(), "text/plain"),
]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_the_texts_of_a_web_archive(tmp_path, ending):
    path = write(tmp_path / f"c.wet{ending}", compressed(warc(RECORDS), ending))
    uri = "WARC-Target-URI"
    documents, rejects = read_all(source(path, id=uri, keep=(uri, "WARC-Date")))
    assert texts(documents) == ["Un texto.\nOtra línea.", "Ñandú"]
    assert [row["doc_id"][-1] for row in documents] == ["1", "4"]
    assert [row[uri] for row in documents] == [row["doc_id"] for row in documents]
    assert all(row["WARC-Date"].startswith("20") for row in documents)
    assert reasons(rejects) == ["encoding", "not_text"]


def test_texts_of_a_web_archive_in_the_encoding_that_they_say(tmp_path):
    said = [
        ("año", "utf-8", "Text/Plain"),
        ("año", "latin-1", 'text/plain; charset="ISO-8859-1"'),
        ("año", "utf-8", "text/plain; charset=latin-1"),
        ("uno", "utf-16", "text/plain;charset=UTF-16"),
        ("dos", "utf-8-sig", "text/plain"),
        ("mal", "utf-16-le", "text/plain; charset=klingon"),
    ]
    records = [("resource", f"https://a/{at}", t.encode(e), m) for at, (t, e, m) in enumerate(said)]
    records.append(
        ("resource", "https://a/x", "año".encode("latin-1"), "text/plain; charset=utf-8")
    )
    path = write(tmp_path / "c.warc", warc(records))
    documents, rejects = read_all(source(path, keep=("text",)))
    assert texts(documents) == [row["text"] for row in documents]
    assert texts(documents) == ["año", "año", "año", "uno", "dos", "m\0a\0l\0"]
    assert reasons(rejects) == ["encoding"]


def test_what_is_no_web_archive_is_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"c\.warc: cannot be read as warc"):
        read_all(source(write(tmp_path / "c.warc", b"esto no es nada\n\n")))
    with pytest.raises(UsageError, match="no column 'cuerpo' for `text`"):
        read_all(source(write(tmp_path / "d.warc", warc(RECORDS)), text="cuerpo"))
    assert [item.format for item in inputs_of(source(tmp_path / "d.warc"))] == ["warc"]
