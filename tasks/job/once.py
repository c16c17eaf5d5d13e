"""What a person allows for one run."""

from typing import Self

from pydantic import Field, model_validator

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

    limit: int | None = Field(
        None,
        ge=1,
        description="Try the job out on the first rows of the corpus; published as a job of its "
        "own, NAME-sample.",
        json_schema_extra=option("--limit"),
    )
    sample: int | None = Field(
        None,
        ge=1,
        description="Try the job out on so many rows drawn from the whole corpus; published as a "
        "job of its own, NAME-sample.",
        json_schema_extra=option("--sample"),
    )
    seed: int = Field(0, description="Draws another sample.", json_schema_extra=option("--seed"))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.limit is not None and self.sample is not None:
            raise ValueError("give --limit or --sample, not both")
        return self

    @property
    def is_trial(self) -> bool:
        """Whether only some rows of the corpus are taken."""
        return self.limit is not None or self.sample is not None

    @property
    def options(self) -> frozenset[str]:
        """What was allowed, as it is typed; a trial takes the place of the one before it."""
        given = {
            "--replace": self.replace,
            "--allow-shrink": self.allow_shrink,
            "--same-source": self.same_source,
        }
        return frozenset(option for option, allowed in given.items() if allowed or self.is_trial)
