"""What must be right before any summary is asked for."""

from nocturna.tasks.enrichment.prices import price_of
from nocturna.tasks.enrichment.providers import KeyProvider, key_from_environment, required_key
from nocturna.tasks.enrichment.redact import redactor_for
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Summaries


def check_settings(
    settings: Summaries,
    key_provider: KeyProvider | None = None,
    language: str = "es",
) -> None:
    """Fails before any work, in one line, if summaries cannot be made as the job says.

    Raises:
        UsageError: no budget, no key, a model that was shut down or has no known price, a redactor
            whose packages are not installed.
    """
    if settings.max_usd is None:
        raise UsageError("summaries.max_usd: missing; the most that a run may spend, in USD")
    price_of(settings, settings.mode)
    required_key(settings, key_provider or key_from_environment(settings))
    redactor_for(settings, language)
