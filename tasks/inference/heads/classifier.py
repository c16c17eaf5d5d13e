"""`kind: classifier`: any sequence-classification model, with all of its labels or one number."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.model_config import classifier_outputs, unnamed
from nocturna.tasks.inference.models import BUNDLED, Resolve
from nocturna.tasks.inference.score_plan import HeadScores, Reader, ScorePlan
from nocturna.tasks.job.base import ModelOptions, option
from nocturna.tasks.job.labels import zero_shot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nocturna.tasks.inference.passes import Pass
    from nocturna.tasks.inference.running import Running
    from nocturna.tasks.inference.texts import Texts
    from nocturna.tasks.job.compute import LongDocuments


LEAST_BY_ITSELF = 0.5
"""Threshold of a model that gives each label by itself, as its authors count a label as given."""


class Options(ModelOptions):
    """A score by a sequence-classification model, such as sentiment."""

    kind: Literal["classifier"] = "classifier"
    model: str = Field(
        BUNDLED,
        description="Hub name or local folder of a sequence-classification model.",
        json_schema_extra=option("--sentiment-model", score="sentiment"),
    )
    text_pair: str | None = Field(
        None,
        description="Source column of a second text that the model reads with each, as NLI, "
        "similarity and relevance models do; documents without one are not asked.",
    )
    labels: dict[Annotated[str, BeforeValidator(str)], str] = Field(
        {}, description="New names of the model's labels, as in `LABEL_0: negative`."
    )


def claims(values: Mapping[str, Any]) -> bool:
    """A score without labels of its own, or with new names for those of the model."""
    return not zero_shot(values)


def plan(name: str, options: Options, language: str, resolve: Resolve) -> ScorePlan:
    """Pins the model and reads its labels.

    Raises:
        UsageError: the model does not exist, is no classifier, or lacks a label that is renamed.
        Transient: the Hub does not answer.
    """
    model = resolve(options.model, options.revision, "sentiment")
    outputs = classifier_outputs(model)
    unknown = next((label for label in options.labels if label not in outputs.labels), None)
    if unknown is not None:
        raise UsageError(
            f"scores.{name}.labels: model {model.name} has no label {unknown!r}; it has "
            f"{', '.join(outputs.labels) or 'one number and no labels'}"
        )
    labels = tuple(options.labels.get(label, label) for label in outputs.labels)
    odd = next((label for label in labels if not label.strip() or labels.count(label) > 1), None)
    if odd is not None:
        raise UsageError(
            f"scores.{name}.labels: with the new names two outputs of model {model.name} are "
            f"called {odd!r}, or one has no name; give each a name of its own"
        )
    return ScorePlan(
        name=name,
        kind=options.kind,
        models={"model": model},
        labels=labels,
        settings={
            **({"threshold": LEAST_BY_ITSELF} if labels and outputs.independent else {}),
            **({"text_pair": options.text_pair} if options.text_pair else {}),
        },
        gives="labels" if labels else "number",
        sums_to_one=bool(labels) and not outputs.independent,
    )


def examine(plan: ScorePlan) -> list[str]:
    """Refuses a model whose parts do not belong together; says what is odd about another."""
    from nocturna.tasks.inference.examined import unused_note
    from nocturna.tasks.inference.sequence_model import describe_classifier

    found = describe_classifier(plan.model, pairs=plan.pair is not None)
    notes = unused_note(plan.model, found.unused)
    own = classifier_outputs(plan.model).labels
    if own and unnamed(own) and unnamed(plan.labels):
        notes.append(
            f"model {plan.model.name}: it does not name its labels; they are called {own[0]} to "
            f"{own[-1]} until `labels` in the job or id2label in its config.json does"
        )
    return notes


def single_pass(plan: ScorePlan) -> "Pass | None":
    """How the model reads texts by themselves."""
    from nocturna.tasks.inference.sequence_model import classifier_pass

    return None if plan.pair else classifier_pass(plan.model)


def readers(plan: ScorePlan) -> list[Reader]:
    """The model reads each text."""
    from nocturna.tasks.inference.sequence_model import describe_classifier

    return [Reader(plan.model.name, describe_classifier(plan.model).tokenizer)]


def compute(plan: ScorePlan, texts: "Texts", long: "LongDocuments", run: "Running") -> HeadScores:
    """Scores of every label, as transformers' text-classification pipeline has them.

    Args:
        long: what to do with texts beyond the model's window.
        run: how to run.
    """
    from nocturna.tasks.inference.passes import read_texts
    from nocturna.tasks.inference.sequence_model import classifier_pass
    from nocturna.tasks.inference.windows import aggregate

    if texts.pairs is not None:
        return _of_pairs(plan, texts, texts.pairs, long, run)
    found = read_texts(classifier_pass(plan.model), texts, long, run)
    joined = aggregate(_scores(plan, found.outputs), found.windows, long.aggregate)
    return HeadScores(joined, found.n_tokens, found.windows.counts, found.windows.truncated)


def _of_pairs(
    plan: ScorePlan, texts: "Texts", others: "Sequence[str]", long: "LongDocuments", run: "Running"
) -> HeadScores:
    import numpy as np

    from nocturna.tasks.inference.passes import pair_frame
    from nocturna.tasks.inference.sequence_model import load_classifier
    from nocturna.tasks.inference.windows import aggregate, cut_windows

    model = load_classifier(plan.model, run)
    frame = pair_frame(model.tokenizer)
    encoded, seconds = texts.encoded(model.tokenizer), model.tokenizer.encode(list(others))
    half = (model.tokenizer.window - frame.added) // 2
    cut = np.array([len(ids) > half for ids in seconds])
    keeps_end = model.tokenizer.keeps_end
    seconds = [ids[-half:] if keeps_end else ids[:half] for ids in seconds]
    room = model.tokenizer.window - frame.added - np.array([len(ids) for ids in seconds])
    windows = cut_windows(encoded, room, long, keeps_end)
    own = [(ids, seconds[of]) for ids, of in zip(windows.ids, windows.document, strict=True)]
    lengths = np.array([sum(map(len, ids)) for ids in own], dtype=np.int64) + frame.added
    scores = _scores(plan, model.logits(lambda i: own[i], lengths, run))
    joined = aggregate(scores, windows, long.aggregate)
    beyond = [model.tokenizer.without_embedding(ids) is not None for ids in seconds]
    joined[np.array(beyond, dtype=bool)] = np.nan
    tokens = np.array([len(ids) for ids in encoded], dtype=np.int64)
    return HeadScores(joined, tokens, windows.counts, windows.truncated | cut)


def _scores(plan: ScorePlan, logits: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """What the model's configuration makes of its logits."""
    from nocturna.tasks.inference.probabilities import sigmoid, softmax

    kind = classifier_outputs(plan.model)
    return logits if kind.raw else sigmoid(logits) if kind.independent else softmax(logits)


def by_pipeline(plan: ScorePlan, texts: "Sequence[str]") -> "NDArray[np.float32]":
    """The same scores by transformers' text-classification pipeline, shape (texts, labels)."""
    import numpy as np
    from transformers import pipeline

    made = pipeline(
        "text-classification",
        model=plan.model.folder,
        top_k=None,
        device="cpu",
        dtype="float32",
        trust_remote_code=False,
    )
    outputs = classifier_outputs(plan.model).labels
    rows = []
    for text in texts:
        scores = {found["label"]: found["score"] for found in made([text])[0]}
        rows.append([scores[label] for label in outputs] if outputs else list(scores.values()))
    return np.array(rows, dtype=np.float32)


def passes(plan: ScorePlan) -> int:
    """A text is read once."""
    return 1
