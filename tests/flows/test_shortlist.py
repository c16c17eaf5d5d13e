"""A job with more labels than the NLI model is asked about, as its user runs it."""

import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.flows.test_score import write_corpus
from tests.models import TEXTS

pytestmark = pytest.mark.usefixtures("engine")
LABELS = ["política", "computación", "estadística", "deportes", "salud", "viajes"]
COLUMNS = [f"topic_{name}" for name in ("politica", "computacion", "estadistica")]
COLUMNS += ["topic_deportes", "topic_salud", "topic_viajes"]


@pytest.fixture
def arguments(small_models) -> list[str]:
    return [
        *("--no-sentiment", "--id", "id", "--topic-model", str(small_models["nli"])),
        *("--labels", ",".join(LABELS), "--shortlist-model", str(small_models["encoder"])),
    ]


def test_a_document_has_scores_for_its_shortlist_and_nulls_elsewhere(
    nocturna, arguments, small_models, tmp_path
):
    corpus = write_corpus(tmp_path / "prensa.jsonl", [*TEXTS, " ".join(TEXTS * 3), ""])
    done = nocturna("score", corpus, *arguments, "--shortlist", 2, "--shard-size", 5)
    assert done.code == 0, done.err
    assert "2 of 6 labels a document" in done.out
    results = tmp_path / "out" / "prensa" / "results"
    frame = pd.read_parquet(results).set_index("doc_id")
    scored = frame[frame.status == "ok"]
    assert len(scored) == len(TEXTS) + 1
    assert scored.n_windows.max() > 1
    assert (scored[COLUMNS].notna().sum(axis=1) == 2).all()
    assert scored[COLUMNS].sum(axis=1).between(0.999, 1.001).all()
    assert (scored.topic_score == scored[COLUMNS].max(axis=1)).all()
    assert frame[frame.status == "failed"][COLUMNS].isna().all(axis=None)
    nulls = " + ".join(f"({c} IS NULL)::INT" for c in COLUMNS)
    sql = f"SELECT count(*) FROM '{results}/*.parquet' WHERE status = 'ok' AND {nulls} = 4"
    assert duckdb.sql(sql).fetchall() == [(len(scored),)]

    notes = {note["name"]: note for note in nocturna("columns", "out/prensa", "--json").json}
    assert all("asked about, else null" in notes[c]["meaning"] for c in COLUMNS)
    (manifest,) = (tmp_path / "out" / "prensa" / "runs").glob("*/manifest.json")
    topic = json.loads(manifest.read_text(encoding="utf-8"))["scores"]["topic"]
    assert topic["asked"] == topic["settings"]["shortlist"] == 2
    chosen = topic["models"]["shortlist"]
    assert chosen["name"] == str(small_models["encoder"])
    assert chosen["revision"].startswith("sha256:")


@pytest.mark.slow
def test_another_shortlist_scores_again_and_the_same_one_carries(nocturna, arguments, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    first = nocturna("score", corpus, *arguments, "--shortlist", 2, "--json").json
    assert first["asked"] == {"topic": 2}
    write_corpus(corpus, [*TEXTS, "Un documento más."])
    second = nocturna("score", corpus, *arguments, "--shortlist", 2, "--json").json
    assert (second["counts"]["scored"], second["counts"]["carried"]) == (1, len(TEXTS))
    third = nocturna("score", corpus, *arguments, "--shortlist", 3, "--json").json
    assert (third["counts"]["scored"], third["counts"]["carried"]) == (len(TEXTS) + 1, 0)
    frame = pd.read_parquet(tmp_path / "out" / "prensa" / "results")
    assert (frame[COLUMNS].notna().sum(axis=1) == 3).all()


@pytest.mark.parametrize("shortlist", [["--shortlist", 1], ["--shortlist", 2, "--multi-label"]])
def test_scores_that_need_not_add_up_are_published(nocturna, arguments, tmp_path, shortlist):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    done = nocturna("score", corpus, *arguments, *shortlist)
    assert done.code == 0, done.err
    frame = pd.read_parquet(tmp_path / "out" / "prensa" / "results")
    assert (frame[COLUMNS].notna().sum(axis=1) == shortlist[1]).all()
    notes = {note["name"]: note for note in nocturna("columns", "out/prensa", "--json").json}
    assert "scored by itself" in notes["topic_salud"]["meaning"]


def test_a_job_with_a_single_label_is_published(nocturna, small_models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    topics = ["--topic-model", small_models["nli"], "--labels", "salud", "--multi-label"]
    done = nocturna("score", corpus, "--no-sentiment", *topics)
    assert done.code == 0, done.err
    scores = pd.read_parquet(tmp_path / "out" / "prensa" / "results").topic_salud
    assert scores.nunique() > 1  # a softmax over the one label would make them all 1


@pytest.mark.slow
def test_a_job_file_names_the_shortlist_and_its_model_beside_it(
    nocturna, arguments, small_models, tmp_path
):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    job = tmp_path / "jobs" / "diario.yaml"
    job.parent.mkdir()
    (job.parent / "encoder").symlink_to(Path(small_models["encoder"]).resolve())
    job.write_text(
        f"""
source: {{path: ../prensa.jsonl, id: id}}
scores:
  topic:
    model: {small_models["nli"]}
    labels: [{", ".join(LABELS)}]
    shortlist: 2
    shortlist_model: encoder
""",
        encoding="utf-8",
    )
    by_file = nocturna("score", "--job", job, "--json")
    assert by_file.code == 0, by_file.err
    by_options = nocturna("score", corpus, *arguments, "--shortlist", 2, "--json")
    frames = [
        pd.read_parquet(tmp_path / "out" / found.json["job"] / "results")
        for found in (by_file, by_options)
    ]
    same = ["doc_id", "topic_config", "topic", "topic_score", *COLUMNS]
    pd.testing.assert_frame_equal(frames[0][same], frames[1][same])


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        (["--shortlist", 2, "--method", "embedding"], ["shortlist", "kind: nli"]),
        (["--shortlist", 0], ["scores.topic.shortlist", "greater than or equal to 1"]),
        (["--shortlist", 2, "--shortlist-model", "./none"], ["./none"]),
        ([], ["shortlist_model", "how many labels"]),
    ],
)
def test_a_shortlist_that_cannot_be_is_one_line(nocturna, arguments, tmp_path, more, parts):
    done = nocturna("score", write_corpus(tmp_path / "prensa.jsonl"), *arguments, *more)
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert all(part in done.err for part in parts), done.err
