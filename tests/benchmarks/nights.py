"""Nights on many rows: what there is to score and the next snapshot, in time and memory.

    python -m tests.benchmarks.nights [--rows 5000000]

A snapshot is published by the project's own code, and tonight's corpus is indexed as the corpus
stage leaves it. Of every hundred published documents one has vanished and two have another text;
two in a hundred are new. They are spread over all parts and shards, the worst case: every part is
written anew. The same corpus under another configuration is the other extreme: all is to be scored.
Each step runs in a process of its own, so that the peak of resident memory is its own; a fifth of
the rows goes first and shows what grows with them. Ends with 1 if anything but what was planted is
found.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nocturna.tasks.corpus.document_tables import DOCUMENT_SCHEMA
from nocturna.tasks.corpus.lots import index_file
from nocturna.tasks.results.carry import next_parts
from nocturna.tasks.results.difference import (
    Difference,
    dead_rows,
    find_difference,
    wanted_by_chunk,
)
from nocturna.tasks.results.fates import Answer, Wanted
from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.parts import write_part, write_streamed
from nocturna.tasks.results.result_rows import ShardScores, Trace, result_rows
from nocturna.tasks.results.schema import Columns, results_schema
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.snapshots import current_snapshot, publish
from tests.results.examples import SENTIMENT, TOPIC, new_scores
from tests.results.test_difference import index

JOB = "noches"
TOPICS = ("política", "computación", "estadística", "deportes", "salud", "cultura", "economía")
COLUMNS = Columns((SENTIMENT, replace(TOPIC, labels=TOPICS)))
SCHEMA = results_schema(COLUMNS, JOB)
CONFIG, OTHER = (
    Wanted(tuple(Answer(s.name, s.config + more) for s in COLUMNS.scores), {}, SCHEMA)
    for more in ("", "0")
)
BEFORE, TONIGHT = "20261122T020000-0a1b2c3d", "20261123T020000-4e5f6a7b"
PARTS, SHARDS, PIECE = 5, 400, 100_000
VANISHED, CHANGED, FAILED = (0,), (1, 2), (3,)
"""Which documents these are: the last two digits of their number. Failed ones fail every night."""
NEW = 2
"""New documents for every hundred that are published."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """What a step finds on the disk.

    Attributes:
        rows: published ones, of the documents 0 to `rows`; the new ones have the next numbers.
        scored: the parts that tonight's run scored.
    """

    layout: Layout
    rows: int
    scored: tuple[PartFile, ...] = ()

    @property
    def documents(self) -> int:
        """Every document there ever was."""
        return self.rows + NEW * self.rows // 100


@dataclass(frozen=True)
class Step:
    """Something that a night does.

    Attributes:
        act: the part that is measured.
        is_right: whether what it returned and left on the disk is what was planted.
    """

    name: str
    act: Callable[[World], Any]
    is_right: Callable[[World, Any], bool]


@dataclass(frozen=True)
class Measured:
    """What a step took, in its own process.

    Attributes:
        seconds: wall-clock time.
        peak: most resident memory of the process, in bytes.
        before: the same when the step began: Python and the libraries.
        value: what the step returned.
    """

    seconds: float
    peak: int
    before: int
    value: Any


def main() -> None:
    """Measures a fifth of the rows and all of them, and prints a line for each step."""
    options = _options()
    print(f"{'rows':>9}  {'step':<42}{'seconds':>8}{'peak RSS':>10}{'at start':>10}  found")
    right = True
    for rows in (options.rows // 5, options.rows):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            world = build(layout_of(folder, JOB), rows)
            for step in STEPS:
                took = in_fresh_process(step.act, world)
                exact = step.is_right(world, took.value)
                right = right and exact
                print(f"{rows:>9,}  {step.name:<42}{took.seconds:>8.2f}", end="")
                print(f"{took.peak / 2**20:>7.0f} MB{took.before / 2**20:>7.0f} MB", end="")
                print(f"  {'what was planted' if exact else 'SOMETHING ELSE'}", flush=True)
    sys.exit(not right)


def build(layout: Layout, rows: int) -> World:
    """Publishes `rows` rows in parts, and leaves tonight's index and the parts that it scored."""
    world = World(layout, rows)
    parts = [
        write_streamed(
            (_rows(_documents(numbers), BEFORE) for numbers in _pieces(first, stop)),
            SCHEMA,
            stop - first,
            layout.work(BEFORE),
            BEFORE,
            number,
        )
        for number, (first, stop) in enumerate(_cuts(rows, PARTS))
    ]
    publish(layout, BEFORE, parts, SCHEMA)
    shutil.rmtree(layout.work(BEFORE))
    corpora = (_corpus(world, shard) for shard in range(SHARDS))
    index(layout, TONIGHT, (_documents(c, _changed(world, c)) for c in corpora))
    scored = []
    for shard in range(SHARDS):
        numbers = _wanted(world, shard)
        docs = _documents(numbers, _changed(world, numbers))
        scored.append(write_part(_rows(docs, TONIGHT), layout.work(TONIGHT), TONIGHT, shard))
    return replace(world, scored=tuple(scored))


def planted(world: World, everything: bool = False) -> Difference:
    """What there is to find.

    Args:
        everything: whether another configuration scored the rows so far.
    """
    share = world.rows // 100
    vanished, changed = share * len(VANISHED), share * len(CHANGED)
    same = world.rows - vanished - changed
    new, again = world.documents - world.rows, same if everything else 0
    return Difference(
        base=1,
        new=new,
        changed=changed,
        reconfigured=again,
        retried=0,
        rewritten=0,
        unchanged=0 if everything else same,
        vanished=vanished,
        drop_vanished=True,
        asked=dict.fromkeys([score.name for score in COLUMNS.scores], new + changed + again),
    )


def in_fresh_process(act: Callable[[World], Any], world: World) -> Measured:
    """Does something in a process that has done nothing before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, act, world).result()


def find(world: World, config: Wanted) -> Difference:
    """What is new, changed and gone."""
    return find_difference(world.layout, TONIGHT, config, drop_vanished=True)


def found_planted(world: World, found: Difference, everything: bool) -> bool:
    """Whether the counts are those that were planted."""
    return found == planted(world, everything)


def read_all(world: World) -> tuple[int, int]:
    """Reads which documents of each chunk are to be scored and which rows are left out."""
    wanted = sum(some.num_rows for _, some in wanted_by_chunk(world.layout, TONIGHT))
    return wanted, sum(map(len, dead_rows(world.layout, TONIGHT).values()))


def read_planted(world: World, counts: tuple[int, int], everything: bool) -> bool:
    """Whether those are the ids and rows that were planted, in their order."""
    difference = planted(world, everything)
    if counts != (difference.to_score, world.rows - difference.carried):
        return False
    found = dict(wanted_by_chunk(world.layout, TONIGHT))
    for chunk in range(SHARDS):
        ids = _documents(_wanted(world, chunk, everything))["doc_id"].combine_chunks()
        index_of = pq.read_table(index_file(world.layout.index(TONIGHT), chunk))["doc_id"]
        at = found[chunk]["position"] if chunk in found else pa.array([], pa.int64())
        if not ids.equals(index_of.take(at).combine_chunks()):
            return False
    snapshot = current_snapshot(world.layout)
    dead = dead_rows(world.layout, TONIGHT)
    for part, (first, stop) in zip(snapshot.parts, _cuts(world.rows, PARTS), strict=True):
        numbers = np.arange(first, stop)
        leaves = everything | np.isin(numbers % 100, VANISHED + CHANGED)
        if not np.array_equal(dead[part.name], numbers[leaves] - first):
            return False
    return True


def publish_next(world: World) -> int:
    """Writes the rows that stay into new parts, joins them with the new rows, publishes them."""
    difference = planted(world)
    parts = next_parts(world.layout, TONIGHT, difference, world.scored, SCHEMA, SHARDS)
    return publish(world.layout, TONIGHT, parts, SCHEMA).rows


def published_planted(world: World, rows: int) -> bool:
    """Whether readers see each document of tonight's corpus once, with tonight's text."""
    results, corpus = (
        f"SELECT count(*), count(DISTINCT doc_id), sum(hash(doc_id, content_hash)::HUGEINT) "
        f"FROM read_parquet('{files}')"
        for files in (
            world.layout.results / "*.parquet",
            world.layout.index(TONIGHT) / "index-*.parquet",
        )
    )
    with duckdb.connect() as database:
        seen = database.execute(results).fetchone()
        return seen == database.execute(corpus).fetchone() and seen[:2] == (rows, rows)


STEPS = (
    Step(
        "another configuration: find_difference",
        partial(find, config=OTHER),
        partial(found_planted, everything=True),
    ),
    Step(
        f"   wanted documents of {SHARDS} chunks, dead_rows",
        read_all,
        partial(read_planted, everything=True),
    ),
    Step(
        "usual night: find_difference",
        partial(find, config=CONFIG),
        partial(found_planted, everything=False),
    ),
    Step(
        f"   wanted documents of {SHARDS} chunks, dead_rows",
        read_all,
        partial(read_planted, everything=False),
    ),
    Step("   next_parts and publish", publish_next, published_planted),
)


def _measured(act: Callable[[World], Any], world: World) -> Measured:
    before = _peak_rss()
    start = time.perf_counter()
    value = act(world)
    return Measured(time.perf_counter() - start, _peak_rss(), before, value)


def _peak_rss() -> int:
    """Most resident memory of this process in bytes; `getrusage` would count its parent's too."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status: no VmHWM; this benchmark needs Linux")


def _corpus(world: World, shard: int) -> Numbers:
    """The numbers of the documents of a shard of tonight's corpus."""
    first, stop = _cuts(world.documents, SHARDS)[shard]
    numbers = np.arange(first, stop)
    gone = np.isin(numbers % 100, VANISHED) & (numbers < world.rows)
    return numbers[~gone]


def _wanted(world: World, shard: int, everything: bool = False) -> Numbers:
    numbers = _corpus(world, shard)
    return numbers[everything | _changed(world, numbers) | (numbers >= world.rows)]


def _changed(world: World, numbers: Numbers) -> NDArray[np.bool_]:
    return np.isin(numbers % 100, CHANGED) & (numbers < world.rows)


def _documents(numbers: Numbers, changed: NDArray[np.bool_] | None = None) -> pa.Table:
    """Documents by their numbers: ids as UUIDs, hashes of texts that are not kept."""
    versions = np.zeros(len(numbers), bool) if changed is None else changed
    failed = f"n % 100 IN ({', '.join(map(str, FAILED))})"
    found = duckdb.from_arrow(pa.table({"n": numbers, "version": versions})).select(
        f"""
        md5('documento ' || n)::UUID::VARCHAR AS doc_id,
        NULL AS text,
        left(sha256('texto ' || n || version), 32) AS content_hash,
        'prensa/' || n // 1000000 || '.jsonl' AS source_uri,
        n % 1000000 + 1 AS source_row,
        CASE WHEN {failed} THEN 'empty_text' END AS error_code,
        CASE WHEN {failed} THEN 'the text is empty' END AS error_message,
        100::BIGINT AS bytes"""
    )
    return found.to_arrow_table().cast(DOCUMENT_SCHEMA)


def _rows(docs: pa.Table, run_id: str) -> pa.Table:
    n = docs.num_rows
    random = np.random.default_rng(n)
    scores = ShardScores(
        n_tokens=random.integers(5, 400, n),
        n_windows=np.ones(n, np.int64),
        truncated=np.zeros(n, bool),
        language=np.full(n, "es", object),
        scores={
            score.name: new_scores(random.dirichlet(np.ones(len(score.labels)), n))
            for score in COLUMNS.scores
        },
    )
    trace = Trace(run_id, "0.1.0")
    return result_rows(docs, scores, COLUMNS, JOB, trace)


def _cuts(total: int, count: int) -> list[tuple[int, int]]:
    edges = [total * n // count for n in range(count + 1)]
    return list(pairwise(edges))


def _pieces(first: int, stop: int) -> Iterator[Numbers]:
    for start in range(first, stop, PIECE):
        yield np.arange(start, min(start + PIECE, stop))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.nights", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rows", type=int, default=5_000_000, help="published rows")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = parser.parse_args()
    if options.rows < 500 or options.rows % 500:
        parser.error("--rows: a multiple of 500, so that hundredths of a fifth are whole")
    return options


if __name__ == "__main__":
    main()
