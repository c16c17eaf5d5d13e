"""Many labels: how much faster a shortlist is, and how often the right label is on it.

    python -m tests.benchmarks.shortlist [--documents 4] [--rounds 3] [--labels 7,50,300]

Time is that of a BERT-base NLI network: all labels and the shortlist in the same run, by turns, the
median of the rounds. Its weights are random, which no time depends on; the top labels that it gives
mean nothing, so agreement with the full run is measured only for a real NLI model (`--model`).
What can be measured without one is the encoder's part: how often the topic that a person gave is
among the k labels that it chooses, between the other topics and distractors. That is the most that
any NLI model can then get right.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import Running, running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.inference.similarity import similarities
from nocturna.tasks.inference.texts import Texts
from nocturna.tasks.inference.windows import aggregate
from nocturna.tasks.job.job import BUNDLED, Compute, LongDocuments
from recipes.bundled.measure import TOPICS
from tests.benchmarks.base_model import ROOT, SAMPLE, SHARED, base_model, documents, first_of, rows
from tests.benchmarks.nouns import NOUNS
from tests.inference.plans import plan_scores, values

TARGET = 20.0
"""How many times faster a shortlist of 5 of 300 labels is meant to be."""

RECALL_AT = (1, 3, 5)


@dataclass(frozen=True)
class Labelled:
    """Texts with the topic that a person gave each, among `topics`."""

    name: str
    texts: list[str]
    gold: list[str]
    topics: tuple[str, ...]

    def labels(self, count: int) -> tuple[str, ...]:
        """The topics and as many distractors as make `count` labels, the same ones every time."""
        others = [noun for noun in NOUNS if noun not in self.topics]
        random.Random(0).shuffle(others)
        return (*self.topics, *others)[:count]


@dataclass(frozen=True)
class Timing:
    """Seconds for the same documents with all labels and with a shortlist, medians of rounds.

    Attributes:
        agreement: share of documents with the same top label; means nothing for random weights.
    """

    labels: int
    full: float
    short: float
    agreement: float

    @property
    def faster(self) -> float:
        return self.full / self.short


def main() -> None:
    """Measures as the command line says and prints two tables."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NOCTURNA_CACHE"] = str(Path(folder) / "cache")
        labelled = read_labelled(options.data)
        counts = [max(count, len(labelled.topics)) for count in options.labels]
        texts = list(islice(documents(options.data), options.documents))
        model = options.model or base_model(
            Path(folder) / "nli", documents(options.data), num_hidden_layers=options.layers
        )
        run = running(Compute(), "fp32")
        plans = {count: _plans(str(model), labelled.labels(count), options) for count in counts}
        timings = measure_time(plans, texts, run, options.rounds)
        _print_timings(timings, texts, run, options)
        recall = measure_recall(labelled, counts, options.shortlist_model, run)
        _print_recall(recall, labelled, options.shortlist_model)


def measure_time(
    plans: dict[int, tuple[InferencePlan, InferencePlan]],
    texts: list[str],
    run: Running,
    rounds: int,
) -> list[Timing]:
    """Times the full plan and the one with a shortlist for each number of labels, by turns."""
    seconds: dict[tuple[int, int], list[float]] = {}
    tops: dict[tuple[int, int], NDArray[np.int64]] = {}
    with ThreadPoolExecutor(run.workers) as pool:
        for _, short in plans.values():
            _score(short, texts, run, pool)  # loads the models
        for _ in range(rounds):
            for count, pair in plans.items():
                for which, plan in enumerate(pair):
                    start = time.perf_counter()
                    scores = _score(plan, texts, run, pool)
                    taken = time.perf_counter() - start
                    seconds.setdefault((count, which), []).append(taken)
                    tops[count, which] = np.nan_to_num(scores).argmax(axis=1)
    return [
        Timing(
            labels=count,
            full=statistics.median(seconds[count, 0]),
            short=statistics.median(seconds[count, 1]),
            agreement=float((tops[count, 0] == tops[count, 1]).mean()),
        )
        for count in plans
    ]


def measure_recall(
    labelled: Labelled, counts: Sequence[int], encoder: str, run: Running
) -> dict[int, dict[int, float]]:
    """Share of texts whose gold topic is on the shortlist, by number of labels and by k."""
    model = load_encoder(resolve_model(encoder, None, "encoder"), run)
    texts, long = Texts(labelled.texts), LongDocuments()
    found: dict[int, dict[int, float]] = {}
    for count in counts:
        labels = list(labelled.labels(count))
        gold = np.array([labels.index(topic) for topic in labelled.gold])
        cosines, read = similarities(model, texts, labels, long, run)
        order = np.argsort(-aggregate(cosines, read.windows, long.aggregate), axis=1)
        for k in (k for k in RECALL_AT if k < count):
            held = (order[:, :k] == gold[:, None]).any(axis=1)
            found.setdefault(count, {})[k] = float(held.mean())
    return found


def read_labelled(data: Path) -> Labelled:
    """SIB-200's Spanish sentences, or the Spanish rows of the bundled sample."""
    path = first_of(data / "topics" / "sib200-spa_Latn.train.jsonl.gz", SAMPLE)
    spanish = [row for row in rows(path) if row.get("lang", "es") == "es"]
    gold = [TOPICS["es"][row["topic"]] for row in spanish]
    name = "SIB-200 Spanish" if path != SAMPLE else str(SAMPLE.relative_to(ROOT))
    return Labelled(name, [row["text"] for row in spanish], gold, tuple(dict.fromkeys(gold)))


def _score(
    plan: InferencePlan, texts: list[str], run: Running, pool: ThreadPoolExecutor
) -> NDArray[np.float32]:
    """Topic scores, by as many workers at once as share the cores."""
    parts = [part for i in range(run.workers) if (part := texts[i :: run.workers])]
    found = list(pool.map(lambda part: values(score_texts(plan, part, run), "topic"), parts))
    scores = np.empty((len(texts), found[0].shape[1]), dtype=np.float32)
    for i, part in enumerate(found):
        scores[i :: run.workers] = part
    return scores


def _plans(
    model: str, labels: tuple[str, ...], options: argparse.Namespace
) -> tuple[InferencePlan, InferencePlan]:
    topic = {"kind": "nli", "model": model, "labels": labels}
    short = {"shortlist": options.shortlist, "shortlist_model": options.shortlist_model}
    return plan_scores({"topic": topic}), plan_scores({"topic": {**topic, **short}})


def _print_timings(
    timings: list[Timing], texts: list[str], run: Running, options: argparse.Namespace
) -> None:
    network = options.model or f"a {options.layers} x 768 NLI network with random weights"
    words = sum(len(text.split()) for text in texts)
    print(f"\nTopics of {len(texts)} documents ({words:,} words) by {network}")
    print(f"{run.device} {run.backend} {run.precision}, {run.workers} workers, medians of ", end="")
    print(f"{options.rounds} rounds")
    k = options.shortlist
    print(f"{'labels':>6} {'all':>10} {f'shortlist {k}':>12} {'faster':>9} {'same top label':>15}")
    for found in timings:
        same = f"{found.agreement:.1%}" if options.model else "-"
        faster = f"{found.faster:.1f} x"
        print(f"{found.labels:>6} {found.full:>8.2f} s {found.short:>10.2f} s", end="")
        print(f" {faster:>9} {same:>15}")
    print(f"target: {TARGET:.0f} x for 5 of 300 labels")


def _print_recall(recall: dict[int, dict[int, float]], labelled: Labelled, encoder: str) -> None:
    print(f"\nGold topic on the shortlist of the encoder {encoder!r}: ", end="")
    print(f"{labelled.name}, {len(labelled.texts)} texts, {len(labelled.topics)} topics,")
    print("the other labels are nouns of which some fit a text as well as its topic does")
    print(f"{'labels':>6}" + "".join(f"{f'k = {k}':>9}" for k in RECALL_AT))
    for count, shares in recall.items():
        cells = (f"{shares[k]:.1%}" if k in shares else "-" for k in RECALL_AT)
        print(f"{count:>6}" + "".join(f"{cell:>9}" for cell in cells))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.shortlist", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--documents", type=int, default=4, help="documents that are timed")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed")
    parser.add_argument("--shortlist", type=int, default=5, help="labels of a shortlist")
    parser.add_argument("--layers", type=int, default=12, help="layers of the random network")
    parser.add_argument("--model", help="a real NLI model in its place: Hub name or folder")
    parser.add_argument("--shortlist-model", default=BUNDLED, help="encoder: Hub name or folder")
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the larger corpora")
    parser.add_argument(
        "--labels",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[7, 50, 300],
        help="numbers of labels, separated by commas",
    )
    options = parser.parse_args()
    if max(options.labels) > len(NOUNS):
        parser.error(f"--labels: there are nouns for {len(NOUNS)} labels, not for more")
    return options


if __name__ == "__main__":
    main()
