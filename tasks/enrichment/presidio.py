"""Redaction of names, places and identifiers with Presidio, an optional extra."""

from functools import lru_cache
from importlib import import_module
from typing import Any

from nocturna.tasks.enrichment.redact import redact
from nocturna.tasks.errors import UsageError

SPACY_MODELS = {"es": "es_core_news_md", "en": "en_core_web_md"}
"""Models that find names; any installed spaCy model of the language will do in their place."""

ENTITIES = ("PERSON", "LOCATION", "NRP", "PHONE_NUMBER", "IP_ADDRESS")
"""E-mail addresses and links are left to others: Presidio's recognisers of these download a list of
domains when they are first used."""


@lru_cache(maxsize=2)
def analyzer_for(language: str) -> Any:
    """A Presidio analyser for documents in a language.

    Raises:
        UsageError: if Presidio or a spaCy model of the language is not installed; nothing is
            downloaded.
    """
    try:
        spacy = import_module("spacy")
        presidio = import_module("presidio_analyzer")
        nlp = import_module("presidio_analyzer.nlp_engine")
    except ImportError:
        raise UsageError(
            "summaries.redact: presidio needs packages that are not installed; "
            "run: pip install 'nocturna[presidio]'"
        ) from None
    model = SPACY_MODELS.get(language, f"{language}_core_news_md")
    installed = [m for m in spacy.util.get_installed_models() if m.startswith(f"{language}_")]
    if model not in installed and not installed:
        raise UsageError(
            f"summaries.redact: presidio needs a spaCy model for {language!r}; "
            f"run: python -m spacy download {model}"
        )
    engine = nlp.NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [
                {
                    "lang_code": language,
                    "model_name": model if model in installed else installed[0],
                }
            ],
        }
    ).create_engine()
    return presidio.AnalyzerEngine(nlp_engine=engine, supported_languages=[language])


def redact_names(text: str, *, analyzer: Any, language: str) -> str:
    """Basic redaction, then names, places and what else Presidio finds, replaced by their kind."""
    text = redact(text)
    found = analyzer.analyze(text=text, language=language, entities=list(ENTITIES))
    end = len(text)
    for entity in sorted(found, key=lambda e: (e.start, e.end), reverse=True):
        if entity.end <= end:
            text = f"{text[: entity.start]}[{entity.entity_type}]{text[entity.end :]}"
            end = entity.start
    return text
