"""The student: some layers of e5, drawn to what the teachers mean, and told sentiments apart."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize
from transformers import BertModel, PreTrainedTokenizerFast

from recipes.bundled.teachers import distance

logger = logging.getLogger(__name__)

PAD = 1
_LOG_EVERY = 50


@dataclass(frozen=True)
class Lesson:
    """A text and what it means.

    Attributes:
        target: the row of what it means among the targets.
        weight: how much it counts.
        first: how likely the first pass reads it.
    """

    text: str
    target: int
    weight: float = 1.0
    first: float = 1.0


@dataclass(frozen=True)
class Opinion:
    """A text, its shares of NEG, NEU and POS, and how much it counts."""

    text: str
    shares: tuple[float, float, float]
    weight: float = 1.0


class Probe(nn.Sequential):
    """From vectors of unit length to three logits; it only teaches, and is thrown away."""

    def __init__(self, width: int = 384, hidden: int = 192) -> None:
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 3))
        with torch.no_grad():
            self[0].weight.mul_(width**0.5)


def encode(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], window: int) -> list[Tensor]:
    """Token ids of each text, cut at `window`."""
    backend = tokenizer.backend_tokenizer
    backend.enable_truncation(window)
    return [torch.tensor(found.ids) for found in backend.encode_batch_fast(list(texts))]


def read(student: BertModel, ids: Sequence[Tensor]) -> Tensor:
    """Mean of the last states of each text, at unit length, shape (texts, width)."""
    padded = nn.utils.rnn.pad_sequence(list(ids), batch_first=True, padding_value=PAD)
    mask = (padded != PAD).long()
    with torch.autocast("cpu", torch.bfloat16):
        states = student(input_ids=padded, attention_mask=mask).last_hidden_state
    return pooled(states, mask)


def pooled(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of the states of each text that are no padding, at unit length, shape (texts, width)."""
    kept = mask.unsqueeze(-1).float()
    return normalize((states.float() * kept).sum(1) / kept.sum(1), dim=-1)


def length_batches(
    ids: Sequence[Tensor], tokens: int, shuffle: np.random.Generator
) -> list[list[int]]:
    """Rows of like length, no padded batch over `tokens` tokens, in random order."""
    lengths = np.array([len(i) for i in ids])
    batches: list[list[int]] = [[]]
    longest = 0
    for row in np.argsort(-(lengths + shuffle.random(len(ids)) * 2)).tolist():
        longest = max(longest, int(lengths[row]))
        if longest * (len(batches[-1]) + 1) > tokens:
            batches.append([])
            longest = int(lengths[row])
        batches[-1].append(row)
    shuffle.shuffle(batches)
    return [batch for batch in batches if batch]


def cosent(cosine: Tensor, score: Tensor, scale: float = 20.0) -> Tensor:
    """Penalty on every two pairs whose cosines are ordered against their scores; both (pairs,).

    Source: Su 2022 (CoSENT, https://kexue.fm/archives/8847).
    """
    wrong = (cosine[None, :] - cosine[:, None]) * scale
    wrong = wrong.masked_fill(score[:, None] <= score[None, :], -1e4).flatten()
    return torch.logsumexp(torch.cat([wrong.new_zeros(1), wrong]), dim=0)


def judged(logits: Tensor, shares: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy to shares, both of shape (texts, 3), weighted."""
    return -((log_softmax(logits, 1) * shares).sum(1) * weight).sum() / weight.sum()


def rise_and_fall(optimiser: Any, steps: int) -> Any:
    """The rate of learning rises over a twentieth of the steps, and falls over the others."""
    warm = max(1, steps // 20)
    return torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, (steps - step) / (steps - warm + 1))
    )


def descend(loss: Tensor, learning: Sequence[Tensor], optimiser: Any, schedule: Any) -> None:
    """One step down a loss, by gradients of a length of at most 1 over what is learning."""
    loss.backward()
    nn.utils.clip_grad_norm_(learning, 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    schedule.step()


def teach(
    student: BertModel,
    tokenizer: PreTrainedTokenizerFast,
    lessons: Sequence[Lesson],
    targets: Tensor,
    opinions: Sequence[Opinion],
    scored: Sequence[tuple[str, str, float]],
    seed: int,
    rate: float = 4e-4,
    order: tuple[int, float] = (4, 0.2),
    tokens: int = 2048,
    window: int = 96,
) -> None:
    """One pass over lessons and opinions in random batches, in place; word vectors stay.

    Args:
        student: what learns.
        tokenizer: its own.
        lessons: texts and the rows of what they mean.
        targets: what they mean, shape (rows, width), of unit length.
        opinions: texts and their sentiment.
        scored: pairs of texts and how alike they are.
        seed: of the order of the batches.
        rate: of learning, at its height.
        order: in about one of how many batches the order of forty scored pairs is learnt too, and
            how much it counts.
        tokens: of a batch, padding included.
        window: of a text, beyond which it is cut.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    probe = Probe(student.config.hidden_size)
    ids = encode(tokenizer, [lesson.text for lesson in lessons], window)
    told = encode(tokenizer, [opinion.text for opinion in opinions], window + 32)
    sides = [
        encode(tokenizer, [a for a, _, _ in scored], window),
        encode(tokenizer, [b for _, b, _ in scored], window),
    ]
    scores = torch.tensor([pair[2] for pair in scored])
    target = torch.tensor([lesson.target for lesson in lessons])
    weight = torch.tensor([lesson.weight for lesson in lessons])
    shares = torch.tensor([opinion.shares for opinion in opinions])
    trust = torch.tensor([opinion.weight for opinion in opinions])
    work = [(True, rows) for rows in length_batches(ids, tokens, rng)]
    work += [(False, rows) for rows in length_batches(told, tokens, rng)]
    rng.shuffle(work)
    student.embeddings.word_embeddings.weight.requires_grad_(False)
    body = [p for p in student.parameters() if p.requires_grad]
    groups = [{"params": body, "lr": rate}, {"params": probe.parameters(), "lr": 1e-3}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    schedule = rise_and_fall(optimiser, len(work))
    student.train()
    started = time.monotonic()
    losses: tuple[list[float], list[float]] = ([], [])
    for step, (lesson, rows) in enumerate(work):
        if lesson:
            found = read(student, [ids[i] for i in rows])
            loss = distance(found, targets[target[rows]].float(), weight[rows])
            losses[0].append(loss.item())
            if step % order[0] == 0:
                some = rng.choice(len(scored), min(40, len(scored)), replace=False)
                a, b = read(student, [side[i] for side in sides for i in some]).chunk(2)
                loss = loss + order[1] * cosent((a * b).sum(1), scores[some])
        else:
            logits = probe(read(student, [told[i] for i in rows]))
            loss = 0.5 * judged(logits, shares[rows], trust[rows])
            losses[1].append(2 * loss.item())
        descend(loss, body, optimiser, schedule)
        if step % _LOG_EVERY == 0 or step == len(work) - 1:
            means = [float(np.mean(part[-_LOG_EVERY:])) for part in losses if part]
            spent = time.monotonic() - started
            logger.info("step %d of %d, losses %s, %.0f s", step, len(work), means, spent)
    student.eval().requires_grad_(True)
