"""The models of a score, looked at part by part before a run: what is refused, what is said."""

from collections.abc import Iterable

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.encoder import describe_encoder
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.tokens import TextTokenizer


def examine_encoder(model: ModelRef, sentences: Iterable[str]) -> list[str]:
    """Refuses an encoder whose parts do not belong together; says what is odd about another."""
    found = describe_encoder(model)
    notes = unused_note(model, found.unused)
    if found.recipe.prompts:
        notes.append(
            f"model {model.name}: it has prompts ({', '.join(found.recipe.prompts)}) and none by "
            "default, so texts are read without one; name one as default_prompt_name in its "
            "config_sentence_transformers.json"
        )
    check_readable(model, found.tokenizer, sentences)
    return notes


def check_readable(model: ModelRef, tokenizer: TextTokenizer, sentences: Iterable[str]) -> None:
    """Refuses sentences about labels that a network has no embeddings for."""
    asked = list(sentences)
    for sentence, ids in zip(asked, tokenizer.encode(asked), strict=True):
        beyond = tokenizer.without_embedding(ids)
        if beyond is not None:
            raise UsageError(
                f"model {model.name}: {sentence!r} holds token {beyond}, and its network has "
                f"embeddings for {tokenizer.vocabulary} tokens; word the label otherwise"
            )


def unused_note(model: ModelRef, names: tuple[str, ...]) -> list[str]:
    """A note on weights of a model's file that its network has no place for, if there are any."""
    if not names:
        return []
    return [
        f"model {model.name}: {len(names)} weights of its file are not used, such as {names[0]}"
    ]
