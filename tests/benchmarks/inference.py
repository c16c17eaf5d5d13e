"""How much faster than transformers' pipelines: python -m tests.benchmarks.inference

A BERT-base (12 x 768, vocabulary 31,002) of random weights, whose speed is that of trained ones,
ModernBERT, DeBERTa-v3 and XLM-R in their base sizes with the same vocabulary, and the bundled
sentiment model, over consecutive documents of the speeches corpus; BERT-base also over the same
words in documents of very different lengths. Every way has a process of its own and takes its turn
in every round; figures are medians of the rounds.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer

from nocturna.tasks.cores import usable_cores
from nocturna.tasks.inference.device import usable_precisions
from nocturna.tasks.inference.models import BUNDLED_MODELS
from nocturna.tasks.job.job import Compute
from nocturna.tasks.results.machine import machine_facts
from tests.benchmarks.base_model import NETWORKS, base_model, documents, excerpt
from tests.benchmarks.peak import matrix_peak, model_flops
from tests.benchmarks.ways import (
    Found,
    Way,
    by_daft,
    by_pipeline,
    compare,
    daft_is_installed,
    ours,
)

TOPICS = ("política", "computación", "estadística", "deportes", "salud", "cultura", "economía")
ONE, MANY = "pipeline, one at a time", "pipeline, batches of 32"
REPEATED = 0.4
"""Share of repeated texts in the corpus that has them."""


def main() -> None:
    """Measures as the command line says and prints tables in Markdown."""
    tables = {"bert": bert, "networks": other_networks, "bundled": bundled}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=192, help="documents for sentiment")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way")
    parser.add_argument("--tables", nargs="+", choices=tables, default=list(tables))
    options = parser.parse_args()
    processor = machine_facts("cpu")["processor"]
    print(f"{processor}, {usable_cores()} cores, torch {torch.__version__}, ", end="")
    print(f"{options.rounds} rounds; every way uses all cores")
    for table in options.tables:
        with tempfile.TemporaryDirectory() as name:
            tables[table](Path(name), options.documents, options.rounds)


def bert(room: Path, count: int, rounds: int) -> None:
    """Sentiment of texts in their order, of mixed lengths and repeated, and topics by NLI."""
    model = str(base_model(room / "bert-base", documents()))
    texts = excerpt(count)
    found = sentiment("BERT-base", model, texts, rounds)
    print_share_of_peak(token_counts(model, texts), found)
    sentiment("BERT-base", model, mixed_lengths(count // 2), rounds, "of mixed lengths")
    repeated = with_repeats(texts[: count // 2])
    ways = [w for w in sentiment_ways(model, rounds) if "batches" not in w.name]
    found = compare(ways, repeated)
    title = f"Sentiment, BERT-base, {len(repeated)} documents, {REPEATED:.0%} of them repeated"
    print_table(title, token_counts(model, repeated), found)
    for labels, share in ((5, 8), (20, 24)):
        few = texts[: max(2, count // share)]
        found = compare(topic_ways(model, topics(labels), rounds), few)
        title = f"Zero-shot by NLI, BERT-base, {labels} labels, {len(few)} documents"
        print_table(title, token_counts(model, few), found)


def other_networks(room: Path, count: int, rounds: int) -> None:
    """Sentiment by the other networks whose shapes the benchmarks know."""
    for network in [name for name in NETWORKS if name != "BERT-base"]:
        model = str(base_model(room / network, documents(), network))
        sentiment(network, model, excerpt(count), rounds)


def bundled(_: Path, count: int, rounds: int) -> None:
    """Sentiment by the bundled model, of sixteen times as many texts."""
    sentiment("the bundled model", str(BUNDLED_MODELS["sentiment"]), excerpt(count * 16), rounds)


def sentiment(
    network: str, model: str, texts: list[str], rounds: int, more: str = ""
) -> dict[str, Found]:
    """Prints the table of every way to the sentiment of the texts, and returns what it shows."""
    found = compare(sentiment_ways(model, rounds), texts)
    title = f"Sentiment, {network}, {len(texts)} documents {more}".strip()
    print_table(title, token_counts(model, texts), found)
    return found


def sentiment_ways(model: str, rounds: int) -> list[Way]:
    """The pipelines and ours on every backend; batches of pipelines take two turns at most."""
    few = min(2, rounds)
    return [
        Way(ONE, by_pipeline, (model, (), 1), rounds),
        Way("pipeline, batches of 8", by_pipeline, (model, (), 8), few),
        Way(MANY, by_pipeline, (model, (), 32), few),
        *_our_ways(model, (), rounds),
    ]


def topic_ways(model: str, labels: Sequence[str], rounds: int) -> list[Way]:
    """The zero-shot pipeline, Daft where it is installed, and ours on every backend."""
    few = min(2, rounds)
    daft = [Way("Daft classify_text", by_daft, (model, labels), few)] if daft_is_installed() else []
    return [
        Way(ONE, by_pipeline, (model, labels, 1), few),
        Way(MANY, by_pipeline, (model, labels, 32), few),
        *daft,
        *_our_ways(model, labels, rounds),
    ]


def topics(count: int) -> tuple[str, ...]:
    """That many different labels."""
    return tuple(f"{TOPICS[i % 7]}{i // 7 or ''}" for i in range(count))


def mixed_lengths(count: int) -> list[str]:
    """Speeches cut or joined to log-normal lengths, from a few words to pages: 45 the median."""
    words = " ".join(excerpt(count * 40)).split()
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.normal(np.log(45), 1.0, count)).astype(int).clip(3, 600)
    ends = np.cumsum(sizes)
    return [" ".join(words[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def with_repeats(texts: list[str]) -> list[str]:
    """The same texts, of which REPEATED of the whole are there a second time, in random order."""
    again = int(len(texts) * REPEATED / (1 - REPEATED))
    rng = np.random.default_rng(0)
    both = [*texts, *(texts[i] for i in rng.choice(len(texts), again, replace=False))]
    return [both[i] for i in rng.permutation(len(both))]


def token_counts(model: str, texts: list[str]) -> np.ndarray:
    """Tokens that the model reads of each text, special tokens included."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    return np.array([len(ids) for ids in tokenizer(texts, truncation=True)["input_ids"]])


def print_table(title: str, lengths: np.ndarray, found: dict[str, Found]) -> None:
    """One line a way."""
    first = found[ONE].seconds
    print(f"\n### {title}")
    print(f"\n{lengths.mean():.0f} tokens on average (median {np.median(lengths):.0f}).\n")
    print("| way | x one at a time | x batches of 32 | documents/s | tokens/s | RSS | deviation |")
    print("|---|---|---|---|---|---|---|")
    for name, way in found.items():
        rates = f"{len(lengths) / way.seconds:.1f} | {lengths.sum() / way.seconds:,.0f}"
        worst = f"{found[MANY].seconds / way.seconds:.2f}" if MANY in found else ""
        shown = "top label only" if "Daft" in name else f"{way.deviation:.1e}"
        print(f"| {name} | {first / way.seconds:.2f} | {worst} | {rates}", end="")
        print(f" | {way.peak >> 20} MiB | {shown} |")


def print_share_of_peak(lengths: np.ndarray, found: dict[str, Found]) -> None:
    """Our rates as a share of what a matrix product reaches in this run."""
    for precision in ("fp32", "bf16"):
        way = found.get(f"Nocturna, openvino {precision}")
        if way is None:
            continue
        peak = max(matrix_peak(precision, usable_cores()) for _ in range(3))
        rate = model_flops(lengths) / way.seconds / 1e9
        print(f"\n{precision}: {rate:.0f} of {peak:.0f} GFLOP/s, {rate / peak:.0%} of the matrix")
        print("product's peak, measured right after (the plain forward's operations counted)")


def _our_ways(model: str, labels: Sequence[str], rounds: int) -> list[Way]:
    backends = [("torch", "fp32"), *(("openvino", p) for p in usable_precisions(Compute()))]
    cores = usable_cores()
    return [
        Way(f"Nocturna, {b} {p}", ours, (model, labels, b, p, cores), rounds) for b, p in backends
    ]


if __name__ == "__main__":
    main()
