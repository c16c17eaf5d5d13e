"""Writing a key into a job file as it stands: all else keeps its bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.yaml_text import composed_yaml, parsed_yaml


def write_key(path: Path, section: Sequence[str], key: str, value: Any) -> None:
    """Sets a key of a section in a YAML job file, in one line; comments and layout stay.

    Args:
        path: the job file.
        section: keys from the job to what the file describes, such as `scores`, `topic`.
        key: what is set, or set anew.
        value: what it is set to.

    Raises:
        UsageError: the file does not describe the section itself, or cannot be written.
    """
    text = path.read_bytes().decode("utf-8")
    new = with_key(text, section, key, value)
    wanted = parsed_yaml(text)
    if new is not None:
        above = wanted
        for name in section[:-1]:
            above = above[name]
        above[section[-1]] = {**(above[section[-1]] or {}), key: value}
    if new is None or parsed_yaml(new) != wanted:
        raise UsageError(
            f"{path}: {'.'.join(section)} is not written out there, so nothing can be set in it; "
            f"write into it by hand: {_shown({key: value})[1:-1]}"
        )
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(new.encode())
        beside.chmod(path.stat().st_mode)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot write the job file: {error.strerror}") from None


def with_key(text: str, section: Sequence[str], key: str, value: Any) -> str | None:
    """The text of a job file with a key of a section; None where that is not written out.

    >>> print(with_key("scores: {topic: {labels: [a]}}  # one", ("scores", "topic"), "t", [1]))
    scores: {topic: {labels: [a], t: [1]}}  # one
    """
    about: Any = composed_yaml(text)
    for name in section:
        found = _below(about, name)
        if found is None or found[1].start_mark.index < found[0].end_mark.index:
            return None  # it is not there, or an alias of what stands elsewhere
        about = found[1]
    entry = _shown({key: value})[1:-1]
    if isinstance(about, yaml.MappingNode):
        start, stop, new = _in_mapping(text, about, key, entry)
    elif about.tag == "tag:yaml.org,2002:null":
        start, stop = about.start_mark.index, about.end_mark.index
        new = f"{{{entry}}}" if text[start - 1].isspace() else f" {{{entry}}}"
    else:
        return None
    return text[:start] + new + text[stop:]


def _in_mapping(text: str, about: Any, key: str, entry: str) -> tuple[int, int, str]:
    """What to put where of the text: in the place of the key, or behind the last entry."""
    before = _below(about, key)
    if before is not None:
        return before[0].start_mark.index, _end(before[1]), entry
    if not about.value:
        return about.start_mark.index + 1, about.end_mark.index - 1, entry
    end = _end(about.value[-1][1])
    if about.flow_style:
        return end, end, f", {entry}"
    line = "\r\n" if "\r\n" in text else "\n"
    indent = " " * about.value[0][0].start_mark.column
    if text[end - 1] == "\n":
        return end, end, f"{indent}{entry}{line}"
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop - (text[stop - 1] == "\r")
    return stop, stop, f"{line}{indent}{entry}"


def _below(node: Any, key: str) -> tuple[Any, Any] | None:
    """The key and the value of an entry of a mapping."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((pair for pair in pairs if pair[0].value == key), None)


def _end(node: Any) -> int:
    """Where the text of a node ends; what YAML counts to a block goes on to the next entry."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _shown(value: dict[str, Any]) -> str:
    return yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=1_000_000, sort_keys=False
    ).strip()
