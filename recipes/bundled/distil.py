"""Teaching the student: each text is drawn to the teacher's embedding of its English.

Sources: Reimers and Gurevych 2020 (one teacher, two languages, https://arxiv.org/abs/2004.09813);
in-batch contrast against the teacher's own similarities after Fang et al. 2021 (SEED,
https://arxiv.org/abs/2101.04731); Su 2022 (CoSENT, https://kexue.fm/archives/8847) for the rows
of STS-B that carry a score.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import log_softmax, softmax
from transformers import BertModel, PreTrainedTokenizerBase

from recipes.bundled.batches import length_batches, pad
from recipes.bundled.descent import Descent
from recipes.bundled.lessons import Lesson
from recipes.bundled.parallel import Peer, train_together
from recipes.bundled.recipe import DistilRecipe
from recipes.bundled.sources import ScoredPair
from recipes.bundled.teacher import mean_pool


def _embed(student: BertModel, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    input_ids, mask = pad(ids)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = student(input_ids=input_ids, attention_mask=mask).last_hidden_state
    return mean_pool(hidden, mask)


def distillation_loss(
    embedded: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, temperature: float
) -> torch.Tensor:
    """1 - cosine to the target, plus the divergence from the teacher's in-batch similarities.

    ``embedded`` and ``target`` are ``(texts, d)`` of length 1, ``weight`` is ``(texts,)``.
    """
    distance = 1 - (embedded * target).sum(1)
    wanted = softmax(target @ target.T / temperature, dim=1)
    contrast = -(wanted * log_softmax(embedded @ target.T / temperature, dim=1)).sum(1)
    return ((4 * distance + contrast) * weight).sum() / weight.sum()


def cosent_loss(cosine: torch.Tensor, score: torch.Tensor, scale: float = 20.0) -> torch.Tensor:
    """Penalty on every two pairs whose cosines are ordered against their scores; both ``(n,)``."""
    wrong = (cosine[None, :] - cosine[:, None]) * scale
    wrong = wrong.masked_fill(score[:, None] <= score[None, :], -1e4).flatten()
    return torch.logsumexp(torch.cat([wrong.new_zeros(1), wrong]), dim=0)


def _encode(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], window: int
) -> list[list[int]]:
    return tokenizer(list(texts), truncation=True, max_length=window)["input_ids"] if texts else []


def distil(
    student: BertModel,
    tokenizer: PreTrainedTokenizerBase,
    lessons: Sequence[Lesson],
    meanings: dict[str, torch.Tensor],
    scored: Sequence[ScoredPair],
    recipe: DistilRecipe,
) -> None:
    """Train ``student`` in place, one pass over ``lessons``.

    ``meanings`` holds the teacher's embedding, ``(d,)`` of length 1, of each lesson's meaning.
    Every ``recipe.scored_every`` steps a batch of ``scored`` pairs is learnt beside the lessons.
    """
    rng = np.random.default_rng(recipe.seed)
    ids = _encode(tokenizer, [lesson.text for lesson in lessons], recipe.window)
    side_a = _encode(tokenizer, [pair.a for pair in scored], recipe.window)
    side_b = _encode(tokenizer, [pair.b for pair in scored], recipe.window)
    scores = torch.tensor([pair.score for pair in scored])
    weight = torch.tensor([lesson.weight for lesson in lessons])
    batches = length_batches([len(i) for i in ids], recipe.batch_tokens, rng)

    def lesson_loss(model: BertModel, batch: list[int]) -> torch.Tensor:
        embedded = _embed(model, [ids[i] for i in batch])
        target = torch.stack([meanings[lessons[i].meaning] for i in batch]).float()
        return distillation_loss(embedded, target, weight[batch], recipe.temperature)

    def scored_loss(model: BertModel, rows: Sequence[int]) -> torch.Tensor:
        both = _embed(model, [side_a[i] for i in rows] + [side_b[i] for i in rows])
        a, b = both.chunk(2)
        return recipe.scored_weight * cosent_loss((a * b).sum(1), scores[rows])

    def train(model: BertModel, peer: Peer) -> None:
        own_rng = np.random.default_rng((recipe.seed, peer.rank))
        own = peer.share(batches)
        descent = Descent(model, peer, recipe.learning_rate, len(own))
        for step, batch in enumerate(own):
            loss = lesson_loss(model, batch)
            if scored and step % recipe.scored_every == 0:
                rows = own_rng.choice(len(scored), min(recipe.scored_batch, len(scored)), False)
                loss = loss + scored_loss(model, rows.tolist())
            descent.step(loss)

    train_together(student, train, recipe.processes, recipe.seed)
