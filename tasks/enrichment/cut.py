"""Documents longer than a call: their beginning and end, or all of their parts."""

import re

OMITTED = "\n[...]\n"


def head_tail(text: str, limit: int) -> tuple[str, float]:
    """The first two thirds and the last third of `limit` characters, cut between words.

    Returns:
        the text to send, at most `limit` + 7 characters, and the share of the document it holds.
    """
    if len(text) <= limit:
        return text, 1.0
    head_end = _boundary_before(text, limit * 2 // 3)
    tail_start = _boundary_after(text, len(text) - (limit - limit * 2 // 3))
    head, tail = text[:head_end], text[tail_start:]
    return f"{head}{OMITTED}{tail}", (len(head) + len(tail)) / len(text)


def parts(text: str, limit: int) -> list[str]:
    """Consecutive parts of about equal length, at most `limit` characters, that join to `text`."""
    found = []
    while len(text) > limit:
        size = -(-len(text) // -(-len(text) // limit))
        cut = _boundary_before(text, size)
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text]


def _boundary_before(text: str, position: int) -> int:
    """The end of the last sentence, else word, in the fifth of the text before `position`."""
    start = position - position // 5
    window = text[start:position]
    for pattern in (r"[.!?…]\s+|\n+", r"\s+"):
        ends = [match.end() for match in re.finditer(pattern, window)]
        if ends:
            return start + ends[-1]
    return position


def _boundary_after(text: str, position: int) -> int:
    match = re.compile(r"\s+").search(text, position, position + 200)
    return match.end() if match else position
