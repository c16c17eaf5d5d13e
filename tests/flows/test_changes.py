"""A night computes what changed: how many texts each model really reads after each change."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from nocturna.score import score_corpus
from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.job.job_file import make_job
from tests.models import NLI, SENTIMENT, bert_classifier, sentence_encoder

pytestmark = pytest.mark.usefixtures("engine")

TEXTS = {
    "a": ("El gobierno aprobó la ley en el congreso de los diputados.", "uno"),
    "b": ("El equipo ganó el partido en el último minuto del encuentro.", "dos"),
    "c": ("La película tiene un guion muy flojo y unos actores mediocres.", "tres"),
    "d": ("Compré este producto y llegó roto, una auténtica vergüenza.", "cuatro"),
    "e": ("El gobierno aprobó la ley en el congreso de los diputados.", "cinco"),
}
DISTINCT = 4


class Night:
    """A job of three scores whose nights can be changed one thing at a time."""

    def __init__(self, folder: Path, models: dict[str, Path], read: Counter[str]) -> None:
        self.folder, self.models, self.read = folder, models, read
        self.texts = dict(TEXTS)
        self.job: dict[str, Any] = {
            "name": "noche",
            "source": {"path": str(folder / "corpus.jsonl"), "id": "id", "keep": ["nota"]},
            "scores": {
                "sentiment": {"model": str(models["sentiment"])},
                "topic": {
                    "kind": "embedding",
                    "model": str(models["encoder"]),
                    "labels": ["política", "deporte"],
                },
                "urgency": {
                    "model": str(models["nli"]),
                    "labels": ["urgente", "puede esperar"],
                    "template": "Esto es {}.",
                },
            },
            "output": {"dir": str(folder / "out")},
            "shard_size": 100,  # identical texts are read once a shard
        }

    def run(self) -> dict[str, int]:
        """Runs a night; returns how many texts each score read."""
        with (self.folder / "corpus.jsonl").open("w", encoding="utf-8") as out:
            for doc_id, (text, note) in self.texts.items():
                row = {"id": doc_id, "text": text, "nota": note, "otra": doc_id * 2}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.read.clear()
        score_corpus(make_job(self.job, "test"))
        self.job.pop("once", None)
        return {name: n for name, n in self.read.items() if n}

    @property
    def rows(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "out/noche/results").set_index("doc_id").sort_index()


@pytest.fixture(scope="module")
def night_models(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "sentiment": bert_classifier(folder / "sentiment", labels=SENTIMENT),
        "other": bert_classifier(folder / "other", labels=SENTIMENT, seed=9),
        "nli": bert_classifier(folder / "nli", labels=NLI, seed=3),
        "encoder": sentence_encoder(folder / "encoder"),
    }


@pytest.fixture(scope="module")
def night(tmp_path_factory, night_models) -> Night:
    """A job that has run once."""
    read: Counter[str] = Counter()
    patch = pytest.MonkeyPatch()
    for head in heads().values():

        def counted(plan, texts, long, run, compute=head.compute):
            read[plan.name] += len(texts)
            return compute(plan, texts, long, run)

        patch.setattr(head, "compute", counted)
    made = Night(tmp_path_factory.mktemp("night"), night_models, read)
    assert made.run() == {"sentiment": DISTINCT, "topic": DISTINCT, "urgency": DISTINCT}
    yield made
    patch.undo()


def _scores(night: Night) -> dict[str, dict[str, Any]]:
    return night.job["scores"]


def _change(what: str, night: Night) -> None:  # noqa: PLR0912
    scores, source = _scores(night), night.job["source"]
    match what:
        case "nothing":
            pass
        case "a new document":
            night.texts["f"] = ("Un texto nuevo del todo.", "seis")
        case "a changed text":
            night.texts["b"] = ("El equipo perdió el partido de ayer.", "dos")
        case "a changed kept value":
            night.texts["c"] = (night.texts["c"][0], "otra nota")
        case "another kept column":
            source["keep"] = ["nota", "otra"]
        case "a kept column less":
            source["keep"] = ["nota"]
            night.job["once"] = {"replace": True}
        case "the text kept":
            night.job["output"]["keep_text"] = True
        case "a limit of quality":
            night.job["quality"] = {"max_failed": 0.5}
        case "threads and batches":
            night.job["compute"] = {"workers": 1, "batch_tokens": 64}
        case "a new score":
            scores["mood"] = {"model": str(night.models["other"])}
        case "another template":
            scores["urgency"]["template"] = "Este aviso es {}."
        case "a score that waits for another":
            scores["deep"] = {
                "kind": "embedding",
                "model": str(night.models["encoder"]),
                "labels": ["bueno", "malo"],
                "when": {"topic": night.rows.topic["a"]},
            }
        case "another model":
            scores["sentiment"]["model"] = str(night.models["other"])
        case "the other order of labels":
            scores["topic"]["labels"] = ["deporte", "política"]
        case "a document less":
            del night.texts["d"]
        case "a score less":
            del scores["mood"]
            with pytest.raises(UsageError, match="the score 'mood' would vanish"):
                night.run()
            night.job["once"] = {"replace": True}
        case "everything anew":
            night.job["full"] = True


EVERY = ("sentiment", "topic", "urgency")


@pytest.mark.parametrize(
    ("what", "reads"),
    [
        ("nothing", {}),
        ("a new document", dict.fromkeys(EVERY, 1)),
        ("a changed text", dict.fromkeys(EVERY, 1)),
        ("a changed kept value", {}),
        pytest.param("another kept column", {}, marks=pytest.mark.slow),
        pytest.param("a kept column less", {}, marks=pytest.mark.slow),
        pytest.param("the text kept", {}, marks=pytest.mark.slow),
        pytest.param("a limit of quality", {}, marks=pytest.mark.slow),
        pytest.param("threads and batches", {}, marks=pytest.mark.slow),
        ("a new score", {"mood": 5}),
        ("another template", {"urgency": 5}),
        ("a score that waits for another", None),
        ("another model", {"sentiment": 5}),
        ("the other order of labels", None),
        ("a document less", {}),
        ("a score less", {}),
        ("everything anew", None),
    ],
)
def test_a_change_costs_what_it_changes(night, what, reads):
    """In this order; each night stands on those before it."""
    before = night.rows
    _change(what, night)
    found = night.run()
    after = night.rows
    assert after.index.is_unique
    assert set(after.index) >= set(night.texts)
    for doc_id, (_, note) in night.texts.items():
        assert after.nota[doc_id] == note, "kept columns are tonight's, always"
    if what == "a score that waits for another":
        wanted = _scores(night)["deep"]["when"]["topic"]
        texts = {text for i, (text, _) in night.texts.items() if before.topic[i] == wanted}
        reads = {"deep": len(texts)}
        assert set(after.deep.dropna().index) == set(after.index[after.topic == wanted])
        assert after.deep_status[after.topic != wanted].str.startswith("not asked").all()
    if what == "the other order of labels":
        assert set(found) == {"topic", "deep"}, "and what waits for its labels"
        assert found["topic"] == 5
        reads = found
    if what == "a score less":
        assert not [column for column in after if column.startswith("mood")]
    if what == "everything anew":
        assert {name: found[name] for name in EVERY} == dict.fromkeys(EVERY, 4)
        reads = found
    assert found == reads
    for name in ("sentiment", "topic", "urgency"):
        if name in found:
            continue
        columns = [c for c in before if c == name or c.startswith(f"{name}_")]
        pd.testing.assert_frame_equal(
            before[columns], after[columns].loc[before.index], check_dtype=False
        )


def test_configs_say_what_each_row_was_scored_with(night):
    """Runs last: by now some scores have had several configs."""
    out = night.folder / "out/noche"
    configs = pd.read_parquet(out / "configs.parquet")
    assert configs.config.is_unique
    assert {"mood", "deep", *EVERY} <= set(configs.scores.explode())
    joined = duckdb.sql(
        f"SELECT count(*) FROM '{out}/results/*.parquet' r JOIN '{out}/configs.parquet' c "
        "ON r.sentiment_config = c.config WHERE list_contains(c.scores, 'sentiment')"
    ).fetchall()
    assert joined == [(len(night.rows),)]
