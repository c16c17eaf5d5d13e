"""What Gemini costs. Dated data, not constants of nature: check before a large run."""

import json
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Literal, get_args

from tasks.enrichment.prompt import SCHEMA
from tasks.enrichment.records import Reply, Request
from tasks.enrichment.tokens import answer_limit, most_tokens
from tasks.errors import UsageError
from tasks.job import Summaries

Mode = Literal["online", "flex", "batch"]
MODES: tuple[Mode, ...] = get_args(Mode)

PRICES_AS_OF = date(2026, 11, 23)
"""When the prices below were last compared with published ones: Gemini Developer API, paid tier."""

USD_PER_MILLION = {
    "gemini-3.5-flash-lite": ("0.30", "2.50"),
    "gemini-3.1-flash-lite": ("0.25", "1.50"),
}
"""Online price of text, (input, output); thinking is billed as output."""

SHARE_OF_ONLINE = {"online": Decimal(1), "flex": Decimal("0.5"), "batch": Decimal("0.5")}

SHUT_DOWN = {"gemini-2.0-flash": date(2026, 6, 1), "gemini-2.5-flash": date(2026, 12, 1)}
"""Models that older jobs may still name, and the day from which calls fail, or are answered by
another model at its own price."""

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
    model = settings.model
    if model in SHUT_DOWN and date.today() >= SHUT_DOWN[model]:
        raise UsageError(
            f"summaries.model: {model} was shut down on {SHUT_DOWN[model]}; "
            f"use {next(iter(USD_PER_MILLION))}"
        )
    if settings.price_in is not None:
        usd = (str(settings.price_in), str(settings.price_out))
    elif model in USD_PER_MILLION:
        usd = USD_PER_MILLION[model]
    else:
        raise UsageError(
            f"summaries.model: no price is known for {model} (prices of {PRICES_AS_OF}); give "
            "`price_in` and `price_out` in USD for a million tokens"
        )
    share = SHARE_OF_ONLINE[mode] * NANO / 1_000_000
    return Price(Decimal(usd[0]) * share, Decimal(usd[1]) * share)


def most_cost(request: Request, settings: Summaries, price: Price) -> int:
    """The most that one call can cost, in nano-USD: the longest input and the longest answer."""
    tokens_in = most_tokens(request.instruction, request.text, json.dumps(SCHEMA))
    return price.cost(tokens_in, answer_limit(settings))
