"""What analysts do with a results folder, each with its own library and a plain glob."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset
from datasets import load_dataset

Rows = dict[str, str]
"""Run id by doc_id; reading fails if a document has two rows."""


def with_pandas(results: Path) -> Rows:
    frame = pd.read_parquet(results)
    return _one_row_each(frame["doc_id"].tolist(), frame["run_id"].tolist())


def with_duckdb(results: Path) -> Rows:
    with duckdb.connect() as database:
        found = database.execute(f"SELECT doc_id, run_id FROM '{results}/**/*.parquet'").fetchall()
    return _one_row_each([d for d, _ in found], [r for _, r in found])


def with_polars(results: Path) -> Rows:
    frame = pl.scan_parquet(f"{results}/**/*.parquet").select("doc_id", "run_id").collect()
    return _one_row_each(frame["doc_id"].to_list(), frame["run_id"].to_list())


def with_polars_folder(results: Path) -> Rows:
    frame = pl.scan_parquet(results).select("doc_id", "run_id").collect()
    return _one_row_each(frame["doc_id"].to_list(), frame["run_id"].to_list())


def with_pyarrow(results: Path) -> Rows:
    table = pyarrow.dataset.dataset(results, format="parquet").to_table(["doc_id", "run_id"])
    return _one_row_each(table["doc_id"].to_pylist(), table["run_id"].to_pylist())


def with_datasets(results: Path) -> Rows:
    cache = str(results.parent.parent / "cache")
    rows = load_dataset(str(results), split="train", cache_dir=cache)
    return _one_row_each(list(rows["doc_id"]), list(rows["run_id"]))


READERS: list[Callable[[Path], Rows]] = [
    with_pandas,
    with_duckdb,
    with_polars,
    with_polars_folder,
    with_pyarrow,
    with_datasets,
]


def _one_row_each(ids: list[str], runs: list[str]) -> Rows:
    assert len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} rows too many"
    return dict(zip(ids, runs, strict=True))
