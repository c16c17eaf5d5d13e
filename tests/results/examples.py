"""A small job that the tests of the results stage score, write and publish."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from nocturna.tasks.corpus.document_tables import DOCUMENT_SCHEMA
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.job.quality import Quality
from nocturna.tasks.results.layout import Layout
from nocturna.tasks.results.manifest import Manifest
from nocturna.tasks.results.parts import write_part
from nocturna.tasks.results.result_rows import ShardScores, Trace, result_rows
from nocturna.tasks.results.schema import Columns, results_schema
from nocturna.tasks.results.score_arrays import NewScores
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.snapshots import Snapshot, publish

JOB = "prensa"
MODEL = ModelRef("model", "sha256:" + "0" * 40, "/model", "safetensors")
SENTIMENT = ScorePlan(
    "sentiment", "classifier", {"model": MODEL}, ("POS", "NEG", "NEU"), config="5e471e47"
)
TOPIC = ScorePlan(
    "topic", "embedding", {"model": MODEL}, ("política", "computación e IA"), config="70b1c0de"
)
COLUMNS = Columns((SENTIMENT, TOPIC))
SCHEMA = results_schema(COLUMNS, JOB)


def gates(**values: object) -> Quality:
    """Gates that let pass what the values do not forbid."""
    return Quality.model_validate({"max_quarantined": 1, "max_failed": 1} | values)


def run_of(number: int) -> str:
    """The id of a run of so-manieth night."""
    return f"202611{number + 1:02}T020000-{number:08x}"


def documents(ids: Iterable[str], version: int = 0) -> pa.Table:
    names = list(ids)
    texts = [f"Texto {name}, versión {version}." for name in names]
    return pa.table(
        {
            "doc_id": names,
            "text": texts,
            "content_hash": [hashlib.sha256(t.encode()).hexdigest()[:32] for t in texts],
            "bytes": [len(text.encode()) for text in texts],
            "source_uri": ["corpus.jsonl"] * len(names),
            "source_row": list(range(1, len(names) + 1)),
            "error_code": [None] * len(names),
            "error_message": [None] * len(names),
        },
        schema=DOCUMENT_SCHEMA,
    )


def scores_of(docs: pa.Table) -> ShardScores:
    """Scores that follow from the text alone, so that any run gives a document the same."""
    seeds = [int(h[:8], 16) for h in docs["content_hash"].to_pylist()]
    draws = [np.random.default_rng(seed) for seed in seeds]
    n = len(seeds)
    return ShardScores(
        n_tokens=np.array([5 + seed % 40 for seed in seeds], dtype=np.int64),
        n_windows=np.ones(n, dtype=np.int64),
        truncated=np.zeros(n, dtype=bool),
        language=np.full(n, "es", dtype=object),
        scores={
            "sentiment": new_scores(_rows([d.dirichlet([1, 1, 1]) for d in draws], 3)),
            "topic": new_scores(_rows([d.dirichlet([1, 1]) for d in draws], 2)),
        },
    )


def new_scores(values: np.ndarray) -> NewScores:
    """Scores that every document was asked for."""
    n = len(values)
    return NewScores(np.asarray(values, np.float32), np.ones(n, bool), np.zeros(n, bool))


def with_values(scores: ShardScores, **values: np.ndarray) -> ShardScores:
    """The scores with other values of some of them."""
    changed = {name: new_scores(those) for name, those in values.items()}
    return replace(scores, scores={**scores.scores, **changed})


def with_topic(**changes: object) -> Columns:
    """The columns of the job with another topic score."""
    return replace(COLUMNS, scores=(SENTIMENT, replace(TOPIC, **changes)))  # type: ignore[arg-type]


def rows_of(docs: pa.Table, run_id: str, scores: ShardScores | None = None) -> pa.Table:
    trace = Trace(run_id, "0.1.0")
    return result_rows(docs, scores or scores_of(docs), COLUMNS, JOB, trace)


def part_of(layout: Layout, run_id: str, shard: int, docs: pa.Table) -> PartFile:
    return write_part(rows_of(docs, run_id), layout.work(run_id), run_id, shard)


def publish_ids(layout: Layout, run_id: str, ids: Iterable[str], **options: object) -> Snapshot:
    part = part_of(layout, run_id, 0, documents(ids))
    return publish(layout, run_id, [part], SCHEMA, **options)  # type: ignore[arg-type]


def manifest_of(run_id: str, **changes: object) -> Manifest:
    made = Manifest(run_id, JOB, "running", "2026-11-23T02:00:00+00:00", {"name": JOB})
    return replace(made, **changes)  # type: ignore[arg-type]


def _rows(draws: list[np.ndarray], width: int) -> np.ndarray:
    return np.array(draws, dtype=np.float32).reshape(-1, width)
