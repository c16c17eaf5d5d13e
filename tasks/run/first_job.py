"""A first job file for a corpus: what a look at it lets guess, and why."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nocturna.tasks.addresses import is_remote
from nocturna.tasks.corpus.choosing import find_inputs
from nocturna.tasks.corpus.first_look import check_head
from nocturna.tasks.corpus.guessing import guess_id, guess_kept, guess_text
from nocturna.tasks.corpus.language import languages_of
from nocturna.tasks.corpus.profile import CorpusProfile, profile_corpus
from nocturna.tasks.errors import Transient, UsageError
from nocturna.tasks.job.job import Job, Quality, Source
from nocturna.tasks.job.job_file import make_job
from nocturna.tasks.job.job_written import scalar, written
from nocturna.tasks.job.source import kept_entry
from nocturna.tasks.run.forecast import MOST, Speed, measure_speed, summary_cost

_TEXTS = 300
"""Texts whose language is told."""

_BUNDLED_KNOW = ("es", "en", "pt", "fr")


@dataclass(frozen=True)
class FirstJob:
    """A job file as it may be written.

    Attributes:
        text: of the file, YAML with comments.
        found: what the corpus looks like.
        languages: share of the texts that were told, by ISO 639-1 code; `?` where none is told.
        speed: of its scores on this machine; None where the models could not be had.
        seconds: that scoring all of it takes; None where that or the number of rows is not known.
        usd: what summaries of all of it would cost, by mode.
        lines: what a person is told.
    """

    text: str
    job: Job
    found: CorpusProfile
    languages: Mapping[str, float]
    speed: Speed | None
    seconds: float | None
    usd: Mapping[str, float]
    lines: tuple[str, ...]


def first_job(values: dict[str, Any], target: Path) -> FirstJob:
    """Looks at a corpus and describes a job for it.

    Args:
        values: nested values of a job, its source at least; they are written as they are.
        target: where the file is going to be; nothing is written.

    Raises:
        UsageError: the corpus cannot be read, has no text, or a night would refuse a model.
        Transient: a store does not answer.
    """
    if odd := next(iter(values.get("once", {})), None):
        flag = f"--{odd.replace('_', '-')}"
        raise UsageError(f"{flag}: it is for one run and stands in no file; give it to score")
    given = make_job(values, "nocturna init")
    found = profile_corpus(given.source)
    source, notes, put_aside = _source(given.source, values["source"], found)
    texts = found.texts(_first_column(str(source.get("text", "text"))), _TEXTS)
    languages = _languages(texts)
    spoken = given.language if "language" in values else _spoken(languages)
    if given.source.addresses != given.source.paths:
        notes["source", "path"] = (
            "without the user, password or query that were given; name the whole address beside "
            "the file: nocturna score ADDRESS --job FILE"
        )
    rest = {key: value for key, value in values.items() if key not in ("name", "source", "scores")}
    full = {"name": given.name, "language": spoken, "source": source}
    full |= {"scores": values.get("scores", {"sentiment": {}})} | rest
    job = make_job(full, "nocturna init")
    speed, unknown = None, ""
    try:
        speed = measure_speed(job, _evenly(texts, MOST)) if texts else None
    except Transient as error:
        unknown = str(error)
    rows = found.rows if found.rows is not None else found.looked_at
    usd, priced = summary_cost(_evenly(texts, MOST), rows, spoken) if texts else ({}, "")
    seconds = speed.seconds(rows) if speed and found.rows is not None else None
    lines = list(_told(found, languages, len(texts), speed, seconds, unknown))
    cost = _cost(rows, usd, priced)
    notes |= _more_notes(full, spoken, cost)
    aside_share = put_aside / found.looked_at
    place = _place(given.source, target)
    shown = {**full, "source": {**place, **source, **place}}
    text = written(shown, notes, _asides(full, aside_share, cost), [_head(target), *lines])
    return FirstJob(text, job, found, languages, speed, seconds, usd, tuple(lines))


def _source(
    given: Source, values: Mapping[str, Any], found: CorpusProfile
) -> tuple[dict[str, Any], dict[tuple[str, ...], str], int]:
    """The source with what was guessed of it, why, and how many rows are no documents then."""
    source, put_aside = dict(values), found.rejected
    notes: dict[tuple[str, ...], str] = {}
    if not found.columns:
        notes["source", "dataset" if given.dataset else "path"] = "a document has no columns here"
        return source, notes, put_aside
    if "text" not in source:
        text = guess_text(found)
        if text is None:
            check_head(given, find_inputs(given), 1)
            names = ", ".join(column.name for column in found.columns)
            raise UsageError(
                f"{given.place}: no column holds texts; the columns are {names}; "
                "name one with --text"
            )
        source["text"], notes["source", "text"] = text.value, text.why
    taken = [_first_column(source["text"])]
    if "id" not in source:
        name = guess_id(found, taken)
        if name is None:
            notes["source", "text"] = (
                notes.get(("source", "text"), "as given")
                + "; no column tells the documents apart, so that their texts name them (`id`)"
            )
        else:
            source["id"], notes["source", "id"] = name.value, name.why
            put_aside += name.put_aside
    if "keep" not in source:
        kept = guess_kept(found, [*taken, str(source.get("id"))])
        if kept.value:
            source["keep"], notes["source", "keep"] = [*map(kept_entry, kept.value)], kept.why
    return source, notes, put_aside


def _place(source: Source, target: Path) -> dict[str, str | list[str]]:
    """Where the corpus is, as seen from the job file; without secrets."""
    seen = [_as_seen_from(path, target) for path in source.paths]
    return {"path": seen if len(seen) > 1 else seen[0]} if seen else {}


def _as_seen_from(path: str, target: Path) -> str:
    if is_remote(path):
        return path
    given = Path(path.removeprefix("file://")).expanduser()
    if given.is_absolute():
        return str(given)
    return os.path.relpath(given.absolute(), target.absolute().parent)


def _first_column(text: str) -> str:
    """The column of a text, or the last one of several: its body."""
    from nocturna.tasks.corpus.composed import composed_of

    made = composed_of(text)
    return made.columns[-1] if made else text


def _evenly(texts: Sequence[str], most: int) -> Sequence[str]:
    return texts[:: max(1, len(texts) // most)][:most]


def _languages(texts: Sequence[str]) -> dict[str, float]:
    counts = Counter(language or "?" for language in languages_of(texts))
    return {language: n / len(texts) for language, n in counts.most_common()}


def _spoken(languages: Mapping[str, float]) -> str:
    return next((language for language in languages if language != "?"), "es")


def _head(target: Path) -> str:
    return (
        f"`nocturna score --job {target.name}` scores this corpus. Written by `nocturna init`: "
        "what is guessed says so, and what is behind a # is ready to be used. `nocturna score "
        "--help` and the README have every key."
    )


def _told(
    found: CorpusProfile,
    languages: Mapping[str, float],
    texts: int,
    speed: Speed | None,
    seconds: float | None,
    unknown: str,
) -> Iterator[str]:
    """What was seen and what a night will take, a line each."""
    files = f"{found.inputs:,} file{'s' if found.inputs != 1 else ''}"
    count = f"{found.rows:,} rows"
    if not found.whole:
        about = (
            "an unknown number of"
            if found.rows is None
            else f"about {float(f'{found.rows:.2g}'):,.0f}"
        )
        count = f"{about} rows, of which {found.looked_at:,} were looked at"
    yield f"Corpus: {files}, {_size(found.size)}, {', '.join(found.formats)}; {count}."
    if found.rejected:
        yield f"{found.rejected:,} of {found.looked_at:,} rows cannot be read and are put aside."
    if languages:
        shares = ", ".join(
            f"{'not told' if language == '?' else language} {share:.0%}"
            for language, share in list(languages.items())[:5]
        )
        yield f"Languages of {texts:,} texts: {shares}."
    if speed is None:
        yield f"How long a night takes is not known{': ' + unknown if unknown else ''}."
        return
    rate = f"{speed.per_second:,.{0 if speed.per_second >= 10 else 1}f} a second"
    how = f"{speed.texts} of its texts were scored just now at {rate}"
    how += f" by {speed.workers} workers at once" if speed.workers > 1 else ""
    whole = "" if seconds is None else f"about {_time(seconds)} for all of it the first night: "
    yield f"Scoring takes {whole}{how}."
    yield "Starting, reading and publishing come on top; later nights score what is new."


def _more_notes(values: Mapping[str, Any], spoken: str, cost: str) -> dict[tuple[str, ...], str]:
    notes: dict[tuple[str, ...], str] = {}
    if spoken not in _BUNDLED_KNOW:
        notes["language",] = "the bundled models know es, en, pt and fr; name others under `scores`"
    scores = values["scores"]
    if isinstance(scores, dict) and scores.get("sentiment") == {}:
        notes["scores", "sentiment"] = (
            "the bundled model, which is small; the next line names a better one"
        )
    if "summaries" in values:
        notes["summaries",] = cost
    return notes


def _asides(
    values: Mapping[str, Any], put_aside: float, cost: str
) -> dict[tuple[str, ...], list[str]]:
    """What most people ask for next, as comments."""
    scores = []
    if values["scores"].get("sentiment") == {}:
        scores.append("sentiment: {model: finiteautomata/beto-sentiment-analysis}  # from the Hub")
    if "topic" not in values["scores"]:
        labels = scalar(["política", "economía", "cultura"])
        scores.append(f"topic: {{labels: {labels}}}  # labels of your own, as many as wanted")
    below: list[str] = []
    if put_aside > Quality().max_quarantined and "quality" not in values:
        share = min(1.0, round(put_aside + 0.05, 2))
        why = f"{put_aside:.0%} of the rows are put aside: no night is published without this"
        below += [f"quality:  # {why}", f"  max_quarantined: {share}"]
    if "output" not in values:
        below += ["output:", "  keep_text: true  # the texts stand beside their scores"]
    if "summaries" not in values:
        below += [f"summaries:  # {cost}", "  enabled: true", "  max_usd: 5"]
    return {("scores",): scores, (): below}


def _cost(rows: int, usd: Mapping[str, float], priced: str) -> str:
    if not usd:
        return "by a service, to which the texts are sent"
    sums = ", ".join(f"{amount:,.2f} {mode}" for mode, amount in usd.items())
    return f"texts are sent to a service; for {rows:,} about USD {sums} (prices of {priced})"


def _size(size: int) -> str:
    for unit, most in (("kB", 1e6), ("MB", 1e9)):
        if size < most:
            return f"{size / most * 1000:,.1f} {unit}"
    return f"{size / 1e9:,.1f} GB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 0.1):.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
