"""How much faster than transformers' pipelines: python -m tests.benchmarks.inference

A BERT-base (12 x 768, vocabulary 31,002) of random weights, whose speed is that of trained ones,
over the speeches corpus in its natural order; every way takes its turn in every round.
"""

import argparse
import gzip
import json
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    pipeline,
)

from tasks.cores import usable_cores
from tasks.inference.device import usable_precisions
from tasks.inference.models import resolve_model
from tasks.inference.planned import InferencePlan, SentimentPlan, TopicPlan
from tasks.inference.running import running
from tasks.inference.scorer import score_texts
from tasks.job import Compute, LongDocuments

ROOT = Path(__file__).parents[2]
SPEECHES = ROOT.parent / "shared" / "data" / "load" / "speeches-es.jsonl.gz"
SAMPLE = ROOT / "data" / "samples" / "opiniones.jsonl"
VOCABULARY = 31_002
LABELS = ("entailment", "neutral", "contradiction")
TOPICS = ("política", "computación", "estadística", "deportes", "salud", "cultura", "economía")
TEMPLATE = "Este ejemplo es {}."

Score = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True)
class Way:
    """One way to score texts; `rounds` is how often it takes its turn."""

    name: str
    score: Score
    rounds: int


def corpus() -> list[str]:
    """Texts in their natural order: the speeches beside the checkout, or the bundled sample."""
    if SPEECHES.is_file():
        with gzip.open(SPEECHES, "rt", encoding="utf-8") as lines:
            return [json.loads(line)["text"] for _, line in zip(range(60_000), lines, strict=False)]
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def bert_base(folder: Path, texts: Sequence[str], layers: int = 12) -> Path:
    """Saves a BERT-base classifier of random weights with a tokenizer learnt from `texts`."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=VOCABULARY, special_tokens=specials, show_progress=False
        ),
    )
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        num_hidden_layers=layers,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    BertForSequenceClassification(config).eval().save_pretrained(folder)
    return folder


def ours(plan: InferencePlan, backend: str, precision: str, workers: int) -> Score:
    """Our scorer as a run uses it: a worker of one thread a core, each with its own shard."""

    def score(texts: list[str]) -> np.ndarray:
        run = running(Compute(device="cpu", backend=backend, workers=workers), precision)
        shards = [texts[i::workers] for i in range(workers)]
        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(lambda shard: score_texts(plan, shard, run), shards))
        kind = "sentiment" if plan.sentiment else "topics"
        width = getattr(done[0], kind).shape[1]
        found = np.empty((len(texts), width), dtype=np.float32)
        for i, scores in enumerate(done):
            found[i::workers] = getattr(scores, kind)
        return found

    return score


def by_pipeline(folder: Path, batch_size: int, topics: Sequence[str]) -> Score:
    """The seed's way: a transformers pipeline over all cores."""
    task = "zero-shot-classification" if topics else "text-classification"
    pipe: Any = pipeline(task, model=str(folder), device="cpu")

    def score(texts: list[str]) -> np.ndarray:
        torch.set_num_threads(usable_cores())
        if topics:
            found = pipe(texts, list(topics), hypothesis_template=TEMPLATE, batch_size=batch_size)
            return np.array(
                [
                    [dict(zip(f["labels"], f["scores"], strict=True))[t] for t in topics]
                    for f in found
                ]
            )
        found = pipe(texts, top_k=None, batch_size=batch_size, truncation=True)
        return np.array(
            [[{f["label"]: f["score"] for f in row}[n] for n in LABELS] for row in found]
        )

    return score


def matrix_peak(dtype: torch.dtype, workers: int) -> float:
    """GFLOP/s of BERT-base's own matrix product on all cores, one thread a worker."""
    rows, seconds = 512, 1.0
    torch.set_num_threads(1)

    def work(_: int) -> float:
        a, w = torch.randn(rows, 768, dtype=dtype), torch.randn(3072, 768, dtype=dtype)
        done, start = 0, time.perf_counter()
        with torch.inference_mode():
            while time.perf_counter() - start < seconds:
                torch.nn.functional.linear(a, w)
                done += 1
        return done * 2 * rows * 768 * 3072 / (time.perf_counter() - start) / 1e9

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(work, range(workers)))


def model_flops(lengths: np.ndarray) -> float:
    """Floating-point operations of the plain forward pass over sequences of these lengths."""
    linear = 12 * 2 * (4 * 768**2 + 2 * 768 * 3072)
    return float((lengths * linear + 12 * 4 * 768 * lengths.astype(float) ** 2).sum())


def compare(ways: list[Way], texts: list[str], rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds of every way and its largest score difference from the first way's."""
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    scores: dict[str, np.ndarray] = {}
    for way in ways:
        way.score(texts[:2])
    for turn in range(rounds):
        for way in ways:
            if turn < way.rounds:
                start = time.perf_counter()
                scores[way.name] = way.score(texts)
                seconds[way.name].append(time.perf_counter() - start)
    exact = scores[ways[0].name]
    return {
        way.name: (median(seconds[way.name]), float(np.abs(scores[way.name] - exact).max()))
        for way in ways
    }


def table(found: dict[str, tuple[float, float]], documents: int, tokens: int) -> None:
    first = next(iter(found.values()))[0]
    worst = found.get("pipeline, batches of 32", (first, 0.0))[0]
    print("| way | x one at a time | x batches of 32 | documents/s | tokens/s | deviation |")
    print("|---|---|---|---|---|---|")
    for name, (seconds, error) in found.items():
        rates = f"{documents / seconds:.1f} | {tokens / seconds:.0f}"
        print(f"| {name} | {first / seconds:.2f} | {worst / seconds:.2f} | {rates} | {error:.1e} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    workers = usable_cores()
    everything = corpus()
    step = max(1, len(everything) // options.documents)
    start = len(everything) // 3
    texts = everything[start : start + options.documents] if step > 1 else everything
    with tempfile.TemporaryDirectory() as name:
        folder = bert_base(Path(name) / "bert-base", everything)
        model = resolve_model(str(folder), None, "sentiment")
        sentiment = InferencePlan(
            SentimentPlan(model, LABELS), None, LongDocuments(policy="truncate"), "fp32"
        )
        lengths = score_texts(sentiment, texts, running(Compute(), "fp32")).n_tokens.clip(max=510)
        tokens = int(lengths.sum())
        print(
            f"{len(texts)} documents, {tokens} tokens, median {int(np.median(lengths))}, ", end=""
        )
        print(f"{workers} cores, torch {torch.__version__}; sentiment\n")
        kinds = [("torch", "fp32"), *(("openvino", p) for p in usable_precisions(Compute()))]
        once = min(2, options.rounds)
        ways = [
            Way("pipeline, one at a time", by_pipeline(folder, 1, ()), options.rounds),
            Way("pipeline, batches of 8", by_pipeline(folder, 8, ()), once),
            Way("pipeline, batches of 32", by_pipeline(folder, 32, ()), once),
            *(
                Way(f"Nocturna, {b} {p}", ours(sentiment, b, p, workers), options.rounds)
                for b, p in kinds
            ),
        ]
        found = compare(ways, texts, options.rounds)
        table(found, len(texts), tokens)
        for dtype, precision in ((torch.float32, "fp32"), (torch.bfloat16, "bf16")):
            peak = matrix_peak(dtype, workers)
            if f"Nocturna, openvino {precision}" in found:
                rate = model_flops(lengths + 2) / found[f"Nocturna, openvino {precision}"][0] / 1e9
                print(f"\n{precision}: {rate:.0f} of {peak:.0f} GFLOP/s, {rate / peak:.0%} of the")
                print("matrix product's peak in the same run (plain forward's operations counted)")
        for count in (5, 20):
            topics = tuple((TOPICS * 3)[i] + str(i // len(TOPICS) or "") for i in range(count))
            few = texts[: max(2, options.documents // (count + 3))]
            hypotheses = tuple(TEMPLATE.format(topic) for topic in topics)
            asked = TopicPlan(model, "nli", topics, hypotheses, False, None)
            plan = InferencePlan(None, asked, LongDocuments(), "fp32")
            ways = [Way("zero-shot pipeline", by_pipeline(folder, 1, topics), once)]
            ways += [
                Way(f"Nocturna, {b} {p}", ours(plan, b, p, workers), options.rounds)
                for b, p in kinds
            ]
            print(f"\nzero-shot by NLI, {count} labels, {len(few)} documents\n")
            table(compare(ways, few, options.rounds), len(few), int(lengths[: len(few)].sum()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\npeak RSS of all ways together: {peak} MiB")


if __name__ == "__main__":
    main()
