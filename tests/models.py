"""Small real models, made on the spot: random weights, real architectures, real tokenizers."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as tokenizer_models
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

TEXTS = [
    "Me encanta este curso, aprendí muchísimo y el profesor explica muy bien.",
    "Odio este producto: llegó roto y nadie contesta al teléfono.",
    "El pleno del ayuntamiento aprobó ayer los presupuestos del año que viene.",
    "La mediana resiste mejor que la media los valores extremos de la muestra.",
    "This course teaches the Transformers library and data analysis.",
    "Ni fu ni fa.",
    "ñandú, cigüeña, corazón: ¡qué de acentos! 😀 #lunes @usuario",
    "El precio subió un 3,5 % en marzo y un 2,1 % en abril, según el instituto de estadística.",
    "a",
    "El compilador avisa de un error de tipos en la línea 42 y no genera el programa. " * 4,
]
SENTIMENT = ("NEG", "NEU", "POS")
NLI = ("entailment", "neutral", "contradiction")


def _pieces(normalizer: normalizers.Normalizer, texts: Iterable[str]) -> list[str]:
    """All letters, at the start of a word and inside, then parts of words, the commonest first."""
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    words = Counter(word for t in texts for word, _ in split(normalizer.normalize_str(t)))
    letters = sorted({letter for word in words for letter in word})
    parts: Counter[str] = Counter()
    for word, count in words.items():
        for at in {0, len(word) // 2}:
            for end in {len(word), (at + len(word)) // 2}:
                if end - at > 1:
                    parts["##" * (at > 0) + word[at:end]] += count
    common = sorted(parts, key=lambda part: (-parts[part], part))
    return [*letters, *(f"##{letter}" for letter in letters), *common]


def wordpiece(
    folder: Path,
    pad_first: bool = False,
    window: int = 128,
    texts: Iterable[str] = (*TEXTS, *TEXTS, *TEXTS),
    size: int = 600,
) -> int:
    """Writes a WordPiece tokenizer of the words of some texts; returns its vocabulary size.

    It is the same each time; what the library trains depends on how its maps are ordered.
    """
    specials = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    if pad_first:
        specials[:2] = ["[PAD]", "[UNK]"]
    normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    known = [*specials, *_pieces(normalizer, texts)][:size]
    vocabulary = {piece: number for number, piece in enumerate(known)}
    backend = Tokenizer(tokenizer_models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    cls, sep = backend.token_to_id("[CLS]"), backend.token_to_id("[SEP]")
    backend.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=window,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    tokenizer.save_pretrained(folder)
    return backend.get_vocab_size()


def bert_classifier(
    folder: Path,
    labels: Sequence[str] = SENTIMENT,
    window: int = 128,
    claimed_window: int | None = None,
    safetensors: bool = True,
    problem_type: str | None = None,
    seed: int = 0,
) -> Path:
    """A BERT classifier of 2 x 32 with spread-out logits, like BETO with a pad id of 1."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = wordpiece(folder, window=claimed_window or window)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=window,
        pad_token_id=1,
        initializer_range=0.3,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        problem_type=problem_type,
    )
    network = BertForSequenceClassification(config).eval()
    network.save_pretrained(folder)
    if not safetensors:
        (folder / "model.safetensors").unlink()
        torch.save(network.state_dict(), folder / "pytorch_model.bin")
    return folder


def roberta_classifier(folder: Path, labels: Sequence[str] = NLI, window: int = 96) -> Path:
    """A RoBERTa classifier with a byte-level BPE tokenizer that claims a window of 1e30."""
    folder.mkdir(parents=True, exist_ok=True)
    backend = Tokenizer(tokenizer_models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(TEXTS * 3, trainer)
    backend.post_processor = processors.RobertaProcessing(
        ("</s>", backend.token_to_id("</s>")),
        ("<s>", backend.token_to_id("<s>")),
        add_prefix_space=False,
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        pad_token="<pad>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<mask>",
        bos_token="<s>",
        eos_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(1)
    config = RobertaConfig(
        vocab_size=backend.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=window + 2,
        pad_token_id=1,
        type_vocab_size=1,
        initializer_range=0.3,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    RobertaForSequenceClassification(config).eval().save_pretrained(folder)
    return folder


def sentence_encoder(folder: Path, pooling: str = "mean", modules: Iterable[str] = ()) -> Path:
    """A BERT sentence encoder of 2 x 32 in the sentence-transformers layout."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = wordpiece(folder, pad_first=True)
    torch.manual_seed(2)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.3,
    )
    BertModel(config).eval().save_pretrained(folder)
    kinds = ["Transformer", "Pooling", *modules]
    paths = ["", *(f"{i}_{kind}" for i, kind in enumerate(kinds[1:], start=1))]
    listing = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    modes = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    settings = {f"pooling_mode_{name}": mode == pooling for mode, name in modes.items()}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for path, content in (
        ("modules.json", listing),
        ("1_Pooling/config.json", {"word_embedding_dimension": 32, **settings}),
        ("sentence_bert_config.json", {"max_seq_length": 64}),
        ("config_sentence_transformers.json", {"similarity_temperature": 0.1}),
    ):
        (folder / path).write_text(json.dumps(content), encoding="utf-8")
    return folder


def gliclass_model(
    folder: Path,
    window: int = 128,
    sizes: tuple[int, int, int, int] = (2, 32, 4, 600),
    texts: Iterable[str] = (*TEXTS, *TEXTS, *TEXTS),
    **settings: Any,
) -> Path:
    """A GLiClass uni-encoder around a BERT, written as the format has it.

    Args:
        sizes: layers, width and heads of the BERT, and words of its tokenizer.
        texts: what the tokenizer is trained on.
        settings: further keys of the configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    depth, width, heads, size = sizes
    wordpiece(folder, pad_first=True, window=window, texts=texts, size=size)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<<LABEL>>", "<<SEP>>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(4)
    encoder = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=64 if width == 32 else 4 * width,
        max_position_embeddings=window,
        initializer_range=0.3 if width == 32 else 0.02,
    )
    weights = {f"encoder_model.{k}": v for k, v in BertModel(encoder).state_dict().items()}
    weights["logit_scale"] = torch.tensor(2.5)
    layers = [
        (f"{part}_projector.linear_{i}", width, width) for part in ("text", "classes") for i in "12"
    ]
    scorer = settings.get("scorer_type", "simple")
    if scorer == "weighted-dot":
        layers += [("scorer.proj_text", 32, 64), ("scorer.proj_label", 32, 64)]
        layers += [("scorer.out_mlp.0", 96, 128), ("scorer.out_mlp.3", 128, 1)]
    if scorer == "mlp":
        layers += [("scorer.mlp.0", 64, 256), ("scorer.mlp.2", 256, 128), ("scorer.mlp.4", 128, 1)]
    for name, taken, given in layers:
        weights[f"{name}.weight"] = torch.randn(given, taken) * 1.2 / taken**0.5
        weights[f"{name}.bias"] = torch.randn(given) * 0.2
    kept = {f"model.{name}": values.contiguous() for name, values in weights.items()}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["GLiClassModel"],
        "model_type": "GLiClass",
        "architecture_type": "uni-encoder",
        "encoder_config": encoder.to_dict(),
        "encoder_model_name": "a/name",
        "hidden_size": width,
        "vocab_size": len(tokenizer),
        "class_token_index": len(tokenizer) - 2,
        "text_token_index": len(tokenizer) - 1,
        **settings,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
