"""Sentiment: the first layers of the encoder as they are, and two of its own above them.

What it learns is what a judge says of texts: probes of multilingual-e5-small's vectors, taught on
labelled tweets and reviews (knowledge distillation, Hinton et al. 2015,
https://arxiv.org/abs/1503.02531).
"""

import logging
import random
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from transformers import BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

from recipes.bundled.curriculum import SHARES, WEAK, make_opinions, put_together
from recipes.bundled.sources import LANGUAGES, Sources
from recipes.bundled.student import (
    Opinion,
    descend,
    encode,
    judged,
    length_batches,
    rise_and_fall,
)
from recipes.bundled.teachers import Embed
from recipes.bundled.upper import SHARED, states_of, through

logger = logging.getLogger(__name__)

LABELS = ("NEG", "NEU", "POS")
JUDGED = {"tweets": 1.0, "emoji": 0.0, "reviews": 0.4, "phrases": 0.3}
"""The share of the opinions that are read, by where they are from; all of the emoji, in Spanish."""
NEUTRAL, STILL_NEUTRAL = 0.3, 0.1
"""How much likelier neutral is than the judge's probes say, and than what learnt from it says."""
_SEEDS, _WORDS, _EVERY = (1, 2, 3), 110, 400
_PUT_TOGETHER, _SENTENCES = 7_000, 6_000
_OF_LABELS, _OF_EMOJI, _OF_TOGETHER = 0.4, 0.2, 0.5
"""What a label counts beside what the judge says."""

Judge = Callable[[Tensor], Tensor]


def learn_judge(vectors: Tensor, opinions: Sequence[Opinion]) -> Judge:
    """Probes of everything and of the tweets in their own language alone, put together.

    Args:
        vectors: of the opinions, shape (opinions, width), of unit length.
        opinions: texts with the shares of their labels.

    Returns:
        what says the shares of NEG, NEU and POS, shape (texts, 3), of vectors.
    """
    shares = torch.tensor([opinion.shares for opinion in opinions])
    weight = torch.tensor([opinion.weight for opinion in opinions])
    own = weight == 1.0
    probes = [_probe(vectors, shares, weight, seed, 6) for seed in _SEEDS]
    probes += [_probe(vectors[own], shares[own], weight[own], seed, 15) for seed in _SEEDS]
    lean = torch.tensor([0.0, NEUTRAL, 0.0])

    @torch.no_grad()
    def judge(given: Tensor) -> Tensor:
        said = torch.stack([log_softmax(probe(given), dim=1) for probe in probes]).mean(0)
        return torch.softmax(said + lean, dim=1)

    return judge


def _probe(given: Tensor, shares: Tensor, weight: Tensor, seed: int, passes: int) -> nn.Module:
    torch.manual_seed(seed)
    width, rows = given.shape[1], min(512, len(given))
    probe = nn.Sequential(
        _Centred(given.mean(0)),
        nn.Linear(width, 256),
        nn.GELU(),
        nn.Dropout(0.2),
        nn.Linear(256, len(LABELS)),
    )
    optimiser = torch.optim.AdamW(probe.parameters(), weight_decay=0.05)
    steps = len(given) // rows
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, passes * steps)
    for _ in range(passes):
        for batch in torch.randperm(len(given))[: steps * rows].split(rows):
            judged(probe(given[batch]), shares[batch], weight[batch]).backward()
            optimiser.step()
            optimiser.zero_grad()
            rate.step()
    return probe.eval().requires_grad_(False)


class _Centred(nn.Module):
    def __init__(self, centre: Tensor) -> None:
        super().__init__()
        self.centre = nn.Parameter(centre, requires_grad=False)

    def forward(self, vectors: Tensor) -> Tensor:
        return (vectors - self.centre) * 12


def make_judged(sources: Sources, many: Embed, seed: int) -> list[Opinion]:
    """What the branch reads: texts with shares between their label and what the judge says.

    Args:
        sources: texts with a label, and others without, most of them neutral.
        many: embeds texts of any language.
        seed: of the choices.
    """
    rng = random.Random(seed)
    labelled = make_opinions(sources, seed, JUDGED)
    vectors = many([_start(opinion.text) for opinion in labelled])
    judge = learn_judge(vectors, labelled)
    weak = [Opinion(text["es"], WEAK[label], 0.8) for text, label in sources.opinions["emoji"]]
    together = put_together(sources, rng, _PUT_TOGETHER)
    plain = [
        Opinion(text[rng.choice(("es", *LANGUAGES))], SHARES["neu"], 0.5)
        for text in rng.sample(sources.sentences, min(_SENTENCES, len(sources.sentences)))
    ]
    plain += [Opinion(text, SHARES["neu"], 0.5) for text in sources.speeches]
    found: list[Opinion] = []
    for trust, opinions in (
        (_OF_LABELS, labelled),
        (_OF_EMOJI, weak),
        (_OF_TOGETHER, together),
        (0.0, plain),
    ):
        told = judge(many([_start(opinion.text) for opinion in opinions])).tolist()
        for opinion, said in zip(opinions, told, strict=True):
            neg, neu, pos = np.average([opinion.shares, said], 0, [trust, 1 - trust]).tolist()
            found.append(Opinion(opinion.text, (neg, neu, pos), max(opinion.weight, 0.5)))
    return found


def _start(text: str) -> str:
    return " ".join(text.split()[:_WORDS])


def branch_of(encoder: BertModel, seed: int) -> BertForSequenceClassification:
    """A classifier that begins as the encoder, with an untaught head."""
    torch.manual_seed(seed)
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {n: i for i, n in enumerate(LABELS)}}
    config = type(encoder.config).from_dict(encoder.config.to_dict() | names)
    branch = BertForSequenceClassification(config)
    branch.bert.load_state_dict(encoder.state_dict(), strict=False)  # it has no pooler
    return branch


def teach_branch(
    branch: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerFast,
    opinions: Sequence[Opinion],
    seed: int,
    rate: float = 4e-4,
    tokens: int = 2_048,
    window: int = 128,
) -> None:
    """One pass over texts in random batches, in place; the shared layers stay as they are.

    Args:
        branch: what learns.
        tokenizer: its own.
        opinions: texts and their sentiment.
        seed: of the order of the batches.
        rate: of learning, at its height.
        tokens: of a batch, padding included.
        window: of a text, beyond which it is cut.
    """
    torch.manual_seed(seed)
    ids = encode(tokenizer, [opinion.text for opinion in opinions], window)
    states = states_of(branch.bert, ids)
    shares = torch.tensor([opinion.shares for opinion in opinions])
    weight = torch.tensor([opinion.weight for opinion in opinions])
    work = length_batches(ids, tokens, np.random.default_rng(seed))
    own = [*branch.bert.encoder.layer[SHARED:], branch.bert.pooler, branch.classifier]
    learning = [p for part in own for p in part.parameters()]
    optimiser = torch.optim.AdamW(learning, lr=rate, weight_decay=0.01, fused=True)
    schedule = rise_and_fall(optimiser, len(work))
    branch.train()
    started, losses = time.monotonic(), []
    for step, texts in enumerate(work, 1):
        given, mask = states.batch(texts)
        with torch.autocast("cpu", torch.bfloat16):
            last = through(branch.bert.encoder.layer[SHARED:], given, mask)
            logits = branch.classifier(branch.dropout(branch.bert.pooler(last)))
        loss = judged(logits.float(), shares[texts], weight[texts])
        descend(loss, learning, optimiser, schedule)
        losses.append(loss.item())
        if step % _EVERY == 0 or step == len(work):
            mean, spent = float(np.mean(losses[-_EVERY:])), time.monotonic() - started
            logger.info("step %d of %d, loss %.3f, %.0f s", step, len(work), mean, spent)
    branch.eval()
    with torch.no_grad():
        branch.classifier.bias[LABELS.index("NEU")] += STILL_NEUTRAL
