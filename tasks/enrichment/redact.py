"""Takes identifiers out of a text before it is hashed or sent."""

import re
from collections.abc import Callable
from functools import partial

from nocturna.tasks.job.job import Summaries

Redactor = Callable[[str], str]

DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}\b")
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
CARD = re.compile(r"(?<![\w.,])(?<!\d[ -])\d(?:[ -]?\d){12,18}(?![ -]?\d)")
DNI = re.compile(r"(?<![A-Za-z0-9])(\d{1,2}[. ]?\d{3}[. ]?\d{3}|\d{7,8})[ -]?([A-Za-z])(?!\w)")
NIE = re.compile(r"(?<![A-Za-z0-9])([XYZxyz])[ -]?(\d{7})[ -]?([A-Za-z])(?!\w)")
PHONE = re.compile(
    r"""(?<![\w.,+/-])(?<!\d[ ])(?:
        (?:\+|00)[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?             # with a country
            \d{1,4}(?:[ .-]?\d{2,4}){2,4}
      | [6789]\d{2}[ -]?(?!000)\d{3}[ -]?\d{3}                          # Spain: 612 345 678
      | [6789]\d{2}(?:[ -]?\d{2}){3}                                     # Spain: 912 34 56 78
      | [89]\d[ -]\d{3}[ -]\d{2}[ -]\d{2}                                # Spain: 91 234 56 78
      | \(\d{3}\)[ ]?\d{3}[ .-]\d{4}                                     # (555) 123-4567
      | \d{3}[-.]\d{3}[-.]\d{4}                                          # 555-123-4567
      | \(?0[1-9]\d{1,3}\)?[ -]\d{3,4}[ -]?\d{3,4}                       # 020 7946 0018
    )(?![\w/]|[.,]\d|-\d)""",
    re.VERBOSE,
)


def redact(text: str) -> str:
    """Replaces e-mail addresses, IBAN, card numbers, DNI, NIE and phone numbers by their kind.

    Numbers with check digits (IBAN mod 97, cards Luhn, DNI and NIE letters) are replaced only when
    the check holds, so that an order number stays what it is.
    """
    text = EMAIL.sub("[EMAIL]", text)
    text = IBAN.sub(_iban, text)
    text = CARD.sub(lambda m: "[CARD]" if _luhn(m.group()) else m.group(), text)
    text = NIE.sub(_nie, text)
    text = DNI.sub(_dni, text)
    return PHONE.sub("[PHONE]", text)


def redactor_for(settings: Summaries, language: str) -> Redactor:
    """The redactor that a job asks for; `language` is the language of its documents.

    Raises:
        UsageError: if a package that the redactor needs is not installed.
    """
    if settings.redact == "none":
        return str
    if settings.redact == "basic":
        return redact
    from nocturna.tasks.enrichment.presidio import analyzer_for, redact_names

    return partial(redact_names, analyzer=analyzer_for(language), language=language)


def _iban(match: re.Match[str]) -> str:
    """Replaces the longest prefix that passes the check, so that a following word stays."""
    found = match.group()
    for end in range(len(found), 14, -1):
        candidate = re.sub(r"[ -]", "", found[:end]).upper()
        whole = end == len(found) or not found[end].isalnum()
        if whole and found[end - 1].isalnum() and 15 <= len(candidate) <= 34:
            digits = "".join(str(int(c, 36)) for c in candidate[4:] + candidate[:4])
            if int(digits) % 97 == 1:
                return "[IBAN]" + found[end:]
    return found


def _luhn(number: str) -> bool:
    digits = [int(c) for c in reversed(number) if c.isdigit()]
    total = sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])
    return total % 10 == 0 and len(set(digits)) > 1


def _dni(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match.group(1))
    ok = DNI_LETTERS[int(digits) % 23] == match.group(2).upper()
    return "[DNI]" if ok else match.group()


def _nie(match: re.Match[str]) -> str:
    number = int(str("XYZ".index(match.group(1).upper())) + match.group(2))
    ok = DNI_LETTERS[number % 23] == match.group(3).upper()
    return "[NIE]" if ok else match.group()
