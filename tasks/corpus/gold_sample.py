"""How documents were drawn for a person to label; a file beside the one that holds the labels."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nocturna.tasks.errors import UsageError

FORMAT = 1
ID, TEXT, LABEL = "doc_id", "text", "label"
"""Columns of the file with the labels."""

UNSURE = "?"
"""Label of a document that has none of the labels, or of which it cannot be told."""


@dataclass(frozen=True)
class Stratum:
    """Documents of one label that the classifier is about as sure of.

    Attributes:
        label: that the classifier gave; None where a threshold left none.
        band: the third of the label's documents by their score, from 1, the least sure.
        low, high: the lowest and highest score.
        documents: in the corpus.
        drawn: of these, for labelling.
    """

    label: str | None
    band: int
    low: float
    high: float
    documents: int
    drawn: int


@dataclass(frozen=True)
class GoldSample:
    """Documents drawn from what a job has published.

    Attributes:
        job, snapshot, run_id: what they were drawn from.
        score: whose labels and scores they were drawn by.
        labels: that a person may give.
        rows: by id of the document, its stratum, from 0, and its content hash, in the order of
            labelling.
    """

    job: str
    snapshot: int | None
    run_id: str | None
    score: str
    labels: tuple[str, ...]
    seed: int
    strata: tuple[Stratum, ...]
    rows: dict[str, tuple[int, str]]

    def as_text(self) -> str:
        """What the file holds."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, indent=1) + "\n"


def sample_file(labelled: Path) -> Path:
    """Where the sample stands of which a file holds the labels.

    >>> str(sample_file(Path("gold/topic.xlsx")))
    'gold/topic.sample.json'
    """
    return labelled.parent / f"{labelled.stem}.sample.json"


def read_sample(labelled: str) -> GoldSample | None:
    """How the documents of a labelled file were drawn; None where no file beside it says that.

    Raises:
        UsageError: there is one and it cannot be read.
    """
    path = sample_file(Path(labelled))
    if "://" in labelled or not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if found.pop("format") != FORMAT:
            raise ValueError("is of another version")
        strata = tuple(Stratum(**one) for one in found.pop("strata"))
        rows = {str(i): (int(at), str(digest)) for i, (at, digest) in found.pop("rows").items()}
        labels = tuple(found.pop("labels"))
        return GoldSample(**found, labels=labels, strata=strata, rows=rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path}: says how the rows of {labelled} were drawn and cannot be read ({error}); "
            "draw them again, or move it away to take them as rows drawn by chance"
        ) from None
