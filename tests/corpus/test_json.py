import json
import random

import pytest

from nocturna.tasks.corpus.jsonstream import iter_values
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    inputs_of,
    jsonl,
    read_all,
    read_indexed,
    reasons,
    source,
    texts,
    write,
)


def test_a_broken_line_costs_one_row_and_says_where(tmp_path):
    path = write(tmp_path / "c.jsonl", '{"text": "uno"}\n{"text": "ñ", oops}\n{"text": "tres"}\n')
    documents, rejects = read_all(source(path), 1)
    assert texts(documents) == ["uno", "tres"]
    (reject,) = rejects
    assert reject["reason"] == "invalid_json"
    assert reject["source_uri"] == str(path)
    assert (reject["source_row"], reject["byte_offset"]) == (2, 16)
    assert reject["message"].startswith("line 2, column 15, byte 31: Expecting property name")
    assert reject["raw"].decode() == '{"text": "ñ", oops}'


@pytest.mark.parametrize("line", ["[1, 2]", "3", '"texto"', "null", "true"])
def test_a_line_that_is_no_object_is_rejected(tmp_path, line):
    path = write(tmp_path / "c.jsonl", f'{{"text": "a"}}\n{line}\n')
    documents, rejects = read_all(source(path))
    assert (texts(documents), reasons(rejects)) == (["a"], ["not_an_object"])


@pytest.mark.parametrize(
    ("value", "doc_id"),
    [
        ("7", "7"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.10", "1.10"),
        ("1e400", "1e400"),
        ('"007"', "007"),
        ('"2024-01-01"', "2024-01-01"),
        ("true", "true"),
        ('" a "', " a "),
    ],
)
def test_ids_are_their_literal_text(tmp_path, value, doc_id):
    path = write(tmp_path / "c.jsonl", f'{{"id": {value}, "text": "a"}}\n')
    documents, _ = read_all(source(path, id="id"))
    assert documents[0]["doc_id"] == doc_id


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"text": "a"}', "missing_id"),
        ('{"id": null, "text": "a"}', "missing_id"),
        ('{"id": "", "text": "a"}', "missing_id"),
        ('{"id": "  ", "text": "a"}', "missing_id"),
        ('{"id": NaN, "text": "a"}', "missing_id"),
        ('{"id": [1], "text": "a"}', "invalid_id"),
        ('{"id": {"a": 1}, "text": "a"}', "invalid_id"),
        ('{"id": "\\ud83d", "text": "a"}', "invalid_id"),
        (f'{{"id": "{"x" * 1025}", "text": "a"}}', "invalid_id"),
    ],
)
def test_a_row_without_a_usable_id_is_rejected(tmp_path, row, reason):
    path = write(tmp_path / "c.jsonl", f'{{"id": 1, "text": "b"}}\n{row}\n')
    documents, rejects = read_all(source(path, id="id"))
    assert (texts(documents), reasons(rejects)) == (["b"], [reason])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("null", "null_text"),
        ("NaN", "null_text"),
        ('""', "empty_text"),
        ('" \\t\\n\\u00a0"', "empty_text"),
        ("3.14", "not_text"),
        ("false", "not_text"),
        ('["a"]', "not_text"),
        ('{"es": "a"}', "not_text"),
        ("-Infinity", "not_text"),
        ('"hola \\ud83d"', "invalid_unicode"),
        ('"12345678901"', "too_long"),
        ('"nul\\u0000nul"', None),
        ('"\\ud83d\\ude42"', None),
        ('"1234567890"', None),
    ],
)
def test_what_a_text_becomes(tmp_path, value, code):
    path = write(tmp_path / "c.jsonl", f'{{"text": {value}}}\n')
    documents, rejects = read_all(source(path, max_chars=10))
    (row,) = documents
    assert rejects == []
    assert row["error_code"] == code
    assert row["text"] == (None if code else json.loads(value))
    assert bool(row["error_message"]) == bool(code)
    assert len(row["content_hash"]) == 32


def test_a_row_without_the_text_key_is_a_document(tmp_path):
    path = write(tmp_path / "c.jsonl", '{"text": "a"}\n{"texto": "b"}\n')
    documents, _ = read_all(source(path))
    assert [row["error_code"] for row in documents] == [None, "missing_text"]


def test_a_column_that_no_row_has_is_missing(tmp_path):
    path = write(tmp_path / "c.jsonl", '{"texto": "a", "n": 1}\nrota\n{"autor": "b"}\n')
    message = r"c\.jsonl: no column 'text' for `text`; the columns are 'texto', 'n', 'autor'"
    with pytest.raises(UsageError, match=message):
        read_all(source(path))
    path = write(tmp_path / "late.jsonl", '{"text": "a"}\n{"text": "b", "autor": "c"}\n')
    for size in (1, 2):
        documents, _ = read_all(source(path, keep=("autor",)), size)
        assert [row["autor"] for row in documents] == [None, "c"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["1", "null", "-7", "9223372036854775807"], [1, None, -7, 2**63 - 1]),
        (["1", "9223372036854775808"], ["1", "9223372036854775808"]),
        (["1.10", "12.5", "3", "1e3"], [1.1, 12.5, 3.0, 1000.0]),
        (["0.1", "0.12345678901234567890"], ["0.1", "0.12345678901234567890"]),
        (["0.5", "9007199254740993"], ["0.5", "9007199254740993"]),
        (["true", "null", "false"], [True, None, False]),
        (["true", "1"], ["true", "1"]),
        (["null", "null"], [None, None]),
    ],
)
def test_kept_numbers_are_numbers_where_each_is_one_exactly(tmp_path, written, kept):
    data = "".join(f'{{"text": "a", "k": {value}}}\n' for value in written)
    documents, _ = read_all(source(write(tmp_path / "c.jsonl", data), keep=("k",)))
    found = [row["k"] for row in documents]
    assert (found, list(map(type, found))) == (kept, list(map(type, kept)))


def test_kept_numbers_stay_numbers_beside_rows_that_have_none(tmp_path):
    write(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": "b", "k": null}\n')
    write(tmp_path / "b.jsonl", '{"text": "c", "k": 5}\n')
    for size in (1, 10):
        documents, *_ = read_indexed(source(tmp_path, keep=("k",)), tmp_path.parent / "i", size)
        assert [row["k"] for row in documents] == [None, None, 5]


def test_kept_values_of_several_kinds_are_texts_or_json_text(tmp_path):
    values = [
        '"x"',
        "1.10",
        "12345678901234567890",
        "null",
        "true",
        '{"a": [1.0, "ñ", null]}',
        "[]",
    ]
    data = "".join(f'{{"text": "a", "k": {value}}}\n' for value in values) + '{"text": "a"}\n'
    documents, _ = read_all(source(write(tmp_path / "c.jsonl", data), keep=("k",)))
    assert [row["k"] for row in documents] == [
        "x",
        "1.10",
        "12345678901234567890",
        None,
        "true",
        '{"a": [1.0, "ñ", null]}',
        "[]",
        None,
    ]


def test_a_lone_surrogate_in_a_kept_value_is_replaced(tmp_path):
    path = write(tmp_path / "c.jsonl", '{"text": "a", "k": "x\\ud83dy"}\n')
    assert read_all(source(path, keep=("k",)))[0][0]["k"] == "x\ufffdy"


@pytest.mark.parametrize(
    "inner", ['"text": "a", "text": "b"', '"text": "a", "m": {"x": 1, "x": 2}']
)
def test_a_key_that_is_there_twice_is_rejected(tmp_path, inner):
    path = write(tmp_path / "c.jsonl", f'{{"text": "c"}}\n{{{inner}}}\n')
    documents, rejects = read_all(source(path))
    assert (texts(documents), reasons(rejects)) == (["c"], ["duplicate_key"])


def test_nesting_has_a_limit_of_its_own(tmp_path):
    lines = [f'{{"text": "a", "k": {"[" * n}{"]" * n}}}' for n in (99, 100, 5000, 500_000)]
    quoted = json.dumps({"text": "[" * 5000})
    path = write(tmp_path / "c.jsonl", "\n".join([*lines, quoted]))
    documents, rejects = read_all(source(path, keep=("k",)))
    assert [row["k"] for row in documents] == ["[" * 99 + "]" * 99, None]
    assert reasons(rejects) == ["invalid_json"] * 3


def test_control_characters_inside_strings_are_read_as_they_are(tmp_path):
    path = write(tmp_path / "c.jsonl", b'{"text": "a\tb\x00c"}\n')
    assert texts(read_all(source(path))[0]) == ["a\tb\x00c"]


def test_a_line_over_the_limit_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr("nocturna.tasks.corpus.lines.MAX_RECORD", 600_000)
    rows = [{"text": "a"}, {"text": "x" * 3_000_000}, {"text": "b"}, {"text": "y" * 599_000}]
    path = write(tmp_path / "c.jsonl", jsonl(rows))
    for size in (1, 10):
        documents, rejects = read_all(source(path), size)
        assert texts(documents) == ["a", "b", "y" * 599_000]
        assert [(row["reason"], row["source_row"]) for row in rejects] == [("line_too_long", 2)]
        assert len(rejects[0]["raw"]) == 4096


def test_json_files_of_every_shape(tmp_path):
    rows = [{"text": f"texto {i} ñ🙂"} for i in range(50)]
    shapes = {
        "array": json.dumps(rows),
        "indented": json.dumps(rows, indent=2, ensure_ascii=False),
        "lines": jsonl(rows).decode(),
        "one-line": json.dumps(rows[0]),
        "one-spread": json.dumps(rows[0], indent=2),
        "spread": "\n".join(json.dumps(row, indent=2) for row in rows),
        "broken-first-line": '{"text": "x\n' + jsonl(rows).decode(),
    }
    for name, data in shapes.items():
        path = write(tmp_path / f"{name}.json", data)
        wanted = rows[:1] if name.startswith("one") else rows
        for size in (1, 7, 100):
            documents, rejects = read_all(source(path), size)
            assert texts(documents) == texts(wanted), name
            assert len(rejects) == (name == "broken-first-line")
    (item,) = inputs_of(source(tmp_path / "lines.json"))
    assert item.format == "jsonl"


def test_rows_of_an_array_that_are_no_objects_are_rejected(tmp_path):
    path = write(
        tmp_path / "c.json", '[{"text": "a"}, 3, [1], "x", {"text": "b"}, {"a": 1, "a": 2}]'
    )
    documents, rejects = read_all(source(path), 2)
    assert [(row["text"], row["source_row"]) for row in documents] == [("a", 1), ("b", 5)]
    assert [row["source_row"] for row in rejects] == [2, 3, 4, 6]
    assert reasons(rejects) == ["not_an_object"] * 3 + ["duplicate_key"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('[{"text": "a"}, {"text": ]', r"value 2, byte 25: Expecting value"),
        ('[{"text": "ñ"} {"text": "b"}]', r"value 2, byte 16: a comma or the end"),
        ('[{"text": "a"},', r"value 2, byte 15: Expecting value"),
        ('[{"text": "a"}', r"value 2, byte 14: the array does not end"),
        ('[{"text": "a"}] x', r"value 2, byte 16: there is more after"),
        ('[{"text": "a", }]', r"value 1, byte 1[56]: "),
    ],
)
def test_an_array_that_is_not_json_is_one_line(tmp_path, data, message):
    path = write(tmp_path / "c.json", data)
    with pytest.raises(UsageError, match=rf"c\.json: not valid JSON in {message}"):
        read_all(source(path))


def test_a_broken_array_is_not_read_to_its_end(tmp_path):
    def blocks():
        yield b'[{"text": "a"}, {"text": nada}, '
        for _ in range(3):
            yield b'{"text": "b"}, ' * 20_000
        pytest.fail("the stream was read beyond the fault")

    with pytest.raises(UsageError, match="value 2, byte 25"):
        list(iter_values(blocks(), "c.json"))


def test_values_are_found_wherever_the_blocks_are_cut():
    dice = random.Random(3)
    values = [{"a": 'ñ🙂"\\'}, 1.5e-7, "x", [], {}, True, None, -12, [1, {"b": "]"}], "\u20ac"] * 3
    for data in (json.dumps(values, ensure_ascii=False), json.dumps(values, indent=3)):
        raw = data.encode()
        for _ in range(300):
            cuts = sorted(dice.choices(range(len(raw) + 1), k=dice.randint(0, 20)))
            blocks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
            found = list(iter_values(blocks, "x"))
            assert [json.loads(value.text) for value in found] == values
            assert [raw[value.offset : value.end].decode() for value in found] == [
                value.text for value in found
            ]


def test_lines_that_end_with_a_carriage_return_alone_among_others(tmp_path):
    data = b'{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\r{"id": 3, "text": "c"}\r\n'
    documents, rejects = read_all(source(write(tmp_path / "c.jsonl", data), id="id"))
    assert [row["text"] for row in documents] == ["a", "b", "c"] and rejects == []
