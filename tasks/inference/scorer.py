"""Scores of many texts by every model of a plan."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.inference.classifier import Running, load_classifier
from tasks.inference.device import (
    default_batch_tokens,
    pick_device,
    shards_at_once,
    share_cores,
)
from tasks.inference.embedding import score_embedding
from tasks.inference.encoder import load_encoder
from tasks.inference.nli import score_nli
from tasks.inference.planned import InferencePlan, SentimentPlan, TopicPlan
from tasks.inference.sentiment import score_sentiment
from tasks.inference.tokens import Ids, TextTokenizer
from tasks.inference.windows import Windows
from tasks.job import Compute, LongDocuments


@dataclass(frozen=True)
class Scores:
    """Scores of n texts, in their order.

    Attributes:
        n_tokens: tokens of each text by the sentiment model's tokenizer (the topic model's where
            sentiment is off), without special tokens, shape (n,).
        n_windows: windows each text was read in, the larger number where two models differ.
        truncated: whether a model left tokens unread.
        sentiment: probabilities, shape (n, labels), or None.
        topics: probabilities, shape (n, labels), or None.
        scored_texts: distinct texts that the models really read.
    """

    n_tokens: NDArray[np.int64]
    n_windows: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    sentiment: NDArray[np.float32] | None
    topics: NDArray[np.float32] | None
    scored_texts: int


@dataclass(frozen=True)
class Deviation:
    """How far a precision is from fp32 on a sample of the job's own texts.

    Attributes:
        largest: largest absolute difference of any score.
        changed_top: documents whose top label differs.
        documents: size of the sample.
    """

    largest: float
    changed_top: int
    documents: int


def running(compute: Compute, precision: str) -> Running:
    """How models run on this machine: device, threads and batch size from the job.

    Raises:
        UsageError: the job names a device that is not there.
    """
    device = pick_device(compute.device)
    share_cores(shards_at_once(compute))
    return Running(device, precision, compute.batch_tokens or default_batch_tokens(device))


def score_texts(
    plan: InferencePlan,
    texts: list[str],
    run: Running,
    on_documents: Callable[[float], None] | None = None,
) -> Scores:
    """Scores texts with every model of the plan. Identical texts are read once.

    Args:
        plan: models and settings.
        texts: any number of strings.
        run: how to run.
        on_documents: called with the number of documents done since the last call.

    Raises:
        Stopped: `run.stop` said so.
        UsageError: a model cannot be loaded.
    """
    if not texts:
        return _no_scores(plan)
    codes, distinct = pd.factorize(np.array(texts, dtype=object))
    once = _score_distinct(plan, list(distinct), run, len(texts), on_documents)
    return Scores(
        n_tokens=once.n_tokens[codes],
        n_windows=once.n_windows[codes],
        truncated=once.truncated[codes],
        sentiment=None if once.sentiment is None else once.sentiment[codes],
        topics=None if once.topics is None else once.topics[codes],
        scored_texts=len(distinct),
    )


def measure_deviation(plan: InferencePlan, texts: list[str], run: Running) -> Deviation:
    """Compares the plan's precision with fp32 on the same texts and device."""
    found = score_texts(plan, texts, replace(run, precision=plan.precision))
    exact = score_texts(plan, texts, replace(run, precision="fp32"))
    largest, changed = 0.0, np.zeros(len(texts), dtype=bool)
    for fast, reference in ((found.sentiment, exact.sentiment), (found.topics, exact.topics)):
        if fast is not None and reference is not None:
            largest = max(largest, float(np.abs(fast - reference).max(initial=0)))
            changed |= fast.argmax(axis=1) != reference.argmax(axis=1)
    return Deviation(largest, int(changed.sum()), len(texts))


def _score_distinct(
    plan: InferencePlan,
    texts: list[str],
    run: Running,
    documents: int,
    on_documents: Callable[[float], None] | None,
) -> Scores:
    long = plan.long_documents
    tokens = _TokenCache(texts)
    n_tokens: NDArray[np.int64] | None = None
    n_windows = np.ones(len(texts), dtype=np.int64)
    truncated = np.zeros(len(texts), dtype=bool)
    sentiment = topics = None

    def note(windows: Windows, encoded: list[Ids]) -> None:
        nonlocal n_tokens, n_windows, truncated
        if n_tokens is None:
            n_tokens = np.array([len(ids) for ids in encoded], dtype=np.int64)
        n_windows = np.maximum(n_windows, windows.counts)
        truncated = truncated | windows.truncated

    def told(weight: int) -> Running:
        if on_documents is None:
            return run
        due = documents * weight / sum(_weights(plan))
        return replace(run, on_share=lambda share: on_documents(due * share))

    sentiment_weight, topic_weight = _weights(plan)
    if plan.sentiment:
        classifier = load_classifier(plan.sentiment.model, run)
        encoded = tokens.of(classifier.tokenizer)
        sentiment, windows = score_sentiment(classifier, encoded, long, told(sentiment_weight))
        note(windows, encoded)
    if plan.topics:
        topics, windows, encoded = _score_topics(plan.topics, tokens, long, told(topic_weight))
        note(windows, encoded)
    assert n_tokens is not None
    return Scores(n_tokens, n_windows, truncated, sentiment, topics, len(texts))


def _score_topics(
    topics: TopicPlan,
    tokens: "_TokenCache",
    long: LongDocuments,
    run: Running,
) -> tuple[NDArray[np.float32], Windows, list[Ids]]:
    hypotheses = list(topics.hypotheses)
    if topics.method == "embedding":
        encoder = load_encoder(topics.model, run)
        encoded = tokens.of(encoder.tokenizer)
        scores, windows = score_embedding(
            encoder, encoded, hypotheses, topics.temperature, long, run
        )
    else:
        model = load_classifier(topics.model, run)
        encoded = tokens.of(model.tokenizer)
        scores, windows = score_nli(model, encoded, hypotheses, topics.multi_label, long, run)
    return scores, windows, encoded


def _weights(plan: InferencePlan) -> tuple[int, int]:
    """How often each of the two models reads a document."""
    topics = plan.topics
    reads = 0 if topics is None else len(topics.labels) if topics.method == "nli" else 1
    return int(plan.sentiment is not None), reads


def _no_scores(plan: InferencePlan) -> Scores:
    def empty(part: SentimentPlan | TopicPlan | None) -> NDArray[np.float32] | None:
        return np.empty((0, len(part.labels)), dtype=np.float32) if part else None

    none = np.empty(0, dtype=np.int64)
    return Scores(none, none, none.astype(bool), empty(plan.sentiment), empty(plan.topics), 0)


class _TokenCache:
    """Token ids of one list of texts, made once for each distinct tokenizer."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self._encoded: dict[str, list[Ids]] = {}

    def of(self, tokenizer: TextTokenizer) -> list[Ids]:
        if tokenizer.identity not in self._encoded:
            self._encoded[tokenizer.identity] = tokenizer.encode(self._texts)
        return self._encoded[tokenizer.identity]
