"""Languages from a corpus to its rows, figures and gates, as a user meets them."""

import json

import pyarrow.parquet as pq
import pytest

from tests.conftest import SAMPLES

pytestmark = pytest.mark.usefixtures("engine")

ES = "El ayuntamiento aprobó anoche el presupuesto número {} para las escuelas del barrio."
EN = "The council approved budget number {} for the new schools of the district last night."
PT = "A câmara aprovou ontem à noite o orçamento número {} para as novas escolas do bairro."


@pytest.fixture
def score(nocturna, models, tmp_path):
    """Scores texts with a job whose quality section is given; returns how the command ended."""

    def run(texts, quality="{}", *options):
        rows = [{"id": f"d{i}", "text": text} for i, text in enumerate(texts)]
        corpus = tmp_path / "prensa.jsonl"
        corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
        job = tmp_path / "prensa.yaml"
        job.write_text(f"source: {{path: prensa.jsonl, id: id}}\nquality: {quality}\n")
        return nocturna("score", "--job", job, *models, *options)

    return run


def many(sentence, count, first=0):
    return [sentence.format(i) for i in range(first, first + count)]


def test_rows_have_the_language_of_their_text(score, nocturna, tmp_path):
    texts = [ES.format(1), EN.format(2), PT.format(3), "ok", "", ES.format(4)]
    done = score(texts, "{max_failed: 0.5}", "--shard-size", 4, "--json")
    assert done.code == 0, done.err
    table = pq.read_table(tmp_path / "out/prensa/results").sort_by("doc_id")
    assert table["language"].to_pylist() == ["es", "en", "pt", None, None, "es"]
    assert table["status"].to_pylist() == ["ok"] * 4 + ["failed", "ok"]
    notes = {note["name"]: note for note in nocturna("columns", "out/prensa", "--json").json}
    assert notes["language"]["unit"] == "ISO 639-1" and "Language" in notes["language"]["meaning"]
    names = list(notes)
    assert names[names.index("truncated") + 1] == "language"
    path = tmp_path / "out/prensa/runs" / done.json["run_id"] / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    assert metrics["language"]["counts"] == {"es": 2, "en": 1, "pt": 1}
    assert metrics["language"]["unknown_share"] == pytest.approx(1 / 5)


@pytest.mark.slow
def test_a_night_in_another_language_is_refused_or_warns_as_the_job_says(score, nocturna):
    limits = "shift_documents: 5, warn_only: [sentiment_shift, topic_shift"
    first = score(many(ES, 10), f"{{{limits}]}}")
    assert first.code == 0, first.err
    mixed = [*many(ES, 10), *many(EN, 10)]
    refused = score(mixed, f"{{{limits}]}}")
    assert refused.code == 3
    assert "language 'en' moved by +100.0 points against the nights before" in refused.err
    warned = score(mixed, f"{{{limits}, language_shift]}}", "--json")
    assert warned.code == 0, warned.err
    said = [line for line in warned.json["warnings"] if "language 'en' moved by +100.0" in line]
    assert any("(limit 10)" in line for line in said)
    assert warned.json["counts"]["scored"] == 10


def test_a_limit_on_other_languages_refuses(score, nocturna):
    texts = [*many(ES, 6), *many(EN, 3), "ok"]
    done = score(texts, "{max_other_language: 0.2}")
    assert done.code == 3
    assert "30.0% (limit 20.0%) of the documents are in another language than 'es'" in done.err
    assert "mostly 'en'" in done.err
    assert score(texts, "{max_other_language: 0.3}").code == 0


def test_unreadable_rows_may_only_warn(nocturna, models, tmp_path):
    job = tmp_path / "errores.yaml"
    quality = "{max_failed: 0.5, warn_only: [max_quarantined]}"
    source = f"{{path: {SAMPLES / 'con-errores.jsonl'}, id: id}}"
    job.write_text(f"source: {source}\nquality: {quality}\n")
    done = nocturna("score", "--job", job, *models, "--json")
    assert done.code == 0, done.err
    (warning,) = done.json["warnings"]
    assert "of the rows could not be read" in warning
    assert f"quarantine/{done.json['run_id']}" in warning


def test_a_check_that_does_not_exist_or_is_hard_is_a_usage_error(score):
    for name in ("accounting", "idioma"):
        done = score(many(ES, 2), f"{{warn_only: [max_failed, {name}]}}")
        assert done.code == 2
        assert len(done.err.strip().splitlines()) == 1
        assert "prensa.yaml" in done.err and f"quality.warn_only: '{name}'" in done.err
        assert "max_quarantined, max_failed" in done.err and "language_shift" in done.err
