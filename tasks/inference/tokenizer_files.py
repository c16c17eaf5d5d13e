"""A model's tokenizer as transformers reads it from its folder: the only place that asks it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from tokenizers.normalizers import Lowercase
from tokenizers.normalizers import Sequence as Normalizers
from transformers import AutoTokenizer

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.facts import NetworkFacts, TokenizerFacts
from nocturna.tasks.inference.frames import Frame, Ids, find_frame
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.networks import load_config
from nocturna.tasks.inference.tokens import check_frame, one_by_one

_UNBOUNDED = 1_000_000
"""Tokenizers that were saved without a window claim one of about 1e30."""

_PROBES = ("a", "La 2ª prueba: ¿qué tal?", "x y", "")


def read_tokenizer(
    ref: ModelRef, network: NetworkFacts, lower: bool, prompt: str
) -> TokenizerFacts:
    """Reads the tokenizer of a model and makes sure that it belongs to the network.

    Args:
        ref: the model.
        network: what its tokens are for.
        lower: whether texts are put in lower case first, whatever the tokenizer itself does.
        prompt: what is read before every text.

    Raises:
        UsageError: the folder holds no tokenizer, or one that does not belong to the network.
    """
    tokenizer = _loaded(ref)
    if lower:
        _put_in_lower_case(tokenizer, ref)
    single, pair = find_frame(tokenizer, "a"), find_frame(tokenizer, "a", "b")
    if single is None or not _builds(tokenizer, single):
        raise UsageError(
            f"model {ref.name}: what its tokenizer puts around a text differs from text to text, "
            "which cannot be followed; choose another model"
        )
    pad_id = tokenizer.pad_token_id
    if pad_id is None:
        pad_id = getattr(load_config(ref), "pad_token_id", None) or 0
    found = TokenizerFacts(
        tokenizer=_as_json(tokenizer),
        pad_id=pad_id,
        window=_window(tokenizer.model_max_length, network, ref.name),
        uses_types=network.takes_types and "token_type_ids" in tokenizer("a"),
        unknown_id=tokenizer.unk_token_id,
        single=single,
        pair=pair if pair is not None and _builds(tokenizer, pair) else None,
        prompt_tokens=_prompt_tokens(tokenizer, prompt),
        keeps_end=tokenizer.truncation_side == "left",
    )
    check_frame(ref, found.uses_types, single, network)
    return found


def slow_tokenizer(ref: ModelRef) -> Callable[[list[str]], list[Ids]]:
    """What makes token ids of texts where only transformers' own code can."""
    tokenizer = _loaded(ref)

    def encode(texts: list[str]) -> list[Ids]:
        found = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
        return [np.array(ids, dtype=np.int32) for ids in found]

    return one_by_one(encode)


def _loaded(ref: ModelRef) -> Any:
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            ref.folder, local_files_only=True, trust_remote_code=False
        )
        if isinstance(tokenizer.model_max_length, str):  # as its settings may have it
            tokenizer.model_max_length = int(tokenizer.model_max_length)
        tokenizer(list(_PROBES))
    except Exception as error:  # each kind of tokenizer has its own ways to fail
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(f"model {ref.name}: its tokenizer cannot be loaded: {reason}") from None
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise UsageError(
            f"model {ref.name}: its tokenizer has no vocabulary but special tokens, so it knows no "
            "word; copy the model's tokenizer files beside its weights"
        )
    missing = _missing_specials(tokenizer, Path(ref.folder))
    if missing:
        raise UsageError(
            f"model {ref.name}: special tokens are missing from its tokenizer's vocabulary: "
            f"{', '.join(missing)}; copy the model's own tokenizer files beside its weights"
        )
    return tokenizer


def _missing_specials(tokenizer: Any, folder: Path) -> list[str]:
    """Special tokens that the files do not name; transformers gives them ids of its own making."""
    if (folder / "tokenizer.json").is_file():
        return []
    if (folder / "vocab.txt").is_file():
        known = set((folder / "vocab.txt").read_text(encoding="utf-8").split("\n"))
    elif (folder / "vocab.json").is_file():
        known = set(_json(folder / "vocab.json"))
    else:
        return []
    known |= set(_json(folder / "added_tokens.json"))
    declared = _json(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
    known |= {token["content"] for token in declared.values()}
    used = (tokenizer.unk_token, tokenizer.cls_token, tokenizer.sep_token)
    return [str(token) for token in used if token is not None and str(token) not in known]


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _put_in_lower_case(tokenizer: Any, ref: ModelRef) -> None:
    if not tokenizer.is_fast:
        raise UsageError(
            f"model {ref.name}: it wants texts in lower case and its tokenizer has no fast version "
            "to do that; choose another encoder"
        )
    backend = tokenizer.backend_tokenizer
    steps = [Lowercase(), *([backend.normalizer] if backend.normalizer is not None else [])]
    backend.normalizer = Normalizers(steps)


def _as_json(tokenizer: Any) -> str | None:
    if not tokenizer.is_fast:
        return None
    if tokenizer.backend_tokenizer.encode_special_tokens:
        return None  # its JSON does not say that special tokens in a text are text
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    made: str = backend.to_str()
    return made


def _prompt_tokens(tokenizer: Any, prompt: str) -> int:
    """As sentence-transformers counts them: with special tokens before, and white space after."""
    if not prompt:
        return 0
    ids = tokenizer(prompt)["input_ids"]
    return len(ids) - int(ids[-1] in tokenizer.all_special_ids)


def _builds(tokenizer: Any, frame: Frame) -> bool:
    """Whether the frame makes, of several texts, what the tokenizer itself makes of them."""
    for text in _PROBES:
        # An empty second text is to some tokenizers no second text.
        texts = [text, "b"][: len(frame.text_types)]
        whole = tokenizer(*texts)
        bare = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in texts)
        own = [np.array(ids, dtype=np.int32) for ids in bare]
        if frame.ids(*own).tolist() != list(whole["input_ids"]):
            return False
        types = whole.get("token_type_ids")
        if types is not None and frame.type_ids(*own).tolist() != list(types):
            return False
    return True


def _window(claimed: int, network: NetworkFacts, name: str) -> int:
    bounds = [n for n in (claimed, network.positions) if n and 0 < n < _UNBOUNDED]
    if not bounds:
        raise UsageError(
            f"model {name}: neither tokenizer nor config says how many tokens it can read; "
            "set model_max_length in its tokenizer_config.json"
        )
    return min(bounds)
