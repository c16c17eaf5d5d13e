"""Scores of many texts by every score of a plan."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.batches import NoneComputed
from nocturna.tasks.inference.calibrating import calibrated
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.known import Known
from nocturna.tasks.inference.planned import InferencePlan
from nocturna.tasks.inference.running import Running, Tally
from nocturna.tasks.inference.score_plan import LANGUAGE, HeadScores, ScorePlan
from nocturna.tasks.inference.texts import Texts
from nocturna.tasks.inference.tokens import NO_TOKEN

__all__ = ["Known", "Scored", "Scores", "score_texts"]


@dataclass(frozen=True)
class Scored:
    """One score of n texts.

    Attributes:
        values: as in `HeadScores`, NaN where a text was not asked.
        asked: texts that the score was computed for, shape (n,).
        skipped: texts that needed it and that it is not for, shape (n,).
    """

    values: NDArray[np.float32]
    asked: NDArray[np.bool_]
    skipped: NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """Scores of n texts, in their order.

    Attributes:
        by_name: every score of the plan.
        n_tokens: tokens of each text by the tokenizer of the plan's first score that read it, 0
            where none did, shape (n,).
        n_windows: windows each text was read in, the largest number where models differ; 0 where
            none read it.
        truncated: whether a model left tokens unread.
        scored_texts: distinct texts that models really read.
        tally: tokens that all models computed.
        unreadable: why a text cannot be scored, empty where it can, shape (n,).
        mostly_unknown: whether a tokenizer knows less than half of a text, shape (n,).
    """

    by_name: dict[str, Scored]
    n_tokens: NDArray[np.int64]
    n_windows: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    scored_texts: int
    tally: Tally
    unreadable: NDArray[np.str_]
    mostly_unknown: NDArray[np.bool_]


def score_texts(
    plan: InferencePlan,
    texts: list[str],
    run: Running,
    on_documents: Callable[[float], None] | None = None,
    known: Known | None = None,
) -> Scores:
    """Computes every score of the plan for the texts that need it. Identical texts are read once.

    Args:
        plan: scores, models and settings.
        texts: any number of strings.
        run: how to run.
        on_documents: called with the number of documents done since the last call.
        known: what each text needs, and what is known of it; without it all need all.

    Raises:
        Stopped: `run.stop` said so.
        UsageError: a model cannot be loaded.
    """
    known, tally = known or Known(), Tally()
    run = replace(run, tally=tally)
    distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    codes = np.array([distinct[text] for text in texts], dtype=np.int64)
    work = _Work(plan, Texts(list(distinct)), codes, known)
    weights = {s.name: heads()[s.kind].passes(s) for s in plan.scores}
    work.expect_passes()
    for score in plan.in_order():
        due = len(texts) * weights[score.name] / sum(weights.values())
        with _telling(run, on_documents, due) as told:
            work.compute(score, told)
    work.leave_out_unreadable()
    return Scores(
        by_name={score.name: work.done[score.name] for score in plan.scores},
        n_tokens=work.n_tokens(),
        n_windows=work.n_windows,
        truncated=work.truncated,
        scored_texts=len(np.unique(codes[work.n_windows > 0])),
        tally=tally,
        unreadable=np.array([work.reasons.get(int(code), "") for code in codes], dtype=np.str_),
        mostly_unknown=work.unknown[codes],
    )


@contextmanager
def _telling(
    run: Running, listener: Callable[[float], None] | None, due: float
) -> Iterator[Running]:
    """Tells of so many documents in all: as they are read, and at the end of those that were not.

    What a score shares with another, or is not for, is not read.
    """
    if listener is None:
        yield run
        return
    told = 0.0

    def tell(share: float) -> None:
        nonlocal told
        share = min(share, 1 - told)
        told += share
        listener(due * share)

    yield replace(run, on_share=tell)
    if told < 1:
        listener(due * (1 - told))


class _Work:
    """The scores of a list of texts as they become known.

    Attributes:
        reasons: why a distinct text cannot be read, by its number.
        unknown: distinct texts of which a tokenizer hardly knows anything.
    """

    def __init__(
        self, plan: InferencePlan, texts: Texts, codes: NDArray[np.int64], known: Known
    ) -> None:
        self.plan, self.texts, self.codes, self.known = plan, texts, codes, known
        self.done: dict[str, Scored] = {}
        self.n_windows = np.zeros(len(codes), dtype=np.int64)
        self.truncated = np.zeros(len(codes), dtype=bool)
        self.reasons: dict[int, str] = {}
        self.unknown = np.zeros(len(texts), dtype=bool)
        self._tokens: dict[str, NDArray[np.int64]] = {}

    def expect_passes(self) -> None:
        """Notes which passes over the same texts several scores will ask for."""
        for score in self.plan.scores:
            single_pass = getattr(heads()[score.kind], "single_pass", None)
            if single_pass is None or score.after or score.choices is not None:
                continue
            asked = self._needs(score) & self._is_for(score)
            own = single_pass(score) if asked.any() else None
            if own is not None:
                self.texts.some(np.unique(self.codes[asked])).expected.append(own)

    def compute(self, score: ScorePlan, run: Running) -> None:
        """Computes one score for the texts that need it and that it is for."""
        needs = self._needs(score)
        asked = needs & self._is_for(score)
        self._look_at(score, np.unique(self.codes[asked]))
        readable = np.array([int(code) not in self.reasons for code in self.codes], dtype=bool)
        at = np.flatnonzero(asked & readable)
        width = max(1, len(score.labels))
        if score.choices is not None:
            width = max((len(c) for c in self.known.choices[score.choices]), default=1)
        values = np.full((len(self.codes), width), np.nan, dtype=np.float32)
        if len(at):
            found, again = self._read(score, at, run)
            values[at, : found.values.shape[1]] = found.values[again]
            self.n_windows[at] = np.maximum(self.n_windows[at], found.n_windows[again])
            self.truncated[at] |= found.truncated[again]
            tokens = np.full(len(self.codes), -1, dtype=np.int64)
            tokens[at] = found.n_tokens[again]
            self._tokens[score.name] = tokens
        self.done[score.name] = Scored(values, asked, needs & ~asked)

    def leave_out_unreadable(self) -> None:
        """Forgets what some models read of texts that another one cannot read."""
        out = np.isin(self.codes, list(self.reasons))
        self.n_windows[out], self.truncated[out] = 0, False
        for scored in self.done.values():
            scored.values[out] = np.nan
        for tokens in self._tokens.values():
            tokens[out] = -1

    def n_tokens(self) -> NDArray[np.int64]:
        """Lengths by the first score, in the order of the plan, that read each text."""
        lengths = np.full(len(self.codes), -1, dtype=np.int64)
        for score in self.plan.scores:
            own = self._tokens.get(score.name)
            if own is not None:
                lengths = np.where(lengths < 0, own, lengths)
        return np.maximum(lengths, 0)

    def _needs(self, score: ScorePlan) -> NDArray[np.bool_]:
        needs = self.known.needs.get(score.name)
        return np.ones(len(self.codes), dtype=bool) if needs is None else needs

    def _look_at(self, score: ScorePlan, wanted: NDArray[np.int64]) -> None:
        """Notes which distinct texts a model of the score cannot read, or hardly knows.

        Nothing is left of them, or a token has no embedding.
        """
        if not len(wanted):
            return
        for reader in heads()[score.kind].readers(score):
            tokenizer = reader.tokenizer
            encoded = self.texts.some(wanted).encoded(tokenizer)
            for text, ids in zip(wanted.tolist(), encoded, strict=True):
                self.unknown[text] |= tokenizer.hardly_knows(ids)
                beyond = tokenizer.without_embedding(ids)
                if len(ids) + tokenizer.single.added == 0:
                    self.reasons[text] = (
                        f"nothing of the text is left to read for model {reader.model}"
                    )
                elif beyond == NO_TOKEN:
                    self.reasons[text] = (
                        f"the tokenizer of model {reader.model} has no token for a sign of the text"
                    )
                elif beyond is not None and text not in self.reasons:
                    self.reasons[text] = (
                        f"model {reader.model} has no embedding for token {beyond} of the text: "
                        f"its network knows {tokenizer.vocabulary}"
                    )

    def _read(
        self, score: ScorePlan, at: NDArray[np.intp], run: Running
    ) -> tuple[HeadScores, NDArray[np.intp]]:
        """Scores of the distinct texts at some positions, and which of them each position has."""
        compute = heads()[score.kind].compute
        brought = self._brought(score)
        if brought is None:
            wanted, again = np.unique(self.codes[at], return_inverse=True)
            some = self.texts.some(wanted)
        else:
            pairs = [(int(self.codes[i]), *brought[i]) for i in at]
            distinct = sorted(dict.fromkeys(pairs))
            place = {pair: position for position, pair in enumerate(distinct)}
            again = np.array([place[pair] for pair in pairs], dtype=np.intp)
            some = self.texts.some(
                np.array([code for code, _, _ in distinct]),
                [own for _, own, _ in distinct] if score.choices else None,
                [other for _, _, other in distinct] if score.pair else None,
            )
        try:
            found = compute(score, some, self.plan.long_documents, run)
        except NoneComputed as error:
            names = ", ".join(dict.fromkeys(model.name for model in score.models.values()))
            raise UsageError(f"model {names}: {error}; choose another model") from None
        return replace(found, values=calibrated(score, found.values)), again

    def _brought(self, score: ScorePlan) -> list[tuple[tuple[str, ...], str]] | None:
        """What each text brings along for a score: its own labels, and the text it is read with."""
        if score.choices is None and score.pair is None:
            return None
        n = len(self.codes)
        own = [()] * n if score.choices is None else self.known.choices[score.choices]
        others = [""] * n if score.pair is None else self.known.texts_of(score.pair)
        return [(tuple(labels), other or "") for labels, other in zip(own, others, strict=True)]

    def _is_for(self, score: ScorePlan) -> NDArray[np.bool_]:
        found = np.ones(len(self.codes), dtype=bool)
        for name, wanted in score.when.items():
            values = self.known.languages if name == LANGUAGE else self._labels(name)
            found &= np.array([value in wanted for value in values], dtype=bool)
        if score.choices is not None:
            found &= np.array([bool(own) for own in self.known.choices[score.choices]], dtype=bool)
        if score.pair is not None:
            found &= np.array([bool(other) for other in self.known.texts_of(score.pair)], bool)
        return found

    def _labels(self, name: str) -> list[str | None]:
        """Top labels of a score: those of now, else those from before."""
        score = next(s for s in self.plan.scores if s.name == name)
        now = _top_labels(score, self.done[name].values)
        before = self.known.labels.get(name)
        if before is None:
            return now
        asked = self.done[name].asked | self.done[name].skipped
        return [new if mine else old for new, old, mine in zip(now, before, asked, strict=True)]


def _top_labels(plan: ScorePlan, values: NDArray[np.float32]) -> list[str | None]:
    """The label with the highest score of each text, None where none is high enough."""
    there = np.isfinite(values) & (values >= np.float32(plan.threshold or 0))
    best = np.where(there, values, -np.inf).argmax(axis=1).tolist()
    known: list[bool] = np.any(there, axis=1).tolist()
    return [plan.labels[at] if there else None for at, there in zip(best, known, strict=True)]
