"""The only errors that leave the client: short, in own words, with nothing of the call in them."""

from typing import Literal

Kind = Literal["fatal", "throttled", "quota", "unavailable", "lost", "rejected"]


class ServiceError(Exception):
    """A call that brought no answer.

    Attributes:
        kind: `fatal` no call can succeed (key, model, project); `throttled` too many calls, not
            billed; `quota` none left today, not billed; `unavailable` refused or not reached, not
            billed; `lost` sent and perhaps billed, but no answer came; `rejected` this one request
            cannot be answered, not billed.
        message: one line without key, text or headers.
        code: HTTP status; None if there was no response.
        retry_after: seconds that the service asks to wait.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(kind, message, code, retry_after)
        self.kind = kind
        self.message = message
        self.code = code
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.message
