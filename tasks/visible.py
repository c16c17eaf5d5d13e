"""What cannot be seen in a text, made visible: the words of users go to a person's terminal.

File names, ids, labels, columns and texts come from anywhere. A terminal obeys some characters
(escape sequences, bell), reorders lines by others (bidirectional controls) and shows nothing at all
for more. Whatever is printed for a person goes through here; the results keep every value as it is.
"""

import re

_ODD = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls, C0 and C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of the text
    "\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"  # no width
    "\U000e0000-\U000e007f"  # tags: letters without a shape
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff"  # bytes of a name that are no UTF-8
    "]"
    "|(?<![\u0300-\U0010ffff])[\u200c\u200d]"  # joiners, where there is nothing that they join
)
_LINE_ENDS = re.compile(r"(\n|\r\n)")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""The text with each character that a terminal would obey or hide written as an escape.

    It is one line afterwards. What was made visible before stays as it is.

    >>> visible("[red]ca\x1b[31mfé\n")
    '[red]ca\\x1b[31mfé\\n'
    >>> visible("fin\u202egpj.exe") == "fin\\u202egpj.exe"
    True
    """
    return _ODD.sub(_escape, text)


def visible_lines(text: str) -> str:
    r"""The same for a text of several lines, whose line ends stay.

    >>> visible_lines("uno\ndos\x07\n")
    'uno\ndos\\x07\n'
    """
    parts = _LINE_ENDS.split(text)
    return "".join(part if i % 2 else visible(part) for i, part in enumerate(parts))


def _escape(found: re.Match[str]) -> str:
    """`\x1b` for what JSON escapes by itself, else the escape that is JSON's too.

    So JSON that is printed through here is still JSON, and of the same values.
    """
    code = ord(found[0])
    if code < 0x20:
        return _SHORT.get(found[0], f"\\x{code:02x}")
    if code > 0xFFFF:
        high, low = divmod(code - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
    return f"\\u{code:04x}"
