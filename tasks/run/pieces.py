"""Scoring a shard piece by piece: what is done is kept, so that a kill never costs much.

A shard may hold hours of work, where the models are slow and the documents long. Its pieces are cut
by the time that the ones before them took.
"""

import hashlib
import io
import time
import zipfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import Running, Tally
from nocturna.tasks.inference.scorer import Known, Scored, Scores, score_texts
from nocturna.tasks.results import files
from nocturna.tasks.run.joined import OF_SCORES, OF_TEXTS, joined
from nocturna.tasks.run.met import Met

FIRST = 32
"""Distinct texts of the first piece, when nothing is known of the speed."""

SECONDS, MOST = 60.0, 1000
"""Work that a piece holds: about so long, and so many texts over all workers."""


def score_in_pieces(
    plan: InferencePlan,
    texts: Sequence[str],
    run: Running,
    on_documents: Callable[[float], None],
    folder: Path,
    known: Known | None = None,
    met: Met | None = None,
) -> Scores:
    """The scores of texts, in their order. Identical texts are read once.

    Args:
        on_documents: called with the number of documents done since the last call.
        folder: where pieces are kept; those of an earlier attempt are taken from there.
        known: what each text needs, and what is known of it; without it all need all.
        met: texts that the plan has scored before.

    Raises:
        Stopped: `run.stop` said so; the pieces before are kept.
        UsageError: a model cannot be loaded.
        NocturnaError: a piece cannot be written.
    """
    work, met = _Work(texts, known or Known()), met or Met()
    each = len(texts) / max(1, len(work))

    def tell(done: float) -> None:
        on_documents(done * each)

    def compute(some: list[str], known: Known) -> Scores:
        return score_texts(plan, some, run, tell, known)

    done: list[Scores] = []
    start, size = 0, FIRST
    for piece in _kept(folder, plan, work):
        done.append(piece)
        start += len(piece.n_tokens)
        tell(len(piece.n_tokens))
    most = max(FIRST, MOST // run.workers)
    while start < len(work) or not done:
        end = work.end(start + size)
        began = time.monotonic()
        done.append(met.score(plan, work.texts[start:end], work.known(start, end), compute, tell))
        took = time.monotonic() - began
        if end < len(work):
            _keep(folder / work.name(start, end), done[-1])
        start = end
        size = max(1, min(most, int(size * SECONDS / max(took, 1e-3))))
    return joined(plan, done, work.places)


class _Work:
    """Texts that are alike in all that is known of them, once each; equal texts side by side.

    Attributes:
        texts: of the first of each.
        places: where each of all the texts stands among them.
    """

    def __init__(self, texts: Sequence[str], known: Known) -> None:
        first: dict[str, dict[Hashable, int]] = {}
        alike = [known.of(position) for position in range(len(texts))]
        for position, text in enumerate(texts):
            first.setdefault(text, {}).setdefault(alike[position], position)
        self._known, self._alike = known, alike
        self._at = [at for variants in first.values() for at in variants.values()]
        self.texts = [texts[at] for at in self._at]
        number = {at: place for place, at in enumerate(self._at)}
        self.places = np.array(
            [number[first[t][a]] for t, a in zip(texts, alike, strict=True)], dtype=np.int64
        )

    def __len__(self) -> int:
        return len(self._at)

    def end(self, wanted: int) -> int:
        """The next end of a piece that parts no equal texts."""
        end = min(wanted, len(self))
        while 0 < end < len(self) and self.texts[end] == self.texts[end - 1]:
            end += 1
        return end

    def known(self, start: int, end: int) -> Known:
        """What is known of the texts of a piece."""
        return self._known.at(np.array(self._at[start:end], dtype=np.intp))

    def name(self, start: int, end: int) -> str:
        """Where a piece starts, how many texts it holds, and a hash of what is known of them."""
        digest = hashlib.sha256()
        for at, text in zip(self._at[start:end], self.texts[start:end], strict=True):
            digest.update(hashlib.sha256(text.encode()).digest())
            digest.update(repr(self._alike[at]).encode())
        return f"{start}-{end - start}-{digest.hexdigest()[:32]}.npz"


def _keep(place: Path, scores: Scores) -> None:
    arrays = {name: getattr(scores, name) for name in OF_TEXTS}
    for name, scored in scores.by_name.items():
        arrays |= {f"{part} {name}": getattr(scored, part) for part in OF_SCORES}
    arrays["read"] = np.array([scores.scored_texts, scores.tally.read, scores.tally.padding])
    data = io.BytesIO()
    np.savez(data, **arrays)
    with files.clear_errors(place.parent):
        files.write_whole(place, data.getvalue(), shared=True)


def _kept(folder: Path, plan: InferencePlan, work: _Work) -> Iterator[Scores]:
    """The pieces of an earlier attempt at the same texts, from the first on without a gap."""
    sizes = {}
    for path in folder.glob("*-*-*.npz"):
        first, count, _ = path.stem.split("-")
        if first.isdigit() and count.isdigit():
            sizes[int(first)] = int(count)
    start = 0
    while size := sizes.get(start):
        end = min(start + size, len(work))
        try:
            with np.load(folder / work.name(start, end), allow_pickle=False) as arrays:
                parts: dict[str, Any] = {name: arrays[name] for name in OF_TEXTS}
                by_name = {
                    score.name: Scored(*(arrays[f"{part} {score.name}"] for part in OF_SCORES))
                    for score in plan.scores
                }
                texts, read, padding = map(int, arrays["read"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        if len(parts["n_tokens"]) != end - start:
            return
        yield Scores(**parts, by_name=by_name, scored_texts=texts, tally=Tally(read, padding))
        start = end
