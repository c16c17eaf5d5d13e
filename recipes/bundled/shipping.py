"""Writing a model as the folder that ships: fp16 weights, plain configuration, no stray files."""

import json
import shutil
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

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
    (folder / "model.safetensors").chmod(0o644)
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
