"""Jobs from YAML files and from options; every wrong key is named in one line."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from nocturna.tasks.addresses import redact
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.base import Section
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.spelling import IN_WORDS, LONGEST
from nocturna.tasks.job.yaml_text import parsed_yaml

_OLD = ("sentiment", "zero_shot")
"""Sections of a job file of version 0.1 that `scores` has taken the place of."""

_MAPPING = "write a mapping, a line `key: value` for each key"
_DUE = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), _MAPPING),
    **dict.fromkeys(("tuple_type", "list_type"), "write a list, with `- ` before each entry"),
}
"""What is due where a value is of another kind than its key, by pydantic's name of the error."""

_log = logging.getLogger(__name__)


def make_job(values: dict[str, Any], where: str) -> Job:
    """Validates a job's values.

    Args:
        values: nested values as in a job file.
        where: what the values came from, for the error message.

    Raises:
        UsageError: naming each key that is unknown or wrong.
    """
    odd = next(_odd_texts(values, ()), None)
    if odd is not None:
        raise UsageError(f"{where}: {odd[0]}: {odd[1]}")
    try:
        return Job.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        inner = {e["loc"][:n] for e in found for n in range(1, len(e["loc"]))}
        told = [_explain(e) for e in found if e["loc"] not in inner]
        raise UsageError(f"{where}: {'; '.join(told)}") from None


def read_job_values(path: Path) -> dict[str, Any]:
    """The values of a YAML job file; source, gold files and model folders are relative to it.

    Raises:
        UsageError: if the file is missing, is not YAML, has a key twice or is not a mapping.
    """
    try:
        values = parsed_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the job file: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the job file is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise UsageError(f"{path}{line}: not valid YAML: {problem}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path}: a job file is a mapping of keys such as `source` and `scores`")
    if "once" in values:
        raise UsageError(
            f"{path}: once: what is allowed for one run stands in no file, or it would be for "
            "every night; give --replace, --allow-shrink or --same-source on the command line"
        )
    values.setdefault("name", path.stem)
    values = in_new_form(values, str(path))
    scores = values.get("scores")
    gold = values.get("gold")
    groups = [group for group in (scores, gold) if isinstance(group, dict)]
    parts = [values.get("source"), *(part for group in groups for part in group.values())]
    for part in parts:
        for key in part if isinstance(part, dict) else ():
            if key == "path" and isinstance(part[key], list):
                part[key] = [_beside(path, one, must_exist=False) for one in map(str, part[key])]
            elif isinstance(part[key], str) and (key == "path" or key.endswith("model")):
                part[key] = _beside(path, part[key], must_exist=key != "path")
    return values


def in_new_form(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Values of a job file of version 0.1 as they are written now, said in one line.

    Raises:
        UsageError: a part of the old form is no mapping.
    """
    if not any(key in values for key in _OLD):
        return values
    old = {key: values.get(key) for key in _OLD}
    odd = next((key for key, part in old.items() if not isinstance(part or {}, dict)), None)
    if odd is not None:
        raise UsageError(f"{where}: {odd}: unknown key; describe what to score under `scores`")
    sentiment, topic = (dict(old[key] or {}) for key in _OLD)
    scores: dict[str, Any] = {}
    if sentiment.pop("enabled", True):
        scores["sentiment"] = sentiment
    if old["zero_shot"] is not None:
        method = topic.pop("method", None)
        scores["topic"] = {"labels": None, **topic, **({"kind": method} if method else {})}
    shown = yaml.safe_dump(
        {"scores": scores}, default_flow_style=True, allow_unicode=True, width=10_000
    ).strip()
    _log.warning("%s: `sentiment` and `zero_shot` are now written as %s", where, shown)
    new = {key: value for key, value in values.items() if key not in _OLD}
    return new | {"scores": {**scores, **(values.get("scores") or {})}}


def job_name_of(source: str) -> str:
    """A job name from a path, URI or data set name: its last part without endings."""
    stem = redact(source).rstrip("/").split("/")[-1].split(".")[0]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")
    return name[:LONGEST] or "corpus"


def _beside(job_file: Path, value: str, must_exist: bool) -> str:
    if "://" in value or "\0" in value or Path(value).is_absolute():
        return value
    candidate = (job_file.parent / value).resolve()
    return str(candidate) if candidate.exists() or not must_exist else value


def _odd_texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Keys of texts that no file, model or service takes, and what is wrong with each."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _odd_texts(below, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _odd_texts(entry, path)
    elif isinstance(value, str) and "\0" in value:
        yield ".".join(path), f"{value!r} holds a NUL character; take it out"
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            yield ".".join(path), f"{value!r} is not UTF-8; rename it"


def _explain(error: Any) -> str:
    parts = [str(part) for part in error["loc"]]
    if parts[:1] == ["scores"]:
        del parts[2:3]  # the kind, which nobody wrote
    key = ".".join(parts) or "job"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if error["type"] == "missing":
        return f"{key}: missing"
    if error["type"] == "too_short" and key == "scores":
        return "scores: nothing to score; name at least one score"
    if error["type"] == "string_pattern_mismatch":
        due = IN_WORDS[error["ctx"]["pattern"]]
        return f"{key}: {error['input']!r} is there; use {due}"
    if error["type"] in _DUE:
        # what stands there may be a secret, so only its kind is said
        return f"{key}: {_kind(error['input'])} is there; {_DUE[error['type']]}{_keys(error)}"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"


def _kind(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    kinds = {str: "a text", bool: "yes or no", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), "a number")


def _keys(error: Any) -> str:
    """The keys of the section that is due, where one is."""
    name = error.get("ctx", {}).get("class_name")
    section = next((kind for kind in Section.__subclasses__() if kind.__name__ == name), None)
    keys = list(section.model_fields) if section else []
    more = ["…"] if keys[3:] else []
    return f" ({', '.join(keys[:3] + more)})" if keys else ""
