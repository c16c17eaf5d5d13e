"""Scoring a shard piece by piece: what is done is kept, so that a kill never costs much.

A shard may hold hours of work, where the models are slow and the documents long. Its pieces are cut
by the time that the ones before them took.
"""

import hashlib
import io
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.inference.planned import InferencePlan
from tasks.inference.running import Running, Tally
from tasks.inference.scorer import Scores, score_texts
from tasks.results import files

FIRST = 32
"""Distinct texts of the first piece, when nothing is known of the speed."""

SECONDS, MOST = 60.0, 1000
"""Work that a piece holds: about so long, and so many texts over all workers."""

_PARTS = (
    *("n_tokens", "n_windows", "truncated", "sentiment", "topics"),
    *("unreadable", "mostly_unknown"),
)


def score_in_pieces(
    plan: InferencePlan,
    texts: Sequence[str],
    run: Running,
    on_documents: Callable[[float], None],
    folder: Path,
) -> Scores:
    """The scores of texts, in their order. Identical texts are read once.

    Args:
        on_documents: called with the number of documents done since the last call.
        folder: where pieces are kept; those of an earlier attempt are taken from there.

    Raises:
        Stopped: `run.stop` said so; the pieces before are kept.
        UsageError: a model cannot be loaded.
        NocturnaError: a piece cannot be written.
    """
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct = list(places)
    each = len(texts) / max(1, len(distinct))

    def tell(done: float) -> None:
        on_documents(done * each)

    done: list[Scores] = []
    start, size = 0, FIRST
    for piece in _kept(folder, distinct):
        done.append(piece)
        start += len(piece.n_tokens)
        tell(len(piece.n_tokens))
    most = max(FIRST, MOST // run.workers)
    while start < len(distinct) or not done:
        some = distinct[start : start + size]
        began = time.monotonic()
        done.append(score_texts(plan, some, run, tell))
        took = time.monotonic() - began
        if start + len(some) < len(distinct):
            _keep(folder, start, some, done[-1])
        start += len(some)
        size = max(1, min(most, int(size * SECONDS / max(took, 1e-3))))
    return _joined(done, np.array([places[text] for text in texts], dtype=np.int64))


def _joined(pieces: Sequence[Scores], places: NDArray[np.int64]) -> Scores:
    whole: dict[str, Any] = {}
    for name in _PARTS:
        values = [getattr(piece, name) for piece in pieces]
        whole[name] = None if values[0] is None else np.concatenate(values)[places]
    return Scores(
        **whole,
        scored_texts=sum(piece.scored_texts for piece in pieces),
        tally=Tally(
            sum(piece.tally.read for piece in pieces), sum(piece.tally.padding for piece in pieces)
        ),
    )


def _keep(folder: Path, start: int, texts: Sequence[str], scores: Scores) -> None:
    arrays = {name: getattr(scores, name) for name in _PARTS}
    arrays = {name: values for name, values in arrays.items() if values is not None}
    arrays["tally"] = np.array([scores.tally.read, scores.tally.padding])
    data = io.BytesIO()
    np.savez(data, **arrays)
    with files.clear_errors(folder):
        files.write_whole(folder / _name(start, texts), data.getvalue())


def _kept(folder: Path, texts: Sequence[str]) -> Iterator[Scores]:
    """The pieces of an earlier attempt at the same texts, from the first on without a gap."""
    sizes = {}
    for path in folder.glob("*-*-*.npz"):
        first, count, _ = path.stem.split("-")
        if first.isdigit() and count.isdigit():
            sizes[int(first)] = int(count)
    start = 0
    while size := sizes.get(start):
        some = texts[start : start + size]
        try:
            with np.load(folder / _name(start, some), allow_pickle=False) as arrays:
                parts: dict[str, Any] = {name: arrays.get(name) for name in _PARTS}
                read, padding = map(int, arrays["tally"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        if parts["n_tokens"] is None or len(parts["n_tokens"]) != len(some):
            return
        yield Scores(**parts, scored_texts=len(some), tally=Tally(read, padding))
        start += size


def _name(start: int, texts: Sequence[str]) -> str:
    """Where the piece starts, how many texts it holds, and a hash of them."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return f"{start}-{len(texts)}-{digest.hexdigest()[:32]}.npz"
