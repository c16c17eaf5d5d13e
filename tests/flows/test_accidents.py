"""Nothing that is published is replaced, doubled or lost by accident."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.models import TEXTS

pytestmark = pytest.mark.usefixtures("engine")

OTHER_TEXTS = [f"Otro corpus, texto número {i}." for i in range(len(TEXTS))]


def corpus(path: Path, texts=TEXTS, first=0) -> Path:
    rows = [
        {"id": f"d{i}", "codigo": i + 100, "text": text, "cuerpo": f"{text}!", "fecha": "hoy"}
        for i, text in enumerate(texts, first)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return path


def published(folder: Path) -> tuple[str, pd.DataFrame]:
    results = folder / "results"
    return str(results.readlink()), pd.read_parquet(results)


@pytest.fixture
def topics(small_models) -> list[str]:
    """Topics by the small encoder, the labels aside, and no sentiment."""
    encoder = small_models["encoder"]
    return ["--no-sentiment", "--topic-model", str(encoder), "--method", "embedding"]


def test_replaced_by_labels(nocturna, topics, small_models, tmp_path):
    source = corpus(tmp_path / "textos.jsonl")
    by_id = ["score", source, "--id", "id"]
    last_night = [*topics, "--labels", "curso,producto,política", "--keep", "fecha"]
    first = nocturna(*by_id, *last_night)
    assert first.code == 0, first.err
    before = published(tmp_path / "out" / "textos")
    with_sentiment = ["--sentiment", "--sentiment-model", small_models["sentiment"]]
    bare = [*topics, "--labels", "curso,producto,política"]
    changes = {
        "'deportes', 'salud'": [*by_id, *topics, "--labels", "deportes,salud", "--keep", "fecha"],
        "with 'cine'": [*by_id, *last_night, "--labels", "cine"],
        "the score 'topic' would vanish": [*by_id, *with_sentiment, "--keep", "fecha"],
        "columns would vanish: 'fecha'": [*by_id, *bare],
        "by the column 'id' and would be by their text": ["score", source, *last_night],
        "and would be by the column 'codigo'": ["score", source, "--id", "codigo", *last_night],
        "'text' and would be 'cuerpo'": [*by_id, "--text", "cuerpo", *last_night],
    }
    for said, command in changes.items():
        for dry_run in ([], ["--dry-run"]):
            done = nocturna(*command, *dry_run)
            assert done.code == 2, said
            assert done.err.count("\n") == 1 and said in done.err, done.err
            assert "--replace" in done.err and "--name" in done.err
    after = published(tmp_path / "out" / "textos")
    assert after[0] == before[0] and after[1].equals(before[1])
    assert not list((tmp_path / "out" / "textos" / "work").iterdir())

    asked = nocturna(*by_id, *topics, "--labels", "deportes,salud", "--replace")
    assert asked.code == 0, asked.err
    frame = published(tmp_path / "out" / "textos")[1]
    assert {"topic_deportes", "topic_salud"} <= set(frame) and "topic_curso" not in frame
    assert "fecha" not in frame and len(frame) == len(TEXTS)
    assert frame.topic_salud.notna().all()
    again = nocturna("score", source, "--id", "codigo", *topics, "--labels", "deportes,salud")
    assert again.code == 2, "what was allowed was allowed for one run"
    other_id = nocturna(
        "score", source, "--id", "codigo", *topics, "--labels", "deportes,salud", "--replace"
    )
    assert other_id.code == 0, other_id.err
    ids = published(tmp_path / "out" / "textos")[1].doc_id
    assert sorted(ids) == [str(i + 100) for i in range(len(TEXTS))], "no text is there twice"


@pytest.mark.slow
def test_a_corpus_that_moved_is_the_same_and_another_one_is_refused(nocturna, topics, tmp_path):
    last_night = ["--id", "id", *topics, "--name", "prensa"]
    first = corpus(tmp_path / "uno" / "notas.jsonl")
    nocturna("score", first, *last_night, "--labels", "a,b")
    out = tmp_path / "out" / "prensa"
    shutil.copy(first, corpus(tmp_path / "dos" / "notas.jsonl"))
    last_night += ["--labels", "b,a", "--keep", "fecha"]
    moved = nocturna("score", tmp_path / "dos", *last_night)
    assert moved.code == 0, moved.err

    other = corpus(tmp_path / "tres" / "notas.jsonl", OTHER_TEXTS, first=1000)
    for dry_run in ([], ["--dry-run"]):
        refused = nocturna("score", other, *last_night, *dry_run)
        assert refused.code == 2
        for part in (str(tmp_path / "dos"), str(other), "--name", "--replace", "--same-source"):
            assert part in refused.err
    assert len(published(out)[1]) == len(TEXTS)
    assert not list((out / "work").iterdir())
    replaced = nocturna("score", other, *last_night, "--replace", "--json")
    assert replaced.code == 0, replaced.err
    assert replaced.json["published"]["rows"] == len(OTHER_TEXTS)
    assert set(published(out)[1].doc_id) == {f"d{1000 + i}" for i in range(len(OTHER_TEXTS))}
    joined = nocturna("score", first, *last_night, "--same-source", "--json")
    assert joined.code == 0, joined.err
    assert joined.json["published"]["rows"] == len(TEXTS) + len(OTHER_TEXTS)


@pytest.mark.slow
def test_files_named_by_their_day_add_up(nocturna, topics, tmp_path):
    last_night = ["--id", "id", *topics, "--labels", "a,b", "--name", "diario"]
    for day, texts in ((24, TEXTS), (25, OTHER_TEXTS[:2])):
        file = corpus(tmp_path / f"dia-2026-11-{day}.jsonl", texts, first=day * 100)
        done = nocturna("score", file, *last_night, "--json")
        assert done.code == 0, done.err
    assert done.json["published"]["rows"] == len(TEXTS) + 2
    assert done.json["counts"]["scored"] == 2
    assert sum(done.json["new_shares"]["topic"].values()) == pytest.approx(1)
    frame = published(tmp_path / "out" / "diario")[1]
    shares = frame.topic.value_counts(normalize=True)
    assert done.json["shares"]["topic"] == pytest.approx(
        {label: shares.get(label, 0.0) for label in ("a", "b")}
    )


def test_a_corpus_that_has_shrunk_is_refused(nocturna, topics, tmp_path):
    source = corpus(tmp_path / "prensa.jsonl")
    last_night = ["score", source, "--id", "id", *topics, "--labels", "a,b", "--deletions", "drop"]
    nocturna(*last_night)
    corpus(source, TEXTS[:7])
    refused = nocturna(*last_night)
    assert refused.code == 2
    assert "shrunk by 30%" in refused.err and "--allow-shrink" in refused.err
    assert len(published(tmp_path / "out" / "prensa")[1]) == len(TEXTS)
    allowed = nocturna(*last_night, "--allow-shrink")
    assert allowed.code == 0, allowed.err
    assert len(published(tmp_path / "out" / "prensa")[1]) == 7


def test_what_is_allowed_for_one_run_stands_in_no_file(nocturna, tmp_path):
    job = tmp_path / "prensa.yaml"
    job.write_text("source: {path: a.jsonl}\nonce: {replace: true}\n")
    done = nocturna("score", "--job", job)
    assert done.code == 2 and "--replace" in done.err and "every night" in done.err
    assert nocturna("jobs", job).code == 2


@pytest.mark.slow
def test_a_file_of_another_day_whose_ids_begin_anew_replaces_nothing(nocturna, topics, tmp_path):
    command = [*topics, "--labels", "curso,producto", "--id", "id", "--name", "dia"]
    for day, code in ((24, 0), (25, 2)):
        texts = [f"{text} Del {day}." for text in TEXTS[:6]]
        file = corpus(tmp_path / f"dia-2026-11-{day}.jsonl", texts)
        for more in ([], ["--dry-run"]):
            done = nocturna("score", file, *command, *more)
            assert done.code == code, done.err
    assert "would replace them" in done.err and "--replace" in done.err
    _, rows = published(tmp_path / "out" / "dia")
    assert len(rows) == 6 and rows["source_uri"].str.contains("2026-11-24").all()
    assert nocturna("score", file, *command, "--replace").code == 0


@pytest.mark.slow
def test_documents_that_come_again_under_other_ids_do_not_double(nocturna, topics, tmp_path):
    command = [*topics, "--labels", "curso,producto", "--id", "id", "--name", "web"]
    source = corpus(tmp_path / "web.jsonl", [*TEXTS, "Otra mañana.", "Otra tarde."])
    assert nocturna("score", source, *command).code == 0
    rows = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    spelt = [{**row, "id": row["id"].upper()} if i == 7 else row for i, row in enumerate(rows)]
    source.write_text("".join(json.dumps(row) + "\n" for row in spelt), "utf-8")
    told = nocturna("score", source, *command, "--dry-run")
    said = f"documents are written otherwise (1, of which {rows[7]['id']!r} is 'D7' now): their"
    assert told.code == 0 and said in told.err and "--deletions drop" in told.err
    assert nocturna("score", source, *command, "--deletions", "drop").code == 0
    _, results = published(tmp_path / "out" / "web")
    assert sorted(results["doc_id"]) == sorted(row["id"] for row in spelt)
    rows = spelt
    again = [{**row, "id": f"https://{row['id']}"} if i >= 4 else row for i, row in enumerate(rows)]
    source.write_text("".join(json.dumps(row) + "\n" for row in again), "utf-8")
    refused = nocturna("score", source, *command)
    assert refused.code == 2 and "--replace" in refused.err
    assert "67% of the published texts come again under other ids" in refused.err
    replaced = nocturna("score", source, *command, "--replace")
    assert replaced.code == 0, replaced.err
    _, results = published(tmp_path / "out" / "web")
    assert len(results) == len(rows) and results["doc_id"].str.startswith("https").sum() == 8


def test_short_answers_that_many_give_come_again_under_new_ids(nocturna, topics, tmp_path):
    command = [*topics, "--labels", "curso,producto", "--id", "id", "--name", "encuesta"]
    for first in (0, 100):
        source = corpus(tmp_path / "encuesta.jsonl", ["Sí", "No", "No", "Sí", "No", "No"], first)
        done = nocturna("score", source, *command)
        assert done.code == 0, done.err
    assert len(published(tmp_path / "out" / "encuesta")[1]) == 12
