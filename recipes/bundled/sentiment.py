"""Sentiment classifiers: some layers of an encoder with a head, trained on shares of labels."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import log_softmax
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerBase,
)

from recipes.bundled.batches import length_batches, pad
from recipes.bundled.descent import Descent
from recipes.bundled.opinions import LABELS, Curriculum, Shares
from recipes.bundled.parallel import Peer, train_together
from recipes.bundled.recipe import FitRecipe


def build_classifier(
    encoder: BertModel, layers: Sequence[int], dropout: float, seed: int
) -> BertForSequenceClassification:
    """A classifier on the named layers of ``encoder``, with NEG, NEU and POS as its labels."""
    torch.manual_seed(seed)
    config = BertConfig.from_dict(
        encoder.config.to_dict()
        | {
            "num_hidden_layers": len(layers),
            "id2label": dict(enumerate(LABELS)),
            "label2id": {label: i for i, label in enumerate(LABELS)},
            "hidden_dropout_prob": dropout,
            "attention_probs_dropout_prob": dropout,
        }
    )
    model = BertForSequenceClassification(config)
    state = {
        name: value
        for name, value in encoder.state_dict().items()
        if name.startswith(("embeddings.", "pooler."))
    }
    for new, old in enumerate(layers):
        for name, value in encoder.encoder.layer[old].state_dict().items():
            state[f"encoder.layer.{new}.{name}"] = value
    model.bert.load_state_dict(state)
    return model


def train_classifier(
    model: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    curriculum: Curriculum,
    recipe: FitRecipe,
) -> None:
    """Train ``model`` in place by the weighted cross-entropy to the shares of each opinion.

    ``curriculum.first`` is read before ``curriculum.then``, each in random order.
    """
    rng = np.random.default_rng(recipe.seed)
    opinions = [*curriculum.first, *curriculum.then]
    texts = [opinion.text for opinion in opinions]
    ids = tokenizer(texts, truncation=True, max_length=recipe.window)["input_ids"]
    shares = torch.tensor([opinion.shares for opinion in opinions], dtype=torch.float32)
    weights = torch.tensor([opinion.weight for opinion in opinions])
    weights /= weights.mean()
    lengths = [len(i) for i in ids]
    begin = len(curriculum.first)
    batches = length_batches(lengths[:begin], recipe.batch_tokens, rng) + [
        [begin + row for row in batch]
        for batch in length_batches(lengths[begin:], recipe.batch_tokens, rng)
    ]

    def train(own: BertForSequenceClassification, peer: Peer) -> None:
        share = peer.share(batches)
        descent = Descent(own, peer, recipe.learning_rate, len(share))
        for batch in share:
            input_ids, mask = pad([ids[i] for i in batch])
            with torch.autocast("cpu", torch.bfloat16):
                logits = own(input_ids=input_ids, attention_mask=mask).logits
            surprise = -(shares[batch] * log_softmax(logits.float(), dim=1)).sum(1)
            descent.step((surprise * weights[batch]).mean())

    train_together(model, train, recipe.processes, recipe.seed)
    model.eval()


@torch.inference_mode()
def judge_shares(
    model: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    window: int,
) -> list[Shares]:
    """The shares of NEG, NEU and POS that a trained classifier gives each text."""
    ids = tokenizer(list(texts), truncation=True, max_length=window)["input_ids"]
    found = torch.empty(len(ids), len(LABELS))
    for rows in length_batches([len(i) for i in ids], tokens=8192):
        input_ids, mask = pad([ids[row] for row in rows])
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=input_ids, attention_mask=mask).logits
        found[rows] = logits.float().softmax(1)
    return [(neg, neu, pos) for neg, neu, pos in found.tolist()]
