"""Labels that come from the corpus: each document is held against its own."""

import json

import duckdb
import numpy as np
import pandas as pd
import pytest

ROWS = [
    {
        "id": "a",
        "text": "El gobierno aprobó la ley.",
        "candidatos": ["política", "deporte", "ocio"],
    },
    {"id": "b", "text": "El equipo ganó el partido.", "candidatos": ["deporte", "política"]},
    {"id": "c", "text": "Un texto sin candidatos.", "candidatos": []},
    {"id": "d", "text": "El gobierno aprobó la ley.", "candidatos": ["ocio"]},
]
JOB = """
source: {{path: avisos.jsonl, id: id, keep: [candidatos]}}
scores:
  topic: {{labels_column: candidatos, kind: embedding, model: {model}}}
  again: {{labels_column: candidatos, kind: nli, model: {nli}}}
"""


@pytest.mark.slow
def test_a_night_with_labels_of_the_documents_own(nocturna, small_models, tmp_path):
    corpus = tmp_path / "avisos.jsonl"
    corpus.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), "utf-8")
    (tmp_path / "avisos.yaml").write_text(
        JOB.format(model=small_models["encoder"], nli=small_models["nli"]), "utf-8"
    )
    first = nocturna("score", "--job", "avisos.yaml", "--json")
    assert first.code == 0, first.err
    frame = pd.read_parquet(tmp_path / "out/avisos/results").set_index("doc_id")
    for row in ROWS[:2]:
        found = frame.loc[row["id"]]
        assert sorted(found.topic_labels) == sorted(row["candidatos"])
        best = int(np.argmax(found.topic_scores))
        assert found.topic == found.topic_labels[best]
        assert found.topic_score == found.topic_scores[best]
        assert abs(sum(found.topic_scores) - 1) < 1e-5
        assert abs(sum(found.again_scores) - 1) < 1e-5
    assert 0 < frame.again_score["d"] < 1, "an only label is scored by itself"
    assert frame.topic["c"] is None or pd.isna(frame.topic["c"])
    assert json.loads(frame.candidatos["a"]) == ROWS[0]["candidatos"], "kept as JSON"
    results = tmp_path / "out/avisos/results/*.parquet"
    asked = f"SELECT doc_id, len(topic_labels), len(topic_scores) FROM '{results}' ORDER BY doc_id"
    assert duckdb.sql(asked).fetchall()[:2] == [("a", 3, 3), ("b", 2, 2)]

    again = nocturna("score", "--job", "avisos.yaml", "--json")
    assert again.code == 0 and again.json["counts"]["scored"] == 0
    ROWS[1]["candidatos"].append("ocio")
    corpus.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), "utf-8")
    changed = nocturna("score", "--job", "avisos.yaml", "--json")
    assert changed.json["counts"]["scored"] == 1, "another list of labels is another question"
    frame = pd.read_parquet(tmp_path / "out/avisos/results").set_index("doc_id")
    assert len(frame.topic_labels["b"]) == 3
