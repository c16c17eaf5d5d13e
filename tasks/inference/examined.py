"""The models of a score, looked at part by part before a run: what is refused, what is said."""

from collections.abc import Iterable
from pathlib import Path

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.encoder import describe_encoder
from nocturna.tasks.inference.frames import Ids
from nocturna.tasks.inference.models import ModelRef
from nocturna.tasks.inference.tokens import TextTokenizer


def examine_encoder(
    model: ModelRef,
    sentences: Iterable[str],
    prompt: str | None = None,
    of_labels: str | None = None,
) -> list[str]:
    """Refuses an encoder whose parts do not belong together; says what is odd about another.

    Args:
        model: the encoder.
        sentences: what stands for the labels.
        prompt: what the job wants read before a text, as `read_recipe` takes it.
        of_labels: the same before a label.
    """
    found = describe_encoder(model, prompt)
    for_labels = describe_encoder(model, of_labels)
    notes = unused_note(model, found.unused)
    if found.recipe.prompts:
        notes.append(
            f"model {model.name}: it has prompts ({', '.join(found.recipe.prompts)}) and none by "
            "default, so texts are read without one; name one with `prompt`, or as "
            "default_prompt_name in its config_sentence_transformers.json"
        )
    elif prompt is None and not found.recipe.prompt and _speaks_of_prompts(model):
        notes.append(
            f"model {model.name}: its card speaks of prompts, 'query: ' and 'passage: ', and its "
            'settings have none, so texts are read without one; give one with `prompt: "query: "`'
        )
    check_readable(model, for_labels.tokenizer, sentences)
    return notes


def _speaks_of_prompts(model: ModelRef) -> bool:
    card = Path(model.folder) / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    return "query: " in text and "passage: " in text


def check_readable(model: ModelRef, tokenizer: TextTokenizer, sentences: Iterable[str]) -> None:
    """Refuses sentences about labels that a network has no embeddings for or cannot tell apart."""
    asked = list(sentences)
    seen: dict[bytes, str] = {}
    for sentence, ids in zip(asked, tokenizer.encode(asked), strict=True):
        same = seen.setdefault(ids.tobytes(), sentence)
        if same != sentence:
            raise UsageError(
                f"model {model.name}: its tokenizer reads {same!r} and {sentence!r} alike, so it "
                "cannot tell them apart; word the labels otherwise or choose another model"
            )
        beyond = tokenizer.without_embedding(ids)
        if beyond is not None:
            raise UsageError(
                f"model {model.name}: {sentence!r} holds token {beyond}, and its network has "
                f"embeddings for {tokenizer.vocabulary} tokens; word the label otherwise"
            )


def check_room(score: str, model: ModelRef, sentences: Iterable[Ids], room: int) -> None:
    """Refuses sentences about labels that leave a window no room for a text."""
    longest = max(map(len, sentences), default=0)
    if longest >= room:
        raise UsageError(
            f"scores.{score}: a label takes {longest} tokens in its template, and a window of "
            f"model {model.name} has room for {room} with the text; use a shorter template or "
            "shorter labels"
        )


def unused_note(model: ModelRef, names: tuple[str, ...]) -> list[str]:
    """A note on weights of a model's file that its network has no place for, if there are any."""
    if not names:
        return []
    return [
        f"model {model.name}: {len(names)} weights of its file are not used, such as {names[0]}"
    ]
