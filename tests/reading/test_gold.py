"""`nocturna gold`: documents drawn in strata, the files they go to, and what their weights are."""

import json

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.reading.gold_drawing import allocate, draw
from nocturna.tasks.reading.views import view_of
from tests.reading.kept_texts import IDS, publish_texts

ODD = ["=1+1", "-7", "+a", "@b", "'c"]
"""Ids that a spreadsheet would compute."""


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The output folder of a job that keeps its texts; it is only read."""
    return publish_texts(tmp_path_factory.mktemp("gold") / "out", [*IDS, *ODD]).root


@pytest.fixture(scope="module")
def rows(out) -> pd.DataFrame:
    """Its rows, each with the third of its label that it is in, and a right label."""
    found = pq.read_table(out / "results").to_pandas()
    found = found.sort_values(["topic_score", "doc_id"])
    place, size = (
        found.groupby("topic").cumcount(),
        found.groupby("topic")["doc_id"].transform("size"),
    )
    sizes = [
        np.repeat([1, 2, 3], [len(part) for part in np.array_split(range(n), 3)]) for n in size
    ]
    found["band"] = [bands[at] for bands, at in zip(sizes, place, strict=True)]
    other = {"política": "computación e IA", "computación e IA": "política"}
    wrong = found.topic_score < 0.65
    found["gold"] = found.topic.where(~wrong, found.topic.map(other))
    return found.set_index("doc_id")


def test_strata_are_thirds_of_each_label_and_make_up_the_corpus(out, rows):
    sample, drawn = draw(view_of(out), 30, "topic", seed=1)
    sizes = {(s.label, s.band): s.documents for s in sample.strata}
    assert sizes == rows.groupby(["topic", "band"]).size().to_dict()
    assert len({d.doc_id for d in drawn}) == len(drawn) == 30
    for number, stratum in enumerate(sample.strata):
        inside = [doc_id for doc_id, (at, _) in sample.rows.items() if at == number]
        assert len(inside) == stratum.drawn >= 2
        of = rows.loc[inside]
        assert set(of.topic) == {stratum.label} and set(of.band) == {stratum.band}
        assert of.topic_score.between(stratum.low, stratum.high).all()
    assert all(rows.loc[d.doc_id].text == d.text for d in drawn)
    assert {i: digest for i, (_, digest) in sample.rows.items()} == rows.content_hash[
        list(sample.rows)
    ].to_dict()


def test_a_seed_draws_the_same_and_in_an_order_that_says_nothing(out, rows):
    one, again = (draw(view_of(out), 30, "topic", seed=1) for _ in range(2))
    assert one == again
    other = draw(view_of(out), 30, "topic", seed=2)
    assert set(other[0].rows) != set(one[0].rows)
    strata = [one[0].rows[d.doc_id][0] for d in one[1]]
    assert strata != sorted(strata)


def test_a_rare_label_has_enough_and_a_frequent_one_more():
    assert allocate([10_000, 100], 44) == [40, 4]
    assert allocate([10_000, 100, 1, 0], 10) == [7, 2, 1, 0]
    assert allocate([3, 2], 100) == [3, 2]
    assert sum(allocate([123, 4567, 89, 2], 77)) == 77


def filled(path, rows, **given):
    """Gives every document of a CSV its right label, as a person with a spreadsheet would."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    ids = [i[1:] if i[:1] == "'" and i[1:] in rows.index else i for i in table.doc_id]
    table["label"] = [given.get(i, rows.gold[i]) for i in ids]
    table.to_csv(path, index=False)
    return ids


def test_labelled_rows_weigh_as_many_documents_as_they_were_drawn_for(
    out, rows, nocturna, tmp_path
):
    path = tmp_path / "gold.csv"
    done = nocturna("gold", out, "--score", "topic", "-n", 60, "--to", path, "--json")
    assert done.code == 0, done.err
    assert done.json == {"file": str(path), "drawn": 60, "score": "topic", "cut": 0}
    ids = filled(path, rows)
    assert set(ODD) & set(ids), "ids that look like formulas are among them"
    done = nocturna("evaluate", path, "--task", "topic", "--published", out, "--json")
    assert done.code == 0, done.err
    assert (done.json["n"], done.json["not_published"], done.json["weighed"]) == (60, 0, True)
    strata = rows.groupby(["topic", "band"]).size()
    taken = rows.loc[ids]
    within = (taken.topic == taken.gold).groupby([taken.topic, taken.band]).mean()
    assert done.json["accuracy"] == pytest.approx((within * strata).sum() / strata.sum())
    found = done.json["prevalence"]
    assert (found["how"], found["documents"], found["covered"]) == ("sample", len(rows), len(rows))
    for share in found["shares"]:
        gold = (taken.gold == share["label"]).groupby([taken.topic, taken.band]).mean()
        assert share["share"] == pytest.approx((gold * strata).sum() / strata.sum())
        assert share["low"] <= share["share"] <= share["high"]
        assert share["counted"] == pytest.approx((rows.topic == share["label"]).mean())


def test_rows_without_an_answer_and_those_that_fit_no_label_are_left_out(
    out, rows, nocturna, tmp_path
):
    path = tmp_path / "gold.csv"
    nocturna("gold", out, "--score", "topic", "-n", 40, "--to", path)
    ids = filled(path, rows)
    filled(path, rows, **{ids[0]: "?", ids[1]: "", ids[2]: "?"})
    done = nocturna("evaluate", path, "--task", "topic", "--published", out, "--json")
    assert (done.json["n"], done.json["unlabelled"]) == (37, 3), done.err
    (tmp_path / "gold.sample.json").write_text("{}", encoding="utf-8")
    done = nocturna("evaluate", path, "--task", "topic", "--published", out)
    assert done.code == 2 and "gold.sample.json: says how the rows" in done.err


def test_a_workbook_offers_the_labels_and_computes_nothing(out, rows, nocturna, tmp_path):
    path = tmp_path / "gold.xlsx"
    done = nocturna("gold", out, "--score", "topic", "-n", 50, "--to", path)
    assert done.code == 0 and "50 documents to label by hand, of 6 strata" in done.out
    assert path.stat().st_mode & 0o77 == 0 == (tmp_path / "gold.sample.json").stat().st_mode & 0o77
    book = openpyxl.load_workbook(path)
    sheet, labels = book["gold"], [row[0].value for row in book["labels"]]
    assert labels == ["política", "computación e IA", "?"]
    (rule,) = sheet.data_validations.dataValidation
    assert (rule.type, rule.formula1) == ("list", "=labels!$A$1:$A$3".lstrip("="))
    assert str(rule.sqref) == "C2:C51"
    cells = [row for row in sheet.iter_rows(min_row=2) if row[0].value in ODD]
    assert cells and all(cell.data_type != "f" for row in cells for cell in row)
    for row in sheet.iter_rows(min_row=2):
        row[2].value = rows.gold[row[0].value]
    book.save(path)
    done = nocturna("evaluate", path, "--task", "topic", "--published", out, "--json")
    assert done.json["n"] == 50 and done.json["prevalence"]["how"] == "sample", done.err


def test_rows_of_an_earlier_night_correct_a_later_one_by_the_confusion(nocturna, rows, tmp_path):
    layout = publish_texts(tmp_path / "out", [*IDS, *ODD])
    path = tmp_path / "gold.csv"
    nocturna("gold", layout.root, "--score", "topic", "-n", 60, "--to", path)
    ids = filled(path, rows)
    later = [i for i in IDS if i != ids[0]] + ["new"]
    publish_texts(tmp_path / "out", [*later, *ODD], number=1)
    done = nocturna("evaluate", path, "--task", "topic", "--published", layout.root, "--json")
    assert done.code == 0, done.err
    assert (done.json["n"], done.json["not_published"]) == (59, 1)
    assert done.json["prevalence"]["how"] == "adjusted"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--score: say which score the labels are of; there are sentiment, topic"),
        (["--score", "mood"], "--score mood: no score of that name"),
        (["--score", "topic", "-n", "3"], "-n 3: 2 labels are given, so at least 4 documents"),
        (["--score", "topic", "--to", "gold.txt"], "its ending is none of .xlsx, .csv"),
        (["--score", "topic", "--to", "none/gold.csv"], "its folder is not there"),
        (["--score", "topic", "--to", "there.csv"], "there.csv: is there, and may hold labels"),
        (["--score", "topic", "--page", "--to", "gold.xlsx"], "--page: labels go to a .csv"),
        (["--score", "topic", "--page", "--to", "there.csv"], "nothing beside it says how"),
        (["--score", "topic", "--page", "--json"], "--page and --json: give one of them"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(out, nocturna, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("text,label\n", encoding="utf-8")
    done = nocturna("gold", out, *arguments)
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1, done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.csv"]


def test_a_sample_is_not_put_among_the_results(out, nocturna):
    done = nocturna("gold", out, "--score", "topic", "--to", out / "gold.csv")
    assert done.code == 2 and "lies in the job's own folder" in done.err


def test_texts_that_are_nowhere_are_one_line(job, nocturna, tmp_path):
    done = nocturna("gold", job, "--score", "topic", "-n", 4, "--to", tmp_path / "g.csv")
    assert done.code == 2 and "keep the texts (--keep-text)" in done.err, done.err
    assert json.dumps(done.err).count("\\n") == 1 and not list(tmp_path.iterdir())
