"""Small records that the stages hand to each other, each as plain JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PartFile:
    """A Parquet file that was written, read back and found whole.

    Attributes:
        path: where it is now; its name never changes and is never used again.
        rows: rows in it.
        bytes: size of the file.
        sha256: hash of the file, 64 hex digits.
    """

    path: Path
    rows: int
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True)
class ScoredShard:
    """What a scored shard reports: where its rows are and what they took.

    Attributes:
        shard: position of the shard in the plan, from 0.
        part: its rows.
        scored: documents with scores of tonight.
        failed: documents whose row has an error code and no scores.
        rewritten: documents of which nothing was asked, whose row was written anew with tonight's
            kept columns; `rewritten_failed` of them had an error code and keep it.
        tokens: tokens of the scored texts.
        computed_tokens: tokens that all models read: special tokens, hypotheses and overlaps too,
            identical texts once.
        padding_tokens: tokens that only filled up batches.
        n_unknown: texts of which a tokenizer knows less than half.
        seconds: wall-clock time of the shard.
        timings: wall-clock seconds of its stages, by name.
    """

    shard: int
    part: PartFile
    scored: int
    failed: int
    rewritten: int
    tokens: int
    seconds: float
    timings: dict[str, float] = field(default_factory=dict)
    computed_tokens: int = 0
    padding_tokens: int = 0
    n_unknown: int = 0
    rewritten_failed: int = 0

    @property
    def rows(self) -> int:
        """Documents of which it is known what became of them."""
        return self.scored + self.failed + self.rewritten


@dataclass(frozen=True)
class Counts:
    """Rows of a run by what became of them, and their texts by size; see `ScoredShard`.

    Attributes:
        read: rows read; `read = scored + failed + quarantined + superseded + carried`.
        quarantined: rows that could not be read.
        superseded: rows whose place another row of their id took.
        carried: documents of which nothing was asked: their scores are those of earlier nights.
    """

    read: int = 0
    scored: int = 0
    failed: int = 0
    quarantined: int = 0
    tokens: int = 0
    superseded: int = 0
    carried: int = 0
    rewritten: int = 0
    rewritten_failed: int = 0
    computed_tokens: int = 0
    padding_tokens: int = 0
    n_unknown: int = 0

    @property
    def padding(self) -> float:
        """Share of the computed tokens that only filled up batches."""
        computed = self.computed_tokens + self.padding_tokens
        return self.padding_tokens / computed if computed else 0.0

    @property
    def told(self) -> int:
        """Rows of which it is known what became of them."""
        documents = self.scored + self.failed + self.carried
        return documents + self.quarantined + self.superseded


def total(
    shards: Sequence[ScoredShard],
    read: int,
    quarantined: int = 0,
    superseded: int = 0,
    unchanged: int = 0,
) -> Counts:
    """The counts of a run.

    Args:
        read, quarantined, superseded: rows of the corpus.
        unchanged: documents that are in no shard, since their rows stay as they are.
    """
    rewritten = sum(s.rewritten for s in shards)
    return Counts(
        read=read,
        scored=sum(s.scored for s in shards),
        failed=sum(s.failed for s in shards),
        quarantined=quarantined,
        superseded=superseded,
        tokens=sum(s.tokens for s in shards),
        carried=unchanged + rewritten,
        rewritten=rewritten,
        rewritten_failed=sum(s.rewritten_failed for s in shards),
        computed_tokens=sum(s.computed_tokens for s in shards),
        padding_tokens=sum(s.padding_tokens for s in shards),
        n_unknown=sum(s.n_unknown for s in shards),
    )


def total_timings(shards: Sequence[ScoredShard]) -> dict[str, float]:
    """Seconds by stage, added up over shards."""
    names = dict.fromkeys(name for s in shards for name in s.timings)
    return {n: round(sum(s.timings.get(n, 0.0) for s in shards), 3) for n in names}


def to_json(record: Any) -> bytes:
    """A record as indented UTF-8 JSON; paths become text."""
    values = asdict(record) if hasattr(record, "__dataclass_fields__") else record
    return (json.dumps(values, ensure_ascii=False, indent=1, default=str) + "\n").encode()
