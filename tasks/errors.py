"""Errors that a user can act on. Each is one line: what is wrong, where, what to do."""

from nocturna.tasks.addresses import without_secrets

STOPPED = "stopped on request; run the same command again to go on where it stopped"


class NocturnaError(Exception):
    """A failure with a message for the user and the exit code of the command.

    Whatever a library said of an address, its secrets do not get into the message.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(without_secrets(message))


class UsageError(NocturnaError):
    """The job or its input cannot be used as described: an option, a key, a file or a column."""

    exit_code = 2


class QualityRefused(NocturnaError):
    """The run finished its work, but a quality gate refused to publish it."""

    exit_code = 3


class RunLocked(NocturnaError):
    """Another run holds the output folder."""

    exit_code = 75


class Stopped(NocturnaError):
    """SIGTERM (143) or Ctrl-C (130): the batch in hand was finished; the run can be resumed."""

    exit_code = 143


class OutOfMemory(NocturnaError, MemoryError):
    """A document needs more memory than there is, or than its process may have."""


class Transient(NocturnaError):
    """A failure that may pass by itself (storage, network): the engine tries again."""
