"""What a snapshot was made from, and what of it a night would lose by accident.

A log entry carries this record, so that it lives and dies with the snapshot. Each part that is not
known, as in folders of an older version, is simply not compared.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from nocturna.tasks.results.schema import further_columns, score_columns, score_names

KNOWN_AGAIN = 0.5
"""Share of last night's documents that tonight's must hold, texts unchanged, to be the same corpus
at another place."""

_DATE = re.compile(
    r"(?:19|20)\d\d(?P<s>[-_./]?)(?:0[1-9]|1[0-2])(?:(?P=s)(?:0[1-9]|[12]\d|3[01]))?(?!\d)"
    r"|(?:0[1-9]|[12]\d|3[01])(?P<t>[-_./])(?:0[1-9]|1[0-2])(?P=t)(?:19|20)\d\d(?!\d)"
)
_DOUBLED = 0.1
"""Share of last night's documents that may come again under other ids."""
_SHOWN = 6
_NAME = "give the job another --name"


@dataclass(frozen=True)
class Identity:
    """What a snapshot was made from.

    Attributes:
        source: where its documents came from, without secrets; None if that is not known.
        id: the column that identified documents, empty for their text; None if not known.
        text: the column of the text; None if not known.
        scores: the labels of each score, by its name; none where it has none of its own, such as
            one number; None where they are not known.
        columns: what its rows had beside the scores: kept columns, text, summaries; None if not
            known.
        documents: how many the corpus had, with those that failed; None if not known.
    """

    source: str | None = None
    id: str | None = None
    text: str | None = None
    scores: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    documents: int | None = None


@dataclass(frozen=True)
class Accident:
    """Something published that a night would lose, and what a person may say to that.

    Attributes:
        what: what would happen, in words.
        advice: the ways on, in words.
        options: any of these allows it.
        strange_rows: rows of documents that are not in tonight's corpus would stay beside those
            of the same documents under other ids, or of another corpus.
    """

    what: str
    advice: str
    options: tuple[str, ...]
    strange_rows: bool = False


def identity_of(schema: pa.Schema) -> Identity:
    """As much as the columns of a snapshot say."""
    scores: dict[str, tuple[str, ...] | None] = {
        name: tuple(score_columns(schema, name)) for name in score_names(schema)
    }
    return Identity(scores=scores, columns=further_columns(schema))


def identity_from(values: Any) -> Identity | None:
    """The record that a log entry holds; None where it holds none that can be read."""
    try:
        return TypeAdapter(Identity).validate_python(values)
    except ValidationError:
        return None


def accidents(
    published: Identity,
    tonight: Identity,
    known_again: float | None = None,
    max_shrink: float | None = None,
    replaced: float = 0.0,
    reissued: float = 0.0,
) -> list[Accident]:
    """What of a published snapshot a night would replace, double or lose.

    Not among them: another model of the same labels, more kept columns, a further score, another
    precision, labels in another order, a corpus that grew, and one whose path differs in a date.

    Args:
        known_again: share of the published documents that tonight's corpus has with the same text;
            None while that is not known: then nothing is said of the source and its size.
        max_shrink: the share by which a corpus may shrink; None for any.
        replaced: share of last night's documents whose ids tonight's corpus gives to other texts.
        reissued: share of them that would stay beside the same texts under other ids.
    """
    found = [*_other_scores(published, tonight), *_other_columns(published, tonight)]
    if published.id is not None and tonight.id is not None and published.id != tonight.id:
        what = f"documents were told apart by {_by(published.id)} and would be by {_by(tonight.id)}"
        found.append(_replacing(f"{what}: rows would double", strange_rows=True))
    if published.text and tonight.text and published.text != tonight.text:
        what = f"the text was the column {published.text!r} and would be {tonight.text!r}"
        found.append(_replacing(what, strange_rows=not tonight.id))
    if known_again is not None:
        found += _other_corpus(published, tonight, known_again, max_shrink, replaced)
    if reissued >= _DOUBLED:
        what = f"{reissued:.0%} of the published texts come again under other ids"
        found.append(_replacing(f"{what}: rows would double", strange_rows=True))
    return found


def same_source(published: str, tonight: str) -> bool:
    """Whether one place is the other, or holds it, or differs from it in a date only.

    Places of several paths are a line each; each of the one must be in the other.

    >>> same_source("/d/notas.jsonl", "/d"), same_source("/d/a.csv", "/d/*.csv")
    (True, True)
    >>> same_source("/d/dia-2026-11-24.jsonl", "/d/dia-2026-11-25.jsonl")
    True
    >>> same_source("/d/notas.jsonl", "/otra/notas.jsonl"), same_source("/d", "/d/a.csv")
    (False, False)
    >>> same_source("/d/a.csv\\n/e", "/d\\n/e\\n/f"), same_source("/d\\n/e", "/d")
    (True, False)
    """
    if undated(published) == undated(tonight):
        return True
    now = tonight.splitlines()
    return all(any(_inside(place, other) for other in now) for place in published.splitlines())


def _inside(place: str, other: str) -> bool:
    holds = place.startswith(f"{other.rstrip('/')}/") or fnmatchcase(place, other)
    return place == other or holds or undated(place) == undated(other)


def undated(place: str) -> str:
    """A place without the dates in it.

    >>> undated("s3://b/2026/11/25/dia-20261125.jsonl"), undated("/d/25-11-2026.csv")
    ('s3://b/<date>/dia-<date>.jsonl', '/d/<date>.csv')
    """
    return _DATE.sub("<date>", place)


def _other_scores(published: Identity, tonight: Identity) -> Iterable[Accident]:
    for name, labels in published.scores.items():
        if name not in tonight.scores:
            yield _replacing(f"the score {name!r} would vanish")
            continue
        now = tonight.scores[name]
        if now is not None and labels is not None and set(now) != set(labels):
            lost = [label for label in labels if label not in now]
            new = [label for label in now if label not in labels]
            parts = [("without", lost), ("with", new)]
            said = " and ".join(f"{word} {_some(some)}" for word, some in parts if some)
            yield _replacing(f"the labels of {name!r} would be replaced, {said}")


def _other_columns(published: Identity, tonight: Identity) -> Iterable[Accident]:
    if published.columns is None or tonight.columns is None:
        return
    lost = [name for name in published.columns if name not in tonight.columns]
    if lost:
        yield _replacing(f"columns would vanish: {_some(lost)}")


def _other_corpus(
    published: Identity,
    tonight: Identity,
    known_again: float,
    max_shrink: float | None,
    replaced: float,
) -> Iterable[Accident]:
    before, now = published.source, tonight.source
    if before is not None and now is not None and before != now:
        if undated(before) == undated(now):
            if replaced >= KNOWN_AGAIN:
                yield _replacing(
                    f"{replaced:.0%} of the documents of {_listed(before)} have the ids of "
                    f"others in {_listed(now)}, which would replace them: where ids begin anew in "
                    "each file, make them of several columns (id: [day, number])"
                )
            return
        if not same_source(before, now) and known_again < KNOWN_AGAIN:
            yield Accident(
                f"what is published came from {_listed(before)} and would be joined by "
                f"{_listed(now)}",
                f"{_NAME}, or say --same-source if the corpus has only moved, or --replace if this "
                "one takes its place; for files that come every night name a glob",
                ("--same-source", "--replace"),
                strange_rows=True,
            )
    if published.documents and tonight.documents is not None and max_shrink is not None:
        lost = 1 - tonight.documents / published.documents
        if lost > max_shrink:
            yield Accident(
                f"the corpus has shrunk by {lost:.0%}, from {published.documents:,} documents to "
                f"{tonight.documents:,} (limit {max_shrink:.0%})",
                "mend the source, or say --allow-shrink",
                ("--allow-shrink",),
            )


def _listed(place: str) -> str:
    return ", ".join(place.splitlines())


def _replacing(what: str, strange_rows: bool = False) -> Accident:
    advice = f"{_NAME}, or say --replace to publish it in place of what is there"
    return Accident(what, advice, ("--replace",), strange_rows)


def _by(column: str) -> str:
    return f"the column {column!r}" if column else "their text"


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + rest
