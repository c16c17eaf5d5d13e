"""`kind: embedding`: zero-shot by a sentence encoder, one pass a text, however many labels."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.models import BUNDLED, Resolve
from nocturna.tasks.inference.recipe import read_recipe
from nocturna.tasks.inference.score_plan import HeadScores, Reader, ScorePlan
from nocturna.tasks.inference.wordings import softmax_of, word_labels
from nocturna.tasks.job.labels import LabelOptions, several, zero_shot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nocturna.tasks.inference.passes import Pass
    from nocturna.tasks.inference.running import Running
    from nocturna.tasks.inference.texts import Texts
    from nocturna.tasks.job.compute import LongDocuments


class Options(LabelOptions):
    """A score for each label by the likeness of a text to it; the bundled model does this."""

    kind: Literal["embedding"] = "embedding"
    temperature: float | None = Field(
        None, gt=0, description="Softmax temperature; the model's own if none."
    )
    multi_label: bool = Field(
        False,
        description="Score each label by itself, by an encoder whose folder says from which "
        "cosine on a label is likelier right than wrong, as the bundled one's does.",
    )
    prompt: str | None = Field(
        None,
        description="What the encoder is given before every text: the name of one of its own "
        'prompts, or the words, such as "query: "; its own default if none.',
    )
    label_prompt: str | None = Field(
        None, description="The same before every label; that of the texts if none."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_no_nli(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("shortlist") is not None:
            raise ValueError(
                "shortlist needs an NLI model, named with `model` (kind: nli): an encoder reads a "
                "document once, however many labels there are"
            )
        return values

    @model_validator(mode="after")
    def _is_a_choice(self) -> Self:
        if not self.multi_label:
            several(self.names)
        elif self.temperature is not None:
            raise ValueError("temperature is for scores that are shares of one whole; leave it out")
        return self


def claims(values: Mapping[str, Any]) -> bool:
    """Labels, and no model but the bundled one."""
    return zero_shot(values) and values.get("model") in (None, BUNDLED)


def plan(name: str, options: Options, language: str, resolve: Resolve) -> ScorePlan:
    """Pins the encoder and reads its own recipe.

    Raises:
        UsageError: the model does not exist, is made of parts that are not known, or does not say
            what a cosine is worth by itself.
        Transient: the Hub does not answer.
    """
    model = resolve(options.model, options.revision, "encoder")
    said = {"prompt": options.prompt, "label_prompt": options.label_prompt}
    prompts = {key: prompt for key, prompt in said.items() if prompt is not None}
    for prompt in prompts.values():
        read_recipe(model, prompt)
    recipe = read_recipe(model)
    worth: dict[str, Any] = {"temperature": options.temperature or recipe.temperature}
    if options.multi_label:
        if recipe.alone is None:
            raise UsageError(
                f"scores.{name}.multi_label: model {model.name} does not say from which cosine on "
                "a label is likelier right than wrong (similarity_midpoint and similarity_spread "
                "in config_sentence_transformers.json); use the bundled one or an NLI model (kind: "
                "nli)"
            )
        worth = dict(zip(("midpoint", "spread"), recipe.alone, strict=True))
    return ScorePlan(
        name=name,
        kind=options.kind,
        models={"model": model},
        labels=options.names,
        settings={
            **options.sentences(recipe.templates.get(language, "{}")),
            **worth,
            **prompts,
        },
        sums_to_one=not options.multi_label,
        gives="choices" if options.labels_column else "labels",
        choices=options.labels_column,
    )


def examine(plan: ScorePlan) -> list[str]:
    """Refuses an encoder whose parts do not belong together; says what is odd about another."""
    from nocturna.tasks.inference.examined import examine_encoder

    return examine_encoder(
        plan.model, word_labels(plan.settings, plan.labels).sentences, *_prompts(plan)
    )


def readers(plan: ScorePlan) -> list[Reader]:
    """The encoder reads each text."""
    from nocturna.tasks.inference.encoder import describe_encoder

    return [Reader(plan.model.name, describe_encoder(plan.model, _prompts(plan)[0]).tokenizer)]


def single_pass(plan: ScorePlan) -> "Pass":
    """How the encoder reads texts."""
    from nocturna.tasks.inference.encoder import encoder_pass

    return encoder_pass(plan.model, _prompts(plan)[0])


def compute(plan: ScorePlan, texts: "Texts", long: "LongDocuments", run: "Running") -> HeadScores:
    """Softmax over the labels of the cosine similarity divided by a temperature.

    With `multi_label` the sigmoid of its distance from the encoder's own midpoint.
    """
    import numpy as np

    from nocturna.tasks.inference.choices import spread_choices
    from nocturna.tasks.inference.encoder import load_encoder
    from nocturna.tasks.inference.probabilities import sigmoid
    from nocturna.tasks.inference.similarity import similarities
    from nocturna.tasks.inference.windows import aggregate

    model, of_labels = (
        load_encoder(plan.model, run, prompt, texts.expected) for prompt in _prompts(plan)
    )
    labels, asked = spread_choices(plan.labels, texts.choices)
    worded = word_labels(plan.settings, labels)
    cosines, read = similarities(model, texts, worded.sentences, long, run, of_labels)
    at = worded.of_labels(asked.rows(len(labels), read.windows.document))
    found = cosines[np.arange(len(at))[:, None, None, None], at]
    if plan.sums_to_one:
        scores = worded.joined(
            softmax_of(found / plan.settings["temperature"], at), at, shares=True
        )
    else:
        alone = sigmoid((found - plan.settings["midpoint"]) / plan.settings["spread"])
        scores = worded.joined(alone, at, shares=False)
    joined = asked.emptied(aggregate(scores, read.windows, long.aggregate))
    return HeadScores(joined, read.n_tokens, read.windows.counts, read.windows.truncated)


def likeness(plan: ScorePlan, run: "Running") -> "NDArray[np.float32]":
    """Cosine of every two labels as the encoder reads them, shape (labels, labels).

    Of a label with several sentences it is that of their mean.
    """
    import numpy as np

    from nocturna.tasks.inference.encoder import load_encoder
    from nocturna.tasks.inference.similarity import sentence_vectors

    worded = word_labels(plan.settings, plan.labels)
    model = load_encoder(plan.model, run, _prompts(plan)[1])
    vectors = sentence_vectors(model, worded.sentences, run)
    there = (worded.at >= 0)[..., None]
    of_labels = (np.where(there, vectors[worded.at], 0)).sum(axis=(0, 2))
    of_labels /= np.linalg.norm(of_labels, axis=1, keepdims=True)
    found: NDArray[np.float32] = of_labels @ of_labels.T
    return found


def _prompts(plan: ScorePlan) -> tuple[str | None, str | None]:
    """What the job wants read before a text, and before a label."""
    prompt = plan.settings.get("prompt")
    return prompt, plan.settings.get("label_prompt", prompt)


def passes(plan: ScorePlan) -> int:
    """A text is read once, however many labels there are."""
    return 1
