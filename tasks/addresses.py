"""Addresses of sources: what may be shown of them, and their secrets, which stand nowhere.

User, password and query string of an address are kept in the memory of the process and in one
variable of its environment, which its children inherit, and never in a file.
"""

import base64
import json
import os
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote

VARIABLE = "NOCTURNA_SOURCES"
"""Environment variable: JSON object of full addresses by job and shown address."""

HIDDEN = "***"
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_QUERY = re.compile(r"\?(?=[^/?]*=).*$", re.DOTALL)
_WEB_QUERY = re.compile(r"[?#].*$", re.DOTALL)
_HOST = re.compile(r"(?:\[[^\]@]*\]|[^:@\[]*)(?::\d*)?")
_MEMBER = re.compile(
    r"(zip|tar)://(.*?)::((?:/|[A-Za-z][A-Za-z0-9+.-]*://).*)", re.DOTALL | re.IGNORECASE
)
_CHAIN = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.-]*:[:/])")
_IN_TEXT = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*://[^\s'"<>]+""")
_WEB = ("http", "https")
RESULT_STORES = ("s3", "s3a", "gs", "az", "abfs", "abfss")
"""Schemes of the object stores that results can lie in."""

_BUCKETS = ("s3", "s3a", "gs", "gcs", "az")
_NAMED_BEFORE_AT = ("abfs", "abfss", "wasb", "wasbs", "hf")
_KEY_NAME = re.compile(r"(?:KEY|KEY_ID|TOKEN|SECRET|PASSWORD|AUTH_STRING|CONNECTION_STRING)$")
_LEAST, _LEAST_KEY = 4, 8

_seen: set[str] = set()


def member_of(path: str) -> tuple[str, str, str] | None:
    """The kind of archive, the member and the archive of an address of a member; None of others.

    >>> member_of("zip://a/b.csv::/d/c.zip")
    ('zip', 'a/b.csv', '/d/c.zip')
    """
    found = _MEMBER.fullmatch(path)
    return (found[1], found[2], found[3]) if found else None


def is_remote(path: str) -> bool:
    """Whether a path is a URI of a store, or of a member of an archive there."""
    member = member_of(path)
    return "://" in (member[2] if member else path)


def refusal_of_place(place: str) -> str | None:
    """Why no results can lie at an address; None for a folder and for a store that can be used."""
    scheme, found, _ = place.partition("://")
    if not found or scheme in RESULT_STORES:
        return None
    known = ", ".join(f"{name}://" for name in RESULT_STORES)
    return f"{scheme}:// is no place for results; give a folder or {known}"


def redact(address: str) -> str:
    """The address without user, password and query string; a local path as it is.

    >>> redact("https://ana:clave@example.org/a.csv?X-Amz-Signature=ab12")
    'https://example.org/a.csv'
    """
    if not is_remote(address):
        return address
    parts = _CHAIN.split(address)
    while (shown := [_redacted(part) for part in parts]) != parts:
        parts = shown
    return "::".join(parts)


def user_of(address: str) -> str:
    """User and password of an address with the @ behind them; empty where it has none."""
    found = _SCHEME.match(address)
    if not found:
        return ""
    scheme, rest = found["scheme"].lower(), address[found.end() :]
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in host:
        user = host[: host.rindex("@") + 1]
        return "" if scheme in _NAMED_BEFORE_AT and ":" not in user else user
    is_host = _HOST.fullmatch(host) if scheme not in _BUCKETS else ":" not in host
    # the secret itself may hold slashes, as those of S3 do
    return "" if is_host or "@" not in rest else rest[: rest.index("@") + 1]


def remember(job: str, shown: str, address: str) -> None:
    """Keeps the full address of a job's source for this process and its children."""
    kept = _kept() | {f"{job} {shown}": address}
    os.environ[VARIABLE] = json.dumps(kept)


def recall(job: str, shown: str) -> str | None:
    """The full address that this process or its parent was given; None where it had no secret."""
    return _kept().get(f"{job} {shown}")


def note_secrets(address: str) -> None:
    """Lets `without_secrets` know an address whose secrets no text may show."""
    _seen.add(address)


def without_secrets(text: str) -> str:
    """A text for people, without the secrets of any address in it or known to this process.

    Known are those of the sources, and the keys and tokens in the environment.
    """
    text = _IN_TEXT.sub(lambda found: redact(found[0]), text)
    known = {value for name, value in os.environ.items() if _KEY_NAME.search(name)}
    known = {value for value in known if len(value) >= _LEAST_KEY}
    for address in {*_seen, *_kept().values()}:
        known |= _secrets(address)
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _redacted(part: str) -> str:
    found = _SCHEME.match(part)
    if not found:
        return part
    rest = part[found.end() + len(user_of(part)) :]
    query = _WEB_QUERY if found["scheme"].lower() in _WEB else _QUERY
    return found[0] + query.sub("", rest)


def _kept() -> dict[str, str]:
    try:
        found = json.loads(os.environ.get(VARIABLE) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _secrets(address: str) -> set[str]:
    """Everything in an address that is secret, in the forms that a library may print it in."""
    found: set[str] = set()
    for part in _CHAIN.split(address):
        user = user_of(part).removesuffix("@")
        query = part.rpartition("?")[2] if redact(part) != part and "?" in part else ""
        given = {user, user.partition(":")[2], query, *_values(query)}
        if user:
            found.add(base64.b64encode(unquote(user).encode()).decode())
        found |= given | {unquote(value) for value in given} | {quote(v, "") for v in given}
    return {s for s in found if len(s) >= _LEAST and not (s.isdigit() and len(s) < 8)}


def _values(query: str) -> Iterator[str]:
    yield from (pair.partition("=")[2] for pair in query.split("&"))
    yield from (value for _, value in parse_qsl(query))
