"""The models in data/models: whole, small, loadable, and as good as their cards say."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    pipeline,
)

from nocturna.tasks.evaluation.file import evaluate_file
from recipes.bundled.bundle import ENCODER_FOLDER, SENTIMENT_FOLDER, load_encoder
from recipes.bundled.measure import SPANISH_TOPICS, similarity_spearman, topic_accuracy
from recipes.bundled.teacher import embed

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "data" / "models"
DATA = ROOT.parent / "shared" / "data"
ENCODER, SENTIMENT = MODELS / ENCODER_FOLDER, MODELS / SENTIMENT_FOLDER
TOLERANCE = 0.0051

with_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the dev sets are not at {DATA}")


def card_figure(folder: Path, data_set: str) -> float:
    """The figure that a model card gives for a data set, in the second column of its table."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^\| {re.escape(data_set)} \| \**([0-9.]+)", card, re.MULTILINE)
    assert found, f"{folder.name}: its card has no row for {data_set}"
    return float(found.group(1))


def test_both_models_together_are_small() -> None:
    size = sum(f.stat().st_size for m in (ENCODER, SENTIMENT) for f in m.rglob("*") if f.is_file())
    assert size <= 40_000_000


@pytest.mark.parametrize("folder", [ENCODER, SENTIMENT])
def test_each_card_has_front_matter_and_a_warning(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n")
    for words in ("license:", "language:", "datasets:", "must not be used"):
        assert words in card


def test_encoder_loads_whole() -> None:
    model, report = AutoModel.from_pretrained(ENCODER, output_loading_info=True)
    tokenizer = AutoTokenizer.from_pretrained(ENCODER)
    assert not report["missing_keys"]
    assert model.dtype == torch.float32
    assert tokenizer.model_max_length == model.config.max_position_embeddings == 512
    assert tokenizer.tokenize("@ana Está ÑOÑO 😂😂 https://a.b/c")[0:2] == ["@", "user"]


@pytest.mark.parametrize("folder", [ENCODER, SENTIMENT])
def test_no_tokenizer_cuts_texts_by_itself(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.truncation is None and tokenizer.padding is None
    assert len(tokenizer.encode("palabra " * 300).ids) > 300


def test_classifier_loads_whole() -> None:
    model, report = AutoModelForSequenceClassification.from_pretrained(
        SENTIMENT, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert model.config.id2label == {0: "NEG", 1: "NEU", 2: "POS"}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Me encanta este curso, es excelente y he aprendido muchísimo.", "POS"),
        ("He estado esperando este curso toda mi vida.", "POS"),
        ("Odio este producto, es una porquería y no funciona.", "NEG"),
        ("¡Odio esto tanto!", "NEG"),
    ],
)
def test_plain_opinions_come_out_right(text: str, label: str) -> None:
    classify = pipeline("text-classification", model=str(SENTIMENT))
    assert classify(text)[0]["label"] == label


def test_the_course_is_about_computing_or_statistics() -> None:
    encoder = load_encoder(ENCODER)
    vectors = partial(embed, encoder.model.eval(), encoder.tokenizer, exact=True)
    labels = ["política", "computación", "estadística", "deportes", "cocina"]
    text = "Este es un curso sobre la biblioteca Transformers y el análisis de datos con Python."
    best = int(np.argmax((vectors([text]) @ vectors(labels).T)[0].numpy()))
    assert labels[best] in ("computación", "estadística")


@pytest.mark.slow
@with_data
def test_encoder_figures_of_the_card() -> None:
    encoder = load_encoder(ENCODER)
    vectors = partial(embed, encoder.model.eval(), encoder.tokenizer, window=256, exact=True)
    topics = topic_accuracy(vectors, DATA / "topics/sib200-spa_Latn.train.jsonl.gz", SPANISH_TOPICS)
    pairs = similarity_spearman(vectors, DATA / "parallel/stsb-es.dev.jsonl.gz")
    assert topics == pytest.approx(card_figure(ENCODER, "SIB-200 Spanish train"), abs=TOLERANCE)
    assert pairs == pytest.approx(card_figure(ENCODER, "STS-B Spanish dev"), abs=TOLERANCE)


@with_data
def test_sentiment_figures_of_the_card() -> None:
    for data_set, file in (
        ("UMSAB tweets Spanish val", "tweets-spanish.val"),
        ("TASS-2020 dev", "tass2020.dev"),
    ):
        found, _, _ = evaluate_file(str(DATA / f"sentiment/{file}.jsonl.gz"), "sentiment")
        figure = card_figure(SENTIMENT, data_set)
        assert found.evaluation.macro_f1 == pytest.approx(figure, abs=TOLERANCE)
