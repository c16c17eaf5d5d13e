"""Gemini by its Developer API: the only module that talks to it."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from nocturna.tasks.enrichment.answer import read_reply
from nocturna.tasks.enrichment.client_errors import ServiceError
from nocturna.tasks.enrichment.prompt import SCHEMA
from nocturna.tasks.enrichment.providers import KeyProvider, Prices, RemoteJob, required_key
from nocturna.tasks.enrichment.providers._gemini_failures import failure_of
from nocturna.tasks.enrichment.summary_records import Reply
from nocturna.tasks.enrichment.token_bounds import answer_limit
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Summaries

T = TypeVar("T")

KEY_VARIABLE = "GEMINI_API_KEY"
KEY_HELP = "a key of a paid project (https://aistudio.google.com/apikey)"
DEFAULT_MODEL = "gemini-3.5-flash-lite"
PRICES = Prices(
    as_of=date(2026, 11, 23),
    # paid tier, text; thinking is billed as output
    usd_per_million={
        "gemini-3.5-flash-lite": ("0.30", "2.50"),
        "gemini-3.1-flash-lite": ("0.25", "1.50"),
    },
    share_of_online={"online": Decimal(1), "flex": Decimal("0.5"), "batch": Decimal("0.5")},
    shut_down={"gemini-2.0-flash": date(2026, 6, 1), "gemini-2.5-flash": date(2026, 12, 1)},
)

TIMEOUT_S = {"online": 120.0, "flex": 900.0, "batch": 120.0}
JSONL = "application/jsonl"
REPLY_FIELDS = {"candidates", "usage_metadata", "prompt_feedback", "model_version"}
ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})


class Client:
    """Calls of the Gemini Developer API. Make, use and close it within one event loop.

    Args:
        key_provider: returns the key; asked at the first call.

    Raises:
        ServiceError: from every call; see its `kind`.
    """

    def __init__(self, settings: Summaries, key_provider: KeyProvider) -> None:
        self._settings = settings
        self._model = settings.model or DEFAULT_MODEL
        self._key_provider = key_provider
        self._sdk: Any = None
        self._secret = SecretStr("")

    def open(self) -> None:
        """Gets the connection ready; takes a second or two the first time in a process.

        A missing key is told by the first call.
        """
        with suppress(UsageError):
            self._client()

    async def generate(self, system: str, message: str) -> Reply:
        """One answer, online or in the Flex tier."""
        config: dict[str, Any] = {
            "system_instruction": system,
            "response_mime_type": "application/json",
            "response_schema": SCHEMA,
            "max_output_tokens": answer_limit(self._settings),
            "automatic_function_calling": {"disable": True},
            "automatic_continuation": False,
        }
        if self._settings.mode == "flex":
            config["service_tier"] = "flex"

        async def ask(sdk: Any) -> Reply:
            response = await sdk.models.generate_content(
                model=self._model, contents=message, config=config
            )
            return read_reply(response.model_dump(mode="json", by_alias=True, include=REPLY_FIELDS))

        return await self._call(ask)

    async def upload(self, path: Path, name: str) -> None:
        """Uploads a JSONL file under a name of ours, so that it can be removed whatever happens."""
        config = {"name": name, "display_name": name, "mime_type": JSONL}
        await self._call(lambda sdk: sdk.files.upload(file=path, config=config))

    async def create_job(self, upload: str, display_name: str) -> RemoteJob:
        """Starts a batch job. Never call it twice for one display name: each job is billed."""
        job = await self._call(
            lambda sdk: sdk.batches.create(
                model=self._model,
                src=f"files/{upload}",
                config={"display_name": display_name},
            )
        )
        return _remote(job)

    async def job(self, name: str) -> RemoteJob:
        """How a batch job stands."""
        return _remote(await self._call(lambda sdk: sdk.batches.get(name=name)))

    async def find_job(self, display_name: str) -> RemoteJob | None:
        """The batch job with a display name, if the service knows one."""

        async def search(sdk: Any) -> RemoteJob | None:
            async for job in await sdk.batches.list(config={"page_size": 100}):
                if job.display_name == display_name:
                    return _remote(job)
            return None

        return await self._call(search)

    async def cancel_job(self, name: str) -> None:
        """Asks the service to stop a batch job."""
        await self._call(lambda sdk: sdk.batches.cancel(name=name))

    async def delete_job(self, name: str) -> None:
        """Removes a batch job from the service."""
        await self._call(lambda sdk: sdk.batches.delete(name=name))

    async def download(self, name: str, path: Path) -> None:
        """Writes a result file to disk."""
        await self._call(lambda sdk: sdk.files.download(file=name, destination=path))

    async def delete_file(self, name: str) -> None:
        """Removes a file from the service."""
        await self._call(lambda sdk: sdk.files.delete(name=name))

    async def close(self) -> None:
        """Closes the connections."""
        if self._sdk is not None:
            await self._sdk.aio.aclose()
            self._sdk.close()
            self._sdk = None

    async def _call(self, send: Callable[[Any], Awaitable[T]]) -> T:
        """Runs a call. Its failure is raised outside the handler, so that neither the context nor
        the traceback of our error leads to the SDK's, which hold the key and the document."""
        failure: ServiceError
        try:
            return await send(self._client().aio)
        except UsageError as error:
            failure = ServiceError("fatal", str(error))
        except Exception as error:
            failure = failure_of(error, self._scrub)
        raise failure

    def _scrub(self, message: str) -> str:
        """A message of the service as one short line without any key; Google quotes keys."""
        if secret := self._secret.get_secret_value():
            message = message.replace(secret, "[key]")
        message = re.sub(r"AIza[\w-]{10,}|(?<=api_key:)[^\s'\"]+", "[key]", message)
        return " ".join(message.split())[:200]

    def _client(self) -> Any:
        if self._sdk is None:
            from google import genai

            self._secret = SecretStr(required_key(self._settings, self._key_provider))
            timeout = self._settings.timeout_s or TIMEOUT_S[self._settings.mode]
            self._sdk = genai.Client(
                api_key=self._secret.get_secret_value(),
                vertexai=False,
                http_options={
                    "api_version": "v1beta" if self._model.endswith("-latest") else "v1",
                    "timeout": int(timeout * 1000),
                },
            )
        return self._sdk


def _remote(job: Any) -> RemoteJob:
    state = str(getattr(job.state, "value", job.state) or "JOB_STATE_UNSPECIFIED")
    state = state.removeprefix("JOB_STATE_").removeprefix("BATCH_STATE_")
    output = job.dest.file_name if job.dest else None
    return RemoteJob(job.name, state, output, ended=state in ENDED)
