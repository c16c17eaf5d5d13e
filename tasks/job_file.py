"""Jobs from YAML files and from options; every wrong key is named in one line."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tasks.addresses import redact
from tasks.errors import UsageError
from tasks.job import Job

_FOLDERS = (
    ("source", "path"),
    ("sentiment", "model"),
    ("zero_shot", "model"),
    ("zero_shot", "shortlist_model"),
)


def make_job(values: dict[str, Any], where: str) -> Job:
    """Validates a job's values.

    Args:
        values: nested values as in a job file.
        where: what the values came from, for the error message.

    Raises:
        UsageError: naming each key that is unknown or wrong.
    """
    odd = next(_not_utf8(values, ()), None)
    if odd is not None:
        raise UsageError(f"{where}: {odd[0]}: {odd[1]!r} is not UTF-8; rename it")
    try:
        return Job.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{where}: {'; '.join(_explain(e) for e in error.errors())}") from None


def read_job_values(path: Path) -> dict[str, Any]:
    """The values of a YAML job file; its source and model folders are relative to the file.

    Raises:
        UsageError: if the file is missing, is not YAML or is not a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
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
        raise UsageError(
            f"{path}: a job file is a mapping of keys such as `source` and `zero_shot`"
        )
    if "once" in values:
        raise UsageError(
            f"{path}: once: what is allowed for one run stands in no file, or it would be for "
            "every night; give --replace, --allow-shrink or --same-source on the command line"
        )
    values.setdefault("name", path.stem)
    for section, key in _FOLDERS:
        part = values.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str):
            part[key] = _beside(path, part[key], must_exist=key != "path")
    return values


def job_name_of(source: str) -> str:
    """A job name from a path, URI or data set name: its last part without endings."""
    stem = redact(source).rstrip("/").split("/")[-1].split(".")[0]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")
    return name[:80] or "corpus"


def _beside(job_file: Path, value: str, must_exist: bool) -> str:
    if "://" in value or Path(value).is_absolute():
        return value
    candidate = (job_file.parent / value).resolve()
    return str(candidate) if candidate.exists() or not must_exist else value


def _not_utf8(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Keys of texts that hold bytes which are no UTF-8, as names of files may, and the texts."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _not_utf8(below, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _not_utf8(entry, path)
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            yield ".".join(path), value


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "job"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if error["type"] == "missing":
        return f"{key}: missing"
    if error["type"] == "too_short" and key.endswith("labels"):
        return f"{key}: the label list is empty; give at least one label"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"
