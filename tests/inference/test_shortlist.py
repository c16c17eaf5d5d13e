"""Many labels: an encoder draws up a shortlist, the NLI model decides among its labels only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tasks.inference.nli import score_nli
from tasks.inference.shortlist import choose_labels
from torch.nn.modules.module import register_module_forward_hook
from transformers import pipeline

from tasks.errors import UsageError
from tasks.inference.encoder import load_encoder
from tasks.inference.models import ModelRef, resolve_model
from tasks.inference.planned import (
    InferencePlan,
    SentimentPlan,
    Shortlist,
    TopicPlan,
    plan_inference,
)
from tasks.inference.running import running
from tasks.inference.scorer import measure_deviation, score_texts
from tasks.inference.sequence_model import load_classifier
from tasks.inference.windows import cut_windows
from tasks.job import Compute, LongDocuments
from tasks.job_file import make_job
from tests.models import NLI, SENTIMENT, TEXTS, bert_classifier, sentence_encoder

TOLERANCE = 1e-5
RUN = running(Compute(device="cpu", workers=2), "fp32")
TORCH = running(Compute(device="cpu", workers=2, backend="torch"), "fp32")
"""Runs the modules that a hook can watch."""
LABELS = (
    "curso",
    "producto",
    "teléfono",
    "media",
    "muestra",
    "precio",
    "programa",
    "línea",
    "error",
)
"""A token each, so that windows are the same whichever labels a run has."""
TEMPLATE = "Este ejemplo es {}."
SIZE = 3
LONG = " ".join(TEXTS * 3)
DOCUMENTS = [*TEXTS, LONG, TEXTS[0], " ".join(TEXTS[::-1] * 2), TEXTS[0], LONG]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "nli": bert_classifier(folder / "nli", labels=NLI, seed=3),
        "encoder": sentence_encoder(folder / "encoder"),
        "other": sentence_encoder(folder / "other", pooling="cls"),
    }


def plan_of(folders, labels=LABELS, size: int | None = SIZE, long=None, **topics) -> InferencePlan:
    values = {"labels": list(labels), "model": str(folders["nli"]), **topics}
    if size:
        values = {"shortlist_model": str(folders["encoder"]), **values, "shortlist": size}
    job = {
        "name": "j",
        "source": {"path": "a"},
        "sentiment": {"enabled": False},
        "zero_shot": values,
        "long_documents": {"overlap": 8, **(long or {})},
    }
    return plan_inference(make_job(job, "test"))


def listed(scores: np.ndarray) -> list[tuple[str, ...]]:
    """The labels that have a score, of each document."""
    return [tuple(np.array(LABELS)[np.isfinite(row)]) for row in scores]


@contextmanager
def sequences_read() -> Iterator[list[int]]:
    """Counts the sequences whose logits an NLI head computes, by network call."""
    seen: list[int] = []

    def look(module, _, output):
        if isinstance(module, torch.nn.Linear) and module.out_features == len(NLI):
            seen.append(output.shape[0])

    handle = register_module_forward_hook(look)
    try:
        yield seen
    finally:
        handle.remove()


@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("aggregate", ["mean", "max", "first"])
def test_scores_are_those_of_a_run_with_only_the_labels_of_the_shortlist(folders, multi, aggregate):
    long = {"aggregate": aggregate}
    found = score_texts(plan_of(folders, multi_label=multi, long=long), DOCUMENTS, RUN)
    shortlists = listed(found.topics)
    assert {len(labels) for labels in shortlists} == {SIZE}
    assert len(set(shortlists)) > 1, "the encoder finds every document alike"
    assert found.n_windows.max() > 1 == found.n_windows.min()
    for text, labels, row in zip(DOCUMENTS, shortlists, found.topics, strict=True):
        only = plan_of(folders, labels=labels, size=None, multi_label=multi, long=long)
        expected = score_texts(only, [text], RUN).topics[0]
        assert row[np.isfinite(row)] == pytest.approx(expected, abs=TOLERANCE)
    sums = np.nansum(found.topics, axis=1)
    if multi:
        assert np.abs(sums - 1).max() > 0.01
    elif aggregate != "max":
        assert sums == pytest.approx(1, abs=TOLERANCE)


def test_scores_are_those_of_the_full_run_shared_out_among_the_shortlist(folders):
    found = score_texts(plan_of(folders), TEXTS, RUN).topics
    full = score_texts(plan_of(folders, size=None), TEXTS, RUN).topics
    kept = np.where(np.isfinite(found), full, 0)
    expected = kept / kept.sum(axis=1, keepdims=True)
    assert np.nan_to_num(found) == pytest.approx(expected, abs=TOLERANCE)


def test_scores_are_the_pipelines_for_the_labels_of_the_shortlist(folders):
    texts = TEXTS[:6]
    found = score_texts(plan_of(folders), texts, RUN).topics
    reference = pipeline("zero-shot-classification", model=str(folders["nli"]))
    for text, labels, row in zip(texts, listed(found), found, strict=True):
        answer = reference(text, list(labels), hypothesis_template=TEMPLATE)
        expected = dict(zip(answer["labels"], answer["scores"], strict=True))
        for label in labels:
            assert row[LABELS.index(label)] == pytest.approx(expected[label], abs=TOLERANCE)


@pytest.mark.parametrize("size", [len(LABELS), len(LABELS) + 5])
def test_a_shortlist_of_all_labels_is_the_full_run(folders, size):
    short, full = plan_of(folders, size=size), plan_of(folders, size=None)
    assert short == full and short.config_id == full.config_id
    scores = score_texts(short, DOCUMENTS, RUN).topics
    assert np.isfinite(scores).all()
    assert (scores == score_texts(full, DOCUMENTS, RUN).topics).all()


def test_a_shortlist_of_one_is_scored_as_a_single_label_is(folders):
    plan = plan_of(folders, size=1)
    found = score_texts(plan, TEXTS, RUN).topics
    assert not plan.topics.adds_up
    assert (np.isfinite(found).sum(axis=1) == 1).all()
    for text, labels, row in zip(TEXTS, listed(found), found, strict=True):
        only = plan_of(folders, labels=labels, size=None, multi_label=True)
        assert not only.topics.adds_up
        assert np.nanmax(row) == pytest.approx(
            score_texts(only, [text], RUN).topics[0, 0], abs=1e-5
        )


def test_the_model_reads_each_window_once_a_label_of_the_shortlist(folders):
    plan = plan_of(folders)
    classifier = load_classifier(plan.topics.model, RUN)
    endings = classifier.tokenizer.encode(list(plan.topics.hypotheses))
    room = classifier.tokenizer.window - classifier.tokenizer.pair.added
    distinct = list(dict.fromkeys(DOCUMENTS))
    encoded = classifier.tokenizer.encode(distinct)
    windows = cut_windows(encoded, room - max(map(len, endings)), plan.long_documents)
    with sequences_read() as seen:
        score_texts(plan, DOCUMENTS, TORCH)
    assert len(windows.ids) > len(distinct)
    assert sum(seen) == len(windows.ids) * SIZE
    with sequences_read() as seen:
        score_texts(plan_of(folders, size=None), DOCUMENTS, TORCH)
    assert sum(seen) == len(windows.ids) * len(LABELS)


def test_windows_leave_room_for_the_longest_label_whoever_is_asked_about_it(folders):
    """What the full run says of a window can be shared out only if both runs cut alike."""
    labels = (*LABELS, "el instituto de estadística del ayuntamiento y sus presupuestos")
    plan = plan_of(folders, labels=labels, size=None, long={"aggregate": "first"})
    model = load_classifier(plan.topics.model, RUN)
    encoded = model.tokenizer.encode(DOCUMENTS)
    asked = np.tile([1, 4, 6], (len(DOCUMENTS), 1))
    rest = (list(plan.topics.hypotheses), False, plan.long_documents, RUN)
    full, cut = score_nli(model, encoded, *rest)
    found, cut_too = score_nli(model, encoded, *rest, asked)
    assert cut.counts.max() > 1
    assert [len(ids) for ids in cut.ids] == [len(ids) for ids in cut_too.ids]
    assert found[:, [1, 4, 6]] == pytest.approx(
        full[:, [1, 4, 6]] / full[:, [1, 4, 6]].sum(axis=1, keepdims=True), abs=TOLERANCE
    )
    assert np.isnan(np.delete(found, [1, 4, 6], axis=1)).all()


def test_lengths_are_those_of_the_model_that_scores_and_windows_the_larger_number(folders):
    short = score_texts(plan_of(folders), DOCUMENTS, RUN)
    full = score_texts(plan_of(folders, size=None), DOCUMENTS, RUN)
    assert short.n_tokens.tolist() == full.n_tokens.tolist()
    assert (short.n_windows >= full.n_windows).all(), "the encoder's window is the smaller one"
    assert (short.n_windows > full.n_windows).any()


@pytest.mark.parametrize("aggregate", ["mean", "max", "first"])
def test_the_labels_chosen_are_the_most_similar_ones_over_all_windows(folders, aggregate):
    encoder = load_encoder(resolve_model(str(folders["encoder"]), None, "encoder"), RUN)
    long = LongDocuments(overlap=8, aggregate=aggregate)
    encoded = encoder.tokenizer.encode([LONG, TEXTS[2]])
    chosen, windows = choose_labels(encoder, encoded, list(LABELS), SIZE, long, RUN)
    assert windows.counts[0] > 1 == windows.counts[1]
    names = encoder.embed(encoder.tokenizer.encode(list(LABELS)), RUN)
    for document, row in enumerate(chosen):
        own = [windows.ids[at] for at in np.flatnonzero(windows.document == document)]
        cosines = encoder.embed(own, RUN) @ names.T
        joined = {
            "mean": np.average(cosines, axis=0, weights=[len(ids) for ids in own]),
            "max": cosines.max(axis=0),
            "first": cosines[0],
        }[aggregate]
        assert row.tolist() == sorted(np.argsort(-joined)[:SIZE])


def test_labels_that_the_encoder_cannot_tell_apart_are_taken_in_their_order(folders):
    encoder = load_encoder(resolve_model(str(folders["encoder"]), None, "encoder"), RUN)
    encoded = encoder.tokenizer.encode(TEXTS)
    chosen, _ = choose_labels(encoder, encoded, ["a"] * 9, 4, LongDocuments(), RUN)
    assert chosen.tolist() == [[0, 1, 2, 3]] * len(TEXTS)


def test_a_document_alone_has_the_shortlist_and_scores_that_it_has_in_company(folders):
    plan = plan_of(folders)
    together = score_texts(plan, DOCUMENTS, RUN).topics
    for text, row in zip(DOCUMENTS, together, strict=True):
        alone = score_texts(plan, [text], RUN).topics[0]
        assert row == pytest.approx(alone, abs=TOLERANCE, nan_ok=True)


def test_identical_texts_are_read_once_and_progress_counts_every_document(folders):
    done: list[float] = []
    with sequences_read() as seen:
        scores = score_texts(plan_of(folders), [TEXTS[0]] * 50 + [TEXTS[1]], TORCH, done.append)
    assert scores.scored_texts == 2
    assert sum(seen) == 2 * SIZE
    assert np.array_equal(scores.topics[:50], scores.topics[:1].repeat(50, 0), equal_nan=True)
    assert sum(done) == pytest.approx(51)


def test_an_encoder_that_leaves_text_unread_counts_as_truncation(folders):
    text = " ".join(TEXTS[:6])
    whole = score_texts(plan_of(folders, long={"policy": "truncate"}, size=None), [text], RUN)
    short = score_texts(plan_of(folders, long={"policy": "truncate"}), [text], RUN)
    assert (whole.truncated[0], short.truncated[0]) == (False, True)


def test_no_texts_give_no_scores(folders):
    assert score_texts(plan_of(folders), [], RUN).topics.shape == (0, len(LABELS))


def test_a_faster_precision_changes_scores_and_no_shortlist(folders):
    plan, fast = plan_of(folders), replace(TORCH, precision="bf16")
    found = score_texts(plan, DOCUMENTS, fast).topics
    exact = score_texts(plan, DOCUMENTS, TORCH).topics
    assert listed(found) == listed(exact)
    largest = measure_deviation(plan, DOCUMENTS, fast).largest
    assert largest == pytest.approx(np.nanmax(np.abs(found - exact)), abs=1e-6) and largest > 0
    assert measure_deviation(plan, DOCUMENTS, TORCH).largest == 0


def test_config_id_changes_with_the_shortlist_and_the_model_that_draws_it_up(folders):
    ids = [
        plan_of(folders, size=None).config_id,
        plan_of(folders, size=2).config_id,
        plan_of(folders, size=3).config_id,
        plan_of(folders, size=3, shortlist_model=str(folders["other"])).config_id,
        plan_of(folders, size=3, shortlist_model="bundled").config_id,
    ]
    assert len(set(ids)) == len(ids)
    assert plan_of(folders, size=3).topics.shortlist.model.revision.startswith("sha256:")


def test_config_ids_of_jobs_without_a_shortlist_stay_what_they_are():
    model = ModelRef("m", "sha256:" + "0" * 40, "/m", "safetensors")
    sentiment = SentimentPlan(model, SENTIMENT)
    topics = TopicPlan(model, "nli", ("a", "b"), ("Es a.", "Es b."), False, None)
    plan = InferencePlan(sentiment, topics, LongDocuments(), "fp32")
    assert plan.config_id == "8105a2c539bbcc7c"
    listed = replace(plan, topics=replace(topics, shortlist=Shortlist(model, 1)))
    assert listed.config_id != plan.config_id


def test_a_shortlist_model_that_is_not_there_is_one_line(folders):
    with pytest.raises(UsageError, match=r"\./none"):
        plan_of(folders, shortlist_model="./none")
