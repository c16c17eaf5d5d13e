"""The main job, end to end, as its user runs it."""

import json
import re
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.conftest import SAMPLES
from tests.models import TEXTS

pytestmark = pytest.mark.usefixtures("engine")


def write_corpus(path: Path, texts=TEXTS, **more) -> Path:
    rows = [{"id": f"d{i:03}", "text": text, **more} for i, text in enumerate(texts)]
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return path


def test_a_corpus_becomes_rows_that_every_reader_reads_alike(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl", TEXTS * 3, autor="x")
    done = nocturna("score", corpus, *models, "--id", "id", "--keep", "autor", "--shard-size", 7)
    assert done.code == 0, done.err
    results = tmp_path / "out" / "prensa" / "results"
    frame = pd.read_parquet(results)
    assert len(frame) == len(TEXTS) * 3
    assert frame.doc_id.is_unique
    assert (frame.status == "ok").all()
    assert set(frame.sentiment) <= {"NEG", "NEU", "POS"}
    assert set(frame.topic) <= {"política", "computación", "estadística"}
    labels = ["topic_politica", "topic_computacion", "topic_estadistica"]
    assert frame[labels].sum(axis=1).between(0.999, 1.001).all()
    assert (frame.topic_score == frame[labels].max(axis=1)).all()
    assert (frame.autor == "x").all()
    assert frame.run_id.nunique() == frame.sentiment_config.nunique() == 1
    assert frame.topic_config.nunique() == 1
    glob = f"{results}/*.parquet"
    assert duckdb.sql(f"SELECT count(*) FROM '{glob}'").fetchall() == [(len(frame),)]
    assert pl.scan_parquet(str(results)).collect().height == len(frame)
    assert len(list(results.iterdir())) == 5, "30 documents in shards of 7"


def test_what_is_printed_says_what_happened_and_how_to_read_it(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    done = nocturna("score", corpus, *models)
    assert done.code == 0, done.err
    for part in ("read", "scored", "quarantined", "sentiment", "topic política", "results"):
        assert part in done.out
    pandas_line = re.search(r"pd\.read_parquet\(.*\)", done.out).group()
    assert len(eval(pandas_line, {"pd": pd})) == len(TEXTS)
    duckdb_line = re.search(r"duckdb\.sql\(.*\)", done.out).group()
    assert len(eval(duckdb_line, {"duckdb": duckdb}).fetchall()) == len(TEXTS)


def test_json_is_one_object_with_the_same_figures(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    done = nocturna("score", corpus, *models, "--json")
    found = done.json
    assert found["counts"]["read"] == found["counts"]["scored"] == len(TEXTS)
    assert found["status"] == "published"
    assert sum(found["shares"]["topic"].values()) == pytest.approx(1)


def test_the_manifest_says_with_what(nocturna, models, small_models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    run = nocturna("score", corpus, *models, "--json").json["run_id"]
    path = tmp_path / "out" / "prensa" / "runs" / run / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    assert manifest["status"] == "published"
    assert manifest["inputs"][0]["fingerprint"].startswith("sha256:")
    assert manifest["inputs"][0]["rows"] == len(TEXTS)
    sentiment, topic = (manifest["scores"][name] for name in ("sentiment", "topic"))
    model = sentiment["models"]["model"]
    assert model["name"] == str(small_models["sentiment"])
    assert model["revision"].startswith("sha256:")
    assert topic["labels"]["política"] == "topic_politica"
    assert topic["settings"]["temperature"] == 0.1
    assert {"torch", "transformers", "prefect", "python"} <= set(manifest["versions"])
    assert {"plan", "read", "infer", "write"} <= set(manifest["timings"])
    assert manifest["documents_per_second"] > 0 < manifest["tokens_per_second"]
    row = pq.read_table(tmp_path / "out" / "prensa" / "results").to_pylist()[0]
    assert (row["sentiment_config"], row["topic_config"]) == (sentiment["config"], topic["config"])
    configs = pq.read_table(tmp_path / "out" / "prensa" / "configs.parquet").to_pylist()
    assert [row["scores"] for row in configs] == [["sentiment"], ["topic"]]
    assert [row["config"] for row in configs] == [sentiment["config"], topic["config"]]
    assert (configs[0]["model"], configs[0]["revision"]) == (model["name"], model["revision"])
    assert configs[1]["labels"] == list(topic["labels"])


@pytest.mark.slow
def test_a_faster_precision_says_how_far_it_is_from_fp32(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    found = []
    for precision in ("bf16", "fp32"):
        done = nocturna("score", corpus, *models, "--precision", precision, "--json")
        assert done.code == 0, done.err
        run = tmp_path / "out" / "prensa" / "runs" / done.json["run_id"] / "manifest.json"
        found.append(json.loads(run.read_text(encoding="utf-8")))
    fast, exact = found
    assert fast["precision"] == "bf16" and exact["deviation"] is None
    assert 0 < fast["deviation"]["largest"] < 0.3
    assert fast["deviation"]["documents"] == len(TEXTS)
    configs = [{s["config"] for s in run["scores"].values()} for run in (fast, exact)]
    assert not configs[0] & configs[1]


@pytest.mark.slow
def test_auto_chooses_a_precision_on_the_jobs_texts_and_keeps_it(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")

    def night(*options) -> dict:
        done = nocturna("score", corpus, *models, "--precision", "auto", "--json", *options)
        assert done.code == 0, done.err
        run = tmp_path / "out" / "prensa" / "runs" / done.json["run_id"] / "manifest.json"
        return json.loads(run.read_text(encoding="utf-8"))

    first = night()
    choice = first["choice"]
    assert choice["documents"] == len(TEXTS)
    assert choice["measured"][0]["precision"] == "fp32"
    fastest = min((m for m in choice["measured"] if m["within"]), key=lambda m: m["seconds"])
    assert first["precision"] == choice["precision"] == fastest["precision"]
    assert first["backend"] == "openvino" and first["padding"] == 0
    assert first["counts"]["computed_tokens"] > first["counts"]["tokens"]
    second = night("--full")
    assert second["choice"] == choice, "the second night measured again"
    assert second["scores"] == first["scores"]


def test_nli_and_embedding_both_score_every_label(nocturna, small_models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    options = ["--no-sentiment", "--topic-model", small_models["nli"], "--labels", "a,b"]
    done = nocturna("score", corpus, *options, "--multi-label", "--json")
    assert done.code == 0, done.err
    frame = pd.read_parquet(tmp_path / "out" / "prensa" / "results")
    assert "sentiment" not in frame
    assert frame[["topic_a", "topic_b"]].notna().all(axis=None)
    assert (frame[["topic_a", "topic_b"]].sum(axis=1) - 1).abs().max() > 0.01


def test_a_night_scores_only_what_is_new_or_changed(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    arguments = ["score", corpus, *models, "--id", "id", "--json"]
    first = nocturna(*arguments).json
    write_corpus(corpus, ["Un texto que cambió.", *TEXTS[1:], "Un documento más."])
    second = nocturna(*arguments)
    assert "2 of 11 documents to score: 1 new, 1 changed" in second.err
    second = second.json
    assert (first["snapshot"], second["snapshot"]) == (1, 2)
    frame = pd.read_parquet(tmp_path / "out" / "prensa" / "results").set_index("doc_id")
    assert frame.index.is_unique and len(frame) == len(TEXTS) + 1
    new = frame.index[frame.run_id == second["run_id"]]
    assert set(new) == {"d000", f"d{len(TEXTS):03}"}
    assert set(frame.run_id) == {first["run_id"], second["run_id"]}

    listed = nocturna("runs", "--json").json
    assert [run["run_id"] for run in listed] == [second["run_id"], first["run_id"]]
    assert {run["status"] for run in listed} == {"published"}
    lines = nocturna("runs", "prensa").out.splitlines()
    assert all(found["run_id"] in line for found, line in zip((second, first), lines, strict=True))

    third = nocturna(*arguments).json
    assert third["counts"]["scored"] == 0 and third["counts"]["carried"] == len(frame)
    again = nocturna(*arguments, "--full").json
    assert again["counts"]["scored"] == len(frame)


@pytest.mark.slow
def test_a_column_that_is_asked_for_later_is_filled_for_every_row(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl", autor="x")
    assert nocturna("score", corpus, *models, "--id", "id").code == 0
    done = nocturna("score", corpus, *models, "--id", "id", "--keep", "autor", "--keep-text")
    assert done.code == 0, done.err
    frame = pd.read_parquet(tmp_path / "out" / "prensa" / "results")
    assert (frame.autor == "x").all() and frame.text.tolist() == TEXTS


@pytest.mark.slow
def test_a_trial_is_published_aside(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    assert nocturna("score", corpus, *models, "--id", "id").code == 0
    full = pd.read_parquet(tmp_path / "out" / "prensa" / "results")
    for options, rows in ((("--limit", 3), 3), (("--sample", 4, "--seed", 2), 4)):
        done = nocturna("score", corpus, *models, "--id", "id", *options, "--json")
        assert done.code == 0, done.err
        assert done.json["counts"]["read"] == rows
        assert len(pd.read_parquet(tmp_path / "out" / "prensa-sample" / "results")) == rows
    assert pd.read_parquet(tmp_path / "out" / "prensa" / "results").equals(full)
    done = nocturna("score", corpus, *models, "--limit", 3, "--sample", 3)
    assert done.code == 2 and "give --limit or --sample" in done.err


@pytest.mark.slow
def test_the_job_file_and_options_mean_the_same(nocturna, models, small_models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    job = tmp_path / "jobs" / "diario.yaml"
    job.parent.mkdir()
    job.write_text(
        f"""
source: {{path: ../prensa.jsonl, id: id}}
scores:
  sentiment: {{model: {small_models["sentiment"]}}}
  topic:
    model: {small_models["encoder"]}
    kind: embedding
    labels: [política, computación, estadística]
""",
        encoding="utf-8",
    )
    by_file = nocturna("score", "--job", job, "--json").json
    by_options = nocturna("score", corpus, *models, "--id", "id", "--json").json
    assert by_file["job"] == "diario"
    frames = [
        pd.read_parquet(tmp_path / "out" / found["job"] / "results")
        for found in (by_file, by_options)
    ]
    same = [name for name in frames[0] if name not in {"run_id", "scored_at"}]
    pd.testing.assert_frame_equal(frames[0][same], frames[1][same])


def test_faults_in_a_corpus_are_accounted_for_row_by_row(nocturna, models, tmp_path):
    corpus = SAMPLES / "con-errores.jsonl"
    done = nocturna(
        "score",
        corpus,
        *models,
        "--id",
        "id",
        "--max-quarantined",
        0.4,
        "--json",
        "--max-failed",
        0.5,
    )
    assert done.code == 0, done.err
    counts = done.json["counts"]
    assert counts["read"] == 25
    assert counts["read"] == counts["scored"] + counts["failed"] + counts["quarantined"]
    frame = pd.read_parquet(tmp_path / "out" / "con-errores" / "results")
    failed = frame[frame.status == "failed"]
    assert len(failed) == counts["failed"] > 0
    assert failed.sentiment.isna().all() and failed.topic_score.isna().all()
    assert {"null_text", "empty_text", "invalid_unicode"} <= set(failed.error_code)
    quarantine = pd.read_parquet(done.json["quarantine"])
    assert len(quarantine) == counts["quarantined"]
    assert {"invalid_json", "not_an_object", "encoding", "duplicate_id"} <= set(quarantine.reason)
    assert quarantine.source_row.between(1, 25).all()


def test_too_many_bad_rows_refuse_before_any_model_runs(nocturna, models, tmp_path):
    done = nocturna("score", SAMPLES / "con-errores.jsonl", *models, "--id", "id")
    assert done.code == 3
    assert len(done.err.strip().splitlines()) == 1
    assert "rows cannot be read" in done.err and "--max-quarantined" in done.err
    assert not (tmp_path / "out" / "con-errores" / "results").exists()
    (run,) = nocturna("runs", "--json").json
    assert run["status"] == "refused"


def test_a_refused_run_is_kept_and_published_with_a_reason(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl", [*TEXTS, "", " ", "", "\t"])
    refused = nocturna("score", corpus, *models, "--id", "id")
    assert refused.code == 3
    assert "of the documents have no score" in refused.err
    assert not (tmp_path / "out" / "prensa" / "results").exists()
    (run,) = nocturna("runs", "--json").json
    assert run["status"] == "refused"
    assert nocturna("publish", "20200101T000000-00000000", "--accept", "x").code == 2
    done = nocturna("publish", run["run_id"], "--accept", "blank rows are known", "--json")
    assert done.code == 0, done.err
    (run,) = nocturna("runs", "--json").json
    assert (run["status"], run["reason"]) == ("published", "blank rows are known")
    frame = pd.read_parquet(tmp_path / "out" / "prensa" / "results")
    assert frame.status.value_counts().to_dict() == {"ok": len(TEXTS), "failed": 4}


def test_the_columns_are_explained(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl")
    assert nocturna("score", corpus, *models).code == 0
    notes = {note["name"]: note for note in nocturna("columns", "out/prensa", "--json").json}
    assert list(notes) == pd.read_parquet(tmp_path / "out" / "prensa" / "results").columns.tolist()
    assert notes["topic_politica"]["label"] == "política"
    assert all(note["meaning"] for note in notes.values())
    assert "topic_politica" in nocturna("columns", "out/prensa").out


def test_an_id_column_that_does_not_identify_is_a_usage_error(nocturna, models, tmp_path):
    corpus = write_corpus(tmp_path / "prensa.jsonl", autor="el mismo")
    done = nocturna("score", corpus, *models, "--id", "autor")
    assert done.code == 2
    assert "'autor'" in done.err and f"{corpus}:1" in done.err and f"{corpus}:2" in done.err


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["score"], ["name a corpus"]),
        (["score", "none.jsonl"], ["none.jsonl"]),
        (["score", "--job", "none.yaml"], ["none.yaml"]),
        (["score", "a.jsonl", "--labels", "x,x"], ["labels", "twice"]),
        (["score", "a.jsonl", "--labels", ","], ["labels", "empty"]),
        (["score", "a.jsonl", "--text", "texto"], ["a.jsonl", "texto", "'id', 'text'"]),
        (["score", "a.jsonl", "--sentiment-model", "./none"], ["./none"]),
        (["score", "a.jsonl", "--precision", "fp17"], ["precision", "fp32"]),
        (["score", "empty.jsonl"], ["empty.jsonl", "no rows"]),
        (["score", "a.jsonl", "--nonsense"], ["--nonsense"]),
        (["runs", "--out", "none"], ["none"]),
        (["jobs", "none"], ["none"]),
        (["serve", "job.yaml", "--cron", "99 2"], ["--cron"]),
        (["serve", "job.yaml", "--timezone", "Marte/Olimpo"], ["--timezone", "Marte/Olimpo"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_one_line_and_exit_code_2(nocturna, models, tmp_path, arguments, parts):
    write_corpus(tmp_path / "a.jsonl")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "job.yaml").write_text("source: {path: a.jsonl}\n")
    if "score" in arguments and "--sentiment-model" not in arguments:
        arguments = [*arguments, *models[:2]]
    done = nocturna(*arguments)
    assert done.code == 2
    for part in parts:
        assert part in done.err
    assert "Traceback" not in done.err
    if "--nonsense" not in arguments:
        assert len(done.err.strip().splitlines()) == 1, done.err


def test_a_locked_output_is_exit_code_75(nocturna, models, tmp_path):
    from nocturna.tasks.results.layout import layout_of
    from nocturna.tasks.results.lock import hold_lock

    corpus = write_corpus(tmp_path / "prensa.jsonl")
    with hold_lock(layout_of("out", "prensa"), "20260101T000000-0123abcd"):
        done = nocturna("score", corpus, *models)
    assert done.code == 75
    assert "20260101T000000-0123abcd" in done.err
    assert nocturna("score", corpus, *models).code == 0


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_source_that_changes_after_it_was_staged_does_no_harm(
    nocturna, models, tmp_path, monkeypatch, harm
):
    from nocturna.tasks import stage

    corpus = write_corpus(tmp_path / "prensa.jsonl")
    real = stage.stage_job

    def stage_then_change(*args):
        staged = real(*args)
        write_corpus(corpus, [text.upper() for text in TEXTS])
        if harm == "gone":
            corpus.unlink()
        return staged

    monkeypatch.setattr(stage, "stage_job", stage_then_change)
    done = nocturna("score", corpus, *models, "--keep-text", "--json")
    assert done.code == 0, done.err
    rows = pd.read_parquet(done.json["results"])
    assert sorted(rows["text"]) == sorted(TEXTS)


def test_a_stopped_run_goes_on_where_it_stopped(nocturna, models, tmp_path, monkeypatch):
    from nocturna.tasks import score as scoring
    from nocturna.tasks.control import request_stop

    corpus = write_corpus(tmp_path / "prensa.jsonl", TEXTS * 3)
    arguments = ["score", corpus, *models, "--id", "id", "--shard-size", 5, "--json"]
    real, scored = scoring.save_shard, []

    def stop_after_two(layout, run_id, shard):
        real(layout, run_id, shard)
        scored.append(shard.shard)
        if len(scored) == 2:
            request_stop()

    monkeypatch.setattr(scoring, "save_shard", stop_after_two)
    stopped = nocturna(*arguments)
    assert stopped.code == 143
    assert "run the same command again" in stopped.err
    (run,) = nocturna("runs", "--json").json
    assert run["status"] == "stopped"
    before = list(scored)
    assert 2 <= len(before) < 6
    done = nocturna(*arguments)
    assert done.code == 0, done.err
    assert run["run_id"] in done.err, "it says which run it goes on with"
    assert sorted(scored) == [0, 1, 2, 3, 4, 5], "each shard is scored once"
    assert done.json["run_id"] == run["run_id"]
    assert done.json["counts"]["scored"] == len(TEXTS) * 3


def test_jobs_are_listed_and_checked(nocturna, tmp_path):
    (tmp_path / "buena.yaml").write_text("source: {path: a.jsonl}\n")
    (tmp_path / "mala.yaml").write_text("source: {path: a.jsonl}\ncolor: 1\n")
    done = nocturna("jobs", tmp_path)
    assert done.code == 2
    assert "valid" in done.out and "buena" in done.out
    assert "mala.yaml: color: unknown key" in done.out
    assert nocturna("jobs", tmp_path / "buena.yaml").code == 0


def test_the_job_files_that_ship_are_valid(nocturna):
    done = nocturna("jobs", SAMPLES.parent / "jobs", "--json")
    assert done.code == 0, done.out
    assert {"opiniones", "notas", "semilla"} <= {entry["name"] for entry in done.json}


def test_the_version_is_the_packages(nocturna):
    assert re.match(r"nocturna 0\.\d+\.\d+", nocturna("--version").out)
