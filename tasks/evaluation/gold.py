"""Gold labels of a file in the words of the model."""

import json
from collections.abc import Iterable, Mapping, Sequence

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.listed import split_list

LEFT_OUT = ""


def parse_map(texts: Iterable[str]) -> dict[str, str]:
    """``"neg=NEG,pos=POS,none="`` as a dict from a file's labels to the model's.

    An object of JSON is understood too; a name that holds a comma or an equals sign is written so.

    A label that is mapped to nothing stands for rows to leave out.

    Raises:
        UsageError: an entry has no ``=``, names no gold label, or names one that came before.
    """
    found: dict[str, str] = {}
    for gold, label in (pair for text in texts for pair in _pairs(text)):
        if gold in found:
            raise UsageError(f"--map names {gold!r} twice")
        found[gold] = label or LEFT_OUT
    return found


def map_labels(gold: Sequence[str], names: Mapping[str, str], labels: Sequence[str]) -> list[str]:
    """Gold labels in the model's words: by ``names``, else whatever differs only in letter case."""
    same = {label.casefold(): label for label in labels}
    return [names.get(label, same.get(label.casefold(), label)) for label in gold]


def _pairs(text: str) -> list[tuple[str, str]]:
    if text.lstrip().startswith("{"):
        return _object(text)
    try:
        entries = [entry.partition("=") for entry in split_list(text)]
    except ValueError as error:
        raise UsageError(f"--map: {error}") from None
    for gold, equals, label in entries:
        if not gold.strip() or not equals or "=" in label:
            raise UsageError(
                f"--map {gold + equals + label!r}: expected gold=label, or gold= to leave rows out"
            )
    return [(gold.strip(), label.strip()) for gold, _, label in entries]


def _object(text: str) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
        if all(isinstance(label, str) and gold for gold, label in pairs):
            return pairs
    except (ValueError, TypeError):
        pass
    raise UsageError(f'--map {text!r}: expected gold=label, or an object: {{"gold": "label"}}')
