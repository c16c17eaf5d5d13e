"""No text that measures may train."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from recipes.bundled.leaks import MEASURING_SETS, fingerprint, measuring_fingerprints, without_leaks
from recipes.bundled.sources import Said, Sources, read_sources
from tests.recipes.made_up import write_data, write_jsonl

DATA = Path(__file__).parents[3] / "shared" / "data"


def all_texts(sources: Sources) -> list[str]:
    """Every single text of the sources, before texts are put together."""
    opinions = [text for rows in sources.opinions.values() for text, _ in rows]
    words = [word for found in sources.words.values() for word in found]
    said = [*sources.sentences, *sources.paired, *sources.articles, *words, *opinions]
    pairs = [text for a, b, _ in sources.scored for text in (a, b)]
    return [text for by_language in said for text in by_language.values()] + [
        *pairs,
        *sources.speeches,
    ]


def untranslated(texts: list[Said], start: str, others: Sequence[str]) -> list[Said]:
    """No translation: what is read is what the files hold."""
    return texts


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


@pytest.mark.usefixtures("wordfreq")
def test_made_up_leaks_never_reach_a_lesson_or_an_opinion(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    leaked = "Mi hermana compra un libro."
    write_jsonl(data / "topics/sib200-spa_Latn.train.jsonl.gz", [{"text": leaked.upper()}])
    measured = measuring_fingerprints(data)
    assert fingerprint(leaked) in measured
    sources = read_sources(data, 100, 100, 1, untranslated)
    tweets = [text["es"] for text, _ in sources.opinions["tweets"] if "es" in text]
    assert len(tweets) == 7 * 3
    assert measured.isdisjoint(map(fingerprint, all_texts(sources)))


@pytest.mark.slow
def test_the_real_sets_share_no_text() -> None:
    if not DATA.is_dir():
        pytest.skip(f"the training data is not at {DATA}")
    for pattern in MEASURING_SETS:
        assert list(DATA.glob(pattern)), f"no file matches {pattern}"
    pytest.importorskip("wordfreq", reason="it comes with the extra `train`")
    measured = measuring_fingerprints(DATA)
    sources = read_sources(DATA, 200_000, 200_000, 1, untranslated)
    assert len(measured) > 40_000
    assert measured.isdisjoint(map(fingerprint, all_texts(sources)))
