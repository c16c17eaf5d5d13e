"""The student before training: the teacher's layers, and word vectors found by alignment."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertModel, PreTrainedTokenizerBase

from recipes.bundled.alignment import translation_table
from recipes.bundled.teacher import Teacher

_NULL_SHIFT = 1


def _ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    return tokenizer(list(texts), add_special_tokens=False)["input_ids"]


def aligned_word_vectors(
    teacher: Teacher, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]]
) -> NDArray[np.float32]:
    """A word vector for each word piece of the student, shape ``(vocabulary, hidden size)``.

    A piece used in the Spanish sentences is the mean of the teacher's vectors of the English
    pieces it translates to (IBM model 1 over the (English, Spanish) ``pairs``); one used in the
    English sentences is the teacher's own vector of the same piece; one used in both is their
    mean, weighted by use. The rest is spelt out in the teacher's pieces.
    """
    vectors = teacher.model.embeddings.word_embeddings.weight.detach().numpy()
    english = _ids(tokenizer, [en for en, _ in pairs])
    spanish = _ids(tokenizer, [es for _, es in pairs])
    target = _ids(teacher.tokenizer, [en for en, _ in pairs])
    table = translation_table(
        [([0, *(i + _NULL_SHIFT for i in es)], en) for es, en in zip(spanish, target, strict=True)],
        len(tokenizer) + _NULL_SHIFT,
        len(vectors),
    )[_NULL_SHIFT:]
    mass = np.asarray(table.sum(axis=1)).ravel()
    translated = (table @ vectors) / np.maximum(mass, 1e-9)[:, None]
    uses_en = Counter(i for ids in english for i in ids)
    uses_es = Counter(i for ids in spanish for i in ids)
    known = teacher.tokenizer.get_vocab()
    found = np.empty((len(tokenizer), vectors.shape[1]), dtype=np.float32)
    for piece, i in tokenizer.get_vocab().items():
        own = vectors[known[piece]] if piece in known else None
        n_es = uses_es[i] if mass[i] > 0 else 0
        n_en = uses_en[i] if own is not None else 0
        if piece in tokenizer.all_special_tokens and own is not None:
            found[i] = own
        elif n_es + n_en > 0:
            found[i] = (n_es * translated[i] + (n_en * own if own is not None else 0)) / (
                n_es + n_en
            )
        elif own is not None:
            found[i] = own
        else:
            spelt = teacher.tokenizer(piece.removeprefix("##"), add_special_tokens=False)
            found[i] = vectors[spelt["input_ids"]].mean(axis=0)
    return found


def build_student(
    teacher: Teacher, word_vectors: NDArray[np.float32], layers: Sequence[int]
) -> BertModel:
    """A BERT with the named ``layers`` of the teacher, its positions, and the given word vectors.

    The teacher's pooler comes along unused, so that the folder loads without a warning.
    """
    config = BertConfig(
        vocab_size=len(word_vectors),
        hidden_size=teacher.model.config.hidden_size,
        num_hidden_layers=len(layers),
        num_attention_heads=teacher.model.config.num_attention_heads,
        intermediate_size=teacher.model.config.intermediate_size,
        max_position_embeddings=teacher.model.config.max_position_embeddings,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    student = BertModel(config)
    state = {
        name: value
        for name, value in teacher.model.state_dict().items()
        if name.startswith(("embeddings.", "pooler.")) and "word_embeddings" not in name
    }
    for new, old in enumerate(layers):
        for name, value in teacher.model.encoder.layer[old].state_dict().items():
            state[f"encoder.layer.{new}.{name}"] = value
    state["embeddings.word_embeddings.weight"] = torch.from_numpy(word_vectors)
    student.load_state_dict(state, strict=False)
    return student
