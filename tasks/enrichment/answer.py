"""Reads a reply: a summary that can be trusted, or the reason why there is none."""

import html
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nocturna.tasks.enrichment.summary_records import Outcome, Reply, Request

BLOCKED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "ESCALATION",
    }
)
ALWAYS_BLOCKED = frozenset({"BLOCKLIST", "PROHIBITED_CONTENT", "SPII"})
"""Finish reasons that depend on the document alone, not on how the model happened to answer."""

FINISHED = frozenset({"STOP", "FINISH_REASON_UNSPECIFIED"})


class Answer(BaseModel):
    """The fields that the model fills."""

    model_config = ConfigDict(extra="forbid", strict=True)

    summary: str
    language: str
    reference: str


_Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Part(BaseModel):
    text: str | None = None
    thought: bool | None = None


class _Content(BaseModel):
    parts: list[_Part] | None = None


class _Candidate(BaseModel):
    content: _Content | None = None
    finishReason: str | None = None


class _Usage(BaseModel):
    promptTokenCount: _Tokens | None = None
    candidatesTokenCount: _Tokens | None = None
    thoughtsTokenCount: _Tokens | None = None


class _Feedback(BaseModel):
    blockReason: str | None = None


class _Response(BaseModel):
    """The parts of a GenerateContentResponse that count, by their names there."""

    candidates: list[_Candidate] | None = None
    usageMetadata: _Usage | None = None
    promptFeedback: _Feedback | None = None
    modelVersion: str | None = None


def read_reply(response: Any) -> Reply:
    """A reply from the JSON of a GenerateContentResponse; whatever is missing becomes None.

    Raises:
        ValidationError: it is of another form, so that nothing in it can be believed.
    """
    found = _Response.model_validate(response)
    candidate = (found.candidates or [_Candidate()])[0]
    parts = (candidate.content or _Content()).parts or []
    texts = [part.text for part in parts if part.text and not part.thought]
    usage = found.usageMetadata or _Usage()
    tokens_in = usage.promptTokenCount
    tokens_out = (usage.candidatesTokenCount or 0) + (usage.thoughtsTokenCount or 0)
    return Reply(
        text="".join(texts) or None,
        finish=candidate.finishReason,
        block=(found.promptFeedback or _Feedback()).blockReason,
        tokens_in=tokens_in,
        tokens_out=None if tokens_in is None else tokens_out,
        model=found.modelVersion,
    )


def judge(reply: Reply, request: Request, language: str) -> Outcome:
    """The outcome that a reply stands for, without its cost.

    An answer counts only if it is complete, fits the schema, repeats the request's reference and
    says that it is in the language asked for.
    """
    failure = _refused(reply) or _unfinished(reply)
    if failure is not None:
        return failure
    try:
        answer = Answer.model_validate_json(reply.text or "")
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        return _invalid(reply, f"the answer does not fit the schema: {where} is wrong")
    if answer.reference != request.reference:
        return _invalid(reply, "the answer belongs to another document")
    if re.split(r"[-_]", answer.language.lower())[0] != language:
        return _invalid(reply, f"the answer is not in the language asked for: {language}")
    summary = clean(answer.summary)
    if not summary:
        return _invalid(reply, "the summary is empty")
    return Outcome("ok", summary=summary, language=language, model=reply.model, keep=True)


def _refused(reply: Reply) -> Outcome | None:
    if reply.block:
        reason = f"the service refused the document: {reply.block}"
        return Outcome("blocked", reason, model=reply.model, keep=True)
    if reply.finish in BLOCKED:
        reason = f"the service stopped the answer: {reply.finish}"
        keep = reply.finish in ALWAYS_BLOCKED
        return Outcome("blocked", reason, model=reply.model, keep=keep)
    return None


def _unfinished(reply: Reply) -> Outcome | None:
    if reply.finish == "MAX_TOKENS":
        reason = "the answer was cut at max_output_tokens; raise it or ask for fewer words"
        return Outcome("truncated", reason, model=reply.model)
    if reply.text is None:
        return _invalid(reply, "the answer is empty")
    if reply.finish not in FINISHED:
        return _invalid(reply, f"the answer did not finish: {reply.finish or 'no reason given'}")
    return None


def _invalid(reply: Reply, reason: str) -> Outcome:
    return Outcome("invalid_output", reason, model=reply.model)


def clean(summary: str) -> str:
    """The summary as one line of plain text: links, tags and markup taken out."""
    text = html.unescape(summary)
    text = re.sub(r"<!--.*?-->|</?[A-Za-z][^<>]*>", " ", text, flags=re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(?i)\b(?:[a-z][a-z0-9+.-]*://|www\.|javascript:|mailto:)\S*", " ", text)
    text = re.sub(r"\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/\S+", " ", text)
    text = re.sub(r"(?m)^\s{0,3}(?:#{1,6}|[-*+>]|\d{1,2}[.)])\s+", " ", text)
    text = re.sub(r"[*`]+|~~|(?<!\w)_+|_+(?!\w)", "", text)
    text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())
