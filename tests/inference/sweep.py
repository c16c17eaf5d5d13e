"""A tiny random classifier of every architecture, against the pipeline, one text at a time.

    python -m tests.inference.sweep [model types...]
    python -m tests.inference.sweep --table docs/models.md [model types...]

prints a line for each: equal, refused by name, or how far off; or writes them down as a table, in
which only the rows of the architectures named are made anew. The tests run it too.
"""

import random
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
    pipeline,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as ARCHITECTURES,
)

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.architectures import REFUSED
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import Scores, score_texts
from nocturna.tasks.job.job import Compute
from tests.inference.plans import plan_scores, values
from tests.models import SENTIMENT, TEXTS, wordpiece

BACKENDS = ("torch", "openvino")
HEAD = """# Which models

Every architecture of transformers {transformers} with a sequence-classification head: a tiny
random model of each, {texts} texts (empty, one token, as long as the window, longer, emojis,
special tokens written out), in batches and orders. In fp32 *equal* is equal to
`transformers.pipeline`, a text at a time, to 1e-5; *refused* is one line that names the reason;
*not tried* is one of which no tiny model could be made here. Where OpenVINO cannot convert an
architecture, torch runs it, and the column says what came out. bf16 and int8 have the largest
difference of a score from fp32 as a night would compute them, *fp32* where the architecture, or
the processor that wrote this, runs in that instead. The models are random, so that every text is
near the border of two labels: a difference says that the format works, not how much a trained model
loses.

```
python -m tests.inference.sweep --table docs/models.md
```

`nocturna check-model NAME` says the same of a model of your own.

| architecture | torch fp32 | OpenVINO fp32 | bf16 | int8 | remarks |
|---|---|---|---|---|---|
"""

WINDOW = 120
TOLERANCE = 1e-5
LARGEST = 2_000_000
"""Parameters of a tiny model; one whose configuration knows other names for sizes has more."""

SAMPLE = [
    *TEXTS[:9],
    "",
    " ".join("abc" for _ in range(14)),
    "La etiqueta <s>así</s> cierra.",
    "y </s> </s> dos <pad> [SEP] [PAD] <|endoftext|> [MASK] fin",
    "😀 " * 5,
]
"""Texts that fit the window of every tokenizer here, some with special tokens written out."""

_WORDPIECE = frozenset(
    {"albert", "bert", "convbert", "distilbert", "electra", "ernie", "fnet", "funnel", "ibert"}
    | {"megatron-bert", "mobilebert", "mpnet", "nomic_bert", "nystromformer", "rembert"}
    | {"roformer", "squeezebert", "yoso"}
)
_DECODERS = frozenset({"gpt2", "gpt_neo", "gpt_neox", "gptj", "llama", "mistral", "qwen2", "phi"})
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.3,
}
_SEQ2SEQ: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "init_std": 0.3,
}
_GPT: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}
_T5: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 1,
    "num_decoder_layers": 1,
    "num_heads": 4,
    "initializer_factor": 5.0,
}
_KV = {**_SIZES, "num_key_value_heads": 2, "head_dim": 8}
_LATENT: dict[str, Any] = {
    **{**_SIZES, "num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 16},
    **{"qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8},
    **{"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    **{"n_group": 1, "topk_group": 1, "moe_intermediate_size": 32, "first_k_dense_replace": 1},
}
_EXPERTS: dict[str, Any] = {
    **{**_KV, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32},
    **{"num_experts": 4, "num_experts_per_tok": 2, "linear_num_value_heads": 4},
    **{"linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8},
}
_OWN: dict[str, dict[str, Any]] = {
    "albert": {**_SIZES, "embedding_size": 16},
    "electra": {**_SIZES, "embedding_size": 16},
    "distilbert": {
        **{"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "initializer_range": 0.3}
    },
    **dict.fromkeys(("axk1", "axk2", "deepseek_v2", "deepseek_v3"), _LATENT),
    "eurobert": _KV,
    "falcon": _SIZES,
    "bart": _SEQ2SEQ,
    "mbart": _SEQ2SEQ,
    "plbart": _SEQ2SEQ,
    "mvp": _SEQ2SEQ,
    "bigbird_pegasus": {**_SEQ2SEQ, "block_size": 2, "num_random_blocks": 1},
    "led": {**_SEQ2SEQ, "attention_window": [4]},
    "big_bird": {**_SIZES, "block_size": 2, "num_random_blocks": 1},
    "longformer": {**_SIZES, "attention_window": [4, 4]},
    "t5": _T5,
    "mt5": _T5,
    "umt5": _T5,
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64, "initializer_range": 0.3},
    "funnel": {
        **{"d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 64, "block_sizes": [1, 1]},
        **{"initializer_std": 0.3},
    },
    "xlm": {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "embed_init_std": 0.3},
    "flaubert": {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "embed_init_std": 0.3},
    "ctrl": {**_GPT, "dff": 64},
    "openai-gpt": _GPT,
    "gpt2": _GPT,
    "gptj": {**_GPT, "rotary_dim": 4},
    "gpt-sw3": _GPT,
    "gpt_bigcode": _GPT,
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3},
    "gpt_neo": {
        **{"hidden_size": 32, "num_layers": 2, "num_heads": 4, "initializer_range": 0.3},
        "attention_types": [[["global", "local"], 1]],
    },
    "mobilebert": {**_SIZES, "embedding_size": 32, "intra_bottleneck_size": 32},
    "squeezebert": {
        **{**_SIZES, "embedding_size": 32},
        **{f"{part}_groups": 1 for part in ("q", "k", "v", "post_attention")},
        **{"intermediate_groups": 1, "output_groups": 1},
    },
    "modernbert": {**_SIZES, "local_attention": 8, "global_attn_every_n_layers": 2},
    "deberta": {**_SIZES, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "deberta-v2": {
        **_SIZES,
        **{"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
        **{"norm_rel_ebd": "layer_norm", "share_att_key": True, "type_vocab_size": 0},
    },
    **dict.fromkeys(("qwen2_moe", "qwen3_moe", "qwen3_next"), _EXPERTS),
    "mistral4": _LATENT,
    "luke": {**_SIZES, "entity_vocab_size": 10, "entity_emb_size": 16},
    "rembert": {**_SIZES, "input_embedding_size": 16, "output_embedding_size": 16},
    "xmod": {**_SIZES, "languages": ["en_XX"], "default_language": "en_XX"},
    "opt": {**_SIZES, "ffn_dim": 64, "word_embed_proj_dim": 32, "init_std": 0.3},
    "biogpt": _SIZES,
    "nystromformer": {**_SIZES, "num_landmarks": 8, "segment_means_seq_len": 120},
}
_OFFSET = frozenset(
    {"camembert", "data2vec-text", "ibert", "longformer", "luke", "mpnet", "roberta"}
    | {"roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"}
)


class NotTried(Exception):
    """There is nothing to compare with."""


@dataclass(frozen=True)
class Found:
    """What the sweep found of one architecture on one backend.

    Attributes:
        verdict: `equal`, `refused`, `off`, or `not made` where transformers itself cannot.
        remark: the refusal, or the largest difference.
    """

    model_type: str
    backend: str
    verdict: str
    remark: str


def tiny_classifier(folder: Path, model_type: str, labels: Iterable[str] = SENTIMENT) -> Path:
    """A random classifier of an architecture, with a tokenizer of its kind.

    Raises:
        Exception: whatever transformers raises where the small sizes do not fit the architecture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = list(labels)
    tokens = _tokenizer(folder, model_type)
    sizes = _OWN.get(model_type, _KV if model_type not in _WORDPIECE else _SIZES)
    unset = () if model_type == "modernbert-decoder" else ("pad_token_id",)
    positions = WINDOW + 2 if model_type in _OFFSET else WINDOW
    given = {
        **{name: v for name, v in tokens.items() if v is not None or name in unset},
        **({"max_position_embeddings": positions} if model_type != "xlnet" else {}),
        "id2label": dict(enumerate(names)),
        "label2id": {name: i for i, name in enumerate(names)},
    }
    torch.manual_seed(7)
    config = AutoConfig.for_model(model_type, **{**sizes, **given})
    with torch.device("meta"):
        whole = AutoModelForSequenceClassification.from_config(config)
    parameters = sum(values.numel() for values in whole.parameters())
    if parameters > LARGEST:
        raise ValueError(f"{parameters:,} parameters with the small sizes, which are too many")
    network = AutoModelForSequenceClassification.from_config(config).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for values in network.parameters():  # some architectures begin with weights near nothing
            if values.ndim > 1:
                noise = torch.randn(values.shape, generator=generator)
                values.copy_(noise * 0.6 / values.shape[-1] ** 0.5 * 1.5)
    network.save_pretrained(folder)
    return folder


def compare(folder: Path, backend: str, reload: bool = False) -> float:
    """Largest difference of any score from the pipeline's, over batches and orders.

    Args:
        backend: `torch` or `openvino`.
        reload: whether the pipeline is loaded anew for each text, for networks that a text changes.

    Raises:
        UsageError: the model is refused.
    """
    plan = _plan(folder)
    run = running(Compute(device="cpu", backend=backend, workers=1), "fp32")
    sample = _sample(plan)
    expected = _expected(folder, sample, _window(plan), reload)
    worst = 0.0
    for seed, batch_tokens in ((1, 64), (2, 4000)):
        order = random.Random(seed).sample(range(len(sample)), k=len(sample))
        texts = [sample[i] for i in order]
        scores = score_texts(plan, texts, replace(run, batch_tokens=batch_tokens))
        worst = max(worst, _difference(scores, expected[order]))
    return worst


def deviates(folder: Path, precision: str) -> str:
    """Largest difference of a score from fp32 in another precision, as a night would run it."""
    plan = _plan(folder)
    exact = values(score_texts(plan, SAMPLE, _OPENVINO), "sentiment")
    found = values(score_texts(plan, SAMPLE, replace(_OPENVINO, precision=precision)), "sentiment")
    off = _off(found, exact)
    return "fp32" if off < 1e-7 else f"{off:.3f}"


def _plan(folder: Path) -> InferencePlan:
    return plan_scores({"sentiment": {"model": folder}}, {"policy": "truncate"})


def _window(plan: InferencePlan) -> int:
    """Tokens of a text that the model reads, special tokens included."""
    (score,) = plan.scores
    (reader,) = heads()[score.kind].readers(score)
    return reader.tokenizer.window


def _sample(plan: InferencePlan) -> list[str]:
    """The sample, a text exactly as long as the window, one a token longer, and a long one."""
    (score,) = plan.scores
    (reader,) = heads()[score.kind].readers(score)
    tokenizer, word = reader.tokenizer, TEXTS[0]
    capacity = tokenizer.window - tokenizer.single.added
    longer: list[str] = []
    while len(longer) < 2:
        word += " a"
        (ids,) = tokenizer.encode([word])
        if len(ids) >= capacity:
            longer.append(word)
    return [*SAMPLE, *longer, " ".join([TEXTS[2]] * 30)]


_OPENVINO = running(Compute(device="cpu", backend="openvino", workers=1), "fp32")


def sweep(model_types: Iterable[str], backends: Iterable[str], folder: Path) -> list[Found]:
    """Tries architectures one after the other."""
    found = []
    for model_type in model_types:
        try:
            made = tiny_classifier(folder / model_type, model_type)
        except Exception as error:
            found.append(Found(model_type, "", "not made", str(error).splitlines()[0][:150]))
            continue
        for backend in backends:
            found.append(_tried(made, model_type, backend))
    return found


def _tried(folder: Path, model_type: str, backend: str) -> Found:
    try:
        off = compare(folder, backend, reload="big" in model_type)
    except NotTried as reason:
        return Found(model_type, backend, "not tried", str(reason))
    except UsageError as refusal:
        return Found(model_type, backend, "refused", str(refusal).replace(str(folder), "M"))
    except Exception as error:
        lines = str(error).splitlines() or [""]
        return Found(model_type, backend, "failed", f"{type(error).__name__}: {lines[0][:150]}")
    return Found(model_type, backend, "equal" if off < TOLERANCE else "off", f"{off:.1e}")


def _expected(folder: Path, sample: list[str], window: int, reload: bool) -> np.ndarray:
    run = pipeline("text-classification", model=str(folder), top_k=None, device=-1)
    cut = {"truncation": True, "max_length": window}
    rows = []
    for text in sample:
        if reload:
            run = pipeline("text-classification", model=str(folder), top_k=None, device=-1)
        try:
            said = {found["label"]: found["score"] for found in run([text], **cut)[0]}
        except Exception:  # nothing is left of the text, or too little
            said = dict.fromkeys(SENTIMENT, np.nan)
        rows.append([said[label] for label in SENTIMENT])
    if np.isfinite(rows).all(axis=1).sum() < len(sample) - 2:
        raise NotTried("the pipeline itself fails on most of the texts")
    spread = float(np.nanmax(np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0)))
    if spread < 0.01:
        raise NotTried("the tiny model gives every text the same score")
    return np.array(rows)


def _difference(scores: Scores, expected: np.ndarray) -> float:
    """Largest difference; 1 where only one of the two has a score."""
    return _off(values(scores, "sentiment"), expected)


def _off(found: np.ndarray, expected: np.ndarray) -> float:
    if (np.isnan(found) != np.isnan(expected)).any():
        return 1.0
    return float(np.nanmax(np.abs(found - expected)))


def _tokenizer(folder: Path, model_type: str) -> dict[str, int | None]:
    """Saves a tokenizer as the architecture has it; gives the sizes and ids for its config."""
    if model_type in _WORDPIECE:
        size = wordpiece(folder, pad_first=True, window=WINDOW, size=300)
        return {"vocab_size": size, "pad_token_id": 0}
    if model_type in ("xlnet", "xlm", "flaubert"):
        return _at_end(folder, segments=model_type == "xlnet")
    return _byte_level(folder, around=not _is_decoder(model_type))


def _is_decoder(model_type: str) -> bool:
    config = AutoConfig.for_model(model_type)
    return model_type in _DECODERS or (
        (
            getattr(config, "is_decoder", False)
            or "bos_token_id" not in vars(config)
            or not hasattr(config, "hidden_dropout_prob")
        )
        and model_type not in (*_OFFSET, *_OWN)
    )


def _byte_level(folder: Path, around: bool) -> dict[str, int | None]:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if around else ["<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(TEXTS * 3, trainer)
    if around:
        ends = [(name, backend.token_to_id(name)) for name in ("</s>", "<s>")]
        backend.post_processor = processors.RobertaProcessing(*ends, add_prefix_space=False)
        named = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>"}
        named |= {"unk": "<unk>", "mask": "<mask>"}
    else:
        named = dict.fromkeys(("bos", "eos", "unk"), "<|endoftext|>")
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=WINDOW,
        model_input_names=["input_ids", "attention_mask"],
        **{f"{name}_token": token for name, token in named.items()},
    ).save_pretrained(folder)
    end = backend.token_to_id(named["eos"])
    return {
        "vocab_size": backend.get_vocab_size(),
        "pad_token_id": backend.token_to_id("<pad>") if around else None,
        "bos_token_id": backend.token_to_id(named["bos"]),
        "eos_token_id": end,
        "decoder_start_token_id": end,
    }


def _at_end(folder: Path, segments: bool) -> dict[str, int | None]:
    names = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>"]
    signs = sorted({sign for text in TEXTS for sign in text} | {"\u2581"})
    pieces = [*((name, 0.0) for name in names), *((s, -5.0 - i / 50) for i, s in enumerate(signs))]
    words = sorted({word for text in TEXTS for word in text.split()})[::2]
    pieces += [(f"\u2581{word}", -3.0 - i / 50) for i, word in enumerate(words)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    first, last = ("", " <cls>:2") if segments else ("<s>:0 ", "")
    tokens = [(name, backend.token_to_id(name)) for name in ("<sep>", "<cls>", "<s>")]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{first}$A:0 <sep>:0{last}",
        pair=f"{first}$A:0 <sep>:0 $B:1 <sep>:1{last}",
        special_tokens=tokens,
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=512,
        padding_side="left" if segments else "right",
        **{f"{name}_token": f"<{name}>" for name in ("unk", "cls", "sep", "pad", "mask")},
        model_input_names=[
            "input_ids",
            *(["token_type_ids"] if segments else []),
            "attention_mask",
        ],
    ).save_pretrained(folder)
    return {"vocab_size": backend.get_vocab_size(), "pad_token_id": backend.token_to_id("<pad>")}


def main() -> None:
    """Prints what is found of the architectures named, or of all; or writes it down as a table."""
    given = sys.argv[1:]
    table = Path(given[1]) if given[:1] == ["--table"] else None
    names = given[2:] if table else given
    for name in names or sorted(ARCHITECTURES):
        with tempfile.TemporaryDirectory() as folder:
            everything = sweep([name], BACKENDS, Path(folder)) if name not in REFUSED else []
            for found in everything:
                print(f"{found.model_type:22}{found.backend:10}{found.verdict:9}{found.remark}")
            if table is not None:
                write_row(table, name, everything, Path(folder) / name)


def write_row(page: Path, name: str, known: list[Found], folder: Path) -> None:
    """Puts what is known of an architecture into the table of a page, in the place of its name."""
    verdicts = [found.verdict for found in known]
    remarks = {f.remark.replace("|", "/") for f in known if f.verdict != "equal"}
    formats = ["", ""]
    if name in REFUSED:
        verdicts, remarks = ["refused"] * len(BACKENDS), {str(REFUSED[name])}
    elif verdicts == ["not made"]:
        verdicts = ["not tried"] * len(BACKENDS)
    elif not {"refused", "failed", "not tried"} & set(verdicts):
        formats = [deviates(folder, precision) for precision in ("bf16", "int8")]
    cells = [f"`{name}`", *verdicts, *formats, "; ".join(sorted(remarks))]
    rows = [line for line in _lines(page) if not line.startswith(f"| `{name}` |")]
    rows = sorted([*rows, f"| {' | '.join(cells)} |"])
    head = HEAD.format(transformers=version("transformers"), texts=len(SAMPLE) + 3)
    page.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")


def _lines(page: Path) -> list[str]:
    written = page.read_text(encoding="utf-8").splitlines() if page.is_file() else []
    return [line for line in written if line.startswith("| `")]


if __name__ == "__main__":
    main()
