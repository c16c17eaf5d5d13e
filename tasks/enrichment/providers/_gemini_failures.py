"""What a failed call means: the SDK's exceptions in our words."""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from time import time
from typing import Any

from pydantic import ValidationError

from nocturna.tasks.enrichment.client_errors import ServiceError

_NOTHING_SENT = {
    *("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "LocalProtocolError")
}
"""Failures before the service has heard of a call, so that it costs nothing."""

Scrub = Callable[[str], str]
"""Makes a message of the service one short line without a key."""


def failure_of(error: Exception, scrub: Scrub) -> ServiceError:
    """The error to raise in place of an exception of the SDK or its transport."""
    from google.genai.errors import APIError, UnknownApiResponseError

    if isinstance(error, APIError):
        return _api_failure(error, scrub)
    if isinstance(error, JSONDecodeError | UnknownApiResponseError | ValidationError):
        return ServiceError("lost", "the answer was not valid JSON", 200)
    name = type(error).__name__
    if name in _NOTHING_SENT:
        return ServiceError("unavailable", f"no connection to the service ({name})")
    if name in ("ReadTimeout", "WriteTimeout"):
        return ServiceError("lost", f"no answer in time ({name})")
    if any(kind.__name__ == "TransportError" for kind in type(error).__mro__):
        return ServiceError("lost", f"the connection broke ({name})")
    return ServiceError("fatal", f"google-genai failed with {name}; is its version supported?")


def _api_failure(error: Any, scrub: Scrub) -> ServiceError:
    code = int(error.code or 0)
    status = scrub(str(error.status or ""))
    details = _details(error)
    if code == 429:
        daily = any("PerDay" in str(v.get("quotaId")) for d in details for v in _violations(d))
        if daily:
            return ServiceError("quota", "the key's daily quota is used up", code)
        return ServiceError(
            "throttled", "the key's quota is used up for now", code, _retry_after(error, details)
        )
    about_key = code == 400 and (
        status == "FAILED_PRECONDITION" or any("API_KEY" in str(d.get("reason")) for d in details)
    )
    if about_key or code in (401, 402, 403, 404):
        said = scrub(str(error.message or ""))
        return ServiceError("fatal", f"Gemini refuses all calls: {code} {status}: {said}", code)
    if code in (408, 499, 504):
        return ServiceError("lost", f"no answer in time ({code} {status})", code)
    if code >= 500:
        return ServiceError("unavailable", f"the service failed ({code} {status})", code)
    return ServiceError("rejected", f"the service rejected the request ({code} {status})", code)


def _details(error: Any) -> list[dict[str, Any]]:
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error", body)
    details = inner.get("details") if isinstance(inner, dict) else None
    return [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []


def _violations(detail: dict[str, Any]) -> list[dict[str, Any]]:
    found = detail.get("violations")
    return [v for v in found if isinstance(v, dict)] if isinstance(found, list) else []


def _retry_after(error: Any, details: list[dict[str, Any]]) -> float | None:
    for detail in details:
        delay = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(detail.get("retryDelay")))
        if delay:
            return float(delay.group(1))
    header = getattr(error.response, "headers", {}).get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", header):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except (ValueError, TypeError):
        return None
