"""JSON lines that are read many at once are what each is by itself, whatever stands among them."""

import json
import random

import pytest

from nocturna.tasks.corpus import quick_json
from tests.corpus.corpora import jsonl, read_all, source, write

ODD = [
    b'{"id" : "spaced", "text": "Con espacio."}',
    b'{"id": "twice", "text": "uno", "text": "dos"}',
    b'{"id": null, "text": "Sin id."}',
    b'{"text": "Sin id."}',
    b'{"id": 5.0, "text": "Un id con coma."}',
    b'{"id": 1e3, "text": "Otro."}',
    b'{"id": "  ", "text": "Un id en blanco."}',
    b'{"id": "' + b"x" * 1025 + b'", "text": "Un id largo."}',
    b'{"id": ' + b"7" * 1025 + b', "text": "Un id largo."}',
    b'{"id": true, "text": "Verdad."}',
    b'{"id": "n1", "text": 7}',
    b'{"id": "n2", "text": null}',
    b'{"id": "n3"}',
    b'{"id": "n4", "text": "  "}',
    b'{"id": "s\\ud83d", "text": "Medio par."}',
    b'{"id": "s2", "text": "Medio par \\ud83d."}',
    b'{"id": "u\xff", "text": "No es UTF-8."}',
    b'{"id": "k1", "text": "Un objeto.", "nota": {"a": [1, "text"]}}',
    b'{"id": "k2", "text": "Una lista.", "nota": [1, 2]}',
    b'{"id": "k4", "text": "Control.", "nota": "a\x01b"}',
    b'{"id": 007, "text": "Ceros."}',
    b'{"id": "two"}{"id": "three", "text": "En una."}',
    b'["id", "text"]',
    b'{"id": "cut", "text": "Cortada',
    b"",
]
ODD_TO_KEEP = b'{"id": "k3", "text": "Bytes que no son texto.", "nota": "\xff"}'
KEPT = [None, True, False, 0, -1, 2.50, 1e300, "", "texto", 'con "comillas": y \\', "ñ", "a,b"]


def usual(dice: random.Random, number: int, names: str) -> dict[str, object]:
    row: dict[str, object] = {
        "id": {"texts": f"d{number}", "numbers": number - 50, "both": number}[names],
        "text": f'Texto {number} con ñ, "comillas" y \\barras\\.\n',
        "otra": dice.choice([{"id": 1}, [{"text": "x"}], "que no se guarda"]),
    }
    if names == "both" and number % 3:
        row["id"] = f"d{number}"
    if dice.random() < 0.8:
        row["nota"] = dice.choice(KEPT)
    return row


@pytest.mark.parametrize("names", ["texts", "numbers", "both"])
@pytest.mark.parametrize("keep", [(), ("nota",), ("*",)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
def test_lines_read_at_once_are_what_each_is_by_itself(tmp_path, monkeypatch, names, keep, share):
    dice, lines = random.Random(f"{names} {keep} {share}"), []
    for number in range(400):
        lines.append(jsonl([usual(dice, number, names)])[:-1])
        if dice.random() < share:
            lines.append(dice.choice([*ODD, ODD_TO_KEEP] if keep else ODD))
    path = write(tmp_path / "c.jsonl", b"\n".join(lines) + b"\n")
    origin = source(path, id="id", keep=keep)
    found = read_all(origin)
    monkeypatch.setattr(quick_json, "_usual_reader", lambda *_: None)
    assert found == read_all(origin)
    assert len(found[0]) >= 400


def test_an_unusual_line_costs_the_others_nothing(tmp_path, monkeypatch):
    lines = [jsonl([{"id": f"d{n}", "text": f"Texto {n}.", "nota": n}])[:-1] for n in range(4000)]
    lines[1234] = b'{"id": "odd", "text": "uno", "text": "dos", "nota": 1}'
    path = write(tmp_path / "c.jsonl", b"\n".join(lines) + b"\n")
    read, handed = [], quick_json._read

    def counted(offset, number, some, rows, exactly):
        handed(offset, number, some, rows, lambda line: (read.append(line.number), exactly(line)))

    monkeypatch.setattr(quick_json, "_read", counted)
    documents, rejects = read_all(source(path, id="id", keep=("nota",)))
    assert set(read) == {1235}
    assert [reject["source_row"] for reject in rejects] == [1235]
    assert [row["source_row"] for row in documents] == [n for n in range(1, 4001) if n != 1235]
    assert [row["nota"] for row in documents[:3]] == [json.loads(str(n)) for n in range(3)]
