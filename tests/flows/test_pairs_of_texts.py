"""A night in which a model reads each document together with a column of its row."""

import json

import pandas as pd
import pytest
from transformers import pipeline

ROWS = [
    {"id": "a", "text": "Me encanta este curso.", "pregunta": "¿Qué tal el curso?"},
    {"id": "b", "text": "No funciona.", "pregunta": "¿Funciona?"},
    {"id": "c", "text": "Ni fu ni fa.", "pregunta": None},
]
JOB = """
name: preguntas
source: {{path: preguntas.jsonl, id: id}}
scores:
  answers: {{model: {model}, text_pair: pregunta}}
compute: {{backend: torch, device: cpu}}
"""


def test_a_night_with_pairs_of_texts(nocturna, small_models, tmp_path):
    def night(rows):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / "preguntas.jsonl").write_text(lines, "utf-8")
        done = nocturna("score", "--job", "preguntas.yaml", "--json")
        assert done.code == 0, done.err
        frame = pd.read_parquet(tmp_path / "out/preguntas/results").set_index("doc_id")
        return done.json["counts"], frame

    model = small_models["sentiment"]
    (tmp_path / "preguntas.yaml").write_text(JOB.format(model=model), "utf-8")
    counts, first = night(ROWS)
    run = pipeline("text-classification", model=str(model), device=-1)
    for row in ROWS[:2]:
        said = run({"text": row["text"], "text_pair": row["pregunta"]})
        assert first.answers_score[row["id"]] == pytest.approx(said["score"], abs=1e-5)
    assert first.answers_status["c"].startswith("not asked: only where")
    assert first.pregunta.dropna().to_dict() == {"a": ROWS[0]["pregunta"], "b": "¿Funciona?"}
    assert counts["scored"] == 3

    assert night(ROWS)[0]["scored"] == 0
    other = [{**ROWS[0], "pregunta": "¿Por qué no?"}, *ROWS[1:]]
    counts, second = night(other)
    assert counts["scored"] == 1, "another question is another pair"
    said = run({"text": ROWS[0]["text"], "text_pair": "¿Por qué no?"})
    assert second.answers_score["a"] == pytest.approx(said["score"], abs=1e-5)
    assert second.answers_score["b"] == first.answers_score["b"]
