"""Small records that the stages hand to each other, each as plain JSON."""

import json
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
        part: its rows; None where every row was quarantined.
        read: rows read; `read = scored + failed + quarantined + superseded + carried`.
        scored: documents with scores.
        failed: documents whose row has an error code and no scores.
        quarantined: rows that could not be read.
        superseded: rows whose place another row of their id took.
        carried: documents of which nothing was asked: their scores are those of earlier nights.
        rewritten: those among them whose row was written anew, with tonight's kept columns.
        tokens: tokens of the scored texts.
        computed_tokens: tokens that all models read: special tokens, hypotheses and overlaps too,
            identical texts once.
        padding_tokens: tokens that only filled up batches.
        n_unknown: texts of which a tokenizer knows less than half.
        seconds: wall-clock time of the shard.
        timings: wall-clock seconds of its stages, by name.
    """

    shard: int
    part: PartFile | None
    read: int
    scored: int
    failed: int
    quarantined: int
    tokens: int
    seconds: float
    timings: dict[str, float] = field(default_factory=dict)
    superseded: int = 0
    carried: int = 0
    rewritten: int = 0
    computed_tokens: int = 0
    padding_tokens: int = 0
    n_unknown: int = 0


@dataclass(frozen=True)
class Counts:
    """Rows of a run by what became of them, and their texts by size; see `ScoredShard`."""

    read: int = 0
    scored: int = 0
    failed: int = 0
    quarantined: int = 0
    tokens: int = 0
    superseded: int = 0
    carried: int = 0
    rewritten: int = 0
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

    @property
    def accounted(self) -> bool:
        return self.read == self.told


def total(shards: list[ScoredShard]) -> Counts:
    """The counts of a run's shards together."""
    return Counts(
        read=sum(s.read for s in shards),
        scored=sum(s.scored for s in shards),
        failed=sum(s.failed for s in shards),
        quarantined=sum(s.quarantined for s in shards),
        superseded=sum(s.superseded for s in shards),
        tokens=sum(s.tokens for s in shards),
        carried=sum(s.carried for s in shards),
        rewritten=sum(s.rewritten for s in shards),
        computed_tokens=sum(s.computed_tokens for s in shards),
        padding_tokens=sum(s.padding_tokens for s in shards),
        n_unknown=sum(s.n_unknown for s in shards),
    )


def total_timings(shards: list[ScoredShard]) -> dict[str, float]:
    """Seconds by stage, added up over shards."""
    names = dict.fromkeys(name for s in shards for name in s.timings)
    return {n: round(sum(s.timings.get(n, 0.0) for s in shards), 3) for n in names}


def to_json(record: Any) -> bytes:
    """A record as indented UTF-8 JSON; paths become text."""
    values = asdict(record) if hasattr(record, "__dataclass_fields__") else record
    return (json.dumps(values, ensure_ascii=False, indent=1, default=str) + "\n").encode()
