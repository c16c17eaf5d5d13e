"""The settings files of a sentence-transformers folder: what each may say, checked in one place."""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import ModelRef

DEFAULT_TEMPERATURE = 0.05

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Size = Annotated[StrictInt, Field(ge=1)]


def _holds_label(template: str) -> str:
    if "{}" not in template:
        raise ValueError("a template needs {} where the label goes")
    return template


class _File(BaseModel):
    """A file; keys that it does not name are for others."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Module(_File):
    """An entry of modules.json."""

    type: StrictStr
    path: StrictStr = ""


Modules = Annotated[list[Module], Field(min_length=1)]


class General(_File):
    """config_sentence_transformers.json, with the keys that are Nocturna's own."""

    prompts: dict[str, StrictStr | None] = {}
    default_prompt_name: StrictStr | None = None
    similarity_fn_name: Any = None
    truncate_dim: Size | None = None
    similarity_temperature: Positive = DEFAULT_TEMPERATURE
    similarity_midpoint: Number | None = None
    similarity_spread: Positive | None = None
    similarity_templates: dict[str, Annotated[StrictStr, AfterValidator(_holds_label)]] = {}

    @model_validator(mode="before")
    @classmethod
    def _leaves_null_out(cls, found: Any) -> Any:
        if isinstance(found, dict):
            return {key: value for key, value in found.items() if value is not None}
        return found


class TransformerSettings(_File):
    """sentence_bert_config.json; what is not supported is refused by whoever reads it."""

    ARGUMENTS: ClassVar[tuple[str, ...]] = (
        *("model_args", "model_kwargs", "config_args", "config_kwargs"),
        *("tokenizer_args", "processor_kwargs"),
    )

    max_seq_length: Size | None = None
    do_lower_case: Any = False
    transformer_task: Any = None
    modality_config: Any = None
    module_output_name: Any = None
    query_expansion: Any = None
    processing_kwargs: Any = None
    model_args: dict[str, Any] | None = None
    model_kwargs: dict[str, Any] | None = None
    config_args: dict[str, Any] | None = None
    config_kwargs: dict[str, Any] | None = None
    tokenizer_args: dict[str, Any] | None = None
    processor_kwargs: dict[str, Any] | None = None


class LayerNormSettings(_File):
    """config.json of a LayerNorm module."""

    dimension: Size


class DenseSettings(_File):
    """config.json of a Dense module."""

    in_features: Size
    out_features: Size
    bias: StrictBool = True
    activation_function: StrictStr = "torch.nn.Tanh"
    use_residual: StrictBool = False
    module_input_name: StrictStr | None = None
    module_output_name: StrictStr | None = None


Kind = TypeVar("Kind")


def read_file(path: Path, kind: type[Kind], ref: ModelRef) -> Kind | None:
    """What a settings file says; None where there is no file.

    Args:
        path: the file.
        kind: what it may hold.
        ref: the model.

    Raises:
        UsageError: it is no JSON, or holds what it may not.
    """
    if not path.is_file():
        return None
    try:
        return TypeAdapter(kind).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"model {ref.name}: {path}: {where + ': ' if where else ''}{said}"
        ) from None
    except ValueError as error:
        raise UsageError(f"model {ref.name}: {path} is no JSON: {error}") from None
