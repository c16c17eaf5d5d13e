"""Many labels: an encoder draws up a shortlist, the NLI model decides among its labels only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook
from transformers import pipeline

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.heads import nli
from nocturna.tasks.inference.models import ModelRef, resolve_model
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.reference import measure_deviation
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.score_plan import ScorePlan, config_of
from nocturna.tasks.inference.scorer import Known, score_texts
from nocturna.tasks.inference.sequence_model import load_classifier
from nocturna.tasks.inference.similarity import similarities
from nocturna.tasks.inference.texts import Texts
from nocturna.tasks.inference.windows import cut_windows
from nocturna.tasks.inference.wordings import word_labels
from nocturna.tasks.job.job import Compute, LongDocuments
from tests.inference.plans import plan_scores, values
from tests.models import NLI, TEXTS, bert_classifier, gliclass_model, sentence_encoder

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
    topic = {"labels": list(labels), "model": folders["nli"], **topics}
    if size:
        topic = {"shortlist_model": folders["encoder"], **topic, "shortlist": size}
    return plan_scores({"topic": topic}, {"overlap": 8, **(long or {})})


def sentences_of(plan: InferencePlan) -> list[str]:
    """What the model is asked about all labels."""
    (score,) = plan.scores
    return word_labels(score.settings, score.labels).sentences


def topics_of(plan: InferencePlan, texts: list[str], run=RUN) -> np.ndarray:
    return values(score_texts(plan, texts, run), "topic")


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
    topics = values(found, "topic")
    shortlists = listed(topics)
    assert {len(labels) for labels in shortlists} == {SIZE}
    assert len(set(shortlists)) > 1, "the encoder finds every document alike"
    assert found.n_windows.max() > 1 == found.n_windows.min()
    for text, labels, row in zip(DOCUMENTS, shortlists, topics, strict=True):
        only = plan_of(folders, labels=labels, size=None, multi_label=multi, long=long)
        expected = topics_of(only, [text])[0]
        assert row[np.isfinite(row)] == pytest.approx(expected, abs=TOLERANCE)
    sums = np.nansum(topics, axis=1)
    if multi:
        assert np.abs(sums - 1).max() > 0.01
    elif aggregate != "max":
        assert sums == pytest.approx(1, abs=TOLERANCE)


def test_scores_are_those_of_the_full_run_shared_out_among_the_shortlist(folders):
    found = topics_of(plan_of(folders), TEXTS)
    full = topics_of(plan_of(folders, size=None), TEXTS)
    kept = np.where(np.isfinite(found), full, 0)
    expected = kept / kept.sum(axis=1, keepdims=True)
    assert np.nan_to_num(found) == pytest.approx(expected, abs=TOLERANCE)


def test_scores_are_the_pipelines_for_the_labels_of_the_shortlist(folders):
    texts = TEXTS[:6]
    found = topics_of(plan_of(folders), texts)
    reference = pipeline("zero-shot-classification", model=str(folders["nli"]))
    for text, labels, row in zip(texts, listed(found), found, strict=True):
        answer = reference(text, list(labels), hypothesis_template=TEMPLATE)
        expected = dict(zip(answer["labels"], answer["scores"], strict=True))
        for label in labels:
            assert row[LABELS.index(label)] == pytest.approx(expected[label], abs=TOLERANCE)


@pytest.mark.parametrize("size", [len(LABELS), len(LABELS) + 5])
def test_a_shortlist_of_all_labels_is_the_full_run(folders, size):
    short, full = plan_of(folders, size=size), plan_of(folders, size=None)
    assert short == full and short.configs == full.configs
    scores = topics_of(short, DOCUMENTS)
    assert np.isfinite(scores).all()
    assert (scores == topics_of(full, DOCUMENTS)).all()


def test_a_shortlist_of_one_is_scored_as_a_single_label_is(folders):
    plan = plan_of(folders, size=1)
    found = topics_of(plan, TEXTS)
    assert not plan.scores[0].sums_to_one
    assert (np.isfinite(found).sum(axis=1) == 1).all()
    for text, labels, row in zip(TEXTS, listed(found), found, strict=True):
        only = plan_of(folders, labels=labels, size=None, multi_label=True)
        assert not only.scores[0].sums_to_one
        assert np.nanmax(row) == pytest.approx(topics_of(only, [text])[0, 0], abs=1e-5)


def test_the_model_reads_each_window_once_a_label_of_the_shortlist(folders):
    plan = plan_of(folders)
    classifier = load_classifier(plan.scores[0].model, RUN)
    endings = classifier.tokenizer.encode(sentences_of(plan))
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


def test_windows_leave_room_for_the_longest_label_whether_it_is_on_a_shortlist(folders):
    """What the full run says of a window can be shared out only if both runs cut alike."""
    labels = (*LABELS, "el instituto de estadística del ayuntamiento y sus presupuestos")
    some, every = (
        plan_of(folders, labels=labels, size=size, long={"aggregate": "first"})
        for size in (SIZE, None)
    )
    distinct = list(dict.fromkeys(DOCUMENTS))
    found, whole = (
        nli.compute(plan.scores[0], Texts(distinct), plan.long_documents, RUN)
        for plan in (some, every)
    )
    assert whole.n_windows.max() > 1
    shares = np.where(np.isnan(found.values), np.nan, whole.values)
    assert np.isnan(shares[:, -1]).any()
    shares /= np.nansum(shares, axis=1, keepdims=True)
    np.testing.assert_allclose(found.values, shares, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["nli", "gliclass"])
def test_windows_leave_room_for_a_documents_own_labels_whoever_is_beside_it(
    folders, tmp_path, kind
):
    model = folders["nli"] if kind == "nli" else gliclass_model(tmp_path / "m", prompt_first=True)
    asked = {"kind": kind, "model": model, "labels_column": "own", "template": "Trata de {}."}
    plan = plan_scores({"topic": asked})
    text, long = TEXTS[9] * 2, "el instituto de estadística del ayuntamiento y sus presupuestos"
    alone, beside = (
        score_texts(plan, texts, TORCH, known=Known(choices={"own": own}))
        for texts, own in (
            ([text], [("ocio", "salud")]),
            ([text, TEXTS[0]], [("ocio", "salud"), (long, "salud")]),
        )
    )
    assert alone.n_windows.tolist() == beside.n_windows[:1].tolist() > [1]
    np.testing.assert_allclose(values(alone, "topic"), values(beside, "topic")[:1], atol=1e-6)


def test_lengths_are_those_of_the_model_that_scores_and_windows_the_larger_number(folders):
    short = score_texts(plan_of(folders), DOCUMENTS, RUN)
    full = score_texts(plan_of(folders, size=None), DOCUMENTS, RUN)
    assert short.n_tokens.tolist() == full.n_tokens.tolist()
    assert (short.n_windows >= full.n_windows).all(), "the encoder's window is the smaller one"
    assert (short.n_windows > full.n_windows).any()


@pytest.mark.parametrize("aggregate", ["mean", "max", "first"])
def test_the_labels_chosen_are_the_most_similar_ones_over_all_windows(folders, aggregate):
    encoder = load_encoder(resolve_model(str(folders["encoder"]), None, "encoder"), RUN)
    long, texts = LongDocuments(overlap=8, aggregate=aggregate), [LONG, TEXTS[2]]
    plan = plan_of(folders, long={"aggregate": aggregate})
    chosen = listed(topics_of(plan, texts))
    _, read = similarities(encoder, Texts(texts), list(LABELS), long, RUN)
    windows = read.windows
    assert windows.counts[0] > 1 == windows.counts[1]
    names = encoder.embed(encoder.tokenizer.encode(list(LABELS)), RUN)
    for document, labels in enumerate(chosen):
        own = [windows.ids[at] for at in np.flatnonzero(windows.document == document)]
        cosines = encoder.embed(own, RUN) @ names.T
        joined = {
            "mean": np.average(cosines, axis=0, weights=[len(ids) for ids in own]),
            "max": cosines.max(axis=0),
            "first": cosines[0],
        }[aggregate]
        assert labels == tuple(LABELS[at] for at in sorted(np.argsort(-joined)[:SIZE]))


def test_labels_that_the_encoder_cannot_tell_apart_are_taken_in_their_order(folders):
    plan = plan_of(folders, size=4)
    alike = replace(plan, scores=(replace(plan.scores[0], labels=("a",) * 9),))
    found = np.isfinite(topics_of(alike, TEXTS))
    assert (found == [True] * 4 + [False] * 5).all()


def test_a_document_alone_has_the_shortlist_and_scores_that_it_has_in_company(folders):
    plan = plan_of(folders)
    together = topics_of(plan, DOCUMENTS)
    for text, row in zip(DOCUMENTS, together, strict=True):
        alone = topics_of(plan, [text])[0]
        assert row == pytest.approx(alone, abs=TOLERANCE, nan_ok=True)


def test_identical_texts_are_read_once_and_progress_counts_every_document(folders):
    done: list[float] = []
    with sequences_read() as seen:
        scores = score_texts(plan_of(folders), [TEXTS[0]] * 50 + [TEXTS[1]], TORCH, done.append)
    assert scores.scored_texts == 2
    assert sum(seen) == 2 * SIZE
    topics = values(scores, "topic")
    assert np.array_equal(topics[:50], topics[:1].repeat(50, 0), equal_nan=True)
    assert sum(done) == pytest.approx(51)


def test_an_encoder_that_leaves_text_unread_counts_as_truncation(folders):
    text = " ".join(TEXTS[:6])
    whole = score_texts(plan_of(folders, long={"policy": "truncate"}, size=None), [text], RUN)
    short = score_texts(plan_of(folders, long={"policy": "truncate"}), [text], RUN)
    assert (whole.truncated[0], short.truncated[0]) == (False, True)


def test_no_texts_give_no_scores(folders):
    assert topics_of(plan_of(folders), []).shape == (0, len(LABELS))


def test_a_faster_precision_changes_scores_and_no_shortlist(folders):
    plan, fast = plan_of(folders), replace(TORCH, precision="bf16")
    found = topics_of(plan, DOCUMENTS, fast)
    exact = topics_of(plan, DOCUMENTS, TORCH)
    assert listed(found) == listed(exact)
    largest = measure_deviation(plan, DOCUMENTS, fast).largest
    assert largest == pytest.approx(np.nanmax(np.abs(found - exact)), abs=1e-6) and largest > 0
    assert measure_deviation(plan, DOCUMENTS, TORCH).largest == 0


def test_a_config_changes_with_the_shortlist_and_the_model_that_draws_it_up(folders):
    plans = [
        plan_of(folders, size=None),
        plan_of(folders, size=2),
        plan_of(folders, size=3),
        plan_of(folders, size=3, shortlist_model=str(folders["other"])),
        plan_of(folders, size=3, shortlist_model="bundled"),
    ]
    assert len({plan.configs["topic"] for plan in plans}) == len(plans)
    assert plans[2].scores[0].models["shortlist"].revision.startswith("sha256:")


def test_a_config_stays_what_it_is_from_version_to_version():
    """Another hash of the same decisions would score every corpus again."""
    model = ModelRef("m", "sha256:" + "0" * 40, "/m", "safetensors")
    settings = {"template": "Es {}.", "multi_label": False}
    score = ScorePlan("topic", "nli", {"model": model}, ("a", "b"), settings)
    shared = {"precision": "fp32", "long_documents": LongDocuments().model_dump()}
    assert config_of(score, shared, {}) == "52ffa0850a3d8ed9"
    assert config_of(replace(score, name="other"), shared, {}) == "52ffa0850a3d8ed9"
    listed = replace(score, models={"model": model, "shortlist": model}, asked=1)
    assert config_of(listed, shared, {}) != "52ffa0850a3d8ed9"


def test_a_shortlist_model_that_is_not_there_is_one_line(folders):
    with pytest.raises(UsageError, match=r"\./none"):
        plan_of(folders, shortlist_model="./none")
