"""The models in data/models: whole, small, loadable, and as good as their cards say."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from tokenizers import Tokenizer
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    pipeline,
)

from nocturna.tasks.evaluation.file import evaluate_file
from recipes.bundled import make
from recipes.bundled.files import read_jsonl
from recipes.bundled.measure import TOPICS, embedded, topic_options
from tests.models import TEXTS

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "data" / "models"
DATA = ROOT.parent / "shared" / "data"
ENCODER, SENTIMENT = MODELS / make.ENCODER, MODELS / make.SENTIMENT
TOLERANCE = 0.0051

with_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the dev sets are not at {DATA}")


def card_figure(folder: Path, data_set: str) -> float:
    """The figure that a model card gives for a data set, in the second column of its table."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^\| {re.escape(data_set)} \| \**([0-9.]+)", card, re.MULTILINE)
    assert found, f"{folder.name}: its card has no row for {data_set}"
    return float(found.group(1))


def test_both_models_together_are_small() -> None:
    files = [f for m in (ENCODER, SENTIMENT) for f in m.rglob("*") if not f.is_symlink()]
    assert sum(f.stat().st_size for f in files if f.is_file()) <= 60_000_000


@pytest.mark.parametrize("folder", [ENCODER, SENTIMENT])
def test_each_card_has_front_matter_and_a_warning(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n")
    for words in ("license:", "language:", "datasets:", "must not be used"):
        assert words in card


@pytest.mark.parametrize("folder", [ENCODER, SENTIMENT])
def test_the_weights_are_those_of_the_card(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    own = [path for path in folder.glob("*.safetensors") if not path.is_symlink()]
    assert own
    for path in own:
        assert f"`{path.name}` {hashlib.sha256(path.read_bytes()).hexdigest()}" in card


def test_encoder_loads_whole() -> None:
    model, report = AutoModel.from_pretrained(
        ENCODER, output_loading_info=True, add_pooling_layer=False
    )
    tokenizer = AutoTokenizer.from_pretrained(ENCODER)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert model.dtype == torch.float32
    assert tokenizer.model_max_length == model.config.max_position_embeddings == 512
    assert tokenizer.tokenize("@ana Está ÑOÑO 😂😂 https://a.b/c")[0:2] == ["▁@", "user"]


def test_encoder_gives_sentence_transformers_the_same_vectors() -> None:
    library = pytest.importorskip("sentence_transformers")
    theirs = library.SentenceTransformer(str(ENCODER), device="cpu").encode(list(TEXTS))
    assert np.abs(theirs - embedded(list(TEXTS), "fp32")).max() < 1e-5


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
        ("La habitación era preciosa y el personal, encantador. Volveremos.", "POS"),
        ("O serviço foi péssimo e a comida estava fria.", "NEG"),
        ("Un film magnifique, je le recommande à tous.", "POS"),
        ("La reunión del consejo es el martes a las diez.", "NEU"),
        ("Odio este producto, es una porquería y no funciona.", "NEG"),
        ("¡Odio esto tanto!", "NEG"),
    ],
)
def test_plain_opinions_come_out_right(text: str, label: str) -> None:
    classify = pipeline("text-classification", model=str(SENTIMENT))
    assert classify(text)[0]["label"] == label


def test_the_course_is_about_computing_or_statistics() -> None:
    labels = ["política", "computación", "estadística", "deportes", "cocina"]
    text = "Este es un curso sobre la biblioteca Transformers y el análisis de datos con Python."
    named = [f"Este texto trata de {label}." for label in labels]
    best = int(np.argmax(embedded([text], "fp32") @ embedded(named, "fp32").T))
    assert labels[best] in ("computación", "estadística")


def test_the_topics_have_a_name_of_their_own_in_each_language() -> None:
    assert all(len(names) == len(set(names.values())) == 7 for names in TOPICS.values())


@with_data
@pytest.mark.parametrize(
    "language", [pytest.param(one, marks=pytest.mark.slow) for one in ("es", "fr")]
)
def test_topic_figures_of_the_card(language: str) -> None:
    found, _, _ = evaluate_file(**topic_options(DATA, language, "train"))
    figure = card_figure(ENCODER, f"SIB-200 train {language}")
    assert found.evaluation.accuracy == pytest.approx(figure, abs=TOLERANCE)


@pytest.mark.slow
@with_data
def test_similarity_figures_of_the_card() -> None:
    rows = read_jsonl(DATA / "parallel/stsb-es.dev.jsonl.gz")
    a, b = (embedded([row[side] for row in rows], "fp32") for side in "ab")
    found = spearmanr((a * b).sum(1), [row["score"] for row in rows]).statistic
    assert found == pytest.approx(card_figure(ENCODER, "STS-B dev es"), abs=TOLERANCE)


@with_data
@pytest.mark.parametrize(
    ("data_set", "file"),
    [
        ("UMSAB tweets Spanish val", "tweets-spanish.val"),
        pytest.param("TASS-2020 dev", "tass2020.dev", marks=pytest.mark.slow),
    ],
)
def test_sentiment_figures_of_the_card(data_set: str, file: str) -> None:
    found, _, _ = evaluate_file(str(DATA / f"sentiment/{file}.jsonl.gz"), "sentiment")
    figure = card_figure(SENTIMENT, data_set)
    assert found.evaluation.macro_f1 == pytest.approx(figure, abs=TOLERANCE)
