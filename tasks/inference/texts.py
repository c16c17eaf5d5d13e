"""The texts of a shard, and what models made of them: each thing once."""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.frames import Ids
from nocturna.tasks.inference.tokens import TextTokenizer

if TYPE_CHECKING:
    from nocturna.tasks.inference.passes import Pass


class Texts:
    """Distinct texts with their token ids, which all scores of a run share.

    Attributes:
        choices: the labels of each text, for a score whose labels are in the corpus.
        pairs: the text that each is read together with, for a score of pairs.
        expected: passes over just these texts that scores of the run will ask for.
    """

    def __init__(
        self,
        texts: Sequence[str],
        choices: Sequence[tuple[str, ...]] | None = None,
        pairs: Sequence[str] | None = None,
    ) -> None:
        self.choices, self.pairs = choices, pairs
        self.expected: list[Pass] = []
        self._texts = list(texts)
        self._at = list(range(len(self._texts)))
        self._ids: dict[str, dict[int, Ids]] = {}
        self._made: dict[Hashable, Any] = {}
        self._parts: dict[Hashable, Texts] = {}

    def __len__(self) -> int:
        return len(self._at)

    @property
    def strings(self) -> list[str]:
        """The texts themselves."""
        return [self._texts[at] for at in self._at]

    def encoded(self, tokenizer: TextTokenizer) -> list[Ids]:
        """Token ids of each text, without special tokens; made once for a tokenizer."""
        ids = self._ids.setdefault(tokenizer.identity, {})
        missing = [at for at in dict.fromkeys(self._at) if at not in ids]
        if missing:
            ids.update(
                zip(missing, tokenizer.encode([self._texts[at] for at in missing]), strict=True)
            )
        return [ids[at] for at in self._at]

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` returns for these texts; scores that read them alike share the pass."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def some(
        self,
        positions: NDArray[np.int64],
        choices: Sequence[tuple[str, ...]] | None = None,
        pairs: Sequence[str] | None = None,
    ) -> "Texts":
        """The texts at some positions; for the same positions the same object.

        Args:
            positions: ascending; a text that comes with several choices has several.
            choices: the labels of each of them.
            pairs: the text that each of them is read together with.
        """
        if choices is None and pairs is None and len(positions) == len(self):
            return self
        own, others = (None if given is None else tuple(given) for given in (choices, pairs))
        key = (tuple(positions.tolist()), own, others)
        if key not in self._parts:
            part = Texts((), choices, pairs)
            part._texts, part._ids = self._texts, self._ids
            part._at = [self._at[position] for position in positions]
            self._parts[key] = part
        return self._parts[key]
