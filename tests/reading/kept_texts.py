"""A published job that keeps its texts, and a file with the right labels of its documents."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.snapshots import publish
from tests.results.examples import documents, rows_of, run_of

IDS = [f"n{at:03}" for at in range(90)]


def publish_texts(folder: Path, ids: Sequence[str] = IDS, number: int = 0) -> Layout:
    """The output folder of a job `prensa` after a night."""
    layout = layout_of(folder, "prensa")
    docs = documents(ids)
    table = rows_of(docs, run_of(number)).append_column(
        pa.field("text", pa.large_string()), docs["text"]
    )
    part = write_part(table, layout.work(run_of(number)), run_of(number), 0)
    publish(layout, run_of(number), [part], table.schema)
    return layout


def write_gold(path: Path, rows: pa.Table, wrong: int = 5) -> Path:
    """A CSV with the text and labels of published rows, of which every so-manieth is another."""
    spoken = {"POS": "bueno", "NEG": "malo", "NEU": "ni fu ni fa"}
    topics = ("política", "computación e IA")
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["text", "label", "sentiment"])
        for at, row in enumerate(rows.to_pylist()):
            topic = topics[row["topic"] == topics[0]] if at % wrong == 0 else row["topic"]
            out.writerow([row["text"], topic, spoken[row["sentiment"]]])
    return path
