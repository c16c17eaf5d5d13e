"""What a person allows for one run."""

from pydantic import Field

from nocturna.tasks.job.base import Section, option


class Once(Section):
    """Changes of what is published that a person allows for one run; not for a job file."""

    replace: bool = Field(
        False,
        description="Publish in place of what is there, also where columns, labels, the id column "
        "or the source are others; this run only.",
        json_schema_extra=option("--replace"),
    )
    allow_shrink: bool = Field(
        False,
        description="Publish a corpus that has shrunk by more than `quality.max_shrink`; this run "
        "only.",
        json_schema_extra=option("--allow-shrink"),
    )
    same_source: bool = Field(
        False,
        description="The corpus has moved: what it held at the other place is still its own; this "
        "run only.",
        json_schema_extra=option("--same-source"),
    )

    @property
    def options(self) -> frozenset[str]:
        """What was allowed, as it is typed."""
        given = {
            "--replace": self.replace,
            "--allow-shrink": self.allow_shrink,
            "--same-source": self.same_source,
        }
        return frozenset(option for option, allowed in given.items() if allowed)
