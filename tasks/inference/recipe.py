"""What a sentence-transformers folder says about its own use: modules, window, case and prompts."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import ModelRef

DEFAULT_TEMPERATURE = 0.05
POOLING_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")

_OLDER_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_SETTINGS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
_PLAIN_TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}
_LIBRARY = "sentence_transformers."
_AFTER_POOLING = {"Dense", "LayerNorm", "Normalize", "Dropout"}


@dataclass(frozen=True)
class Projection:
    """A module after the pooling.

    Attributes:
        kind: Dense, LayerNorm or Normalize.
        folder: where its settings and weights are.
        activation: name in torch.nn of what follows a Dense layer.
        residual: whether a Dense layer's input is added to its output.
    """

    kind: str
    folder: str
    activation: str = "Identity"
    residual: bool = False


@dataclass(frozen=True)
class Recipe:
    """What a sentence-transformers folder says about its own use.

    Attributes:
        pooling: what is made of the token embeddings; several are put end to end.
        pools_prompt: whether the tokens of a prompt are pooled with those of the text.
        projections: what follows the pooling, in order, before the embedding gets unit length.
        window: most tokens the encoder was made for; None where the folder does not say.
        temperature: softmax temperature for cosine similarities.
        alone: the cosine at which a label is as likely right as wrong, and the spread of the
            sigmoid around it; None where the folder does not say.
        templates: sentences with {} for a label, by language, that the encoder compares best with.
        lower: whether texts are put in lower case.
        prompt: what is read before every text.
        prompts: names of the prompts that the folder has and does not use unless asked.
    """

    pooling: tuple[str, ...]
    pools_prompt: bool
    projections: tuple[Projection, ...]
    window: int | None
    temperature: float
    alone: tuple[float, float] | None
    templates: dict[str, str]
    lower: bool
    prompt: str
    prompts: tuple[str, ...]


@lru_cache(maxsize=32)
def read_recipe(ref: ModelRef, asked: str | None = None) -> Recipe:
    """Reads how a sentence encoder is used from its folder; a plain encoder is mean-pooled.

    Args:
        ref: the model.
        asked: the prompt that the job wants: the name of one of the folder's, or itself in words;
            the folder's own default if none, and no prompt if empty.

    Raises:
        UsageError: the folder asks for a module or a setting that is not supported, or has no
            prompt of that name.
    """
    folder = Path(ref.folder)
    modules = _read_json(folder / "modules.json", ref) or []
    own = [str(m["type"]) for m in modules if not str(m["type"]).startswith(_LIBRARY)]
    if own:
        raise UsageError(
            f"model {ref.name}: its module {own[0]} is code of its own, which is never run; choose "
            "another encoder"
        )
    places = [(str(m["type"]).rsplit(".", 1)[-1], folder / m.get("path", "")) for m in modules]
    kinds = [kind for kind, _ in places]
    expected = ["Transformer", "Pooling"]
    unknown = [kind for kind in kinds[2:] if kind not in _AFTER_POOLING]
    unknown += [kind for kind, wanted in zip(kinds, expected, strict=False) if kind != wanted]
    if unknown or (modules and len(kinds) < 2):
        raise UsageError(
            f"model {ref.name}: its module {(unknown or kinds)[0]} is not supported; choose an "
            "encoder made of a transformer, pooling, and Dense, LayerNorm or Normalize after it"
        )
    settings = _transformer_settings(folder, ref)
    pooling: dict[str, Any] = {}
    if len(places) > 1:
        written = places[1][1] / "config.json"
        pooling = _read_json(written, ref)
        if not pooling:
            raise UsageError(
                f"model {ref.name}: {written} is missing or empty, which says how its tokens are "
                "pooled; copy the whole folder"
            )
    general = _read_json(folder / "config_sentence_transformers.json", ref) or {}
    prompt, others = _prompts(general, asked, ref)
    return Recipe(
        pooling=_pooling_modes(pooling, ref),
        pools_prompt=bool(pooling.get("include_prompt", True)),
        projections=_projections([place for place in places[2:] if place[0] != "Dropout"], ref),
        window=settings.get("max_seq_length"),
        temperature=float(general.get("similarity_temperature", DEFAULT_TEMPERATURE)),
        alone=_alone(general),
        templates=dict(general.get("similarity_templates") or {}),
        lower=bool(settings.get("do_lower_case", False)),
        prompt=prompt,
        prompts=others,
    )


def _alone(general: dict[str, Any]) -> tuple[float, float] | None:
    told = (general.get("similarity_midpoint"), general.get("similarity_spread"))
    return None if None in told else (float(told[0]), float(told[1]))  # type: ignore[arg-type]


def _transformer_settings(home: Path, ref: ModelRef) -> dict[str, Any]:
    names = ["sentence_bert_config.json", *(f"sentence_{kind}_config.json" for kind in _SETTINGS)]
    written = (_read_json(home / name, ref) for name in names)
    found: dict[str, Any] = next((c for c in written if c is not None), {})
    modality = found.get("modality_config")
    unsupported = [
        key
        for key, plain in (
            ("transformer_task", found.get("transformer_task") in (None, "feature-extraction")),
            ("modality_config", modality in (None, {}, {"text": _PLAIN_TEXT})),
            ("module_output_name", found.get("module_output_name") in (None, "token_embeddings")),
            ("query_expansion", not found.get("query_expansion")),
            ("processing_kwargs", not found.get("processing_kwargs")),
        )
        if not plain
    ]
    if unsupported:
        raise UsageError(
            f"model {ref.name}: its setting {unsupported[0]} = {found[unsupported[0]]!r} is not "
            "supported; choose another encoder"
        )
    return found


def _pooling_modes(settings: dict[str, Any], ref: ModelRef) -> tuple[str, ...]:
    modes = settings.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in _OLDER_MODES.items() if settings.get(key)] or ["mean"]
    found = (modes,) if isinstance(modes, str) else tuple(modes)
    wrong = [str(mode) for mode in found if mode not in POOLING_MODES]
    wrong += [k for k in settings if k.startswith("pooling_mode_") and k not in _OLDER_MODES]
    if wrong or not found:
        raise UsageError(f"model {ref.name}: its pooling {', '.join(wrong)} is not supported")
    return found


def _projections(places: list[tuple[str, Path]], ref: ModelRef) -> tuple[Projection, ...]:
    while places and places[-1][0] == "Normalize":
        places = places[:-1]
    return tuple(_projection(kind, at, ref) for kind, at in places)


def _projection(kind: str, folder: Path, ref: ModelRef) -> Projection:
    settings = _read_json(folder / "config.json", ref)
    if settings is None and kind != "Normalize":
        raise UsageError(
            f"model {ref.name}: {folder / 'config.json'} is missing, which says what its module "
            f"{kind} does; copy the whole folder"
        )
    settings = settings or {}
    wired = {settings.get(k) for k in ("module_input_name", "module_output_name")}
    path = str(settings.get("activation_function", "torch.nn.Tanh" if kind == "Dense" else ""))
    if not wired <= {None, "sentence_embedding"}:
        raise UsageError(
            f"model {ref.name}: its module {kind} works on single tokens, which is not supported"
        )
    if path and not path.startswith("torch."):
        raise UsageError(
            f"model {ref.name}: the activation {path} of its module {kind} is not supported"
        )
    activation = path.rsplit(".", 1)[-1] or "Identity"
    return Projection(kind, str(folder), activation, bool(settings.get("use_residual", False)))


def _prompts(
    general: dict[str, Any], asked: str | None, ref: ModelRef
) -> tuple[str, tuple[str, ...]]:
    if asked is not None:
        return _asked_prompt(general.get("prompts") or {}, asked, ref), ()
    prompts = {name: text for name, text in (general.get("prompts") or {}).items() if text}
    default = general.get("default_prompt_name")
    if default is None:
        return "", tuple(prompts)
    if default not in (general.get("prompts") or {}):
        raise UsageError(
            f"model {ref.name}: its default prompt {default!r} is not among its prompts "
            f"({', '.join(prompts) or 'it has none'})"
        )
    return prompts.get(default, ""), ()


def _asked_prompt(prompts: dict[str, str], asked: str, ref: ModelRef) -> str:
    if asked in prompts:
        return prompts[asked]
    if re.fullmatch(r"[\w-]+", asked):
        raise UsageError(
            f"model {ref.name}: it has no prompt called {asked!r}, only "
            f"{', '.join(prompts) or 'none at all'}; name one of its own, or write the prompt "
            "itself with its colon and space"
        )
    return asked


def _read_json(path: Path, ref: ModelRef) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise UsageError(f"model {ref.name}: {path} is no JSON: {error}") from None
