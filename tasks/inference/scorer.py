"""Scores of many texts by every model of a plan."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.inference.classifier import Classifier, load_classifier
from tasks.inference.embedding import score_embedding
from tasks.inference.encoder import Encoder, load_encoder
from tasks.inference.frames import Ids
from tasks.inference.nli import score_nli
from tasks.inference.planned import InferencePlan, SentimentPlan, TopicPlan
from tasks.inference.running import Running, Tally
from tasks.inference.sentiment import score_sentiment
from tasks.inference.shortlist import choose_labels
from tasks.inference.tokens import TextTokenizer
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
        unreadable: why a text cannot be scored, empty where it was, shape (n,); its scores are NaN.
        mostly_unknown: whether a tokenizer knows less than half of a text, shape (n,).
    """

    n_tokens: NDArray[np.int64]
    n_windows: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    sentiment: NDArray[np.float32] | None
    topics: NDArray[np.float32] | None
    scored_texts: int
    tally: Tally
    unreadable: NDArray[np.str_] | None = None
    mostly_unknown: NDArray[np.bool_] | None = None


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
    models = _load(plan, run)
    tokens = _TokenCache(list(distinct))
    unreadable, unknown = _unreadable(models, tokens, len(distinct))
    good = np.flatnonzero(unreadable == "")
    once = _no_scores(plan)
    if len(good):
        once = _score_distinct(plan, models, tokens.only(good), run, len(texts), on_documents)
    at = np.full(len(distinct), -1)
    at[good] = np.arange(len(good))
    rows = at[codes]

    def of_all(values: NDArray[Any], missing: Any) -> NDArray[Any]:
        found = np.full((len(texts), *values.shape[1:]), missing, dtype=values.dtype)
        found[rows >= 0] = values[rows[rows >= 0]]
        return found

    return Scores(
        n_tokens=of_all(once.n_tokens, 0),
        n_windows=of_all(once.n_windows, 0),
        truncated=of_all(once.truncated, False),
        sentiment=None if once.sentiment is None else of_all(once.sentiment, np.nan),
        topics=None if once.topics is None else of_all(once.topics, np.nan),
        scored_texts=len(good),
        tally=tally,
        unreadable=unreadable[codes],
        mostly_unknown=unknown[codes],
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


@dataclass(frozen=True)
class _Models:
    """The loaded models of a plan."""

    sentiment: Classifier | None = None
    nli: Classifier | None = None
    topics: Encoder | None = None
    shortlist: Encoder | None = None

    @property
    def each(self) -> list[Classifier | Encoder]:
        found = (self.sentiment, self.topics, self.shortlist, self.nli)
        return [model for model in found if model is not None]


def _load(plan: InferencePlan, run: Running) -> _Models:
    topics = plan.topics
    by_nli = topics is not None and topics.method == "nli"
    listed = topics.shortlist if topics is not None else None
    return _Models(
        sentiment=load_classifier(plan.sentiment.model, run) if plan.sentiment else None,
        nli=load_classifier(topics.model, run) if topics and by_nli else None,
        topics=load_encoder(topics.model, run) if topics and not by_nli else None,
        # Exact in any precision: a faster one may change a score a little, not who is asked.
        shortlist=load_encoder(listed.model, replace(run, precision="fp32")) if listed else None,
    )


def _unreadable(
    models: _Models, tokens: "_TokenCache", texts: int
) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Texts that a model cannot read: nothing is left of them, or a token has no embedding.

    And those of which a tokenizer hardly knows anything.
    """
    reasons: dict[int, str] = {}
    unknown = np.zeros(texts, dtype=bool)
    for model in models.each:
        tokenizer = model.tokenizer
        for i, ids in enumerate(tokens.of(tokenizer)):
            unknown[i] |= 2 * tokenizer.unknown(ids) > len(ids)
            beyond = tokenizer.without_embedding(ids)
            if len(ids) + tokenizer.single.added == 0:
                reasons[i] = f"nothing of the text is left to read for model {model.ref.name}"
            if beyond is not None and i not in reasons:
                reasons[i] = (
                    f"model {model.ref.name} has no embedding for token {beyond} of the text: its "
                    f"network knows {tokenizer.vocabulary}"
                )
    return np.array([reasons.get(i, "") for i in range(texts)], dtype=np.str_), unknown


def _score_distinct(
    plan: InferencePlan,
    models: _Models,
    tokens: "_TokenCache",
    run: Running,
    documents: int,
    on_documents: Callable[[float], None] | None,
) -> Scores:
    long = plan.long_documents
    texts = len(tokens)
    n_tokens: NDArray[np.int64] | None = None
    n_windows = np.ones(texts, dtype=np.int64)
    truncated = np.zeros(texts, dtype=bool)
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
    if models.sentiment:
        classifier = models.sentiment
        encoded = tokens.of(classifier.tokenizer)
        sentiment, windows = score_sentiment(classifier, encoded, long, told(sentiment_weight))
        note(windows, encoded)
    if plan.topics:
        topics, readings = _score_topics(plan.topics, models, tokens, long, told(topic_weight))
        for reading in readings:
            note(*reading)
    assert n_tokens is not None
    return Scores(n_tokens, n_windows, truncated, sentiment, topics, texts, run.tally or Tally())


def _score_topics(
    topics: TopicPlan,
    models: _Models,
    tokens: "_TokenCache",
    long: LongDocuments,
    run: Running,
) -> tuple[NDArray[np.float32], list[tuple[Windows, list[Ids]]]]:
    """Topic scores, and what each model read for them: the one that scores comes first."""
    hypotheses = list(topics.hypotheses)
    if models.topics:
        encoder = models.topics
        encoded = tokens.of(encoder.tokenizer)
        scores, windows = score_embedding(
            encoder, encoded, hypotheses, topics.temperature, long, run
        )
        return scores, [(windows, encoded)]
    asked, before = None, []
    if topics.shortlist and models.shortlist:
        exact = replace(run, precision="fp32", on_share=None)
        encoder, size = models.shortlist, topics.shortlist.size
        encoded = tokens.of(encoder.tokenizer)
        asked, windows = choose_labels(encoder, encoded, list(topics.labels), size, long, exact)
        before = [(windows, encoded)]
    model = models.nli
    assert model is not None
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

    def __len__(self) -> int:
        return len(self._texts)

    def of(self, tokenizer: TextTokenizer) -> list[Ids]:
        if tokenizer.identity not in self._encoded:
            self._encoded[tokenizer.identity] = tokenizer.encode(self._texts)
        return self._encoded[tokenizer.identity]

    def only(self, positions: NDArray[np.int64]) -> "_TokenCache":
        """The ids of some of the texts."""
        if len(positions) == len(self._texts):
            return self
        found = _TokenCache([self._texts[i] for i in positions])
        found._encoded = {
            name: [encoded[i] for i in positions] for name, encoded in self._encoded.items()
        }
        return found
