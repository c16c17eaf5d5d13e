"""The night case blank-lines-bomb, on a bomb of our own."""

import json

import pandas as pd
import pytest
import zstandard

MIB = 1 << 20


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_blank_lines_bomb_gives_its_documents_with_their_true_line_numbers(
    nocturna, small_models, tmp_path
):
    bomb = tmp_path / "bomba.jsonl.zst"
    with zstandard.ZstdCompressor().stream_writer(bomb.open("wb")) as out:
        for i in range(3):
            out.write(json.dumps({"id": f"d{i}", "text": f"Es el número {i}."}).encode() + b"\n")
            for _ in range(128 if i < 2 else 0):
                out.write(b"\n" * MIB)
    assert bomb.stat().st_size < 10_000
    model = small_models["sentiment"]
    done = nocturna("score", bomb, "--id", "id", "--sentiment-model", model, "--json")
    assert done.code == 0, done.err
    assert done.json["counts"] | {"read": 3, "scored": 3} == done.json["counts"]
    rows = pd.read_parquet(tmp_path / "out/bomba/results").sort_values("source_row")
    assert list(rows.doc_id) == ["d0", "d1", "d2"]
    assert list(rows.source_row) == [1, 2 + 128 * MIB, 3 + 256 * MIB]
