"""What a run would cost. Sends nothing."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from nocturna.tasks.enrichment.cache import Cache
from nocturna.tasks.enrichment.prices import MODES, NANO, Mode, most_cost, price_of
from nocturna.tasks.enrichment.prompt import make_request
from nocturna.tasks.enrichment.providers import provider_of
from nocturna.tasks.enrichment.redact import redactor_for
from nocturna.tasks.enrichment.state import State
from nocturna.tasks.enrichment.summary_records import DocumentText, Request
from nocturna.tasks.enrichment.token_bounds import likely_tokens
from nocturna.tasks.enrichment.window import first_requests
from nocturna.tasks.job.job import Summaries

TOKENS_A_WORD = 1.6
TOKENS_AROUND = 40
"""Tokens of an answer besides its summary: the field names, the language, the reference."""


@dataclass(frozen=True)
class Estimate:
    """What is likely to be asked and paid.

    Attributes:
        documents: documents given.
        empty: documents without text.
        cached: documents whose answer is paid for already.
        requests: calls to be made; repeated texts count once.
        tokens_in, tokens_out: likely tokens; thinking may add to the output.
        usd: likely cost in each mode.
        most_usd: cost in each mode if every answer were as long as it may be. Batch jobs reserve
            this much ahead: with a smaller budget they go out one after the other.
        prices_as_of: date of the prices, ISO format.
    """

    documents: int
    empty: int
    cached: int
    requests: int
    tokens_in: int
    tokens_out: int
    usd: dict[Mode, float]
    most_usd: dict[Mode, float]
    prices_as_of: str


def estimate(
    documents: Iterable[DocumentText],
    settings: Summaries,
    language: str,
    state_folder: Path,
) -> Estimate:
    """Counts documents, tokens and cost. Nothing is sent and no key is needed.

    Raises:
        UsageError: if the model has no known price, or the redactor is not installed.
    """
    modes = [mode for mode in MODES if mode in provider_of(settings).PRICES.share_of_online]
    prices = {mode: price_of(settings, mode) for mode in modes}
    redact = redactor_for(settings, language)
    spoken = settings.language or language
    answer = int(settings.words * TOKENS_A_WORD) + TOKENS_AROUND
    asked: set[str] = set()
    count = empty = cached = tokens_in = tokens_out = 0
    most = dict.fromkeys(modes, 0)
    with ExitStack() as stack:
        cache = None
        if (state_folder / "summaries.sqlite").exists():
            cache = Cache(stack.enter_context(State(state_folder)), "estimate")
        for document in documents:
            count += 1
            if document.text is None or not document.text.strip():
                empty += 1
                continue
            requests, _ = first_requests(redact(document.text), settings, spoken)
            if len(requests) > 1:
                requests.append(_likely_join(len(requests), settings, spoken))
            unpaid = [r for r in requests if cache is None or cache.get(r.key) is None]
            fresh = [r for r in unpaid if r.key not in asked]
            cached += not unpaid
            for request in fresh:
                asked.add(request.key)
                tokens_in += likely_tokens(request.instruction, request.text)
                tokens_out += answer
                for mode in modes:
                    most[mode] += most_cost(request, settings, prices[mode])
    return Estimate(
        documents=count,
        empty=empty,
        cached=cached,
        requests=len(asked),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        usd={mode: prices[mode].cost(tokens_in, tokens_out) / NANO for mode in modes},
        most_usd={mode: amount / NANO for mode, amount in most.items()},
        prices_as_of=provider_of(settings).PRICES.as_of.isoformat(),
    )


def _likely_join(pieces: int, settings: Summaries, language: str) -> Request:
    return make_request(settings, language, "join", "palabra " * (pieces * settings.words))
