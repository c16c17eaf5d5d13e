"""Web pages and Markdown as texts, on request."""

import pytest

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

PAGE = """<!DOCTYPE html><html><head><title>Título</title><style>p {color: red}</style>
<script>var a = "<p>guion</p>";</script></head><body onload="x()"><!-- nota -->
<h1>Uno &amp; dos</h1><p>Hola, <b>mun</b>do:<br>otra   línea.</p><ul><li>a<li>b</ul>
<template>plantilla</template><p hidden>oculto</p><svg><text>dibujo</text></svg>
<figure><img alt="foto"><table><tr><td>t</table><figcaption>pie</figcaption></figure>
<p style="color: red; display: none">nada</p><form><label>Edad</label><input value="3"><button>Sí
</button></form><noscript>sin guion</noscript><table><tr><td>1<td>2<tr><td>3</table><pre>x
  y</pre></body></html>"""
SEEN = [
    "Uno & dos",
    "Hola, mundo:",
    "otra línea.",
    "a",
    "b",
    "t",
    "pie",
    "Edad",
    "1\t\t2",
    "3",
    "x",
    "y",
]

NOTE = """---
title: Portada
tags: [a]
---
# Uno

Un *texto* con [enlace](https://a.example/x) y `código`.
Sigue <b>aquí</b>.

| a | b |
|---|---|
| 1 | 2 |

```python
print("hola")
```
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_a_web_page_is_what_a_reader_sees(tmp_path):
    write(tmp_path / "a.html", PAGE)
    write(tmp_path / "b" / "a.htm.gz", compressed(PAGE.encode(), ".gz"))
    write(tmp_path / "c.zip", zipped([("a.xhtml", f'<?xml version="1.0"?>{PAGE}')]))
    write(tmp_path / "vacía.html", "<html><script>nada</script></html>")
    write(tmp_path / "estilo.css", "p {}")
    write(tmp_path / "datos.csv", "text\nno\n")
    documents, rejects = read_all(source(tmp_path, format="html"))
    assert [row["doc_id"] for row in documents] == [
        "a.html",
        "b/a.htm.gz",
        "c.zip/a.xhtml",
        "vacía.html",
    ]
    assert [lines(text) for text in texts(documents)[:3]] == [SEEN] * 3
    assert (documents[3]["error_code"], rejects) == ("empty_text", [])


def test_pages_are_read_only_on_request(tmp_path, caplog):
    write(tmp_path / "a.html", PAGE)
    write(tmp_path / "nota.md", NOTE)
    write(tmp_path / "c.txt", "uno\n")
    assert [item.name for item in inputs_of(source(tmp_path))] == ["c.txt"]
    assert "2 of no format to read here (a.html, nota.md)" in caplog.text
    for name in ("a.html", "nota.md"):
        with pytest.raises(UsageError, match=rf"{name}: the ending names no format; set `format`"):
            inputs_of(source(tmp_path / name))
    with pytest.raises(UsageError, match="no column 'id': here a file is a document without"):
        read_all(source(tmp_path / "a.html", format="html", id="id"))


def test_a_page_says_its_encoding(tmp_path):
    latin = PAGE.replace("<head>", '<head><meta http-equiv=x content="text/html; charset=latin1">')
    write(tmp_path / "a.html", latin.replace("Hola", "Año «–»").encode("cp1252"))
    write(tmp_path / "b.html", PAGE.replace("Hola", "Año").encode("cp1252"))
    write(tmp_path / "c.html", latin.replace("Hola", "Año"))
    documents, rejects = read_all(source(tmp_path, format="html"))
    assert [lines(text)[1] for text in texts(documents)] == ["Año «–», mundo:", "Año, mundo:"]
    assert reasons(rejects) == ["encoding"] and "b.html" in rejects[0]["source_uri"]
    path = tmp_path / "b.html"
    documents, _ = read_all(source(path, format="html", encoding="cp1252"))
    assert lines(texts(documents)[0])[1] == "Año, mundo:"


def test_markdown_is_the_text_of_its_page(tmp_path):
    write(tmp_path / "a.md", NOTE)
    write(tmp_path / "b.markdown", "Solo --- esto\n---\nno es portada\n")
    write(tmp_path / "c.md", "---\nEntre rayas también se lee.\n\n---\nFin.")
    write(tmp_path / "d.md", "---\n# nota\ntítulo: x\n---\nUno.")
    write(tmp_path / "e.md", '+++\ntitle = "x"\n+++\nDos.')
    write(tmp_path / "README.md", "# no")
    documents, _ = read_all(source(tmp_path, format="markdown"))
    names = ["a.md", "b.markdown", "c.md", "d.md", "e.md"]
    assert [row["doc_id"] for row in documents] == names
    found = [lines(text) for text in texts(documents)]
    assert found[0][:2] == ["Uno", "Un texto con enlace y código. Sigue aquí."]
    assert found[0][2:] == ["a\t\tb", "1\t\t2", 'print("hola")']
    assert found[1] == ["Solo --- esto", "no es portada"]
    assert found[2:] == [["Entre rayas también se lee.", "Fin."], ["Uno."], ["Dos."]]
