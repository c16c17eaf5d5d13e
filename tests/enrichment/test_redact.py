"""What is taken out of a text, and what must stay."""

import importlib.util

import pytest

from nocturna.tasks.enrichment.redact import redact, redactor_for
from nocturna.tasks.errors import UsageError
from tests.enrichment.conftest import make_settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mi DNI es 12345678Z.", "mi DNI es [DNI]."),
        ("DNI 12.345.678-Z", "DNI [DNI]"),
        ("dni 12345678 z y más", "dni [DNI] y más"),
        ("NIE X1234567L", "NIE [NIE]"),
        ("nie y-0000000-z, fin", "nie [NIE], fin"),
        ("IBAN ES91 2100 0418 4502 0005 1332 a mi nombre", "IBAN [IBAN] a mi nombre"),
        ("ES9121000418450200051332", "[IBAN]"),
        ("GB82 WEST 1234 5698 7654 32", "[IBAN]"),
        ("tarjeta 4111 1111 1111 1111", "tarjeta [CARD]"),
        ("amex 378282246310005.", "amex [CARD]."),
        ("5500-0000-0000-0004", "[CARD]"),
        ("escriba a ana.perez+x@correo.empresa.es.", "escriba a [EMAIL]."),
        ("JOSÉ@CORREO.ES", "[EMAIL]"),
        ("llame al 612 345 678", "llame al [PHONE]"),
        ("llame al 612345678.", "llame al [PHONE]."),
        ("tel. 91 234 56 78", "tel. [PHONE]"),
        ("tel: 912 34 56 78", "tel: [PHONE]"),
        ("+34 612 34 56 78", "[PHONE]"),
        ("0034 912345678", "[PHONE]"),
        ("call (555) 123-4567 now", "call [PHONE] now"),
        ("555-123-4567", "[PHONE]"),
        ("+44 20 7946 0018", "[PHONE]"),
        ("020 7946 0018", "[PHONE]"),
        ("+1-555-123-4567", "[PHONE]"),
    ],
)
def test_identifiers_are_replaced_by_their_kind(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "12345678A no es un DNI",
        "X1234567A",
        "ES92 2100 0418 4502 0005 1332",
        "pedido 4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "en 2023 y 2024 hubo 1.234.567 casos",
        "costó 612.345.678 euros",
        "el 12/05/2024 a las 10:30",
        "2024-05-12 10:30:00",
        "un 3,5 % de 700 000 000 habitantes",
        "@usuario y #etiqueta",
        "isbn 978-84-376-0494-7",
        "artículos 612, 613 y 614",
        "de 1914 a 1918 y de 1939 a 1945",
        "15.000.000 de personas",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert redact(text) == text


def test_redacting_twice_changes_nothing() -> None:
    once = redact("12345678Z, ana@correo.es, 612345678")
    assert redact(once) == once == "[DNI], [EMAIL], [PHONE]"


def test_none_leaves_the_text_alone() -> None:
    assert redactor_for(make_settings(redact="none"), "es")("12345678Z") == "12345678Z"


def test_presidio_without_its_packages_says_what_to_install() -> None:
    if importlib.util.find_spec("presidio_analyzer"):
        pytest.skip("presidio is installed")
    with pytest.raises(UsageError, match=r"pip install 'nocturna\[presidio\]'"):
        redactor_for(make_settings(redact="presidio"), "es")
