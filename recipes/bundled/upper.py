"""Teaching the upper layers alone: what the lower ones make of texts is kept for all passes."""

import logging
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertModel, PreTrainedTokenizerFast

from recipes.bundled.student import (
    PAD,
    Lesson,
    cosent,
    descend,
    encode,
    length_batches,
    pooled,
    rise_and_fall,
)
from recipes.bundled.teachers import distance

logger = logging.getLogger(__name__)

SHARED = 4
"""Layers of the encoder that both models read as they are; those above them are their own."""
_EVERY, _PAIRS = 400, 48


@dataclass(frozen=True)
class States:
    """Hidden states of texts after the lower layers.

    Attributes:
        rows: all of them end to end, shape (tokens, width), in half precision.
        bounds: where each text begins, and the end of the last, shape (texts + 1,).
    """

    rows: Tensor
    bounds: list[int]

    def batch(self, texts: Sequence[int]) -> tuple[Tensor, Tensor]:
        """States of some texts, shape (texts, tokens, width), and which of them are no padding."""
        own = [self.rows[self.bounds[i] : self.bounds[i + 1]].float() for i in texts]
        mask = [torch.ones(len(states), dtype=torch.bool) for states in own]
        padded = nn.utils.rnn.pad_sequence
        return padded(own, batch_first=True), padded(mask, batch_first=True)


@torch.no_grad()
def states_of(network: BertModel, ids: Sequence[Tensor]) -> States:
    """What the lower layers make of texts."""
    bounds = np.concatenate([[0], np.cumsum([len(i) for i in ids])]).tolist()
    rows = torch.empty(bounds[-1], network.config.hidden_size, dtype=torch.float16)
    network.eval()
    for batch in length_batches(ids, 4_096, np.random.default_rng(0)):
        padded = nn.utils.rnn.pad_sequence(
            [ids[i] for i in batch], batch_first=True, padding_value=PAD
        )
        with torch.autocast("cpu", torch.bfloat16):
            states = network.embeddings(padded)
            states = through(network.encoder.layer[:SHARED], states, padded != PAD).half()
        for i, own in zip(batch, states, strict=True):
            rows[bounds[i] : bounds[i + 1]] = own[: len(ids[i])]
    return States(rows, bounds)


def through(layers: Sequence[nn.Module], states: Tensor, mask: Tensor) -> Tensor:
    """What some layers make of states, in the precision of the context."""
    hidden = torch.zeros(mask.shape, dtype=torch.bfloat16).masked_fill(~mask, -1e4)
    for layer in layers:
        states = layer(states, hidden[:, None, None, :])
    return states


def vectors_of(layers: Sequence[nn.Module], states: States, texts: Sequence[int]) -> Tensor:
    """Mean of the last states of some texts, at unit length, shape (texts, width)."""
    given, mask = states.batch(texts)
    with torch.autocast("cpu", torch.bfloat16):
        last = through(layers, given, mask)
    return pooled(last, mask)


def teach_upper(
    student: BertModel,
    tokenizer: PreTrainedTokenizerFast,
    lessons: Sequence[Lesson],
    targets: Tensor,
    scored: Sequence[tuple[str, str, float]],
    seed: int,
    passes: int = 4,
    rate: float = 4e-4,
    order: float = 0.5,
    tokens: int = 3_072,
    window: int = 96,
    stay: float = 0.35,
) -> None:
    """Passes over lessons in random batches, in place.

    What comes out lies between the weights before and after (Wortsman et al. 2022,
    https://arxiv.org/abs/2109.01903): similarities gain by the passes, and topics lose nothing.

    Args:
        student: what learns, above its shared layers.
        tokenizer: its own.
        lessons: texts and the rows of what they mean.
        targets: what they mean, shape (rows, width), of unit length.
        scored: pairs of texts and how alike they are; every second batch learns their order too.
        seed: of the order of the batches.
        passes: over all lessons.
        rate: of learning, at its height.
        order: how much the order of pairs counts.
        tokens: of a batch, padding included.
        window: of a text, beyond which it is cut.
        stay: how much of the weights before there is in those that come out.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    ids = encode(tokenizer, [lesson.text for lesson in lessons], window)
    states = states_of(student, ids)
    sides = [
        states_of(student, encode(tokenizer, texts, window))
        for texts in ([a for a, _, _ in scored], [b for _, b, _ in scored])
    ]
    scores = torch.tensor([pair[2] for pair in scored])
    target = torch.tensor([lesson.target for lesson in lessons])
    weight = torch.tensor([lesson.weight for lesson in lessons])
    layers = student.encoder.layer[SHARED:]
    learning = list(layers.parameters())
    work = [batch for _ in range(passes) for batch in length_batches(ids, tokens, rng)]
    optimiser = torch.optim.AdamW(learning, lr=rate, weight_decay=0.01, fused=True)
    schedule = rise_and_fall(optimiser, len(work))
    before = deepcopy(layers)
    student.train()
    started, losses = time.monotonic(), []
    for step, rows in enumerate(work, 1):
        found = vectors_of(layers, states, rows)
        loss = distance(found, targets[target[rows]].float(), weight[rows])
        if step % 2 == 0:
            some = rng.choice(len(scored), min(_PAIRS, len(scored)), replace=False).tolist()
            a, b = (vectors_of(layers, side, some) for side in sides)
            loss = loss + order * cosent((a * b).sum(1), scores[some])
        descend(loss, learning, optimiser, schedule)
        losses.append(loss.item())
        if step % _EVERY == 0 or step == len(work):
            told, spent = float(np.mean(losses[-_EVERY:])), time.monotonic() - started
            logger.info("step %d of %d, loss %.3f, %.0f s", step, len(work), told, spent)
    with torch.no_grad():
        torch._foreach_lerp_(learning, list(before.parameters()), stay)
    student.eval()
