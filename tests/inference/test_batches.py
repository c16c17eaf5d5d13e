"""Batches follow tokens; long documents are read whole; company changes nothing."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from nocturna.tasks.errors import NocturnaError, Stopped, UsageError
from nocturna.tasks.inference.backends._torch_network import TorchNetwork
from nocturna.tasks.inference.batches import LENGTH_SPREAD, Sequence, cut_batches, run_batches
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.reference import measure_deviation
from nocturna.tasks.inference.running import Tally, running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.inference.tokens import PIECE_CHARS
from nocturna.tasks.inference.windows import aggregate, cut_windows
from nocturna.tasks.job.job import Compute, LongDocuments
from tests.inference.plans import plan_scores, values
from tests.models import NLI, TEXTS, bert_classifier, sentence_encoder

RUN = running(Compute(device="cpu", workers=2), "fp32")


def of(batch_tokens: int, **told):
    return replace(RUN, batch_tokens=batch_tokens, **told)


def lengths_of(count: int, seed: int = 0):
    return np.array([random.Random(seed + i).randint(1, 300) for i in range(count)])


@pytest.mark.parametrize("budget", [1, 100, 2048])
def test_batches_hold_every_sequence_once_within_budget_and_with_little_padding(budget):
    lengths = lengths_of(500)
    batches = cut_batches(lengths, budget)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    for batch in batches:
        longest, shortest = lengths[batch].max(), lengths[batch].min()
        assert len(batch) == 1 or longest * len(batch) <= budget
        assert shortest >= longest * LENGTH_SPREAD
    firsts = [lengths[batch[0]] for batch in batches]
    assert firsts == sorted(firsts, reverse=True)


def echo(batch: list[Sequence]):
    return np.array([[float(s.ids[0])] for s in batch], dtype=np.float32)


@dataclass
class Made:
    """A backend made of a function; it takes padding unless told otherwise."""

    forward: Callable[[list[Sequence]], np.ndarray]
    layout: str = "padded"
    most_tokens: int | None = None
    landmark: int | None = None


def numbered(lengths):
    return lambda i: Sequence(np.full(lengths[i], i, dtype=np.int32), None)


def test_out_of_memory_halves_the_budget_and_goes_on():
    lengths, sizes = lengths_of(300), []

    def forward(batch):
        size = sum(len(s.ids) for s in batch)
        if size > 700:
            raise MemoryError
        sizes.append(size)
        return echo(batch)

    backend = Made(forward)
    found = run_batches(backend, numbered(lengths), lengths, of(4000))
    assert found[:, 0].tolist() == list(range(300))
    assert max(sizes) > 350, "the budget fell further than it had to"
    assert backend.most_tokens == 500, "4,000 halved three times"


class Short(torch.nn.Module):
    """A device without the memory for more than 40 tokens."""

    def forward(self, input_ids):
        if input_ids.numel() > 40:
            raise torch.OutOfMemoryError
        return input_ids[:, :1].float()


def test_out_of_memory_of_torch_is_out_of_memory():
    lengths, network = np.full(100, 5), TorchNetwork(Short(), 0, torch.device("cpu"))
    found = run_batches(network, numbered(lengths), lengths, of(4000))
    assert found[:, 0].tolist() == list(range(100))
    assert network.most_tokens == 62, "4,000 halved six times"


@pytest.mark.parametrize("layout", ["equal", "padded", "packed"])
def test_padding_is_counted_and_stays_below_three_percent(layout):
    lengths, tally = lengths_of(2000), Tally()
    run = replace(of(4000), tally=tally)
    run_batches(Made(echo, layout), numbered(lengths), lengths, run)
    assert tally.read == lengths.sum()
    share = tally.padding / (tally.padding + tally.read)
    assert 0 < share < 0.03 if layout == "padded" else share == 0


def test_a_single_sequence_that_does_not_fit_is_one_clear_line():
    def forward(batch):
        raise MemoryError

    lengths = np.array([40, 3])
    with pytest.raises(NocturnaError, match="single sequence of 40 tokens"):
        run_batches(Made(forward), numbered(lengths), lengths, of(4000))


def test_a_request_to_stop_is_heard_after_the_batch_in_hand():
    lengths, done = np.array([5] * 20), []

    def forward(batch):
        done.append(len(batch))
        return echo(batch)

    with pytest.raises(Stopped):
        run_batches(Made(forward), numbered(lengths), lengths, of(10, stop=lambda: len(done) == 3))
    assert len(done) == 3


def ids(count: int):
    return np.arange(count, dtype=np.int32)


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 16, 17, 100])
def test_windows_cover_every_token_and_overlap_as_told(length):
    windows = cut_windows([ids(length)], 10, LongDocuments(overlap=4))
    seen = [w.tolist() for w in windows.ids]
    assert sorted({t for w in seen for t in w}) == list(range(length))
    assert all(len(w) <= 10 for w in seen)
    for before, after in pairwise(seen):
        assert before[-4:] == after[:4]
        assert len(after) > 4, "a window that brings nothing new"
    assert windows.counts.tolist() == [len(seen)]
    assert not windows.truncated.any()


def test_truncation_is_only_on_request_and_visible():
    documents = [ids(30), ids(10)]
    windows = cut_windows(documents, 10, LongDocuments(policy="truncate"))
    assert [len(w) for w in windows.ids] == [10, 10]
    assert windows.truncated.tolist() == [True, False]


def test_an_overlap_beyond_half_a_window_is_half_a_window():
    windows = cut_windows([ids(20)], 10, LongDocuments(overlap=64))
    assert [w[0] for w in windows.ids] == [0, 5, 10]


def test_every_window_begins_with_the_prompt():
    windows = cut_windows([ids(20)], 10, LongDocuments(overlap=2), prompt=(0, 1, 2))
    assert windows.ids[0].tolist() == list(range(10))
    assert windows.ids[1].tolist() == [0, 1, 2, *range(8, 15)]
    assert windows.ids[-1].tolist() == [0, 1, 2, *range(13, 20)]
    assert windows.starts.tolist() == [0, 5, 10]


def test_a_hypothesis_that_fills_the_window_is_one_clear_line():
    with pytest.raises(UsageError, match="shorter template or shorter labels"):
        cut_windows([ids(5)], 0, LongDocuments())


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", [[0.75, 0.25], [0.1, 0.9]]),
        ("max", [[0.9, 0.4], [0.1, 0.9]]),
        ("first", [[0.9, 0.1], [0.1, 0.9]]),
    ],
)
def test_window_scores_become_one(how, expected):
    windows = cut_windows([ids(15), ids(3)], 10, LongDocuments(overlap=0))
    assert [len(w) for w in windows.ids] == [10, 5, 3]
    scores = np.array([[0.9, 0.1], [0.45, 0.55], [0.1, 0.9]], dtype=np.float32)
    if how == "max":
        scores[1] = [0.6, 0.4]
    assert aggregate(scores, windows, how) == pytest.approx(np.array(expected))


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> InferencePlan:
    folder = tmp_path_factory.mktemp("models")
    nli = bert_classifier(folder / "n", labels=NLI)
    scores = {
        "sentiment": {"model": bert_classifier(folder / "s")},
        "topic": {"labels": ["política", "estadística"], "model": nli},
    }
    return plan_scores(scores, {"overlap": 16})


@pytest.fixture(scope="module")
def embedding_plan(plan, tmp_path_factory) -> InferencePlan:
    topic = {
        "labels": ["política", "estadística", "deportes"],
        "model": sentence_encoder(tmp_path_factory.mktemp("encoder")),
        "kind": "embedding",
    }
    return plan_scores({"topic": topic})


@pytest.mark.parametrize("name", ["plan", "embedding_plan"])
def test_a_document_alone_gets_the_score_it_gets_in_company(request, name):
    chosen = request.getfixturevalue(name)
    texts = [*TEXTS, " ".join(TEXTS * 4)]
    alone = [score_texts(chosen, [text], RUN) for text in texts]
    for seed in range(3):
        order = random.Random(seed).sample(range(len(texts)), k=len(texts))
        together = score_texts(chosen, [texts[i] for i in order], RUN)
        for position, i in enumerate(order):
            for score, found in together.by_name.items():
                expected = values(alone[i], score)[0]
                assert found.values[position] == pytest.approx(expected, abs=1e-5)
            assert together.n_tokens[position] == alone[i].n_tokens[0]
            assert together.n_windows[position] == alone[i].n_windows[0]


def test_long_documents_are_read_whole_unless_truncation_is_asked_for(plan):
    long = " ".join(TEXTS * 4)
    scores = score_texts(plan, [long, TEXTS[0]], RUN)
    assert scores.n_windows[0] > 1 == scores.n_windows[1]
    assert not scores.truncated.any()
    cut = replace(plan, long_documents=LongDocuments(policy="truncate"))
    short = score_texts(cut, [long, TEXTS[0]], RUN)
    assert short.n_windows.tolist() == [1, 1]
    assert short.truncated.tolist() == [True, False]
    assert short.n_tokens.tolist() == scores.n_tokens.tolist()


def test_identical_texts_are_read_once_and_score_alike(plan):
    done: list[float] = []
    scores = score_texts(plan, [TEXTS[0]] * 50 + [TEXTS[1]], RUN, done.append)
    assert scores.scored_texts == 2
    assert np.ptp(values(scores, "sentiment")[:50], axis=0).max() == 0
    assert sum(done) == pytest.approx(51)


def test_no_texts_give_no_scores(plan):
    scores = score_texts(plan, [], RUN)
    assert scores.n_tokens.tolist() == []
    assert [found.values.shape for found in scores.by_name.values()] == [(0, 3), (0, 2)]


def test_lengths_are_the_tokenizers_own(plan):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(plan.scores[0].model.folder)
    expected = [len(tokenizer(t, add_special_tokens=False)["input_ids"]) for t in TEXTS]
    assert score_texts(plan, TEXTS, RUN).n_tokens.tolist() == expected


def test_a_text_longer_than_a_piece_keeps_its_tokens(plan):
    long = " ".join(TEXTS)
    long = " ".join([long] * (PIECE_CHARS // len(long) + 2))
    assert len(long) > PIECE_CHARS
    once = sum(score_texts(plan, TEXTS, RUN).n_tokens)
    cut = replace(plan, scores=plan.scores[:1], long_documents=LongDocuments(policy="truncate"))
    scores = score_texts(cut, [long], RUN)
    assert scores.n_tokens[0] == once * (long.count(TEXTS[0]))


def test_bf16_states_how_far_it_is_from_fp32(plan):
    fast = replace(plan, precision="bf16")
    found = measure_deviation(fast, TEXTS, replace(RUN, precision="bf16"))
    assert 0 < found.largest < 0.2
    assert found.documents == len(TEXTS)
    assert measure_deviation(plan, TEXTS, RUN).largest < 1e-5


def test_the_tokens_of_a_text_are_made_once_for_models_that_share_a_tokenizer(plan, monkeypatch):
    from nocturna.tasks.inference.tokens import TextTokenizer

    model = plan.scores[1].model.folder
    topic = {"labels": ["a", "b"], "model": model}
    shared = plan_scores({"sentiment": {"model": model}, "topic": topic})
    seen = []
    encode = TextTokenizer.encode
    monkeypatch.setattr(
        TextTokenizer, "encode", lambda self, texts: seen.append(len(texts)) or encode(self, texts)
    )
    score_texts(shared, TEXTS, RUN)
    assert seen.count(len(TEXTS)) == 1


def test_workers_that_share_a_model_do_not_disturb_each_other(plan):
    expected = score_texts(plan, TEXTS, RUN)
    with ThreadPoolExecutor(4) as pool:
        orders = [random.Random(i).sample(range(len(TEXTS)), k=len(TEXTS)) for i in range(24)]
        found = list(pool.map(lambda o: score_texts(plan, [TEXTS[i] for i in o], RUN), orders))
    for order, scores in zip(orders, found, strict=True):
        for name, score in scores.by_name.items():
            assert score.values == pytest.approx(values(expected, name)[order], abs=1e-5)
