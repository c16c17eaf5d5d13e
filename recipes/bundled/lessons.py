"""What the student is to learn: texts, and the English text whose embedding each should get."""

import random
from dataclasses import dataclass

from recipes.bundled.gloss import gloss
from recipes.bundled.recipe import LessonRecipe
from recipes.bundled.sources import Sources, sample

_SHORTEST_SENTENCE = 4
_SHORTEST_WORD = 4


@dataclass(frozen=True)
class Lesson:
    """A text, the English text that stands for its meaning, and how much the lesson counts."""

    text: str
    meaning: str
    weight: float = 1.0


def make_lessons(
    sources: Sources, lexicon: dict[str, tuple[str, float]], recipe: LessonRecipe
) -> list[Lesson]:
    """Lessons of six kinds, in a random order fixed by the recipe's seed.

    Sentence pairs (both sides mean the English one); several pairs joined, for longer input;
    English reviews (mean themselves); single Spanish words with a sure translation; and, at a
    lower weight, Spanish without a translation, which means its word-by-word gloss.
    """
    rng = random.Random(recipe.seed)
    pairs = sample(sources.pairs, recipe.pairs, rng)
    joined = [
        (" ".join(en), " ".join(es))
        for en, es in (
            zip(*rng.sample(sources.pairs, min(len(sources.pairs), rng.randint(2, 5))), strict=True)
            for _ in range(recipe.joined)
        )
    ]
    english = [row["text"] for row in [*sources.phrases, *sources.reviews]]
    wikipedia = [text for text in sources.wikipedia if len(text.split()) >= _SHORTEST_SENTENCE]
    spanish = [
        *recipe.wikipedia_passes * wikipedia,
        *sample(sources.speeches, recipe.speeches, rng),
        *sample([row["text"] for row in sources.emoji_tweets], recipe.tweets, rng),
    ]
    lessons = [
        *(Lesson(text, en) for en, es in [*pairs, *joined] for text in (en, es)),
        *(Lesson(text, text) for text in sample(english, recipe.reviews, rng)),
        *recipe.word_passes
        * [
            Lesson(word, meaning, recipe.gloss_weight)
            for word, (meaning, likelihood) in lexicon.items()
            if likelihood >= recipe.sure_translation and len(word) >= _SHORTEST_WORD
        ],
        *(Lesson(text, gloss(text, lexicon), recipe.gloss_weight) for text in spanish),
    ]
    rng.shuffle(lessons)
    return lessons
