"""What a sentence-transformers folder says about its own use: modules, window, case and prompts."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.recipe_files import (
    DenseSettings,
    General,
    LayerNormSettings,
    Modules,
    TransformerSettings,
    read_file,
)

POOLING_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")

_OLDER_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_POOLING_KEYS = {"word_embedding_dimension", "embedding_dimension", "include_prompt"}
_SETTINGS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
_PLAIN_TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}
_LIBRARY = "sentence_transformers."
_EMBEDDING = "sentence_embedding"
_OTHER_SIMILARITIES = {"dot", "euclidean", "manhattan"}
_CHANGES_NOTHING = {
    *("add_pooling_layer", "attn_implementation", "dtype", "torch_dtype", "trust_remote_code"),
    *("use_fast", "use_safetensors"),
}
_AFTER_POOLING = {"Dense", "LayerNorm", "Normalize", "Dropout"}


@dataclass(frozen=True)
class Projection:
    """A module after the pooling.

    Attributes:
        kind: Dense, LayerNorm, Normalize, or Truncate for a `truncate_dim`.
        folder: where its weights are.
        activation: name in torch.nn of what follows a Dense layer.
        residual: whether a Dense layer's input is added to its output.
        sizes: of a Dense layer's input and output, of what LayerNorm takes; the numbers that
            Truncate leaves.
        bias: whether a Dense layer has one.
    """

    kind: str
    folder: str = ""
    activation: str = "Identity"
    residual: bool = False
    sizes: tuple[int, ...] = ()
    bias: bool = True


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
    places = _places(ref)
    settings = _transformer_settings(folder, ref)
    pooling: dict[str, Any] = {}
    if places:
        written = places[1][1] / "config.json"
        pooling = read_file(written, dict[str, Any], ref) or {}
        if not pooling:
            raise UsageError(
                f"model {ref.name}: {written} is missing or empty, which says how its tokens are "
                "pooled; copy the whole folder"
            )
    general = read_file(folder / "config_sentence_transformers.json", General, ref) or General()
    prompt, others = _prompts(general, asked, ref)
    after = [place for place in places[2:] if place[0] != "Dropout"]
    _check_similarity(general, bool(after) and after[-1][0] == "Normalize", ref)
    alone = (general.similarity_midpoint, general.similarity_spread)
    return Recipe(
        pooling=_pooling_modes(pooling, ref),
        pools_prompt=bool(pooling.get("include_prompt", True)),
        projections=_projections(after, general.truncate_dim, ref),
        window=settings.max_seq_length,
        temperature=general.similarity_temperature,
        alone=None if alone[0] is None or alone[1] is None else (alone[0], alone[1]),
        templates=general.similarity_templates,
        lower=bool(settings.do_lower_case),
        prompt=prompt,
        prompts=others,
    )


def _places(ref: ModelRef) -> list[tuple[str, Path]]:
    """The kinds of an encoder's modules, with their folders; none for a plain encoder."""
    folder = Path(ref.folder)
    modules = read_file(folder / "modules.json", Modules, ref)
    if modules is None:
        return []
    own = [module.type for module in modules if not module.type.startswith(_LIBRARY)]
    if own:
        raise UsageError(
            f"model {ref.name}: its module {own[0]} is code of its own, which is never run; choose "
            "another encoder"
        )
    kinds = [module.type.rsplit(".", 1)[-1] for module in modules]
    expected = ["Transformer", "Pooling"]
    unknown = [kind for kind, wanted in zip(kinds, expected, strict=False) if kind != wanted]
    unknown += [kind for kind in kinds[2:] if kind not in _AFTER_POOLING]
    if unknown or len(kinds) < 2:
        raise UsageError(
            f"model {ref.name}: its module {(unknown or kinds)[0]} is not supported; choose an "
            "encoder made of a transformer, pooling, and Dense, LayerNorm or Normalize after it"
        )
    return [(kind, folder / module.path) for kind, module in zip(kinds, modules, strict=True)]


def _transformer_settings(home: Path, ref: ModelRef) -> TransformerSettings:
    names = ["sentence_bert_config.json", *(f"sentence_{kind}_config.json" for kind in _SETTINGS)]
    written = (read_file(home / name, TransformerSettings, ref) for name in names)
    found = next((one for one in written if one is not None), TransformerSettings())
    unsupported = [
        key
        for key, plain in (
            ("transformer_task", found.transformer_task in (None, "feature-extraction")),
            ("modality_config", found.modality_config in (None, {}, {"text": _PLAIN_TEXT})),
            ("module_output_name", found.module_output_name in (None, "token_embeddings")),
            ("query_expansion", not found.query_expansion),
            ("processing_kwargs", not found.processing_kwargs),
        )
        if not plain
    ]
    unsupported += [
        key
        for key in TransformerSettings.ARGUMENTS
        if (getattr(found, key) or {}).keys() - _CHANGES_NOTHING
    ]
    if unsupported:
        value = getattr(found, unsupported[0])
        raise UsageError(
            f"model {ref.name}: its setting {unsupported[0]} = {value!r} is not supported; choose "
            "another encoder"
        )
    return found


def _check_similarity(general: General, unit_length: bool, ref: ModelRef) -> None:
    """Refuses an encoder whose embeddings are not compared by their cosine."""
    told = general.similarity_fn_name
    by_dot = told == "dot" and unit_length and general.truncate_dim is None
    if told in _OTHER_SIMILARITIES and not by_dot:
        raise UsageError(
            f"model {ref.name}: its embeddings are compared by {told} (similarity_fn_name in its "
            "config_sentence_transformers.json), which is not supported; choose an encoder of "
            "cosines"
        )


def _pooling_modes(settings: dict[str, Any], ref: ModelRef) -> tuple[str, ...]:
    modes = settings.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in _OLDER_MODES.items() if settings.get(key)] or ["mean"]
    found = tuple(modes) if isinstance(modes, list) else (modes,)
    wrong = [str(mode) for mode in found if mode not in POOLING_MODES]
    wrong += settings.keys() - _OLDER_MODES.keys() - _POOLING_KEYS - {"pooling_mode"}
    if wrong or not found:
        raise UsageError(f"model {ref.name}: its pooling {', '.join(wrong)} is not supported")
    return found


def _projections(
    places: list[tuple[str, Path]], width: int | None, ref: ModelRef
) -> tuple[Projection, ...]:
    while places and places[-1][0] == "Normalize":
        places = places[:-1]
    found = [_projection(kind, at, ref) for kind, at in places]
    return (*found, *([Projection("Truncate", sizes=(width,))] if width else []))


def _projection(kind: str, folder: Path, ref: ModelRef) -> Projection:
    if kind == "Normalize":
        return Projection(kind)
    if not (folder / "config.json").is_file():
        raise UsageError(
            f"model {ref.name}: {folder / 'config.json'} is missing, which says what its module "
            f"{kind} does; copy the whole folder"
        )
    if kind == "LayerNorm":
        norm = read_file(folder / "config.json", LayerNormSettings, ref)
        assert norm is not None
        return Projection(kind, str(folder), sizes=(norm.dimension,))
    settings = read_file(folder / "config.json", DenseSettings, ref)
    assert settings is not None
    path = settings.activation_function
    if not {settings.module_input_name, settings.module_output_name} <= {None, _EMBEDDING}:
        raise UsageError(
            f"model {ref.name}: its module {kind} works on single tokens, which is not supported"
        )
    if not path.startswith("torch."):
        raise UsageError(
            f"model {ref.name}: the activation {path} of its module {kind} is not supported"
        )
    return Projection(
        kind,
        str(folder),
        path.rsplit(".", 1)[-1],
        settings.use_residual,
        (settings.in_features, settings.out_features),
        settings.bias,
    )


def _prompts(general: General, asked: str | None, ref: ModelRef) -> tuple[str, tuple[str, ...]]:
    own = {name: text or "" for name, text in general.prompts.items()}
    prompts = {name: text for name, text in own.items() if text}
    default = general.default_prompt_name
    if asked is not None:
        return _asked_prompt(own, asked, ref), ()
    if default is None:
        return "", tuple(prompts)
    if default not in own:
        raise UsageError(
            f"model {ref.name}: its default prompt {default!r} is not among its prompts "
            f"({', '.join(prompts) or 'it has none'})"
        )
    return own[default], ()


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
