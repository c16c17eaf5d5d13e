"""A job as a YAML file with comments, as a person would write it."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

Path = tuple[str, ...]

_WIDTH = 100


def written(
    values: Mapping[str, Any],
    notes: Mapping[Path, str],
    asides: Mapping[Path, Sequence[str]],
    head: Sequence[str],
) -> str:
    """The text of a job file.

    Args:
        values: nested values of the job.
        notes: what is said of a key, by its path.
        asides: lines of YAML that stand below a section as comments, ready to be used, by the path
            of the section.
        head: what is said of the whole.

    >>> print(written({"source": {"id": "a: b"}}, {("source", "id"): "why"}, {}, ["A job."]))
    # A job.
    source:
      id: 'a: b'  # why
    <BLANKLINE>
    """
    lines = [line for said in head for line in _comment(said, "")]
    lines += _section(values, notes, asides, ())
    lines += [f"# {line}".rstrip() for line in asides.get((), ())]
    return "\n".join(lines) + "\n"


def scalar(value: Any) -> str:
    """A value in one line of YAML.

    >>> scalar(["política", "a, b"])
    "[política, 'a, b']"
    """
    text = yaml.safe_dump(
        [value], default_flow_style=True, allow_unicode=True, width=1_000_000, sort_keys=False
    )
    return text.strip()[1:-1]


def _section(
    values: Mapping[str, Any],
    notes: Mapping[Path, str],
    asides: Mapping[Path, Sequence[str]],
    at: Path,
) -> Iterator[str]:
    indent = "  " * len(at)
    for key, value in values.items():
        here = (*at, key)
        nested = isinstance(value, Mapping) and value
        line = f"{indent}{scalar(key)}:" + ("" if nested else f" {scalar(value)}")
        note = notes.get(here, "")
        if note and len(line) + len(note) + 4 <= _WIDTH:
            yield f"{line}  # {note}"
        else:
            if note:
                yield from _comment(note, indent)
            yield line
        if nested:
            yield from _section(value, notes, asides, here)
            yield from (f"{indent}  # {line}" for line in asides.get(here, ()))


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
