"""`kind: gliclass`: zero-shot by a GLiClass model: one pass a text for all of its labels.

An encoder reads the labels, each after a mark, together with the text; the scores are those of the
models' own pipeline. Labels that do not fit a window beside their text, or are more than the model
takes, are read in further passes, and weighed together.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads._gliclass_format import END, MARK, described, most_labels
from nocturna.tasks.inference.models import BUNDLED, ModelRef, Resolve
from nocturna.tasks.inference.score_plan import HeadScores, Reader, ScorePlan
from nocturna.tasks.inference.wordings import Wordings, softmax_of, word_labels
from nocturna.tasks.job.labels import LabelOptions, several

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nocturna.tasks.inference.frames import Ids
    from nocturna.tasks.inference.running import Running
    from nocturna.tasks.inference.texts import Texts
    from nocturna.tasks.inference.tokens import TextTokenizer
    from nocturna.tasks.job.compute import LongDocuments

NETWORKS = f"{__package__}._gliclass_network"
MODEL_TYPE = "GLiClass"


class Options(LabelOptions):
    """A score for each label by a model that reads all labels and the text in one pass."""

    kind: Literal["gliclass"] = "gliclass"
    multi_label: bool = Field(
        False, description="Score each label by itself; scores then do not add up to 1."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.model == BUNDLED:
            raise ValueError("kind gliclass needs a GLiClass model: name one with `model`")
        if not self.multi_label:
            several(self.names)
        return self


def claims(values: Mapping[str, Any]) -> bool:
    """Never: labels and a model may be of other kinds; `kind` says that it is this one."""
    return False


def plan(name: str, options: Options, language: str, resolve: Resolve) -> ScorePlan:
    """Pins the model and makes sure that it is made of parts that are known.

    Raises:
        UsageError: the model does not exist, is no GLiClass model, or has parts that are not known.
        Transient: the Hub does not answer.
    """
    model = resolve(options.model, options.revision, "encoder")
    described(model)
    return ScorePlan(
        name=name,
        kind=options.kind,
        models={"model": model},
        labels=options.names,
        settings={**options.sentences("{}"), "multi_label": options.multi_label},
        gives="choices" if options.labels_column else "labels",
        choices=options.labels_column,
        sums_to_one=not options.multi_label,
    )


def examine(plan: ScorePlan) -> list[str]:
    """Refuses a model whose parts do not belong together; says what is odd about another."""
    from nocturna.tasks.inference.examined import check_readable, check_room, unused_note
    from nocturna.tasks.inference.facts import network_facts

    parts = _parts(plan.model)
    worded = word_labels(plan.settings, plan.labels)
    check_readable(plan.model, parts.whole, _marked(worded))
    check_room(plan.name, plan.model, _named(parts, worded), parts.room)
    return unused_note(plan.model, network_facts(plan.model, head=True).unused)


def readers(plan: ScorePlan) -> list[Reader]:
    """The model reads each text."""
    return [Reader(plan.model.name, _parts(plan.model).text)]


def compute(plan: ScorePlan, texts: "Texts", long: "LongDocuments", run: "Running") -> HeadScores:
    """Softmax over the labels of a text; the sigmoid with `multi_label`, and of an only label.

    Long documents are cut, labels never; the windows leave room for the longest group of their
    labels.
    """
    import numpy as np

    from nocturna.tasks.inference.choices import short_enough, spread_choices
    from nocturna.tasks.inference.probabilities import sigmoid
    from nocturna.tasks.inference.windows import aggregate, cut_windows

    parts = _parts(plan.model)
    labels, asked = spread_choices(plan.labels, texts.choices)
    worded = word_labels(plan.settings, labels)
    about = worded.of_labels(asked.rows(len(labels), np.arange(len(texts))))
    named, spoilt, _ = short_enough(_named(parts, worded), parts.room, about)
    behind = len(parts.text.start)
    encoded = [_unmarked(ids[behind:], parts) for ids in texts.encoded(parts.text)]
    own = [tuple(tuple(t[t >= 0].tolist()) for t in templates) for templates in about]
    groups = [
        [group for labels in templates for group in _groups(labels, len(ids), named, parts)]
        for templates, ids in zip(own, encoded, strict=True)
    ]
    longest = np.array([max(sum(len(named[at]) for at in g) for g in many) for many in groups])
    windows = cut_windows(encoded, parts.room - longest, long, parts.whole.keeps_end)
    reads = [(at, group) for at, d in enumerate(windows.document) for group in groups[d]]
    found = _logits(plan.model, parts, [(windows.ids[at], g) for at, g in reads], named, run)
    every = np.full((len(windows.ids), len(named)), -np.inf, dtype=np.float32)
    for (at, group), values in zip(reads, found, strict=True):
        every[at, list(group)] = values
    about = about[windows.document]
    logits = every[np.arange(len(about))[:, None, None, None], about]
    labelled = (about >= 0).any(axis=(1, 3)).sum(axis=1, keepdims=True)
    alone = plan.settings["multi_label"] | (labelled == 1)
    by_itself = worded.joined(sigmoid(logits), about, shares=False)
    shares = worded.joined(softmax_of(logits, about), about, shares=True)
    scores = np.where(alone, by_itself, shares)
    joined = asked.emptied(aggregate(scores, windows, long.aggregate))
    joined[spoilt] = np.nan
    tokens = np.array([len(ids) for ids in encoded], dtype=np.int64)
    return HeadScores(joined, tokens, windows.counts, windows.truncated)


def _marked(worded: Wordings) -> list[str]:
    """What the model reads of each label."""
    return [MARK + sentence for sentence in worded.sentences]


def _named(parts: "_Parts", worded: Wordings) -> "list[Ids]":
    """Token ids of each label after its mark."""
    import numpy as np

    bare = [_unmarked(ids, parts) for ids in parts.whole.encode(_marked(worded))]
    return [np.concatenate([np.array([parts.mark], np.int32), ids]) for ids in bare]


def passes(plan: ScorePlan) -> int:
    """A text is read once for every so many labels as the model takes."""
    every = len(word_labels(plan.settings, plan.labels).sentences)
    return math.ceil(every / most_labels(described(plan.model))) or 1


@dataclass(frozen=True)
class _Parts:
    """What reads texts and labels.

    Attributes:
        whole: the tokenizer of a sequence, and of labels in it.
        text: the same for texts, which may stand behind the labels.
        mark: the token before each label.
        end: tokens between labels and text.
        most: labels that a sequence may hold.
    """

    whole: "TextTokenizer"
    text: "TextTokenizer"
    mark: int
    end: "Ids"
    most: float
    text_last: bool

    @property
    def room(self) -> int:
        """Tokens for a text and its labels."""
        return self.whole.window - self.whole.single.added - len(self.end)


@lru_cache(maxsize=8)
def _parts(ref: ModelRef) -> _Parts:
    from nocturna.tasks.inference.facts import network_facts
    from nocturna.tasks.inference.tokens import load_tokenizer

    config, whole = described(ref), load_tokenizer(ref)
    mark, end = whole.encode([MARK, END])
    if mark.tolist() != [network_facts(ref, head=True).landmark]:
        raise UsageError(
            f"model {ref.name}: its tokenizer reads {MARK} as {mark.tolist()}, and its config.json "
            "has another class_token_index; copy the model's own tokenizer files beside its weights"
        )
    last = bool(config["prompt_first"])
    text = load_tokenizer(ref, prompt=END) if last else whole
    return _Parts(whole, text, int(mark[0]), end, most_labels(config), last)


def _unmarked(ids: "Ids", parts: _Parts) -> "Ids":
    """Tokens without marks: neither a text nor a label can bring a label along."""
    return ids[ids != parts.mark]


def _groups(
    own: tuple[int, ...], length: int, named: "list[Ids]", parts: _Parts
) -> list[tuple[int, ...]]:
    """Labels that are read together with a text of some length: all of them where that fits.

    Otherwise as many as the model takes, in half of its window.
    """
    if len(own) <= parts.most and length + sum(len(named[at]) for at in own) <= parts.room:
        return [own]
    groups: list[tuple[int, ...]] = [()]
    size = 0
    for at in own:
        size += len(named[at])
        if groups[-1] and (len(groups[-1]) == parts.most or 2 * size > parts.room):
            groups.append(())
            size = len(named[at])
        groups[-1] += (at,)
    return groups


def _logits(
    ref: ModelRef,
    parts: _Parts,
    reads: "list[tuple[Ids, tuple[int, ...]]]",
    named: "list[Ids]",
    run: "Running",
) -> "list[NDArray[np.float32]]":
    """The logits of each group of labels with each text, from batches of as many labels."""
    import numpy as np

    from nocturna.tasks.inference.backends import make_ready
    from nocturna.tasks.inference.batches import Sequence, run_batches
    from nocturna.tasks.inference.passes import frame_sequence
    from nocturna.tasks.inference.sequence_model import LOGITS

    network = make_ready(ref, LOGITS, parts.whole.pad_id, parts.whole.uses_types, run)

    def sequence(places: "NDArray[np.int64]", at: int) -> Sequence:
        ids, group = reads[places[at]]
        labels = np.concatenate([*(named[label] for label in group), parts.end])
        both = (labels, ids) if parts.text_last else (ids, labels)
        return frame_sequence(parts.whole, (np.concatenate(both),))

    added = parts.whole.single.added + len(parts.end)
    lengths = np.array([len(i) + sum(len(named[n]) for n in g) + added for i, g in reads])
    counts = np.array([len(group) for _, group in reads])
    found: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(reads)
    for count in np.unique(counts):
        some = np.flatnonzero(counts == count)
        told = _part_of(run, float(lengths[some].sum() / lengths.sum()))
        rows = run_batches(network, partial(sequence, some), lengths[some], told)
        for at, row in zip(some, rows, strict=True):
            found[at] = row
    return found


def _part_of(run: "Running", share: float) -> "Running":
    tell = run.on_share
    return run if tell is None else replace(run, on_share=lambda done: tell(done * share))
