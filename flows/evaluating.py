"""What `nocturna evaluate` has to do with a job's folder, and the file of errors that it writes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.errors_table import errors_table
from nocturna.tasks.evaluation.evaluated import Corpus, Evaluated, evaluated
from nocturna.tasks.evaluation.judged import Judged
from nocturna.tasks.evaluation.labelled import read_labelled
from nocturna.tasks.job.job import Source
from nocturna.tasks.reading.exporting import FORMS, write_rows
from nocturna.tasks.reading.questions import asking
from nocturna.tasks.reading.scores_there import scores_there
from nocturna.tasks.reading.target_file import check_target
from nocturna.tasks.reading.views import View, view_of
from nocturna.tasks.results.configs import read_configs
from nocturna.tasks.results.gold_rows import count_labels
from nocturna.tasks.results.sql import quoted
from nocturna.tasks.run.gold_published import judge_published
from nocturna.tasks.visible import visible


def published_file(
    path: str, task: str, text: str, gold: str, names: Mapping[str, str], out: str, seed: int
) -> tuple[Evaluated, Judged, tuple[Judged, ...]]:
    """What is published of the labelled rows of a file, and how good that is; as `evaluate_file`.

    Raises:
        UsageError: the file, a column or the score is not there, or no row is published.
    """
    view = view_of(out)
    check_score(view, task)
    labelled = read_labelled(Source(path=path, text=text, keep=(gold,)), gold)
    with asking(view) as database:
        there = judge_published(database, "results", view.schema, task, labelled, names)
        counts = count_labels(database, "results", task)
    sample = labelled.sample
    found = evaluated(
        labelled,
        there.rows,
        file=path,
        task=task,
        not_published=there.missing,
        covered=there.covered,
        counts=counts,
        same_corpus=sample is not None and sample.run_id == view.run_id,
        seed=seed,
    )
    return found, there.rows, ()


def corpus_of(out: str, task: str) -> Corpus:
    """Published documents by their label, and how they were scored."""
    view = view_of(out)
    check_score(view, task)
    with asking(view) as database:
        counts = count_labels(database, "results", task)
        column = quoted(f"{task}_config")
        there = database.execute(f"SELECT DISTINCT {column} FROM results").fetchall()
    known = {row["config"]: row for row in read_configs(view.layout).to_pylist()}
    ways = [known[config] for (config,) in there if config in known]
    settings = [{**way, "settings": json.loads(way["settings"] or "{}")} for way in ways]
    return Corpus(counts, tuple(settings))


def check_score(view: View, task: str) -> None:
    """Refuses a score that is not there, or has no labels of its own."""
    scores = scores_there(view.schema)
    if task not in scores or not scores[task].labels:
        known = ", ".join(name for name, score in scores.items() if score.labels)
        raise UsageError(f"{task}: no score of that name with labels; there are {known or 'none'}")


def check_errors_file(path: Path, option: str) -> None:
    """Refuses a file of texts that cannot be written, before any work."""
    check_target(path, [f".{form}" for form in FORMS], option=option)


def write_errors(path: Path, rows: Judged, others: Sequence[Judged]) -> str:
    """Writes the rows that are wrong; says in a line how many."""
    return write_texts(path, errors_table(rows, others), "rows are wrong")


def write_texts(path: Path, found: pa.Table, what: str) -> str:
    """Writes rows with texts, which only the owner may read; says in a line how many."""
    reader = pa.RecordBatchReader.from_batches(found.schema, found.to_batches())
    write_rows(reader, found.schema, path.suffix.lower().lstrip("."), path, private=True)
    return f"{visible(str(path))}: {found.num_rows:,} {what}, the surest first"
