"""Command options made from the job model: one option for each field that names one."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tasks.errors import UsageError
from tasks.inference.heads import heads
from tasks.job import Job
from tasks.sections.scores import DEFAULT_SCORES


@dataclass(frozen=True)
class JobOption:
    """A command option for one field of the job.

    Attributes:
        flag: as typed, e.g. `--labels`.
        parameter: name of the Python parameter that receives it.
        path: keys from the job to the field.
        kind: type of the value on the command line.
        help: what the option does, from the field's description.
    """

    flag: str
    parameter: str
    path: tuple[str, ...]
    kind: type
    help: str
    panel: str


def job_options() -> list[JobOption]:
    """Every option of `nocturna score`: those of the scores, then in the order of the job model."""
    return [*_score_options(), *_options(Job, ())]


def with_job_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command every job option; the function receives their values as `options`.

    Args:
        function: a command whose last parameter is `**options`.
    """
    own = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    made = [
        inspect.Parameter(
            option.parameter,
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Option(
                None,
                option.flag,
                help=option.help,
                show_default=False,
                rich_help_panel=option.panel,
            ),
            annotation=option.kind | None,
        )
        for option in job_options()
    ]
    function.__signature__ = inspect.Signature([*own, *made])  # type: ignore[attr-defined]
    return function


def job_values(options: dict[str, Any]) -> dict[str, Any]:
    """The given options as nested values of a job; options that were not given are left out."""
    values: dict[str, Any] = {}
    for option in job_options():
        given = options.get(option.parameter)
        if given is None:
            continue
        section = values
        for key in option.path[:-1]:
            section = section.setdefault(key, {})
        section[option.path[-1]] = given
    return values


def with_scores(values: dict[str, Any], given: dict[str, Any], more: Sequence[str]) -> None:
    """Puts what the command line says about scores on top of what a job file says.

    Args:
        values: of a job, changed in place; without `scores` it has those of any job.
        given: as `job_values` gives it.
        more: `NAME=MODEL` or `NAME=LABEL,LABEL,...`: further scores.

    Raises:
        UsageError: a further score that is not written like that.
    """
    asked = given.pop("scores", {})
    unwanted = asked.pop("sentiment_", None) is False
    if not (asked or more or unwanted):
        return
    scores = values.get("scores", DEFAULT_SCORES)
    values["scores"] = scores = merged(scores, asked) if isinstance(scores, dict) else asked
    for text in more:
        name, found, what = text.partition("=")
        if not found or not name.strip() or not what.strip():
            raise UsageError(
                f"--score {text!r}: write NAME=MODEL, as in emotion=pysentimiento/robertuito-"
                "emotion-analysis, or NAME=LABEL,LABEL"
            )
        scores[name.strip()] = {"labels" if "," in what else "model": what.strip()}
    if unwanted:
        scores.pop("sentiment", None)


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Nested values with those of `over` on top."""
    both = dict(base)
    for key, value in over.items():
        below = both.get(key)
        both[key] = merged(below, value) if isinstance(below, dict) and below else value
    return both


def _score_options() -> Iterator[JobOption]:
    """Options about the scores that have one of their own, each once, from what the heads know."""
    yield JobOption(
        "--sentiment/--no-sentiment",
        "sentiment_",
        ("scores", "sentiment_"),
        bool,
        "Score sentiment",
        "Scores",
    )
    seen: dict[str, JobOption] = {}
    for head in heads().values():
        for name, field in head.Options.model_fields.items():
            extra = field.json_schema_extra
            if not (isinstance(extra, dict) and "score" in extra):
                continue
            path = ("scores", str(extra["score"]), name)
            seen.setdefault(str(extra["option"]), _option(str(extra["option"]), path, field))
    yield from seen.values()
    kinds = ", ".join(heads())
    yield JobOption(
        "--method",
        "method_",
        ("scores", "topic", "kind"),
        str,
        f"Kind of the score `topic` where its model does not say; one of {kinds}",
        "Scores",
    )


def _option(flag: str, path: tuple[str, ...], field: FieldInfo) -> JobOption:
    return JobOption(
        flag=flag,
        parameter=flag.split("/", maxsplit=1)[0].removeprefix("--").replace("-", "_") + "_",
        path=path,
        kind=_kind_of(field.annotation),
        help=_help(field),
        panel=path[0].replace("_", " ").capitalize() if len(path) > 1 else "Job",
    )


def _options(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[JobOption]:
    for name, field in model.model_fields.items():
        below = _model_of(field.annotation)
        if below is not None:
            yield from _options(below, (*path, name))
            continue
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "option" in extra:
            yield _option(str(extra["option"]), (*path, name), field)


def _help(field: FieldInfo) -> str:
    text = (field.description or "").rstrip(".")
    choices = _choices(field.annotation)
    if choices:
        text += f"; one of {', '.join(choices)}"
    default = field.get_default()
    if default not in (None, (), False) and not field.is_required():
        text += f" (default: {default})"
    return text


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for kind in (annotation, *get_args(annotation)):
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            return kind
    return None


def _choices(annotation: Any) -> list[str]:
    for kind in (annotation, *get_args(annotation)):
        if get_origin(kind) is Literal:
            return [str(choice) for choice in get_args(kind)]
    return []


def _kind_of(annotation: Any) -> type:
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(k for k in get_args(annotation) if k is not type(None))
    return annotation if annotation in (bool, int, float) else str
