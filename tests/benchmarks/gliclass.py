"""Zero-shot by GLiClass against NLI: one pass for all labels against one a label.

    python -m tests.benchmarks.gliclass [--documents 4] [--rounds 3] [--labels 5,20,100]

Both have a BERT of the same size and random weights, which no time depends on, and score the same
documents in the same run, by turns; figures are medians of the rounds.
"""

import argparse
import os
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Compute
from tests.benchmarks.base_model import VOCABULARY, base_model, documents, excerpt
from tests.benchmarks.nouns import NOUNS
from tests.inference.plans import plan_scores
from tests.models import gliclass_model

WAYS = ("nli", "gliclass")

LEARNT = 3_000
"""Texts that the tokenizers are trained on."""


def main() -> None:
    """Measures as the command line says and prints a table."""
    options = _options()
    texts = excerpt(options.documents)
    run = running(Compute(backend=options.backend, workers=1), "fp32")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NOCTURNA_CACHE"] = str(Path(folder) / "cache")
        models = _models(Path(folder), options.layers)
        plans = {
            (way, count): _plan(way, models[way], count) for count in options.labels for way in WAYS
        }
        seconds: dict[tuple[str, int], list[float]] = {key: [] for key in plans}
        for plan in plans.values():
            score_texts(plan, texts[:1], run)  # loads the models
        for _ in range(options.rounds):
            for key, plan in plans.items():
                start = time.perf_counter()
                score_texts(plan, texts, run)
                seconds[key].append(time.perf_counter() - start)
    words = sum(len(text.split()) for text in texts)
    print(
        f"{len(texts)} documents ({words} words), {options.layers} x 768, {run.backend} fp32, ",
        end="",
    )
    print(f"one worker, medians of {options.rounds} rounds")
    print(f"{'labels':>6} {'nli':>16} {'gliclass':>16} {'faster':>8}")
    for count in options.labels:
        nli, ours = (len(texts) / statistics.median(seconds[way, count]) for way in WAYS)
        print(f"{count:>6} {nli:>10.2f} doc/s {ours:>10.2f} doc/s {ours / nli:>6.1f} x")


def _models(folder: Path, layers: int) -> dict[str, Path]:
    sizes = (layers, 768, 12, VOCABULARY)
    learnt = list(islice(documents(), LEARNT))
    return {
        "nli": base_model(folder / "nli", learnt, num_hidden_layers=layers),
        "gliclass": gliclass_model(folder / "gliclass", 512, sizes, learnt, prompt_first=True),
    }


def _plan(way: str, model: Path, labels: int) -> InferencePlan:
    return plan_scores({"topic": {"kind": way, "model": model, "labels": list(NOUNS[:labels])}})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gliclass", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--documents", type=int, default=4, help="documents that are timed")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed")
    parser.add_argument("--layers", type=int, default=12, help="layers of the networks")
    parser.add_argument("--backend", default="auto", help="what runs them")
    parser.add_argument(
        "--labels",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[5, 20, 100],
        help="numbers of labels, separated by commas",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
