"""A run that is scored in shares: whoever comes first plans, each scores its own, one publishes."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from tests.flows.spent import command
from tests.models import TEXTS


@pytest.fixture
def corpus(tmp_path) -> Path:
    rows = [json.dumps({"id": f"d{i}", "text": f"{i} {t}"}) for i, t in enumerate(TEXTS * 3)]
    (tmp_path / "prensa.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def rows(out: Path) -> pd.DataFrame:
    found = pd.read_parquet(out / "prensa" / "results").sort_values("doc_id")
    return found.drop(columns=["run_id", "scored_at"]).reset_index(drop=True)


@pytest.mark.slow
def test_shares_that_race_are_published_as_one_run(nocturna, models, corpus, monkeypatch):
    monkeypatch.chdir(corpus)
    options = ["score", "prensa.jsonl", *models, "--id", "id", "--shard-size", 5]
    in_parts = [*options, "--out", "parts", "--json"]

    def share(number: int) -> dict[str, int]:
        done = command(*in_parts, "--part", f"{number}/3", cwd=corpus)
        assert done.code == 0, done.err
        return json.loads(done.out)

    with ThreadPoolExecutor(2) as two:
        first = list(two.map(share, (1, 2)))
    (run,) = {part["run_id"] for part in first}
    assert not (corpus / "parts" / "prensa" / "results").exists()
    early = nocturna("publish", run, "--out", corpus / "parts")
    assert early.code == 1 and "not scored yet; score the parts that are missing" in early.err
    last, again = (nocturna(*in_parts, "--part", "3/3").json for _ in range(2))
    of_shards = last["of_shards"]
    assert sum(part["shards"] for part in [*first, last]) == of_shards > 3
    assert again["documents"] == last["documents"]
    assert last["folder"] == str(corpus / "parts" / "prensa")
    done = nocturna("publish", corpus / "parts" / "prensa", "--json")
    assert done.code == 0, done.err
    assert done.json["counts"]["scored"] == len(TEXTS * 3)
    again = nocturna("publish", run, "--out", corpus / "parts")
    assert again.code == 2 and f"run {run} is published" in again.err
    again = nocturna("publish", corpus / "parts" / "prensa")
    assert again.code == 2 and "no run here waits for anything" in again.err
    whole = nocturna(*options, "--out", "whole")
    assert whole.code == 0, whole.err
    found, expected = rows(corpus / "parts"), rows(corpus / "whole")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.slow
def test_a_run_without_parts_goes_on_with_what_parts_have_scored(nocturna, models, corpus):
    options = ["score", corpus / "prensa.jsonl", *models, "--id", "id", "--shard-size", 5, "--json"]
    part = nocturna(*options, "--out", corpus / "out", "--part", "2/2")
    assert part.code == 0, part.err
    done = nocturna(*options, "--out", corpus / "out")
    assert done.code == 0 and "going on with run" in done.err
    assert done.json["run_id"] == part.json["run_id"]
    assert done.json["counts"]["scored"] == len(TEXTS * 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--part", "0/3"], "--part 0/3: give a part"),
        (["--part", "4/3"], "--part 4/3: give a part"),
        (["--part", "half"], "--part half: give a part"),
        (["--part", "1/2", "--summaries", "--max-usd", "1"], "summaries have one budget"),
    ],
)
def test_what_cannot_be_shared_out_is_one_line(nocturna, corpus, monkeypatch, given, said):
    monkeypatch.setenv("GEMINI_API_KEY", "never used")
    done = nocturna("score", corpus / "prensa.jsonl", *given, "--out", corpus / "out")
    assert done.code == 2 and said in done.err
    assert not (corpus / "out").exists()
