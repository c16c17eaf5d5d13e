"""One night of a job: the real flow with small real models, without the engine that records it."""

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import nocturna.tasks.score
from nocturna.observer import Observer
from nocturna.recorded import observed
from nocturna.score import score_corpus
from nocturna.tasks.control import request_stop
from nocturna.tasks.job.job import Compute, Job, Output, Quality, Source
from nocturna.tasks.run import pieces

TOPICS = ("política", "ciencia")


def job_of(out: Path | str, corpus: Path, shard_size: int = 4) -> Job:
    return Job(
        name="prensa",
        source=Source(path=str(corpus), id="id"),
        scores={
            "sentiment": {"model": str(models() / "sentiment")},
            "topic": {"kind": "embedding", "labels": TOPICS, "model": str(models() / "encoder")},
        },
        compute=Compute(device="cpu", backend="torch", workers=1),
        output=Output(dir=str(out)),
        quality=Quality(max_quarantined=0.5, max_failed=0.5, max_shrink=None),
        shard_size=shard_size,
    )


@cache
def models() -> Path:
    """Small models with random weights, made once for this process and those that it starts."""
    known = os.environ.get("NOCTURNA_CRASH_MODELS")
    if known:
        return Path(known)
    from tests.models import bert_classifier, sentence_encoder

    folder = Path(tempfile.mkdtemp(prefix="nocturna-crash-models-"))
    bert_classifier(folder / "sentiment")
    sentence_encoder(folder / "encoder")
    os.environ["NOCTURNA_CRASH_MODELS"] = str(folder)
    return folder


def write_corpus(path: Path, numbers: range, night: int) -> None:
    lines = [
        json.dumps({"id": f"d{n}", "text": f"Texto {n} de la noche {night if n % 3 == 0 else 0}."})
        for n in numbers
    ]
    lines[1:1] = ["{broken", json.dumps({"id": "empty", "text": "  "})]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def count_texts(
    scored: Callable[[int], None], put: Callable[[Any, str, Any], None] = setattr
) -> None:
    """Tells how many texts the models were given, each time they were.

    Args:
        put: how to put oneself in between, so that a test can undo it.
    """
    real = pieces.score_texts

    def counted(plan: Any, texts: list[str], *rest: Any) -> Any:
        scored(len(texts))
        return real(plan, texts, *rest)

    put(pieces, "score_texts", counted)


def run_night(job: Job, stop_after: int | None = None) -> str:
    """Runs the flow in this process; returns the id of the run.

    Args:
        stop_after: shards after which the run is asked to stop.
    """
    observer = _Nobody(None, "", lambda line: None)
    observer.lose("nothing is recorded here")
    with mock.patch.object(nocturna.tasks.score, "score_alone", _stopping(stop_after)):
        return str(observed(score_corpus, observer, job=job).run_id)


class _Nobody(Observer):
    """No engine, and nobody who looks for one."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        yield


def _stopping(shards: int | None) -> Callable[..., Any]:
    """Scores a shard, and asks the run to stop once so many are done."""
    real, done = nocturna.tasks.score.score_alone, itertools.count(1)

    def score_one(*given: Any) -> Any:
        ended = real(*given)
        if next(done) == shards:
            request_stop()
        return ended

    return score_one
