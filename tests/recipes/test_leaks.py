"""No text that measures may train."""

from dataclasses import replace
from pathlib import Path

import pytest

from recipes.bundled.curricula import judge_curriculum, make_curriculum
from recipes.bundled.leaks import MEASURING_SETS, fingerprint, measuring_fingerprints, without_leaks
from recipes.bundled.lessons import make_lessons
from recipes.bundled.recipe import JudgeLessons, LessonRecipe, OpinionRecipe
from recipes.bundled.sources import Sources, read_sources, vocabulary_texts
from tests.recipes.made_up import write_data, write_jsonl

DATA = Path(__file__).parents[3] / "shared" / "data"


def all_texts(sources: Sources) -> list[str]:
    """Every single text of the sources, before texts are joined or glossed."""
    rows = [*sources.emoji_tweets, *sources.phrases, *sources.reviews]
    rows += [row for tweets in sources.tweets.values() for row in tweets]
    return [
        *(text for pair in sources.pairs for text in pair),
        *(text for pair in sources.scored for text in (pair.a, pair.b)),
        *(article.text for article in sources.articles),
        *sources.wikipedia,
        *sources.speeches,
        *(row["text"] for row in rows),
    ]


@pytest.mark.parametrize(
    "other",
    [
        "me gusta  el PAN",
        "@juana Me gusta el pan!! https://t.co/abc",
        "@user me gusta el pan http",
        "_usr Me gusta el pan _emo",
    ],
)
def test_disguises_do_not_change_a_fingerprint(other: str) -> None:
    assert fingerprint(other) == fingerprint("Me gusta el pan")


def test_different_words_differ_and_mere_mentions_have_no_fingerprint() -> None:
    assert fingerprint("Me gusta el vino") != fingerprint("Me gusta el pan")
    assert fingerprint("@user http") == ""


def test_a_row_goes_when_any_of_its_texts_is_measured() -> None:
    measured = frozenset({fingerprint("uno dos")})
    rows = [("a", "b"), ("c", "Uno, dos."), ("@user", "")]
    assert without_leaks(rows, lambda row: row, measured) == [("a", "b"), ("@user", "")]


def test_made_up_leaks_never_reach_a_lesson_or_an_opinion(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    leaked = "Mi hermana compra un libro."
    write_jsonl(data / "topics/sib200-spa_Latn.train.jsonl.gz", [{"text": leaked.upper()}])
    measured = measuring_fingerprints(data)
    assert fingerprint(leaked) in measured
    sources = read_sources(data)
    assert len(sources.tweets["spanish"]) == 7 * 3
    assert measured.isdisjoint(map(fingerprint, all_texts(sources)))
    lessons = make_lessons(sources, {}, LessonRecipe(joined=0))
    opinions = make_curriculum(
        sources,
        {},
        {},
        lambda texts: [(0.2, 0.6, 0.2)] * len(texts),
        replace(OpinionRecipe(), mixed=0, joined=0),
    )
    judged = judge_curriculum(sources, {}, replace(JudgeLessons(), mixed=0, joined=0))
    for text in [
        x.text for x in (*lessons, *opinions.first, *opinions.then, *judged.first, *judged.then)
    ]:
        assert fingerprint(text) not in measured


@pytest.mark.slow
def test_the_real_sets_share_no_text() -> None:
    if not DATA.is_dir():
        pytest.skip(f"the training data is not at {DATA}")
    for pattern in MEASURING_SETS:
        assert list(DATA.glob(pattern)), f"no file matches {pattern}"
    measured = measuring_fingerprints(DATA)
    sources = read_sources(DATA)
    assert len(measured) > 40_000
    assert measured.isdisjoint(map(fingerprint, all_texts(sources)))
    assert measured.isdisjoint(map(fingerprint, vocabulary_texts(sources)))
