"""Further places that are told what a night did, a file each: only there is a place named.

A sink is a module, here or under an entry point of the group `nocturna.sinks`. One that gets the
rows that a job publishes has

- `Options`: a pydantic model of the keys that it adds to the job's `output`, each with a default.
- `asked(output)`: whether a job wants it.
- `check(output, layout)`: refuses, before any work, what can be known without the place.
- `check_columns(output, schema)`: refuses, at planning, columns that the place cannot hold.
- `receive(output, layout, snapshot)`: makes the place hold a snapshot, and says where; it is
  called with the lock held, until it returns, for the snapshot of every night, and again with one
  that it has.

One that notes how runs go has

- `FILE`: the name of the file that it keeps in the folder of each run.
- `note(layout, manifest)`: called with the values of a run's manifest before they are written.

A sink may be both. Importing one must be cheap.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from nocturna.tasks.errors import NocturnaError, UsageError
from nocturna.tasks.registry import registered

if TYPE_CHECKING:
    import pyarrow as pa

    from nocturna.tasks.job.base import Section
    from nocturna.tasks.results.layout import Layout
    from nocturna.tasks.results.log_entries import Snapshot

GROUP = "nocturna.sinks"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """Where a snapshot can be read too.

    Attributes:
        uri: address of the place, without credentials; a local one is a path.
        version: a version of the place that holds the snapshot, where it is a table with versions.
        reading: lines of code that read it, by library.
    """

    uri: str
    version: int | None = None
    reading: Mapping[str, str] = field(default_factory=dict)


class Receiver(Protocol):
    """A sink that gets the rows that a job publishes."""

    Options: "type[Section]"

    def asked(self, output: Any) -> bool: ...

    def check(self, output: Any, layout: "Layout") -> None: ...

    def check_columns(self, output: Any, schema: "pa.Schema") -> None: ...

    def receive(self, output: Any, layout: "Layout", snapshot: "Snapshot") -> Received: ...


class Follower(Protocol):
    """A sink that notes how runs go."""

    FILE: str

    def note(self, layout: "Layout", manifest: dict[str, Any]) -> None: ...


def receivers() -> dict[str, Receiver]:
    """Every sink that gets rows, by its name."""
    return cast(dict[str, Receiver], _with("receive"))


def followers() -> dict[str, Follower]:
    """Every sink that notes how runs go, by its name."""
    return cast(dict[str, Follower], _with("note"))


def tell_followers(layout: "Layout", manifest: dict[str, Any]) -> None:
    """Has every sink that follows runs note how one goes; a slip of its code costs a line.

    Raises:
        OSError: the folder of the run cannot be written.
    """
    for name, sink in followers().items():
        try:
            sink.note(layout, manifest)
        except (OSError, NocturnaError):
            raise
        except Exception as error:
            _log.warning("sink %s: run %s is not noted: %r", name, manifest["run_id"], error)


def asked_for(output: Any) -> dict[str, Receiver]:
    """The sinks that a job wants.

    Args:
        output: the section of the job.
    """
    return {name: sink for name, sink in receivers().items() if sink.asked(output)}


def output_options(own: "type[Section]") -> "tuple[type[Section], ...]":
    """What the sinks add to the job's `output`.

    Raises:
        UsageError: two sinks add a key of the same name, or one adds a key of ours.
    """
    taken = dict.fromkeys(own.model_fields, "output")
    for name, sink in receivers().items():
        for key in sink.Options.model_fields:
            if key in taken:
                raise UsageError(f"sink {name}: output.{key} is a key of {taken[key]} already")
            taken[key] = f"sink {name}"
    return tuple(sink.Options for sink in receivers().values())


def _with(function: str) -> dict[str, Any]:
    return {n: sink for n, sink in registered(__name__, GROUP).items() if hasattr(sink, function)}
