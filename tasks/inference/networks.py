"""Loading networks from a model folder: safely, locally, without foreign code."""

from functools import lru_cache
from threading import Lock
from typing import Any

import torch
from transformers import AutoModel, AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

from tasks.errors import UsageError
from tasks.inference.models import SAFETENSORS, ModelRef

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}

transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()


_loading = Lock()


def load_network(ref: ModelRef, head: bool, precision: str, device: str) -> Any:
    """A model ready to run; kept for the life of the process and shared by its threads.

    Args:
        ref: what to load.
        head: with its classification head, or the bare encoder.
        precision: a key of PRECISIONS.
        device: where it runs: `cpu`, `cuda` or `mps`.

    Raises:
        UsageError: weights that are broken, incomplete, or need code of their own.
    """
    with _loading:
        return _load(ref, head, precision, device)


@lru_cache(maxsize=8)
def _load(ref: ModelRef, head: bool, precision: str, device: str) -> Any:
    family = AutoModelForSequenceClassification if head else AutoModel
    try:
        network, report = family.from_pretrained(
            ref.folder,
            dtype=PRECISIONS[precision],
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=ref.weights == SAFETENSORS,
            output_loading_info=True,
        )
    except Exception as error:  # safetensors, torch and transformers each raise their own
        raise _unloadable(ref, error) from None
    missing = [key for key in report["missing_keys"] if "position_ids" not in key]
    if missing and head:
        raise UsageError(
            f"model {ref.name}: its weights lack {missing[0]} and {len(missing) - 1} more; "
            "it is not a trained sequence-classification model"
        )
    return network.eval().requires_grad_(False).to(device)


def _unloadable(ref: ModelRef, error: Exception) -> UsageError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return UsageError(f"model {ref.name}: cannot be loaded from {ref.folder}: {reason}")
