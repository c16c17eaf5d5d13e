"""The two models from the data to their folders: what ``recipes/bundled/make.py`` runs."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerBase

from recipes.bundled.calibration import best_temperature, title_similarities
from recipes.bundled.curricula import judge_curriculum, make_curriculum
from recipes.bundled.distil import distil
from recipes.bundled.gloss import Lexicon, learn_lexicon
from recipes.bundled.lessons import Lesson, make_lessons
from recipes.bundled.opinions import Judge
from recipes.bundled.recipe import DistilRecipe, EncoderRecipe, JudgeRecipe, SentimentRecipe
from recipes.bundled.sentiment import build_classifier, judge_shares, train_classifier
from recipes.bundled.shipping import describe_sentence_transformer, save_model
from recipes.bundled.sources import Sources, sample, vocabulary_texts
from recipes.bundled.student import aligned_word_vectors, build_student
from recipes.bundled.teacher import Teacher, embed, meanings
from recipes.bundled.vocabulary import train_tokenizer

ENCODER_FOLDER = "encoder-es-en"
SENTIMENT_FOLDER = "sentiment-es-en"
_CALIBRATION_LABELS = 7
_CALIBRATION_TEXTS = 1_500


@dataclass(frozen=True)
class TrainedEncoder:
    model: BertModel
    tokenizer: PreTrainedTokenizerBase


def calibrate(trained: TrainedEncoder, sources: Sources, window: int, seed: int) -> float:
    """The temperature for cosine similarities to topic names, from Wikipedia's titles."""
    articles = sample(sources.articles, _CALIBRATION_TEXTS, random.Random(seed))
    paragraphs = embed(trained.model, trained.tokenizer, [a.text for a in articles], window)
    titles = embed(trained.model, trained.tokenizer, [a.title for a in articles], window)
    return best_temperature(title_similarities(paragraphs, titles, _CALIBRATION_LABELS, seed))


def teach(
    trained: TrainedEncoder,
    teacher: Teacher,
    sources: Sources,
    lessons: Sequence[Lesson],
    recipe: DistilRecipe,
    cache: Path | None,
) -> None:
    """One pass of the encoder, in place, over ``lessons`` as the teacher understands them."""
    known = meanings(teacher, [lesson.meaning for lesson in lessons], cache)
    distil(trained.model, trained.tokenizer, lessons, known, sources.scored, recipe)


def train_encoder(
    sources: Sources,
    teacher: Teacher,
    recipe: EncoderRecipe,
    folder: Path,
    cache: Path | None = None,
) -> None:
    """Train the Spanish and English encoder and save it in ``folder``.

    ``cache`` is a file that keeps the teacher's embeddings between runs.
    """
    tokenizer = train_tokenizer(vocabulary_texts(sources), recipe.vocabulary, recipe.window)
    vectors = aligned_word_vectors(teacher, tokenizer, sources.pairs)
    student = build_student(teacher, vectors, recipe.layers)
    trained = TrainedEncoder(student, tokenizer)
    lexicon = learn_lexicon(sources.pairs)
    for chosen, descent in (
        (recipe.lessons, recipe.distil),
        (recipe.closing_lessons, recipe.closing),
    ):
        teach(trained, teacher, sources, make_lessons(sources, lexicon, chosen), descent, cache)
    save_model(student, tokenizer, folder)
    temperature = calibrate(trained, sources, recipe.distil.window, recipe.distil.seed)
    describe_sentence_transformer(folder, student.config.hidden_size, recipe.window, temperature)


def train_judge(
    sources: Sources, teacher: Teacher, to_english: Lexicon, recipe: JudgeRecipe
) -> Judge:
    """Trains the English teacher to judge sentiment; what it knows of English helps Spanish."""
    curriculum = judge_curriculum(sources, to_english, recipe.lessons)
    model = build_classifier(teacher.model, recipe.layers, recipe.dropout, recipe.fit.seed)
    train_classifier(model, teacher.tokenizer, curriculum, recipe.fit)
    return partial(judge_shares, model, teacher.tokenizer, window=recipe.fit.window)


def train_sentiment(
    sources: Sources,
    trained: TrainedEncoder,
    teacher: Teacher,
    recipe: SentimentRecipe,
    folder: Path,
) -> None:
    """Train the sentiment classifier on a trained encoder and save it in ``folder``."""
    to_spanish = learn_lexicon([(es, en) for en, es in sources.pairs])
    to_english = learn_lexicon(sources.pairs)
    judge = train_judge(sources, teacher, to_english, recipe.judge)
    curriculum = make_curriculum(sources, to_spanish, to_english, judge, recipe.opinions)
    model = build_classifier(trained.model, recipe.layers, recipe.dropout, recipe.fit.seed)
    train_classifier(model, trained.tokenizer, curriculum, recipe.fit)
    save_model(model, trained.tokenizer, folder)


def load_encoder(folder: Path) -> TrainedEncoder:
    """An encoder that was saved before, in fp32."""
    model = BertModel.from_pretrained(folder, dtype=torch.float32)
    return TrainedEncoder(model, AutoTokenizer.from_pretrained(folder))
