"""A handful of documents on their way: what they ask next, and the rows they become."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa

from nocturna.tasks.enrichment.cut import head_tail, parts
from nocturna.tasks.enrichment.meter import Meter
from nocturna.tasks.enrichment.prices import NANO
from nocturna.tasks.enrichment.prompt import make_request
from nocturna.tasks.enrichment.redact import Redactor
from nocturna.tasks.enrichment.summary_records import SUMMARY_SCHEMA, DocumentText, Outcome, Request
from nocturna.tasks.job.job import Summaries

MOST_CHARS = 16_000_000
"""Text that a window may hold, in characters, unless one document alone is longer. Up to 50 windows
are held while their batch jobs run."""


@dataclass
class _Item:
    doc_id: str
    coverage: float
    asks: list[Request]
    outcome: Outcome | None = None
    spent: Outcome = field(default_factory=lambda: Outcome("error"))


class Window:
    """Documents that are summarised together."""

    def __init__(self, settings: Summaries, language: str, redact: Redactor) -> None:
        self._settings, self._language, self._redact = settings, language, redact
        self._items: list[_Item] = []
        self._paid: set[str] = set()
        self.chars = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, document: DocumentText) -> None:
        """Takes a document in; it is redacted and cut here, and its text is not kept."""
        if document.text is None or not document.text.strip():
            reason = "the document could not be read" if document.text is None else "no text"
            empty = Outcome("skipped_empty", reason)
            self._items.append(_Item(document.doc_id, 0.0, [], outcome=empty))
            return
        text = self._redact(document.text.encode(errors="replace").decode())
        asks, coverage = first_requests(text, self._settings, self._language)
        self.chars += sum(len(ask.text) for ask in asks)
        self._items.append(_Item(document.doc_id, coverage, asks))

    def requests(self) -> list[Request]:
        """What the documents without an outcome ask next."""
        return [ask for item in self._items if item.outcome is None for ask in item.asks]

    def take(self, outcomes: dict[str, Outcome]) -> None:
        """Brings documents the answers to what they asked; a cost is booked on one row only."""
        for item in self._items:
            if item.outcome is None:
                self._take(item, [self._once(ask.key, outcomes[ask.key]) for ask in item.asks])

    def table(self, meter: Meter) -> pa.Table:
        """The rows, in the order of the documents."""
        rows = []
        for item in self._items:
            outcome = item.outcome or Outcome("error", "not asked")
            meter.row(outcome)
            rows.append(_row(item, outcome))
        return pa.Table.from_pylist(rows, schema=SUMMARY_SCHEMA)

    def _once(self, key: str, outcome: Outcome) -> Outcome:
        if key not in self._paid:
            self._paid.add(key)
            return outcome
        status = "cached" if outcome.status == "ok" else outcome.status
        return replace(outcome, status=status, tokens_in=0, tokens_out=0, cost=0, attempts=0)

    def _take(self, item: _Item, answers: list[Outcome]) -> None:
        item.spent = _add(item.spent, answers)
        failed = [answer for answer in answers if answer.summary is None]
        if failed:
            place = f" (in one of {len(answers)} parts)" if len(answers) > 1 else ""
            last = replace(failed[0], reason=f"{failed[0].reason}{place}")
        elif len(answers) == 1:
            last = answers[0]
        else:
            item.asks = _join(answers, self._settings, self._language)
            return
        total = item.spent
        item.outcome = replace(
            last,
            status="ok" if last.status == "cached" and total.attempts else last.status,
            tokens_in=total.tokens_in,
            tokens_out=total.tokens_out,
            cost=total.cost,
            attempts=total.attempts,
        )


def windows(
    documents: Iterable[DocumentText],
    size: int,
    settings: Summaries,
    language: str,
    redact: Redactor,
) -> Iterator[Window]:
    """Cuts a stream of documents into windows of at most `size`, bounded in memory."""
    window = Window(settings, language, redact)
    for document in documents:
        window.add(document)
        if len(window) >= size or window.chars >= MOST_CHARS:
            yield window
            window = Window(settings, language, redact)
    if len(window):
        yield window


def first_requests(text: str, settings: Summaries, language: str) -> tuple[list[Request], float]:
    """What a redacted document asks first, and the share of its characters that is sent."""
    if settings.long_documents == "parts" and len(text) > settings.max_chars:
        pieces = parts(text, settings.max_chars)
        return [make_request(settings, language, "part", piece) for piece in pieces], 1.0
    cut, coverage = head_tail(text, settings.max_chars)
    return [make_request(settings, language, "whole", cut)], coverage


def _join(answers: list[Outcome], settings: Summaries, language: str) -> list[Request]:
    """The question that joins the summaries of parts; several if they are too long for one."""
    text = "\n\n".join(answer.summary or "" for answer in answers)
    pieces = parts(text, settings.max_chars)
    return [make_request(settings, language, "join", piece) for piece in pieces]


def _add(spent: Outcome, answers: list[Outcome]) -> Outcome:
    return replace(
        spent,
        tokens_in=spent.tokens_in + sum(a.tokens_in for a in answers),
        tokens_out=spent.tokens_out + sum(a.tokens_out for a in answers),
        cost=spent.cost + sum(a.cost for a in answers),
        attempts=spent.attempts + sum(a.attempts for a in answers),
    )


def _row(item: _Item, outcome: Outcome) -> dict[str, object]:
    return {
        "doc_id": item.doc_id,
        "summary": outcome.summary,
        "summary_status": outcome.status,
        "summary_reason": outcome.reason,
        "summary_language": outcome.language,
        "summary_model": outcome.model,
        "summary_coverage": item.coverage if outcome.summary else None,
        "summary_tokens_in": outcome.tokens_in,
        "summary_tokens_out": outcome.tokens_out,
        "summary_cost_usd": outcome.cost / NANO,
        "summary_attempts": outcome.attempts,
    }
