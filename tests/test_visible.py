"""What a terminal would obey or hide is written as an escape, and nothing else is touched."""

import json

import pytest

from nocturna.tasks.visible import visible, visible_lines

ODD = {
    "\x1b]0;hola\x07": "\\x1b]0;hola\\x07",
    "\x9b31m": "\\u009b31m",
    "una\nlínea\r\n": "una\\nlínea\\r\\n",
    "\x7f\x00": "\\u007f\\x00",
    "pago\u202egpj.exe": "pago\\u202egpj.exe",
    "pa\u200byo": "pa\\u200byo",
    "pa\u200dyo": "pa\\u200dyo",
    "\u2028\U000e0041": "\\u2028\\udb40\\udc41",
    "\udcff.jsonl": "\\udcff.jsonl",
}
PLAIN = (
    "[red]alerta",
    "[/b]fin",
    ":smile:",
    "política",
    "👨‍👩‍👧 ñandú",
    "می‌خواهم",
    "日本",
    r"a\x1b",
)


@pytest.mark.parametrize(("text", "shown"), ODD.items(), ids=range(len(ODD)))
def test_odd_characters_are_shown_escaped(text, shown):
    assert visible(text) == shown
    assert visible(shown) == shown, "made visible once"


@pytest.mark.parametrize("text", PLAIN, ids=range(len(PLAIN)))
def test_what_can_be_seen_stays_as_it_is(text):
    assert visible(text) == text


def test_json_that_passes_is_json_of_the_same_values():
    values = {text: [text] for text in (*ODD, *PLAIN)}
    passed = visible_lines(json.dumps(values, ensure_ascii=False, indent=1))
    assert json.loads(passed) == values
    assert not set(passed) & set("\x1b\x07\x7f\x9b\u202e\u200b\udcff")
    assert passed.count("\n") > 2, "its lines stay"
