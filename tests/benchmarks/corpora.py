"""What a corpus costs before any model runs: python -m tests.benchmarks.corpora

From the source to a plan (staged, hashed, compared with what is published, cut into shards) beside
a plain script that reads id, text and one more column exactly, hashes each text and writes them to
Parquet, with nothing checked. CPU time of this process, on the same files in the same minutes:
a first night, a night on which nothing changed, and one on which one row in a hundred did.
"""

import argparse
import csv
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import nocturna  # noqa: F401  its settings, before the packages that they set
from nocturna.tasks.corpus.index import build_index, kept_schema
from nocturna.tasks.corpus.staging import Shelf, stage
from nocturna.tasks.job.source import Source
from nocturna.tasks.results import files
from nocturna.tasks.results.difference import find_difference
from nocturna.tasks.results.fates import Answer, Wanted
from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.result_rows import ShardScores, Trace, result_rows
from nocturna.tasks.results.schema import Columns, results_schema
from nocturna.tasks.results.snapshots import publish
from nocturna.tasks.run.cutting import cut_shards, shard_file
from nocturna.tasks.run.known_texts import known_texts
from nocturna.tasks.run.shelf import drop_texts
from tests.results.examples import SENTIMENT, new_scores, run_of

DISTINCT = 2_000
COLUMNS = Columns((SENTIMENT,), keep=pa.schema([("speaker", pa.string())]))
SCHEMA = results_schema(COLUMNS, "prensa")
ANSWERS = (Answer(SENTIMENT.name, SENTIMENT.config),)
WANTED = Wanted(ANSWERS, {"speaker": "speaker"}, SCHEMA)


def main() -> None:
    """Measures as the command line says and prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    print("CPU microseconds a row; in brackets, times the plain script\n")
    for round_ in range(options.rounds):
        for form, write in (("jsonl", jsonl), ("csv", delimited), ("parquet", parquet)):
            with tempfile.TemporaryDirectory() as name:
                say(f"{form}, round {round_ + 1}", *measured(Path(name), form, write, options.rows))


def say(what: str, rows: int, plain: float, nights: list[float]) -> None:
    told = [f"{spent / rows * 1e6:6.2f} ({spent / plain:4.2f})" for spent in nights]
    names = ("first night", "nothing changed", "1 % changed")
    parts = ", ".join(f"{name} {figure}" for name, figure in zip(names, told, strict=True))
    print(f"{what}: plain {plain / rows * 1e6:5.2f}; {parts}")


def measured(
    folder: Path, form: str, write: Callable[[Path, list[dict[str, object]]], None], rows: int
) -> tuple[int, float, list[float]]:
    """Rows, CPU seconds of the plain script, and those of three nights."""
    path, layout = folder / f"c.{form}", layout_of(folder / "out", "prensa")
    write(path, corpus(rows))
    time.sleep(0.2)  # a file that was written just now may change again unseen
    plain = spent(lambda: PLAIN[form](path, folder / "plain.parquet"))
    nights = [spent(lambda: plan(layout, path, 0))]
    publish_night(layout, 0)
    nights.append(spent(lambda: plan(layout, path, 1)))
    write(path, corpus(rows, changed=100))
    nights.append(spent(lambda: plan(layout, path, 2)))
    return rows, plain, nights


def spent(work: Callable[[], object]) -> float:
    """CPU seconds of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def plan(layout: Layout, path: Path, number: int) -> None:
    """From the source to the shards of a night."""
    run_id, source = run_of(number), Source(path=str(path), id="id", keep=("speaker",))
    staged = stage(source, Shelf(layout.staged, files.put_folder), (), known_texts(layout, ANSWERS))
    layout.index(run_id).mkdir(parents=True)
    build_index(staged, layout.index(run_id), files.link_or_copy)
    find_difference(layout, run_id, WANTED)
    cut_shards(layout, run_id, staged, kept_schema(layout.index(run_id)), workers=2)
    drop_texts(staged)


def publish_night(layout: Layout, number: int) -> None:
    """Publishes the shards of a night with scores that cost nothing."""
    run_id, parts = run_of(number), []
    for shard, path in enumerate(sorted(shard_file(layout, run_id, 0).parent.iterdir())):
        table = pq.read_table(path).drop_columns(["needs", "part", "row"])
        n = table.num_rows
        scores = ShardScores(
            n_tokens=np.ones(n, np.int64),
            n_windows=np.ones(n, np.int64),
            truncated=np.zeros(n, bool),
            language=np.full(n, "es", object),
            scores={"sentiment": new_scores(np.full((n, 3), 1 / 3))},
        )
        rows = result_rows(table, scores, COLUMNS, "prensa", Trace(run_id, "0"))
        parts.append(write_part(rows, layout.work(run_id), run_id, shard))
    publish(layout, run_id, parts, SCHEMA)
    shutil.rmtree(layout.work(run_id))


def corpus(rows: int, changed: int = 0) -> list[dict[str, object]]:
    """Rows of some 120 bytes of text, most of which repeat."""
    text = "El presupuesto {} de este año se discute hoy en la cámara con atención de los grupos."
    return [
        {
            "id": at,
            "text": text.format(at % DISTINCT) + (" Otra vez." if changed and not at % 100 else ""),
            "speaker": f"orador {at % 50}",
        }
        for at in range(rows)
    ]


def jsonl(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def delimited(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def parquet(path: Path, rows: list[dict[str, object]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")


class _Row(msgspec.Struct):
    id: msgspec.Raw
    text: str
    speaker: str


def plain_jsonl(path: Path, out: Path) -> None:
    """As fast as a line at a time goes."""
    decode = msgspec.json.Decoder(_Row).decode
    with path.open("rb") as lines:
        rows = [(bytes(r.id), r.text, r.speaker, _hash(r.text)) for r in map(decode, lines)]
    _write(rows, out)


def plain_csv(path: Path, out: Path) -> None:
    """With the csv module."""
    with path.open(newline="") as lines:
        reader = csv.reader(lines)
        next(reader)
        _write([(name, text, who, _hash(text)) for name, text, who in reader], out)


def plain_parquet(path: Path, out: Path) -> None:
    """Batch by batch, texts as they are in memory."""
    names, tables = ["id", "text", "speaker", "hash"], []
    for batch in pq.ParquetFile(path).iter_batches(columns=names[:3]):
        text = batch["text"].cast(pa.large_string())
        data = memoryview(text.buffers()[2])
        ends = np.frombuffer(text.buffers()[1], np.int64)[text.offset :][: len(text) + 1]
        hashes = [hashlib.sha256(data[a:b]).hexdigest()[:32] for a, b in pairwise(ends.tolist())]
        columns = [batch["id"], text, batch["speaker"], pa.array(hashes)]
        tables.append(pa.RecordBatch.from_arrays(columns, names=names))
    pq.write_table(pa.Table.from_batches(tables), out, compression="zstd", compression_level=1)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _write(rows: list[tuple[object, ...]], out: Path) -> None:
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    table = pa.table(columns, names=["id", "text", "speaker", "hash"])
    pq.write_table(table, out, compression="zstd", compression_level=1)


PLAIN = {"jsonl": plain_jsonl, "csv": plain_csv, "parquet": plain_parquet}

if __name__ == "__main__":
    main()
