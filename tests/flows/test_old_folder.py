"""A folder that version 0.1 wrote is read, kept and gone on from.

`folders/version-0.1.tgz` holds what that version left of one night of three documents with the
bundled models of its day; the folders it stood in are named otherwise.
"""

import json
import tarfile
from pathlib import Path

import duckdb
import pandas as pd

FOLDER = Path(__file__).parent / "folders" / "version-0.1.tgz"
TEXTS = {
    "n1": "Me encanta este curso de estadística.",
    "n2": "Odio este producto, llegó roto.",
    "n3": "El pleno aprobó los presupuestos.",
    "n4": "El equipo ganó el partido.",
}


def test_a_folder_of_version_0_1_is_scored_anew_and_stays_readable(nocturna, tmp_path):
    with tarfile.open(FOLDER) as packed:
        packed.extractall(tmp_path, filter="data")
    out = tmp_path / "out" / "notas"
    (old,) = (out / "snapshots" / "00000001").glob("*.parquet")
    before = old.read_bytes()
    rows = [
        {"id": i, "text": t, "fecha": f"2026-02-0{n}"} for n, (i, t) in enumerate(TEXTS.items())
    ]
    (tmp_path / "notas.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["--id", "id", "--keep", "fecha", "--labels", "política,computación"]
    listed = nocturna("runs", "notas")
    assert listed.code == 0 and "published" in listed.out
    night = nocturna("score", "notas.jsonl", *options)
    assert night.code == 0, night.err
    assert "1 new, 3 for sentiment, topic anew" in night.err
    frame = pd.read_parquet(out / "results").set_index("doc_id")
    assert sorted(frame.index) == sorted(TEXTS)
    assert frame.sentiment_config.nunique() == frame.topic_config.nunique() == 1
    assert frame.fecha.tolist() == [row["fecha"] for row in rows]
    assert not {"config_id", "sentiment_model"} & set(frame.columns)
    assert old.read_bytes() == before
    count = duckdb.sql(f"SELECT count(*) FROM '{old}' WHERE sentiment_model IS NOT NULL")
    assert count.fetchall() == [(3,)]
    again = nocturna("score", "notas.jsonl", *options)
    assert again.code == 0 and "0 of 4 documents to score" in again.err, again.err
