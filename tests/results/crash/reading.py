"""Reads results without pause in a process of its own and counts what is not one whole version."""

import json
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

import nocturna

KINDS = ("pandas", "duckdb", "polars")
GONE = (FileNotFoundError, pa.ArrowInvalid, duckdb.IOException, pl.exceptions.ComputeError)
"""What a reader meets if results change between its listing and its opening of the files."""


def main(place: str, versions: Path, stop: Path, kind: str) -> None:
    whole = [sorted(version.items()) for version in json.loads(versions.read_text())]
    counts = {"reads": 0, "wrong": 0, "again": 0}
    while not stop.exists():
        counts["reads"] += 1
        try:
            counts["wrong"] += sorted(_rows(place, kind)) not in whole
        except GONE:
            counts["again"] += 1
        if counts["reads"] == 1:
            print("reading", flush=True)
    print(json.dumps(counts))


def _rows(place: str, kind: str) -> list[tuple[str, str]]:
    if "://" in place:
        return _rows_in_store(place, kind)
    results = Path(place) / "results"
    if kind == "pandas":
        frame = pd.read_parquet(results, columns=["doc_id", "content_hash"])
        return list(zip(frame["doc_id"], frame["content_hash"], strict=True))
    if kind == "duckdb":
        query = f"SELECT doc_id, content_hash FROM '{results}/*.parquet'"
        with duckdb.connect() as database:
            return database.execute(query).fetchall()
    frame = pl.scan_parquet(f"{results}/*.parquet").select("doc_id", "content_hash").collect()
    return frame.rows()


def _rows_in_store(place: str, kind: str) -> list[tuple[str, str]]:
    names = ["doc_id", "content_hash"]
    if kind == "pandas":
        frame = nocturna.read_results(place, names)
        return list(zip(frame["doc_id"], frame["content_hash"], strict=True))
    if kind == "duckdb":
        return duckdb.from_arrow(nocturna.read_results(place, names, as_="arrow")).fetchall()
    return nocturna.read_results(place, names, as_="polars").rows()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
