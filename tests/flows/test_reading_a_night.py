"""What real nights published, as those who read ask for it: every kind of score, two nights."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import nocturna as public
from tests.models import TEXTS, bert_classifier

ROWS = [
    {
        "id": f"d{i}",
        "text": f"{TEXTS[i % 8]} Número {i}." + " Y otra vez lo mismo." * (100 * (i == 59)),
        "candidatos": ["política", "deporte", "ocio"][: 1 + i % 3],
        "fecha": f"2026-{1 + i % 6:02}-{1 + i % 20:02}",
        "seccion": ("local", "mundo")[i % 2],
        "oro": ("POS", "NEG", "NEU")[i % 3],
    }
    for i in range(60)
]


NAMES = ("sentiment", "topic", "party", "urgency", "beside")


@pytest.fixture(scope="module")
def folder(engine, small_models, tmp_path_factory) -> Path:
    """Two nights of a job with labels, own labels, a number, a condition, gold and dates."""
    folder = tmp_path_factory.mktemp("two-nights")
    number = bert_classifier(folder / "number", labels=("LABEL_0",), problem_type="regression")
    job = {
        "source": {
            "path": "notas.jsonl",
            "id": "id",
            "keep": ["candidatos", "fecha", "seccion", "oro"],
        },
        "scores": {
            "sentiment": {"model": str(small_models["sentiment"])},
            "topic": {
                "labels": ["política", "deporte"],
                "kind": "embedding",
                "model": str(small_models["encoder"]),
            },
            "party": {
                "labels_column": "candidatos",
                "kind": "embedding",
                "model": str(small_models["encoder"]),
            },
            "urgency": {"model": str(number), "when": {"topic": ["política", "deporte"]}},
            "beside": {
                "model": str(small_models["sentiment"]),
                "text_pair": "seccion",
                "threshold": 0.99,
            },
        },
        "output": {"keep_text": True, "dir": str(folder / "out")},
        "quality": {"max_quarantined": 0.5, "max_failed": 0.5},
    }
    (folder / "notas.yaml").write_text(yaml.safe_dump(job, allow_unicode=True, sort_keys=False))
    first = [json.dumps(row, ensure_ascii=False) for row in ROWS[:50]]
    changed = {**ROWS[0], "text": "Un texto </script><b>nuevo</b> & distinto."}
    second = [json.dumps(row, ensure_ascii=False) for row in (changed, *ROWS[1:])]
    second += ['{"id": "vacio", "text": ""}', "{roto"]
    for lines in (first, second):
        (folder / "notas.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        public.score_job(public.read_job(folder / "notas.yaml"))
    return folder


@pytest.fixture
def ask(nocturna, folder, monkeypatch):
    """A reader's command about the job, whose folder is the one that it runs in."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")

    def run(command: str, *arguments: object):
        done = nocturna(command, "out/notas", *arguments)
        assert done.code == 0, done.err
        return done

    return run


def rows(folder: Path) -> pd.DataFrame:
    return public.read_results(folder / "out/notas").set_index("doc_id")


def test_a_document_is_explained_by_what_is_published_of_it(ask, folder):
    row, found = rows(folder).loc["d2"], ask("explain", "d2", "--json").json
    scores = {score["name"]: score for score in found["scores"]}
    assert tuple(scores) == NAMES
    assert scores["sentiment"]["value"] == row.sentiment
    assert scores["topic"]["labels"].keys() == {"política", "deporte"}
    assert scores["party"]["labels"].keys() == {"política", "deporte", "ocio"}
    for name in ("sentiment", "topic", "party"):
        labels = scores[name]["labels"]
        assert next(iter(labels)) == scores[name]["value"] == row[name]
        assert labels[row[name]] == pytest.approx(float(row[f"{name}_score"]))
    assert scores["topic"]["config"]["kind"] == "embedding" and scores["topic"]["config"]["model"]
    assert found["facts"]["source_row"] == 3 and found["kept"]["seccion"] == "local"
    assert [night["snapshot"] for night in found["nights"]] == [1, 2]
    assert found["text"] == ROWS[2]["text"] and found["run"]["run_id"] == row.run_id


def test_another_text_and_a_failure_are_told(ask):
    assert "(another text)" in ask("explain", "d0").out.splitlines()[-2]
    failed = ask("explain", "vacio").out
    assert "failed: empty_text" in failed and "not kept" in failed
    lines = [line for line in ask("explain", "d2").out.splitlines() if line.startswith("urgency")]
    assert len(lines) == 1


def test_the_windows_of_a_document_make_up_its_scores(ask, folder):
    published = rows(folder)
    doc_id = published.n_windows.astype(float).idxmax()
    row = published.loc[doc_id]
    assert row.n_windows > 1
    found = ask("explain", doc_id, "--windows", "--json").json
    by_score = {name: [w for w in found["windows"] if w["score"] == name] for name in NAMES}
    assert max(map(len, by_score.values())) == row.n_windows
    for name, windows in by_score.items():
        assert windows[0]["start"] == 0
        labels = {entry["name"]: entry["labels"] for entry in found["scores"]}[name]
        sizes = [window["end"] - window["start"] for window in windows]
        if labels:
            weighed = {
                label: np.average([w["labels"][label] for w in windows], weights=sizes)
                for label in labels
            }
            assert weighed == pytest.approx(labels, abs=1e-5)
        else:
            mean = np.average([w["labels"]["value"] for w in windows], weights=sizes)
            assert mean == pytest.approx(row[name], abs=1e-5)
    said = ask("explain", doc_id, "--windows", "--score", "topic").out
    assert "topic in     tokens 1 to" in said and "política" in said


def test_words_are_weighed_by_the_models_of_the_row(ask, folder):
    row, found = rows(folder).loc["d2"], ask("explain", "d2", "--words", "--json").json
    moved = {entry["score"]: entry for entry in found["words"]}
    assert {"sentiment", "topic", "party", "beside"} <= set(moved)
    assert pd.isna(row.beside), "no label is high enough"
    words = ROWS[2]["text"].split()
    for name, entry in moved.items():
        assert entry["again"] == pytest.approx(entry["published"], abs=1e-4), name
        assert sorted(span["text"] for span in entry["spans"]) == sorted(words)
        assert any(abs(span["effect"]) > 1e-4 for span in entry["spans"])
    assert moved["sentiment"]["published"] == pytest.approx(float(row.sentiment_score))
    best = moved["topic"]["spans"][0]
    start, end = best["start"], best["end"]
    shorter = (ROWS[2]["text"][:start] + ROWS[2]["text"][end:]).strip()
    assert best["text"] == ROWS[2]["text"][start:end] and shorter != ROWS[2]["text"]


def test_the_effect_of_a_word_is_what_the_pipeline_says(ask, small_models):
    from transformers import pipeline

    (entry,) = ask("explain", "d2", "--words", "--score", "sentiment", "--json").json["words"]
    classify = pipeline("text-classification", str(small_models["sentiment"]), top_k=None)
    text = ROWS[2]["text"]
    for span in entry["spans"][:3]:
        shorter = (text[: span["start"]] + text[span["end"] :]).strip()
        both = [
            next(one["score"] for one in classify([each])[0] if one["label"] == entry["label"])
            for each in (text, shorter)
        ]
        assert span["effect"] == pytest.approx(both[0] - both[1], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nadie"], "no document 'nadie' in what is kept"),
        (["d2", "--at", "1", "--words", "--text", "otro"], "--text: is not the text of d2"),
        (["d2", "--score", "topic"], "give --words or --windows"),
        (["d55", "--at", "1"], "snapshot 2 has it: --at 2"),
        (["vacio", "--words"], "its text is not kept"),
        (["d2", "--words", "--score", "nada"], "d2: it has no score nada"),
    ],
)
def test_what_cannot_be_explained_is_one_line(nocturna, folder, monkeypatch, arguments, words):
    monkeypatch.chdir(folder)
    done = nocturna("explain", "out/notas", *arguments)
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1, done.err


def test_own_labels_and_numbers_can_be_asked_for(ask, nocturna, folder):
    label = rows(folder).party.dropna().iloc[0]
    found = ask("show", "--party", label, "-n", 100, "--json").json["documents"]
    assert {row["doc_id"] for row in found} == set(rows(folder).query("party == @label").index)
    for arguments, words in (
        (["--party", "nada"], "--party nada: no such label; there are "),
        (["--urgency", "1"], "--urgency: it is a number without labels"),
    ):
        done = nocturna("show", folder / "out/notas", *arguments)
        assert done.code == 2 and words in done.err
    history = ask("history", "--json").json
    urgency = [row for row in history if row["score"] == "urgency"]
    assert [row["label"] for row in urgency] == [None, None] and urgency[0]["mean_score"]
    assert "mean" in ask("history").out
    moved = ask("diff", "--json").json["moved"]
    assert {"new document", "new text"} >= {move["why"] for move in moved}


def test_each_night_leaves_its_report(ask, folder):
    figures = ask("report", "--json").json
    left = Path(folder / "out/notas/runs" / figures["run_id"])
    kept = json.loads((left / "report.json").read_text("utf-8"))
    assert {**kept, "made_at": ""} == {**figures, "made_at": ""}
    page = (left / "report.html").read_text("utf-8")
    assert "<b>nuevo</b>" not in page and len(page.encode()) < 1_000_000
    assert (left / "report.html").stat().st_mode & 0o077 == 0, "it holds texts"


def test_a_report_reads_gold_dates_columns_and_numbers(ask, folder):
    table, figures = rows(folder), ask("report", "--json").json
    scored = table[table.status == "ok"]
    gold = {entry["score"]: entry for entry in figures["confidence"]}
    right = int((scored.oro == scored.sentiment).sum())
    told = gold["sentiment"]
    assert (told["gold_column"], told["gold"], told["right"]) == ("oro", 60, right)
    assert sum(b["right"] for b in told["bins"]) == right and told["low"] < right / 60
    assert gold["topic"]["gold_column"] is None
    (by_section,) = [
        entry
        for entry in figures["by_column"]
        if (entry["rows"], entry["columns"]) == ("seccion", "topic")
    ]
    counted = pd.crosstab(scored.seccion, scored.topic)
    for value, counts in zip(by_section["row_values"], by_section["counts"], strict=True):
        assert counts == [counted.loc[value].get(c, 0) for c in by_section["column_values"]]
    assert "candidatos" not in {entry["rows"] for entry in figures["by_column"]}
    weeks = pd.to_datetime(scored.fecha).dt.to_period("W").dt.start_time.dt.date.astype(str)
    over = next(entry for entry in figures["over_time"] if entry["score"] == "topic")
    assert (over["unit"], over["column"]) == ("week", "fecha")
    assert dict(zip(over["periods"], over["documents"], strict=True)) == {
        week: int((weeks == week).sum()) for week in over["periods"]
    }
    assert sum(over["documents"]) == 60 and set(weeks) <= set(over["periods"])
    urgency = next(entry for entry in figures["scores"] if entry["name"] == "urgency")
    assert urgency["gives"] == "number" and urgency["documents"] == int(scored.urgency.count())
    assert urgency["mean"] == pytest.approx(float(scored.urgency.mean()), rel=1e-5)
    assert figures["rows"]["quarantined"] == 1 and sum(figures["quarantined"].values()) == 1
    assert figures["published"]["errors"] == {"empty_text": 1}
