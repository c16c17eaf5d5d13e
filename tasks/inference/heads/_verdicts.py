"""Which outputs of an NLI model mean what, read off its own label names."""

import re
import unicodedata
from dataclasses import dataclass

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.model_config import classifier_labels, model_config
from nocturna.tasks.inference.models import ModelRef

_ENTAILS = re.compile(
    r"(^|[^a-z])(entail|implica|implies|implied|implique|impliz|implicee|implik|inplika|acarret"
    r"|entran|consecuencia|consequencia|conseguenza|consequence|folger|folgt|gevolg|wynika|vyplyv"
    r"|gerektir|keo theo|suy ra)"
    r"|следств|следован|следует|вытека|импликац|蕴含|蕴涵|蘊含|蘊涵|含意|함의|استلزام|يستلزم|تضمين"
)
_CONTRADICTS = re.compile(
    r"(^|[^a-z])(contradi|contraddi|kontradi|kontraesan|widersp|tegens|motsag|modsig|sprzeczn"
    r"|rozpor|celisk|mau thuan)|противореч|суперечн|矛盾|모순|تناقض"
)
_DENIES = re.compile(
    r"(^|[^a-z])(not?|non|un|dis|pas|nao|nicht|keine?|niet|geen|nie|ikke|inte)([^a-z]|$)"
    r"|^(non|not|un)[- ]?(entail|impli|contradi)|(^|\W|_)не([\W_]|$)|[不非无無未]|(^|\W)(لا|غير)"
)
_NEUTRAL = re.compile(r"neutr|нейтр|中立|중립|محايد|trung lap|tarafs|oboj|neither|unknown|nei\b")
_INITIALS = {"e": "entailment", "n": "neutral", "c": "contradiction"}


@dataclass(frozen=True)
class Verdicts:
    """Output positions of an NLI model.

    Attributes:
        against: what entailment is weighed against: contradiction, or the other of two classes;
            None where the names do not tell and nothing is weighed against it.
    """

    entailment: int
    against: int | None

    @property
    def pair(self) -> list[int]:
        """What entailment is weighed against, and itself."""
        return [self.entailment if self.against is None else self.against, self.entailment]


def nli_verdicts(
    ref: ModelRef,
    entailment: int | str | None = None,
    contradiction: int | str | None = None,
    weighed: bool = True,
) -> Verdicts:
    """Which output means entailment, which contradiction: as told, else by the model's own names.

    Args:
        ref: the model.
        entailment: position or own name of the output, where the job says it.
        contradiction: the same of the other verdict.
        weighed: whether entailment is to be weighed against contradiction.

    Raises:
        UsageError: the names do not say; guessing would mis-score in silence.
    """
    labels = classifier_labels(ref)
    words = [_plain(label) for label in labels]
    if sorted(words) == sorted(_INITIALS):
        words = [_INITIALS[word] for word in words]
    entails = _output(ref, labels, words, "entailment", entailment, _ENTAILS)
    against = _output(ref, labels, words, "contradiction", contradiction, _CONTRADICTS)
    if entails is not None and against is None and len(labels) == 2:
        against = 1 - entails
    if entailment is None and against is None and not any(map(_NEUTRAL.search, words)):
        entails = None  # one name alone may mean something else, as in cause and consequence
    for verdict, at in (("entailment", entails), ("contradiction", against)):
        if at is None and (weighed or verdict == "entailment"):
            raise UsageError(
                f"model {ref.name}: its labels {list(labels)} do not name one {verdict} class, so "
                f"it cannot do zero-shot by NLI; say which one it is with `{verdict}: POSITION` "
                "(from 0), choose an NLI model, or kind: embedding with a sentence encoder"
            )
    if entailment is None:
        _refuse_contrary(ref, entails)
    if entails is None or entails == against:
        raise UsageError(
            f"model {ref.name}: entailment and contradiction are one output, {against}"
        )
    return Verdicts(entails, against)


def _refuse_contrary(ref: ModelRef, entails: int | None) -> None:
    """Refuses a model whose label2id, which transformers reads, names another output entailment."""
    named = model_config(ref).get("label2id")
    words = {_plain(name): at for name, at in named.items()} if isinstance(named, dict) else {}
    found = [at for w, at in words.items() if _ENTAILS.search(w) and not _DENIES.search(w)]
    if found and found != [entails]:
        raise UsageError(
            f"model {ref.name}: in its config.json id2label calls output {entails} entailment, "
            f"label2id output {', '.join(map(str, found))}; say which one it is with `entailment: "
            "POSITION` (from 0), or mend the file"
        )


def _output(
    ref: ModelRef,
    labels: tuple[str, ...],
    words: list[str],
    verdict: str,
    told: int | str | None,
    names: re.Pattern[str],
) -> int | None:
    """The position of a verdict's output; None where the names do not tell one."""
    if told is None:
        found = [i for i, w in enumerate(words) if names.search(w) and not _DENIES.search(w)]
        return found[0] if len(found) == 1 else None
    if isinstance(told, str) and told in labels:
        return labels.index(told)
    at = int(told) if str(told).isdecimal() else len(labels)
    if at < len(labels):
        return at
    raise UsageError(
        f"model {ref.name}: {verdict}: {told!r} is none of its outputs; give one of "
        + ", ".join(f"{i} ({label})" for i, label in enumerate(labels))
    )


def _plain(label: str) -> str:
    """In lower case and without accents, as the patterns are."""
    parts = unicodedata.normalize("NFKD", label.strip().lower())
    kept = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return unicodedata.normalize("NFC", kept)
