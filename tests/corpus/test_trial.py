"""Some rows of a corpus, to try a job out."""

from itertools import pairwise

import duckdb
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.corpus.index import build_index, read_rejects
from nocturna.tasks.corpus.sampling import read_sample
from nocturna.tasks.corpus.trial import Trial, drawn_by
from nocturna.tasks.results import files
from tests.corpus.corpora import chunks_of, jsonl, source, staged_in, write


def taken(tmp_path, trial, **options):
    """Ids of the documents and rows of the rejects that a trial takes, and the counts."""
    folder = tmp_path / f"index-{len(list(tmp_path.iterdir()))} [x]"
    folder.mkdir()
    with chunks_of(7):
        staged = staged_in(source(tmp_path / "c", **options), tmp_path / "s")
    summary = build_index(staged, folder, files.link_or_copy, trial)
    tables = [pq.read_table(path) for path in sorted(folder.glob("index-*.parquet"))]
    rows = [row for table in tables for row in table.to_pylist()]
    documents = [row["doc_id"] for row in rows if row["disposition"] in ("score", "failed")]
    bad = [row for n in range(summary.chunks) for row in read_rejects(folder, n).to_pylist()]
    assert (summary.documents, summary.rejected) == (len(documents), len(bad))
    assert summary.read == len(documents) + len(bad) + summary.superseded
    return documents, [row["source_row"] for row in bad], summary


@pytest.fixture
def corpus(tmp_path):
    rows = [{"id": f"d{n}", "text": f"texto {n}" if n % 5 else " "} for n in range(40)]
    data = jsonl(rows[:3]) + b"rota\n" + jsonl(rows[3:20]) + jsonl(rows[1:2])
    write(tmp_path / "c" / "a.jsonl", data)
    write(tmp_path / "c" / "b.jsonl", jsonl(rows[20:]))
    return tmp_path


def test_the_first_rows_good_and_bad(corpus):
    documents, bad, summary = taken(corpus, Trial(limit=5), id="id")
    assert (documents, bad) == (["d0", "d1", "d2", "d3"], [4])
    assert summary.failed == {"empty_text": 1} and summary.reasons == {"invalid_json": 1}
    documents, bad, summary = taken(corpus, Trial(limit=1000), id="id")
    assert (len(documents), bad) == (40, [4, 22])
    assert summary.reasons == {"duplicate_id": 1, "invalid_json": 1}


def test_a_sample_is_drawn_from_everything_and_the_same_for_a_seed(corpus):
    first = taken(corpus, Trial(sample=12, seed=1), id="id")[:2]
    assert first == taken(corpus, Trial(sample=12, seed=1), id="id")[:2]
    other = taken(corpus, Trial(sample=12, seed=2), id="id")[:2]
    assert first != other
    for documents, bad in (first, other):
        assert len(documents) + len(bad) == 12
        assert {int(name[1:]) // 20 for name in documents} == {0, 1}


def test_rows_read_without_an_index_are_those_that_a_trial_takes(corpus):
    for seed in (1, 2):
        documents, bad, _ = taken(corpus, Trial(sample=12, seed=seed), id="id")
        drawn, odd = read_sample(source(corpus / "c", id="id"), 12, seed)
        ids = drawn["doc_id"].to_pylist()
        assert set(ids) == {name for name in documents if int(name[1:]) % 5}
        assert len(ids) + odd == 12 and len(bad) <= odd
        assert drawn["text"].to_pylist() == [f"texto {name[1:]}" for name in ids]


def test_what_one_seed_draws_says_nothing_of_what_another_does():
    with duckdb.connect(":memory:") as database:
        sql = "SELECT source_row FROM rows ORDER BY {} LIMIT 100"
        database.sql(
            "CREATE TABLE rows AS SELECT 'a.csv' AS source_uri, source_row "
            "FROM range(400) AS made(source_row)"
        )
        drawn = [{*database.sql(sql.format(drawn_by(seed))).fetchall()} for seed in range(20)]
    shared = [len(one & other) for one, other in pairwise(drawn)]
    assert min(shared) >= 8 and max(shared) <= 45, "25 of 100 by chance"


def test_rows_that_are_left_out_repeat_nothing(tmp_path):
    write(tmp_path / "c" / "a.jsonl", jsonl([{"text": "uno"}] * 30))
    documents, _, summary = taken(tmp_path, Trial(sample=4))
    assert [name[-2:] for name in documents] == ["-1", "-2", "-3", "-4"]
    assert summary.read == 4
