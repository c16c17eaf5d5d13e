"""The texts of a shard, and what models made of them: each thing once."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.inference.tokens import Ids, TextTokenizer


class Texts:
    """Distinct texts with their token ids, which all scores of a run share.

    Attributes:
        choices: the labels of each text, for a score whose labels are in the corpus.
    """

    def __init__(
        self, texts: Sequence[str], choices: Sequence[tuple[str, ...]] | None = None
    ) -> None:
        self._texts = list(texts)
        self.choices = choices
        self._encoded: dict[str, list[Ids]] = {}
        self._made: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def encoded(self, tokenizer: TextTokenizer) -> list[Ids]:
        """Token ids of each text, without special tokens; made once for a tokenizer."""
        if tokenizer.identity not in self._encoded:
            self._encoded[tokenizer.identity] = tokenizer.encode(self._texts)
        return self._encoded[tokenizer.identity]

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` returns for these texts; scores that read them alike share the pass."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def some(
        self, positions: NDArray[np.int64], choices: Sequence[tuple[str, ...]] | None = None
    ) -> "Texts":
        """The texts at some positions, ascending; these very texts where it is all of them."""
        if choices is None and len(positions) == len(self):
            return self
        part = Texts([self._texts[i] for i in positions], choices)
        part._encoded = {
            identity: [ids[i] for i in positions] for identity, ids in self._encoded.items()
        }
        return part
