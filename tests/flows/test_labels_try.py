"""`nocturna labels try`: wordings side by side, with the scores that a night would give."""

import json

import numpy as np
import pandas as pd
import pytest

from nocturna.tasks.inference.planned import plan_inference
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Job
from tests.flows.conftest import LABELS
from tests.models import TEXTS

OTHERS = "el gobierno,los programas,las medias"


@pytest.fixture
def corpus(tmp_path):
    """Many texts with a gold label in other words, and a row that has no text."""
    names = ["poli", "compu", "esta", ""]
    rows = [
        {"id": f"d{i}", "texto": f"{TEXTS[i % 8]} Número {i}.", "oro": names[i % 4]}
        for i in range(40)
    ]
    path = tmp_path / "notas.jsonl"
    lines = [json.dumps(row) for row in rows] + ['{"id": "vacio", "texto": ""}', "{roto"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def asked(corpus, small_models):
    """The command without its labels."""
    encoder = ["--model", small_models["encoder"], "--method", "embedding"]
    return ["labels", "try", corpus, "--text", "texto", "--id", "id", *encoder]


def direct(small_models, texts, labels, template):
    """Scores of texts, by a job of that one score."""
    score = {"labels": labels, "model": str(small_models["encoder"]), "kind": "embedding"}
    score["template"] = template
    values = {"name": "j", "source": {"path": "x.jsonl"}, "scores": {"t": score}}
    job = Job.model_validate(values)
    plan = plan_inference(job)
    found = score_texts(plan, texts, running(job.compute, plan.precision)).by_name["t"].values
    return found


def test_every_wording_in_every_template_gives_what_a_job_gives(
    nocturna, asked, corpus, small_models
):
    ways = ["--labels", LABELS, "--labels", OTHERS, "--template", "{}", "--template", "Va de {}."]
    done = nocturna(*asked, *ways, "--sample", 100, "--json", "-n", 100)
    assert done.code == 0, done.err
    found = done.json
    assert (found["texts"], found["unreadable"], found["gold"]) == (40, 2, 0)
    lines = corpus.read_text("utf-8").splitlines()[:40]
    texts = [json.loads(line)["texto"] for line in lines]
    said = []
    for way, (labels, template) in zip(
        found["ways"], [(a, b) for a in (LABELS, OTHERS) for b in ("{}", "Va de {}.")], strict=True
    ):
        names = labels.split(",")
        scores = direct(small_models, texts, names, template)
        best = scores.argmax(axis=1)
        said.append(best)
        shares = {n: float((best == at).mean()) for at, n in enumerate(names)}
        assert way["shares"] == pytest.approx(shares) and way["template"] == template
        assert way["unused"] == [n for n, share in shares.items() if not share]
        assert way["mean_score"] == pytest.approx(float(scores.max(axis=1).mean()), abs=1e-5)
        for pair in way["overlaps"]:
            a, b = names.index(pair["one"]), names.index(pair["other"])
            order = np.argsort(-scores, axis=1)[:, :2]
            either = np.isin(order[:, 0], (a, b))
            top = np.sort(scores, axis=1)
            both = (np.sort(order, axis=1) == sorted((a, b))).all(axis=1)
            close = top[:, -2] >= 0.5 * top[:, -1]
            share = (both & close & either).sum() / max(either.sum(), 1)
            assert pair["contested"] == pytest.approx(share)
            assert -1 <= pair["cosine"] < 1
    differing = {f"d{at}" for at in range(40) if len({int(best[at]) for best in said}) > 1}
    assert found["differing"] == len(differing) > 0
    assert {row["doc_id"] for row in found["differ"]} == differing
    assert found["kappas"][0][0] == 1 and found["kappas"][0][3] == found["kappas"][3][0] < 1


def test_wordings_are_held_against_gold_labels(nocturna, asked, tmp_path):
    ways = ["--labels", LABELS, "--labels", OTHERS]
    names = "poli=política,compu=computación,esta=estadística"
    done = nocturna(*asked, *ways, "--gold", "oro", "--map", names, "--differ", "d.csv", "--json")
    assert done.code == 0, done.err
    first, second = done.json["ways"]
    assert done.json["gold"] == 30
    for way in (first, second):
        assert way["low"] <= way["accuracy"] <= way["high"]
    pair = second["against_first"]
    assert pair["difference"] == pytest.approx(second["accuracy"] - first["accuracy"])
    table = pd.read_csv(tmp_path / "d.csv")
    assert len(table) == done.json["differing"] and "texts differ" in done.err
    assert set(table.way_1) <= set(LABELS.split(",")) and set(table.way_2) <= set(OTHERS.split(","))
    shown = nocturna(*asked, *ways, "--gold", "oro", "--map", names, "-n", 1).out
    assert "30 gold rows" in shown and "kappa" in shown and "labels that overlap most" in shown


def test_a_model_without_a_space_of_labels_has_no_cosines(nocturna, corpus, small_models):
    given = ["--text", "texto", "--model", small_models["nli"], "--sample", 6]
    done = nocturna("labels", "try", corpus, *given, "--labels", LABELS, "--json")
    assert done.code == 0, done.err
    (way,) = done.json["ways"]
    assert done.json["kind"] == "nli" and way["template"] == "Este ejemplo es {}."
    assert {pair["cosine"] for pair in way["overlaps"]} == {None}


def test_several_wordings_of_a_label_are_one_way(nocturna, asked):
    worded = "{política: [política, el gobierno], computación: computación}"
    done = nocturna(*asked, "--labels", worded, "--sample", 5)
    assert done.code == 0, done.err
    assert "way 1: política (política, el gobierno); computación" in done.out
    assert "kappa" not in done.out


def test_what_cannot_be_tried_is_one_line(nocturna, asked):
    for options, part in (
        ([], "--labels"),
        (["--labels", "una"], "labels are understood as one"),
        (["--labels", "a,,b"], "--labels: "),
        (["--labels", "{a: [}"], "expected a list, or {label: [wording, wording]}"),
        (["--labels", "a,b", "--template", "sin hueco"], "needs exactly one {} for the label"),
        (["--labels", "a,b", "--map", "x=a"], "--map: names gold labels; say with --gold"),
        (["--labels", "a,b", "--gold", "nada"], "nada"),
        (["--labels", "a,b", "--gold", "oro"], "gold label 'compu' is none of"),
        (["--labels", "a,b", "--differ", "d.txt"], "d.txt: its ending is none of"),
    ):
        done = nocturna(*asked, *options)
        assert (done.code, done.err.count("\n")) == (2, 1) and part in done.err, (options, done.err)
