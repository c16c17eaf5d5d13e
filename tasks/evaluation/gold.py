"""Gold labels of a file in the words of the model."""

from collections.abc import Mapping, Sequence

from tasks.errors import UsageError

LEFT_OUT = ""


def parse_map(text: str | None) -> dict[str, str]:
    """``"neg=NEG,pos=POS,none="`` as a dict from a file's labels to the model's.

    A label that is mapped to nothing stands for rows to leave out.

    Raises:
        UsageError: an entry has no ``=``, names no gold label, or names one that came before.
    """
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in (text or "").split(","))):
        gold, equals, label = (part.strip() for part in entry.partition("="))
        if not (gold and equals):
            raise UsageError(f"--map {entry!r}: expected gold=label, or gold= to leave rows out")
        if gold in found:
            raise UsageError(f"--map names {gold!r} twice")
        found[gold] = label or LEFT_OUT
    return found


def map_labels(gold: Sequence[str], names: Mapping[str, str], labels: Sequence[str]) -> list[str]:
    """Gold labels in the model's words: by ``names``, else whatever differs only in letter case."""
    same = {label.casefold(): label for label in labels}
    return [names.get(label, same.get(label.casefold(), label)) for label in gold]
