"""`kind: nli`: zero-shot by natural language inference.

Method: Yin, Hay and Roth 2019, "Benchmarking Zero-shot Text Classification"; the scores are those
of transformers' zero-shot-classification pipeline. With many labels an encoder may draw up a
shortlist for each text, and the slower model decides among those alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads._verdicts import Verdicts, nli_verdicts
from nocturna.tasks.inference.models import BUNDLED, Resolve
from nocturna.tasks.inference.recipe import read_recipe
from nocturna.tasks.inference.score_plan import HeadScores, Reader, ScorePlan
from nocturna.tasks.inference.wordings import softmax_of, word_labels
from nocturna.tasks.job.base import option, refuse_secrets
from nocturna.tasks.job.labels import LabelOptions, several, zero_shot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nocturna.tasks.inference.choices import Asked
    from nocturna.tasks.inference.running import Running
    from nocturna.tasks.inference.texts import Texts
    from nocturna.tasks.job.compute import LongDocuments

DEFAULT_TEMPLATES = {"es": "Este ejemplo es {}.", "en": "This example is {}."}

_DECIMALS = 5
"""Similarities closer than this are a tie, which the order of the labels decides."""


class Options(LabelOptions):
    """A score for each label by a model that says whether a text entails a sentence about it."""

    kind: Literal["nli"] = "nli"
    multi_label: bool = Field(
        False,
        description="Score each label by itself; scores then do not add up to 1.",
        json_schema_extra=option("--multi-label/--single-label", score="topic"),
    )
    shortlist: int | None = Field(
        None,
        ge=1,
        description="Labels that the model is asked about for each document, those most similar to "
        "it by embedding; the others get no score. With as many labels or fewer all are asked.",
        json_schema_extra=option("--shortlist", score="topic"),
    )
    shortlist_model: str = Field(
        BUNDLED,
        description="Hub name or local folder of the sentence encoder that draws up shortlists.",
        json_schema_extra=option("--shortlist-model", score="topic"),
    )

    entailment: int | str | None = Field(
        None,
        description="Output of the model that means entailment, by position from 0 or by its own "
        "name, where its names do not say.",
    )
    contradiction: int | str | None = Field(
        None, description="The same for contradiction; needed where a label is scored by itself."
    )

    @field_validator("shortlist_model")
    @classmethod
    def _is_encoder(cls, model: str) -> str | None:
        return refuse_secrets(model)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.model == BUNDLED:
            raise ValueError("kind nli needs an NLI model: name one with `model`")
        if self.labels is None and self.shortlist is not None:
            raise ValueError("shortlist needs `labels`; a document's own are few")
        if self.shortlist is None and self.shortlist_model != BUNDLED:
            raise ValueError(
                "shortlist_model has nothing to do: say with `shortlist` how many labels a "
                "document it is to choose"
            )
        if not self.multi_label:
            several(self.names)
        return self


def claims(values: Mapping[str, Any]) -> bool:
    """Labels and a model that is not the bundled one."""
    return zero_shot(values) and values.get("model") not in (None, BUNDLED)


def plan(name: str, options: Options, language: str, resolve: Resolve) -> ScorePlan:
    """Pins the models and reads which outputs are verdicts.

    Raises:
        UsageError: a model that does not exist or is no NLI model, or no template for the language.
        Transient: the Hub does not answer.
    """
    model = resolve(options.model, options.revision, "encoder")
    weighed = options.multi_label or options.shortlist == 1 or len(options.names) < 2
    verdicts = nli_verdicts(model, options.entailment, options.contradiction, weighed)
    if not options.template and language not in DEFAULT_TEMPLATES:
        raise UsageError(
            f"scores.{name}.template: there is no default template for language {language!r}; "
            "write one in that language, with {} for the label"
        )
    labels, models, asked = options.names, {"model": model}, None
    if options.shortlist is not None and options.shortlist < len(labels):
        models["shortlist"] = resolve(options.shortlist_model, None, "encoder")
        read_recipe(models["shortlist"])
        asked = options.shortlist
    return ScorePlan(
        name=name,
        kind=options.kind,
        models=models,
        labels=labels,
        settings={
            **options.sentences(DEFAULT_TEMPLATES.get(language, "")),
            "multi_label": options.multi_label,
            **({"shortlist": asked} if asked else {}),
            **({"verdicts": asdict(verdicts)} if _are_told(options) else {}),
        },
        gives="choices" if options.labels_column else "labels",
        choices=options.labels_column,
        # NLI has nothing to weigh one label with
        sums_to_one=not (options.multi_label or (asked or len(labels)) == 1),
        asked=asked,
    )


def examine(plan: ScorePlan) -> list[str]:
    """Refuses models whose parts do not belong together; says what is odd about the others."""
    from nocturna.tasks.inference.examined import (
        check_readable,
        check_room,
        examine_encoder,
        unused_note,
    )
    from nocturna.tasks.inference.passes import pair_frame
    from nocturna.tasks.inference.sequence_model import describe_classifier

    found = describe_classifier(plan.model, pairs=True)
    sentences = word_labels(plan.settings, plan.labels).sentences
    check_readable(plan.model, found.tokenizer, sentences)
    room = found.tokenizer.window - pair_frame(found.tokenizer).added
    check_room(plan.name, plan.model, found.tokenizer.encode(sentences), room)
    notes = unused_note(plan.model, found.unused)
    if "shortlist" in plan.models:
        notes += examine_encoder(
            plan.models["shortlist"], word_labels(plan.settings, plan.labels, ["{}"]).sentences
        )
    return notes


def readers(plan: ScorePlan) -> list[Reader]:
    """The model reads each text with each label, after the encoder that draws up shortlists."""
    from nocturna.tasks.inference.encoder import describe_encoder
    from nocturna.tasks.inference.sequence_model import describe_classifier

    found = [Reader(plan.model.name, describe_classifier(plan.model).tokenizer)]
    if "shortlist" in plan.models:
        encoder = plan.models["shortlist"]
        found.append(Reader(encoder.name, describe_encoder(encoder).tokenizer))
    return found


def compute(plan: ScorePlan, texts: "Texts", long: "LongDocuments", run: "Running") -> HeadScores:
    """Entailment of a sentence about each label, or about those on a text's shortlist.

    The texts' ids come from one tokenisation; hypotheses are tokenised once and appended as ids.
    Long documents are cut, hypotheses never; the windows leave room for the longest of a document's
    hypotheses, whichever of them are on its shortlist.
    """
    import numpy as np

    from nocturna.tasks.inference.choices import short_enough, spread_choices
    from nocturna.tasks.inference.passes import pair_frame
    from nocturna.tasks.inference.sequence_model import load_classifier
    from nocturna.tasks.inference.windows import aggregate, cut_windows

    labels, asked = spread_choices(plan.labels, texts.choices)
    worded = word_labels(plan.settings, labels)
    about = worded.of_labels(asked.rows(len(labels), np.arange(len(texts))))
    counts, truncated = np.ones(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=bool)
    model = load_classifier(plan.model, run)
    added = pair_frame(model.tokenizer).added
    room = model.tokenizer.window - added
    endings, spoilt, longest = short_enough(model.tokenizer.encode(worded.sentences), room, about)
    if plan.asked is not None:
        asked, counts, truncated = _shortlist(plan, texts, labels, long, run)
        about = worded.of_labels(asked.rows(len(labels), np.arange(len(texts))))
    encoded = texts.encoded(model.tokenizer)
    windows = cut_windows(encoded, room - longest, long, model.tokenizer.keeps_end)

    at = about[windows.document]
    pairs = np.nonzero(at >= 0)
    rows, chosen = pairs[0], at[pairs]
    text_lengths = np.array([len(ids) for ids in windows.ids], dtype=np.int64)
    label_lengths = np.array([len(ids) for ids in endings], dtype=np.int64)
    lengths = text_lengths[rows] + label_lengths[chosen] + added
    found = model.logits(lambda i: (windows.ids[rows[i]], endings[chosen[i]]), lengths, run)
    logits = np.full((*at.shape, found.shape[1]), -np.inf, dtype=np.float32)
    logits[pairs] = found

    verdicts = _verdicts(plan)
    labelled = (at >= 0).any(axis=(1, 3)).sum(axis=1, keepdims=True)
    alone = plan.settings["multi_label"] | (labelled == 1)
    by_itself = worded.joined(_by_itself(logits, verdicts), at, shares=False)
    shares = worded.joined(softmax_of(logits[..., verdicts.entailment], at), at, shares=True)
    scores = np.where(alone, by_itself, shares)
    joined = asked.emptied(aggregate(scores, windows, long.aggregate))
    joined[spoilt] = np.nan
    if plan.asked is not None and asked.positions is not None:
        wide = np.full((len(joined), len(labels)), np.nan, dtype=np.float32)
        np.put_along_axis(wide, asked.positions, joined, axis=1)
        joined = wide
    tokens = np.array([len(ids) for ids in encoded], dtype=np.int64)
    return HeadScores(
        joined, tokens, np.maximum(counts, windows.counts), truncated | windows.truncated
    )


def by_pipeline(plan: ScorePlan, texts: "Sequence[str]") -> "NDArray[np.float32]":
    """The same scores by transformers' zero-shot pipeline, shape (texts, labels)."""
    import numpy as np
    from transformers import pipeline

    plainly = {"device": "cpu", "dtype": "float32", "trust_remote_code": False}
    made = pipeline("zero-shot-classification", model=plan.model.folder, **plainly)
    made.model.config.update({"label2id": {"entailment": 1}})
    pair, read = _verdicts(plan).pair, made._forward  # by itself it takes output 0 against another
    made._forward = lambda *given: (found := read(*given)) | {"logits": found["logits"][:, pair]}
    asked = {
        "candidate_labels": list(plan.labels),
        "hypothesis_template": plan.settings["template"],
        "multi_label": plan.settings["multi_label"],
    }
    found = [made(text, **asked) for text in texts]
    scores = [dict(zip(one["labels"], one["scores"], strict=True)) for one in found]
    return np.array([[row[label] for label in plan.labels] for row in scores], dtype=np.float32)


def passes(plan: ScorePlan) -> int:
    """A text is read once a sentence about labels; a guess where it brings its own."""
    every = len(word_labels(plan.settings, plan.labels).sentences) or 4
    return every if plan.asked is None else -(-every * plan.asked // len(plan.labels))


def _are_told(options: Options) -> bool:
    return options.entailment is not None or options.contradiction is not None


def _verdicts(plan: ScorePlan) -> Verdicts:
    told = plan.settings.get("verdicts")
    return Verdicts(**told) if told else nli_verdicts(plan.model, weighed=False)


def _by_itself(logits: "NDArray[np.float32]", verdicts: Verdicts) -> "NDArray[np.float32]":
    """Entailment against contradiction (of two classes, the other) for each label by itself."""
    import numpy as np

    from nocturna.tasks.inference.probabilities import softmax

    two = logits[..., verdicts.pair]
    return softmax(np.nan_to_num(two, neginf=0.0))[..., 1]


def _shortlist(
    plan: ScorePlan, texts: "Texts", labels: list[str], long: "LongDocuments", run: "Running"
) -> "tuple[Asked, NDArray[np.int64], NDArray[np.bool_]]":
    """The labels most similar to each text, by the cosine of their embeddings.

    Exact in any precision: a faster one may change a score a little, not who is asked. A long text
    has one shortlist: similarities of its windows are joined as scores are.

    Returns:
        positions of the labels, ascending; windows and whether text was cut, by text.
    """
    import numpy as np

    from nocturna.tasks.inference.choices import Asked
    from nocturna.tasks.inference.encoder import load_encoder
    from nocturna.tasks.inference.similarity import similarities
    from nocturna.tasks.inference.windows import aggregate

    assert plan.asked is not None
    exact = replace(run, precision="fp32", on_share=None)
    encoder = load_encoder(plan.models["shortlist"], exact)
    bare = word_labels(plan.settings, labels, ["{}"])
    cosines, read = similarities(encoder, texts, bare.sentences, long, exact)
    likeness = bare.alike(cosines)
    joined = np.round(aggregate(likeness, read.windows, long.aggregate), _DECIMALS)
    nearest = np.argsort(-joined, axis=1, kind="stable")[:, : plan.asked]
    return Asked(np.sort(nearest, axis=1)), read.windows.counts, read.windows.truncated
