"""Scores of many texts by every model of a plan."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.inference.classifier import load_classifier
from tasks.inference.embedding import score_embedding
from tasks.inference.encoder import load_encoder
from tasks.inference.nli import score_nli
from tasks.inference.planned import InferencePlan, SentimentPlan, TopicPlan
from tasks.inference.running import Running, Tally
from tasks.inference.sentiment import score_sentiment
from tasks.inference.shortlist import choose_labels
from tasks.inference.tokens import Ids, TextTokenizer
from tasks.inference.windows import Windows
from tasks.job import LongDocuments


@dataclass(frozen=True)
class Scores:
    """Scores of n texts, in their order.

    Attributes:
        n_tokens: tokens of each text by the sentiment model's tokenizer (the topic model's where
            sentiment is off), without special tokens, shape (n,).
        n_windows: windows each text was read in, the larger number where two models differ.
        truncated: whether a model left tokens unread.
        sentiment: probabilities, shape (n, labels), or None.
        topics: probabilities, shape (n, labels), or None; NaN for the labels that are not on a
            document's shortlist.
        scored_texts: distinct texts that the models really read.
        tally: tokens that all models computed.
    """

    n_tokens: NDArray[np.int64]
    n_windows: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    sentiment: NDArray[np.float32] | None
    topics: NDArray[np.float32] | None
    scored_texts: int
    tally: Tally


@dataclass(frozen=True)
class Deviation:
    """How far a precision is from fp32 on a sample of the job's own texts.

    Attributes:
        largest: largest absolute difference of any score; a label that is on only one of the two
            shortlists of a document counts as 0 on the other.
        changed_top: documents whose top label differs.
        documents: size of the sample.
    """

    largest: float
    changed_top: int
    documents: int


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
    tally = Tally()
    run = replace(run, tally=tally)
    distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    codes = np.array([distinct[text] for text in texts], dtype=np.int64)
    once = _score_distinct(plan, list(distinct), run, len(texts), on_documents)
    return Scores(
        n_tokens=once.n_tokens[codes],
        n_windows=once.n_windows[codes],
        truncated=once.truncated[codes],
        sentiment=None if once.sentiment is None else once.sentiment[codes],
        topics=None if once.topics is None else once.topics[codes],
        scored_texts=len(distinct),
        tally=tally,
    )


def measure_deviation(plan: InferencePlan, texts: list[str], run: Running) -> Deviation:
    """Compares scores as `run` computes them with torch's in fp32, on the same texts and device."""
    return deviation(score_texts(plan, texts, run), reference_scores(plan, texts, run))


def reference_scores(plan: InferencePlan, texts: list[str], run: Running) -> Scores:
    """The scores of torch in fp32, which all others are measured against."""
    return score_texts(plan, texts, replace(run, precision="fp32", backend="torch"))


def deviation(found: Scores, exact: Scores) -> Deviation:
    """How far scores are from the exact ones of the same texts."""
    documents = len(found.n_tokens)
    largest, changed = 0.0, np.zeros(documents, dtype=bool)
    for fast, reference in ((found.sentiment, exact.sentiment), (found.topics, exact.topics)):
        if fast is not None and reference is not None:
            ours, theirs = np.nan_to_num(fast), np.nan_to_num(reference)
            largest = max(largest, float(np.abs(ours - theirs).max(initial=0)))
            changed |= ours.argmax(axis=1) != theirs.argmax(axis=1)
    return Deviation(largest, int(changed.sum()), documents)


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
        topics, readings = _score_topics(plan.topics, tokens, long, told(topic_weight))
        for reading in readings:
            note(*reading)
    assert n_tokens is not None
    return Scores(
        n_tokens, n_windows, truncated, sentiment, topics, len(texts), run.tally or Tally()
    )


def _score_topics(
    topics: TopicPlan,
    tokens: "_TokenCache",
    long: LongDocuments,
    run: Running,
) -> tuple[NDArray[np.float32], list[tuple[Windows, list[Ids]]]]:
    """Topic scores, and what each model read for them: the one that scores comes first."""
    hypotheses = list(topics.hypotheses)
    if topics.method == "embedding":
        encoder = load_encoder(topics.model, run)
        encoded = tokens.of(encoder.tokenizer)
        scores, windows = score_embedding(
            encoder, encoded, hypotheses, topics.temperature, long, run
        )
        return scores, [(windows, encoded)]
    asked, before = None, []
    if topics.shortlist:
        # Exact in any precision: a faster one may change a score a little, not who is asked.
        exact = replace(run, precision="fp32", on_share=None)
        encoder, size = load_encoder(topics.shortlist.model, exact), topics.shortlist.size
        encoded = tokens.of(encoder.tokenizer)
        asked, windows = choose_labels(encoder, encoded, list(topics.labels), size, long, exact)
        before = [(windows, encoded)]
    model = load_classifier(topics.model, run)
    encoded = tokens.of(model.tokenizer)
    scores, windows = score_nli(model, encoded, hypotheses, topics.multi_label, long, run, asked)
    return scores, [(windows, encoded), *before]


def _weights(plan: InferencePlan) -> tuple[int, int]:
    """How often each of the two models reads a document."""
    topics = plan.topics
    reads = 0 if topics is None else topics.asked if topics.method == "nli" else 1
    return int(plan.sentiment is not None), reads


def _no_scores(plan: InferencePlan) -> Scores:
    def empty(part: SentimentPlan | TopicPlan | None) -> NDArray[np.float32] | None:
        return np.empty((0, len(part.labels)), dtype=np.float32) if part else None

    none = np.empty(0, dtype=np.int64)
    return Scores(
        none, none, none.astype(bool), empty(plan.sentiment), empty(plan.topics), 0, Tally()
    )


class _TokenCache:
    """Token ids of one list of texts, made once for each distinct tokenizer."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self._encoded: dict[str, list[Ids]] = {}

    def of(self, tokenizer: TextTokenizer) -> list[Ids]:
        if tokenizer.identity not in self._encoded:
            self._encoded[tokenizer.identity] = tokenizer.encode(self._texts)
        return self._encoded[tokenizer.identity]
