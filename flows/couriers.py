"""The addresses that are told how runs end: where they are kept, and what sends to them."""

import os
import stat
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.targets import Target

if TYPE_CHECKING:
    from apprise import NotifyBase

ANSWER_SECONDS = 4.0
"""How long a target may take to accept a connection, and then to answer."""


def address_of(target: Target) -> str:
    """The address that a target's variable or file holds now; a secret.

    Raises:
        UsageError: there is none, or others can read it.
    """
    if target.url_env is not None:
        address = os.environ.get(target.url_env, "").strip()
        if not address:
            raise UsageError(f"the environment has no {target.url_env}")
        return address
    path = Path(target.url_file or "").expanduser()
    try:
        open_to_others = stat.S_IMODE(path.stat().st_mode) & 0o077
        address = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UsageError(f"it cannot be read: {reason}") from None
    if open_to_others:
        raise UsageError("others can read it; chmod 600 it")
    if not address:
        raise UsageError("it is empty; write the address into it")
    return address


def sender_to(target: Target, facts: dict[str, Any]) -> "NotifyBase":
    """What sends to a target.

    A web address that apprise knows by its host (Slack, Teams and some more) is spoken to as that
    service wants it; every other one gets a JSON object with `title`, `message`, `type` and the
    facts.

    Raises:
        UsageError: the address is missing or no such address exists.
    """
    from apprise import Apprise, AppriseAsset, NotifyFormat, PersistentStoreMode

    address = address_of(target)
    asset = AppriseAsset(
        app_id="Nocturna",
        async_mode=False,
        storage_mode=PersistentStoreMode.MEMORY,
        http_redirects=False,  # which makes of most messages a question without one
    )
    scheme = address.partition("://")[0].lower()
    sender = Apprise.instantiate(address, asset=asset)
    if sender is None and scheme in ("http", "https"):
        sender = Apprise.instantiate(_json_webhook(address, facts), asset=asset)
    if sender is None:
        raise UsageError(
            "it holds no address that can be used; give https:// of a webhook, "
            "mailtos://user:password@host?to=address, or see https://appriseit.com"
        )
    sender.socket_connect_timeout = sender.socket_read_timeout = ANSWER_SECONDS
    # messages carry words of the user, which are no markup, and no pictures from elsewhere
    sender.notify_format = NotifyFormat.TEXT
    if hasattr(sender, "include_image"):
        sender.include_image = False
    return sender


def send(sender: "NotifyBase", title: str, body: str, kind: str) -> bool:
    """Sends a message and says whether the other side took it.

    Args:
        body: lines of plain text.
        kind: `failure`, `warning` or `success`; some services show it as a colour.
    """
    from apprise import Apprise

    courier = Apprise(asset=sender.asset)
    courier.add(sender)
    return bool(courier.notify(_plain(sender, body), title, kind, body_format="text"))


def _plain(sender: "NotifyBase", text: str) -> str:
    """The text without what a service would take for a mention or join into one line."""
    service = type(sender).__name__
    if service == "NotifySlack":
        return escape(text, quote=False)
    if service == "NotifyWorkflows":
        return text.replace("<", "‹").replace("\n", "\n\n")
    return text


def _json_webhook(address: str, facts: dict[str, Any]) -> dict[str, Any] | str:
    """The parts of a plain web address for the JSON form; path and query stay as they are."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    return {
        "schema": "jsons" if parts.scheme.lower() == "https" else "json",
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "fullpath": parts.path,
        "params": dict(parse_qsl(parts.query, keep_blank_values=True)),
        "payload": {"version": "", "attachments": "", **facts},
    }
