"""What a job asks about its documents: any number of scores, each of a kind that a head knows."""

from typing import Annotated, Any, Union

from pydantic import BeforeValidator, Discriminator, Field, GetJsonSchemaHandler

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.job.spelling import SCORE_NAME

DEFAULT_SCORES: dict[str, dict[str, Any]] = {"sentiment": {}}
"""What a job without `scores` asks for: sentiment by the bundled model."""

ScoreName = Annotated[str, Field(pattern=SCORE_NAME)]


def kind_of(values: dict[str, Any]) -> str:
    """The kind of a score as it is described, where `kind` does not say it.

    Raises:
        ValueError: no kind of score is described like that.
    """
    for name, head in heads().items():
        if head.claims(values):
            return name
    raise ValueError(
        "give `labels` (zero-shot), `model` (a classifier) or both; `kind` says which of "
        f"{', '.join(heads())} it is"
    )


def _with_kind(values: Any) -> Any:
    if values is None:
        values = {}
    if isinstance(values, dict) and values.get("kind") is None:
        values = {**values, "kind": kind_of(values)}
    return values


def _score() -> Any:
    try:
        options = tuple(head.Options for head in heads().values())
    except UsageError as error:
        raise SystemExit(f"nocturna: {error}") from None
    by_kind, named = Discriminator("kind"), BeforeValidator(_with_kind)
    return Annotated[Union[options], by_kind, named, _AnyKind()]  # noqa: UP007


class _AnyKind:
    """To a reader of the schema a description may be of several kinds: `kind` may be left out.

    An engine checks the parameters of a deployment by the schema; we say which kind it is.
    """

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        if kinds := found.pop("oneOf", None):
            found.pop("discriminator", None)
            found["anyOf"] = kinds
        return found


Score: Any = _score()
"""The description of one score: a union made from what the heads know."""
