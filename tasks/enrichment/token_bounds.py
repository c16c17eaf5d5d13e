"""How many tokens a text has, without asking: a bound that holds and a guess that is near."""

from nocturna.tasks.job.job import Summaries

OVERHEAD = 256
"""Tokens that a request may carry besides its texts: delimiters, reference, roles."""


def most_tokens(*texts: str) -> int:
    """An upper bound: every token of the model's vocabulary spells at least one UTF-8 byte."""
    return sum(len(text.encode()) for text in texts) + OVERHEAD


def answer_limit(settings: Summaries) -> int:
    """The most tokens an answer may take, thinking included."""
    return settings.max_output_tokens or 256 + 4 * settings.words


def likely_tokens(*texts: str) -> int:
    """About four characters a token, as services state for theirs."""
    return sum(len(text) for text in texts) // 4 + 1
