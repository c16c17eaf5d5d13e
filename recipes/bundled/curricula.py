"""What the judge of English and the sentiment model read, from all sources."""

import random
from collections.abc import Sequence

from recipes.bundled.gloss import Lexicon, gloss
from recipes.bundled.opinions import (
    EMOJI_SHARES,
    Curriculum,
    Judge,
    Opinion,
    composed,
    glossed,
    halfway,
    joined,
    labelled,
    mixed,
)
from recipes.bundled.recipe import JudgeLessons, OpinionRecipe
from recipes.bundled.sources import Sources, sample

_LONG = 1_000
_PLAIN_SHARES = (0.05, 0.9, 0.05)


def judge_curriculum(sources: Sources, to_english: Lexicon, recipe: JudgeLessons) -> Curriculum:
    """English opinions, and Spanish ones word by word in English, for a judge of English.

    It is to read glosses as well: they are how it will judge Spanish.
    """
    rng = random.Random(recipe.seed)
    phrases = sample(sources.phrases, recipe.phrases, rng)
    reviews = sample(sources.reviews, recipe.reviews, rng)
    short = [row for row in [*phrases, *reviews] if len(row["text"]) < _LONG]
    emoji = [
        Opinion(row["text"], EMOJI_SHARES[row["weak"]], recipe.emoji_weight)
        for row in sample(sources.emoji_tweets, recipe.emoji_tweets, rng)
    ]
    spanish = labelled(sources.tweets["spanish"], recipe.gloss_weight)
    return Curriculum(
        first=[
            *labelled([*phrases, *reviews], recipe.review_weight),
            *glossed(emoji, to_english),
        ],
        then=[
            *mixed(short, recipe.mixed, recipe.mixed_weight, rng),
            *joined(short, recipe.joined, recipe.mixed_weight, rng),
            *recipe.tweet_passes * labelled(sources.tweets["english"], 1.0),
            *recipe.tweet_passes * glossed(spanish, to_english),
        ],
    )


def make_curriculum(
    sources: Sources,
    to_spanish: Lexicon,
    to_english: Lexicon,
    judge: Judge,
    recipe: OpinionRecipe,
) -> Curriculum:
    """Opinions of all sources for the Spanish and English model; what people labelled comes last.

    The Spanish side of sentence pairs has the shares that the judge gives to the English one.
    Tweets with an emoji have the mean of what the emoji and the judge, reading a word-by-word
    gloss, say. English reviews and tweets come in English and word by word in Spanish.
    """
    rng = random.Random(recipe.seed)
    pairs = sample(sources.pairs, recipe.judged, rng)
    spanish, shares = [es for _, es in pairs], judge([en for en, _ in pairs])
    tweets = sample(sources.emoji_tweets, recipe.emoji_tweets, rng)
    judged = judge([gloss(row["text"], to_english) for row in tweets])
    phrases = sample(sources.phrases, recipe.phrases, rng)
    reviews = sample(sources.reviews, recipe.reviews, rng)
    short = [row for row in [*phrases, *reviews] if len(row["text"]) < _LONG]
    single = labelled([*phrases, *reviews], recipe.review_weight)
    several = [
        *mixed(short, recipe.mixed, recipe.mixed_weight, rng),
        *joined(short, recipe.joined, recipe.mixed_weight, rng),
    ]
    plain = [
        *sample(sources.wikipedia, recipe.plain, rng),
        *sample(sources.speeches, recipe.plain, rng),
    ]
    counts = (recipe.composed, recipe.composed_mixed)
    return Curriculum(
        first=[
            *_spoken(spanish, shares, recipe, rng),
            *(
                Opinion(row["text"], halfway(found, EMOJI_SHARES[row["weak"]]), recipe.emoji_weight)
                for row, found in zip(tweets, judged, strict=True)
            ),
            *single,
            *glossed(single, to_spanish),
        ],
        then=[
            *several,
            *glossed(several, to_spanish),
            *composed(spanish, shares, counts, recipe.composed_weight, rng),
            *(Opinion(text, _PLAIN_SHARES, recipe.plain_weight) for text in plain),
            *recipe.tweet_passes
            * [
                opinion
                for language, weight in recipe.tweet_weights
                for opinion in labelled(sources.tweets[language], weight)
            ],
            *recipe.gloss_passes * glossed(labelled(sources.tweets["english"], 1.0), to_spanish),
        ],
    )


def _spoken(
    texts: Sequence[str],
    shares: Sequence[tuple[float, float, float]],
    recipe: OpinionRecipe,
    rng: random.Random,
) -> list[Opinion]:
    """Judged sentences: those that say most of an opinion, and others at random."""
    opinions = [Opinion(t, s, recipe.spoken_weight) for t, s in zip(texts, shares, strict=True)]
    loudest = sorted(opinions, key=lambda o: o.shares[1] - rng.random() * 0.6)
    half = recipe.spoken * 2 // 3
    return loudest[:half] + sample(opinions, recipe.spoken - half, rng)
