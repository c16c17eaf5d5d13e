"""The models of a plan, looked at part by part before a run: what is refused, what is said."""

from typing import TYPE_CHECKING

from tasks.errors import UsageError
from tasks.inference.classifier import describe_classifier
from tasks.inference.encoder import describe_encoder
from tasks.inference.model_config import unnamed
from tasks.inference.models import ModelRef
from tasks.inference.tokens import TextTokenizer

if TYPE_CHECKING:
    from tasks.inference.planned import InferencePlan


def examine(plan: "InferencePlan") -> list[str]:
    """Refuses models whose parts do not belong together; says what is odd about the others."""
    notes: list[str] = []
    if plan.sentiment:
        model, labels = plan.sentiment.model, plan.sentiment.labels
        notes += _unused(model, describe_classifier(model).unused)
        if unnamed(labels):
            notes.append(
                f"model {model.name}: it does not name its labels; they are called {labels[0]} to "
                f"{labels[-1]} until id2label in its config.json does"
            )
    topics = plan.topics
    if topics and topics.method == "nli":
        found = describe_classifier(topics.model, pairs=True)
        notes += _unused(topics.model, found.unused)
        _check_readable(topics.model, found.tokenizer, topics.hypotheses)
    elif topics:
        _examine_encoder(topics.model, topics.hypotheses, notes)
    if topics and topics.shortlist:
        _examine_encoder(topics.shortlist.model, topics.labels, notes)
    return notes


def _examine_encoder(model: ModelRef, sentences: tuple[str, ...], notes: list[str]) -> None:
    found = describe_encoder(model)
    notes += _unused(model, found.unused)
    if found.recipe.prompts:
        notes.append(
            f"model {model.name}: it has prompts ({', '.join(found.recipe.prompts)}) and none by "
            "default, so texts are read without one; name one as default_prompt_name in its "
            "config_sentence_transformers.json"
        )
    _check_readable(model, found.tokenizer, sentences)


def _check_readable(model: ModelRef, tokenizer: TextTokenizer, sentences: tuple[str, ...]) -> None:
    for sentence, ids in zip(sentences, tokenizer.encode(list(sentences)), strict=True):
        beyond = tokenizer.without_embedding(ids)
        if beyond is not None:
            raise UsageError(
                f"model {model.name}: {sentence!r} holds token {beyond}, and its network has "
                f"embeddings for {tokenizer.vocabulary} tokens; word the label otherwise"
            )


def _unused(model: ModelRef, names: tuple[str, ...]) -> list[str]:
    if not names:
        return []
    return [
        f"model {model.name}: {len(names)} weights of its file are not used, such as {names[0]}"
    ]
