"""Writing models as the folders that ship: fp16 weights, plain configuration, no stray files."""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

_READABLE = 0o644
SHARED_FILE, OWN_FILE = (f"model-0000{n}-of-00002.safetensors" for n in (1, 2))

_SENTENCE_TRANSFORMERS_MODULES = (
    ("", "sentence_transformers.models.Transformer"),
    ("1_Pooling", "sentence_transformers.models.Pooling"),
    ("2_Normalize", "sentence_transformers.models.Normalize"),
)


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _edit_json(path: Path, **changes: Any) -> None:
    _write_json(path, json.loads(path.read_text(encoding="utf-8")) | changes)


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save for ``AutoModel`` and ``AutoTokenizer``; a model card that is there stays.

    Weights are fp16 on disk. The configuration says float32, so that nobody who follows it
    computes in half precision by accident.
    """
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else None
    if folder.exists():
        shutil.rmtree(folder)
    model.half().save_pretrained(folder)
    model.float()
    _edit_json(folder / "config.json", dtype="float32")
    # Training cut texts; what ships must not.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)
    _edit_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    (folder / "model.safetensors").chmod(_READABLE)
    if text is not None:
        card.write_text(text, encoding="utf-8")


def describe_sentence_transformer(
    folder: Path, dimensions: int, window: int, similarity_temperature: float
) -> None:
    """Add to a saved encoder what sentence-transformers reads: mean pooling, then length 1."""
    _write_json(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": kind}
            for i, (path, kind) in enumerate(_SENTENCE_TRANSFORMERS_MODULES)
        ],
    )
    _write_json(
        folder / "sentence_bert_config.json", {"max_seq_length": window, "do_lower_case": False}
    )
    _write_json(
        folder / "config_sentence_transformers.json",
        {
            "similarity_fn_name": "cosine",
            "similarity_temperature": round(similarity_temperature, 4),
        },
    )
    _write_json(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": dimensions,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )


def share_weights(encoder: Path, classifier: Path, layers: int) -> None:
    """Keeps what two saved models have in common once: word vectors and their first layers.

    Each folder has two files of weights and their index, as transformers writes large models; the
    first file of the classifier, and its tokenizer, are links to those of the encoder.

    Args:
        encoder: folder of a bare network.
        classifier: folder of the same network with a head.
        layers: how many of the first layers are the same.
    """
    first = tuple(f"encoder.layer.{number}." for number in range(layers))
    weights = {folder: _without_prefix(folder) for folder in (encoder, classifier)}
    shared = {k: v for k, v in weights[encoder].items() if k.startswith(("embeddings.", *first))}
    for name, values in shared.items():
        if not values.equal(weights[classifier][name]):
            raise ValueError(f"{name} is not the same in {encoder} and {classifier}")
    for folder, found in weights.items():
        own = {name: values for name, values in found.items() if name not in shared}
        _save_weights(own, folder / OWN_FILE)
        where = dict.fromkeys(shared, SHARED_FILE) | dict.fromkeys(own, OWN_FILE)
        size = sum(values.nbytes for values in found.values())
        index = {"metadata": {"total_size": size}, "weight_map": where}
        _write_json(folder / "model.safetensors.index.json", index)
        (folder / "model.safetensors").unlink()
    _save_weights(shared, encoder / SHARED_FILE)
    for name in (SHARED_FILE, "tokenizer.json", "tokenizer_config.json"):
        (classifier / name).unlink(missing_ok=True)
        (classifier / name).symlink_to(Path("..", encoder.name, name))


def _without_prefix(folder: Path) -> dict[str, Tensor]:
    found = load_file(folder / "model.safetensors")
    return {name.removeprefix("bert."): values for name, values in found.items()}


def _save_weights(weights: dict[str, Tensor], path: Path) -> None:
    save_file(weights, path, {"format": "pt"})
    path.chmod(_READABLE)
