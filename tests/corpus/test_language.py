"""The language of a text: right for sentences, unknown where nobody could tell, and offline."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from nocturna.tasks.corpus import language
from nocturna.tasks.corpus.language import READ, languages_of
from tests.conftest import SAMPLES

SPANISH = "El ayuntamiento aprobó anoche el presupuesto para las nuevas escuelas del barrio."
ENGLISH = "The council approved the budget for the new schools of the district last night."


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SPANISH, "es"),
        (SPANISH.upper(), "es"),
        (ENGLISH, "en"),
        ("A câmara aprovou ontem à noite o orçamento para as novas escolas do bairro.", "pt"),
        ("Le conseil a approuvé hier soir le budget des nouvelles écoles du quartier.", "fr"),
        ("L'ajuntament va aprovar ahir a la nit el pressupost de les noves escoles.", "ca"),
        ("市议会昨晚批准了新学校的预算。", "zh"),
        # the model itself says Extremaduran, which has no code of two letters
        ("Zapatillas comodísimas: 600 km y la suela casi nueva. Ni una ampolla.", "es"),
    ],
)
def test_a_sentence_has_its_language(text, code):
    assert languages_of([text]) == [code]


@pytest.mark.parametrize(
    "text",
    [
        *("", " \n", "ok", "Hola", "Gracias", "😭😭😭😭😭😭"),
        "2024-01-01 12:30 45,7 % 300 km 600 33.000",
        "https://example.com/a/b/c?d=e&f=123456",
    ],
)
def test_a_text_that_nobody_could_tell_has_none(text):
    assert languages_of([text]) == [None]


def test_texts_keep_their_order():
    assert languages_of([ENGLISH, "ok", SPANISH, ENGLISH]) == ["en", None, "es", "en"]


def test_only_the_start_of_a_text_is_read():
    start = (SPANISH + " ") * (READ // len(SPANISH) + 1)
    assert languages_of([start[:READ] + ENGLISH * 1000]) == ["es"]


def test_the_sample_opinions_have_the_language_that_a_person_gave():
    lines = (SAMPLES / "opiniones.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    told = languages_of(document["text"] for document in documents)
    pairs = [(d["lang"], t) for d, t in zip(documents, told, strict=True) if t is not None]
    assert len(pairs) > 0.95 * len(documents)
    assert sum(lang == found for lang, found in pairs) > 0.99 * len(pairs)


def test_the_model_is_loaded_when_it_is_needed_and_from_no_network():
    code = f"""
import sys
calls = []
sys.addaudithook(lambda name, args: calls.append(name) if name.startswith("socket.") else None)
from nocturna.tasks.corpus import language
from nocturna.tasks.corpus.language import languages_of
assert "py3langid" not in sys.modules
assert languages_of([{ENGLISH!r}]) == ["en"]
assert "py3langid" in sys.modules
print(calls)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A new cache, and no model in memory, before and afterwards."""
    monkeypatch.setenv("NOCTURNA_CACHE", str(tmp_path))
    language._load.cache_clear()
    yield tmp_path / "languages"
    language._load.cache_clear()


@pytest.fixture
def unpacked(monkeypatch):
    """The models that the package unpacks from now on."""
    found = []

    def package(own=language._package):
        found.append(own())
        return found[-1]

    monkeypatch.setattr(language, "_package", package)
    return found


@pytest.mark.usefixtures("cache")
def test_threads_that_begin_together_load_the_model_once(unpacked):
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(languages_of, [[SPANISH]] * 4))
    assert (told, len(unpacked)) == ([["es"]] * 4, 1)


def answers() -> list[str | None]:
    language._load.cache_clear()
    return languages_of([SPANISH, ENGLISH])


@pytest.mark.parametrize("damaged", ["next.npy", "classes.json", "about.json"])
def test_the_model_is_unpacked_once_and_again_where_what_is_kept_is_damaged(
    cache, unpacked, damaged
):
    assert [answers(), answers()] == [["es", "en"]] * 2
    assert len(unpacked) == 1
    (kept,) = cache.iterdir()
    (kept / damaged).write_bytes((kept / damaged).read_bytes()[:-9])
    assert [answers(), answers()] == [["es", "en"]] * 2
    assert len(unpacked) == 2


def test_a_cache_that_cannot_be_written_is_done_without(cache, unpacked):
    cache.write_text("in the way")
    assert [answers(), answers()] == [["es", "en"]] * 2
    assert len(unpacked) == 2


def test_many_texts_at_once_are_told_as_the_package_tells_each(monkeypatch):
    path = SAMPLES / "opiniones.jsonl"
    texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
    odd = [
        "",
        "a",
        "\ud800 medio par",
        "ÑANDÚ",
        "e\u0301l e\u0301l",
        "😭" * READ,
        "ok",
        "Здраво свима",
    ]
    starts = [text[:READ] for text in [*odd, *texts, SPANISH.upper(), *texts[0].split()]]
    monkeypatch.setattr(language, "AT_ONCE", 100)
    package = language._package()
    codes = [package.classify(start)[0] for start in starts]
    assert languages_of(starts) == [code if code != "und" else None for code in codes]
    assert {"es", "en", "und"} < set(codes)
