"""What a call costs, and the most that it can cost."""

import json
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Literal, get_args

from nocturna.tasks.enrichment.prompt import SCHEMA
from nocturna.tasks.enrichment.providers import model_of, provider_of
from nocturna.tasks.enrichment.summary_records import Reply, Request
from nocturna.tasks.enrichment.token_bounds import answer_limit, most_tokens
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Summaries

Mode = Literal["online", "flex", "batch"]
MODES: tuple[Mode, ...] = get_args(Mode)

NANO = 1_000_000_000


@dataclass(frozen=True)
class Price:
    """Nano-USD for a token (1e-9 USD), exact."""

    token_in: Decimal
    token_out: Decimal

    def cost(self, tokens_in: int, tokens_out: int) -> int:
        """Nano-USD for the tokens, rounded up."""
        exact = self.token_in * tokens_in + self.token_out * tokens_out
        return int(exact.to_integral_value(rounding=ROUND_CEILING))

    def cost_of(self, reply: Reply) -> int | None:
        """Nano-USD that a reply says it cost; None if it does not say."""
        if reply.tokens_in is None:
            return None
        return self.cost(reply.tokens_in, reply.tokens_out or 0)


def price_of(settings: Summaries, mode: Mode) -> Price:
    """The price of a job's model in a mode.

    Raises:
        UsageError: if the model has been shut down, or has no known price and the job gives none.
    """
    prices, model = provider_of(settings).PRICES, model_of(settings)
    if model in prices.shut_down and date.today() >= prices.shut_down[model]:
        raise UsageError(
            f"summaries.model: {model} was shut down on {prices.shut_down[model]}; "
            f"use {next(iter(prices.usd_per_million))}"
        )
    if mode not in prices.share_of_online:
        raise UsageError(f"summaries.mode: {settings.provider} has no mode {mode}")
    if settings.price_in is not None:
        usd = (str(settings.price_in), str(settings.price_out))
    elif model in prices.usd_per_million:
        usd = prices.usd_per_million[model]
    else:
        raise UsageError(
            f"summaries.model: no price is known for {model} (prices of {prices.as_of}); give "
            "`price_in` and `price_out` in USD for a million tokens"
        )
    share = prices.share_of_online[mode] * NANO / 1_000_000
    return Price(Decimal(usd[0]) * share, Decimal(usd[1]) * share)


def most_cost(request: Request, settings: Summaries, price: Price) -> int:
    """The most that one call can cost, in nano-USD: the longest input and the longest answer."""
    tokens_in = most_tokens(request.instruction, request.text, json.dumps(SCHEMA))
    return price.cost(tokens_in, answer_limit(settings))
