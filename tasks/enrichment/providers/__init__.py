"""Services that summarise, a file each: the only places that import a service's client.

A provider is a module, here or under an entry point of the group `nocturna.providers`, with

- `KEY_VARIABLE` and `KEY_HELP`: the environment variable of its key, and where a key comes from.
- `DEFAULT_MODEL`: for jobs that name none.
- `PRICES`: a `Prices`, with the day on which they were compared with published ones.
- `Client(settings, key_provider)`: its calls, as `Client` below describes them. No exception of
  the service's own client leaves it, and no key: only `ServiceError`.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from nocturna.tasks.errors import UsageError
from nocturna.tasks.registry import registered

if TYPE_CHECKING:
    from nocturna.tasks.enrichment.summary_records import Reply
    from nocturna.tasks.job.job import Summaries

GROUP = "nocturna.providers"
KeyProvider = Callable[[], str | None]


@dataclass(frozen=True)
class Prices:
    """What a provider's models cost. Dated data, not constants of nature.

    Attributes:
        as_of: when they were last compared with published ones.
        usd_per_million: USD for a million tokens online, (input, output), by model.
        share_of_online: what each mode costs of that; a mode that is not there cannot be used.
        shut_down: models that older jobs may still name, and the day from which calls fail.
    """

    as_of: date
    usd_per_million: Mapping[str, tuple[str, str]]
    share_of_online: Mapping[str, Decimal]
    shut_down: Mapping[str, date] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoteJob:
    """A batch job as the service sees it; `output` names the file with its results."""

    name: str
    state: str
    output: str | None
    ended: bool


class Client(Protocol):
    """Calls of a service. Made, used and closed within one event loop.

    Raises:
        ServiceError: from every call; see its `kind`.
    """

    def open(self) -> None:
        """Gets the connection ready; a missing key is told by the first call."""

    async def generate(self, system: str, message: str) -> "Reply":
        """One answer, in the mode of the job unless that is batch."""

    async def upload(self, path: Path, name: str) -> None:
        """Uploads a JSONL file of requests under a name of ours; for batch, as the rest."""

    async def create_job(self, upload: str, display_name: str) -> RemoteJob:
        """Starts a batch job. Never call it twice for one display name: each job is billed."""

    async def job(self, name: str) -> RemoteJob:
        """How a batch job stands."""

    async def find_job(self, display_name: str) -> RemoteJob | None:
        """The batch job with a display name, if the service knows one."""

    async def cancel_job(self, name: str) -> None:
        """Asks the service to stop a batch job."""

    async def delete_job(self, name: str) -> None:
        """Removes a batch job from the service."""

    async def download(self, name: str, path: Path) -> None:
        """Writes a result file to disk."""

    async def delete_file(self, name: str) -> None:
        """Removes a file from the service."""

    async def close(self) -> None:
        """Closes the connections."""


class Provider(Protocol):
    """What a module in this folder offers."""

    KEY_VARIABLE: str
    KEY_HELP: str
    DEFAULT_MODEL: str
    PRICES: Prices

    def Client(self, settings: "Summaries", key_provider: KeyProvider) -> Client: ...


def provider_of(settings: "Summaries") -> Provider:
    """The provider that a job names.

    Raises:
        UsageError: there is none of that name.
    """
    known = registered(__name__, GROUP)
    if settings.provider not in known:
        raise UsageError(
            f"summaries.provider: no provider {settings.provider!r}; give one of {', '.join(known)}"
        )
    return cast(Provider, known[settings.provider])


def model_of(settings: "Summaries") -> str:
    """The model that a job names, or its provider's own choice."""
    return settings.model or provider_of(settings).DEFAULT_MODEL


def key_from_environment(settings: "Summaries") -> KeyProvider:
    """Looks for the key in the provider's environment variable."""
    return lambda: os.environ.get(provider_of(settings).KEY_VARIABLE, "").strip() or None


def required_key(settings: "Summaries", key_provider: KeyProvider) -> str:
    """The key.

    Raises:
        UsageError: if there is none, or no service can be sent it.
    """
    key = key_provider()
    if not key:
        provider = provider_of(settings)
        raise UsageError(
            f"summaries: no key for {settings.provider}; set {provider.KEY_VARIABLE} to "
            f"{provider.KEY_HELP}, or name a Prefect Secret block in `secret`"
        )
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"summaries: the key for {settings.provider} holds a line end or a character that no "
            "key has; copy it anew, alone"
        )
    return key
