"""Command options made from the job model: one option for each field that names one."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.listed import split_list
from nocturna.tasks.job.scores import DEFAULT_SCORES

many: Any = list[str]
"""Kind of an option that may be given more than once, each time with one entry or several."""

_UNWANTED = "no-sentiment"
"""Where `--no-sentiment` stands among the scores: no score can have this name."""


@dataclass(frozen=True)
class JobOption:
    """A command option for one field of the job.

    Attributes:
        flag: as typed, e.g. `--labels`.
        parameter: name of the Python parameter that receives it.
        path: keys from the job to the field.
        kind: type of the value on the command line; of a list it may be given more than once.
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
                metavar="LIST" if option.kind is many else None,
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
        section[option.path[-1]] = entries(option.flag, given) if option.kind is many else given
    return values


def entries(flag: str, given: Sequence[str] | None) -> list[str]:
    """The entries of a list, from every time that its option was given.

    Raises:
        UsageError: if one of them cannot be understood as a list.
    """
    try:
        return [entry for text in given or () for entry in split_list(text)]
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def with_scores(values: dict[str, Any], given: dict[str, Any], more: Sequence[str]) -> None:
    """Puts what the command line says about scores on top of what a job file says.

    Args:
        values: of a job, changed in place; without `scores` it has those of any job.
        given: as `job_values` gives it.
        more: `NAME=MODEL` or `NAME=LABEL,LABEL,...`: further scores.

    Raises:
        UsageError: a further score that is not written like that, or options for one that nothing
            describes.
    """
    asked = given.pop("scores", {})
    unwanted = asked.pop(_UNWANTED, None) is False
    before = values.get("scores", DEFAULT_SCORES)
    if not (asked or more or unwanted) or not isinstance(before, dict):
        return
    scores = merged(before, asked)
    for name, said in asked.items():
        if name not in before and "labels" not in said:
            first = next(
                o.flag for o in job_options() if o.path == ("scores", name, next(iter(said)))
            )
            raise UsageError(f"{first}: there is no score {name!r}; name its labels with --labels")
    for text in more:
        name, found, what = text.partition("=")
        labels = entries("--score", [what])
        if not found or not name.strip() or not labels:
            raise UsageError(
                f"--score {text!r}: write NAME=MODEL, as in emotion=pysentimiento/robertuito-"
                "emotion-analysis, or NAME=LABEL,LABEL"
            )
        scores[name.strip()] = {"labels": labels} if len(labels) > 1 else {"model": labels[0]}
    if unwanted:
        scores.pop("sentiment", None)
    values["scores"] = scores


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
        ("scores", _UNWANTED),
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
    if get_origin(annotation) is tuple:
        return many
    return annotation if annotation in (bool, int, float) else str
