"""Texts that were scored a moment ago: in a large corpus the same text comes again and again."""

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np

from nocturna.tasks.inference.known import Known
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.scorer import Scores
from nocturna.tasks.run.joined import joined, rows_of

MOST = 50_000
"""Texts that are remembered, which takes some 20 MB."""

_Key = tuple[bytes, Hashable]


@dataclass
class Met:
    """The scores of the texts that were met last by one plan, for any number of threads."""

    _places: dict[_Key, tuple[Scores, int]] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    def score(
        self,
        plan: InferencePlan,
        texts: Sequence[str],
        known: Known,
        compute: Callable[[list[str], Known], Scores],
        on_met: Callable[[float], None],
    ) -> Scores:
        """The scores of texts; computed are only those that were not met before.

        Args:
            known: what is known of the texts; one that comes with other knowledge is another one.
            compute: scores some of the texts.
            on_met: called with the number of texts that were met before.
        """
        keys = [_key(text, known.of(at)) for at, text in enumerate(texts)]
        with self._lock:
            met = {at: self._places[key] for at, key in enumerate(keys) if key in self._places}
        on_met(len(met))
        new = [at for at in range(len(texts)) if at not in met]
        if len(new) == len(texts):
            scores = compute(list(texts), known)
        else:
            pieces: dict[int, list[int]] = {}
            for at, (piece, _) in met.items():
                pieces.setdefault(id(piece), []).append(at)
            order, parts = list(new), []
            if new:
                parts.append(compute([texts[at] for at in new], known.at(np.array(new))))
            for some in pieces.values():
                order += some
                parts.append(rows_of(met[some[0]][0], np.array([met[at][1] for at in some])))
            scores = joined(plan, parts, np.argsort(order))
        self._remember(keys, scores)
        return scores

    def _remember(self, keys: Sequence[_Key], scores: Scores) -> None:
        with self._lock:
            for at, key in enumerate(keys):
                self._places.pop(key, None)
                self._places[key] = (scores, at)
            for key in list(islice(self._places, max(0, len(self._places) - MOST))):
                del self._places[key]


def _key(text: str, known: Hashable) -> _Key:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), known
