"""The one description of a job: flow parameter, job file and command options."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from nocturna.tasks.inference.models import BUNDLED
from nocturna.tasks.job.base import Section, option
from nocturna.tasks.job.compute import Compute, LongDocuments, Tolerance
from nocturna.tasks.job.gold_files import GoldFile
from nocturna.tasks.job.once import Once
from nocturna.tasks.job.output import Output
from nocturna.tasks.job.quality import Quality, soft_checks_of
from nocturna.tasks.job.retention import Retention
from nocturna.tasks.job.scores import DEFAULT_SCORES, Score, ScoreName
from nocturna.tasks.job.source import Source
from nocturna.tasks.job.spelling import JOB_NAME, LANGUAGE, LONGEST
from nocturna.tasks.job.summaries import Summaries
from nocturna.tasks.job.targets import Target

__all__ = [
    "BUNDLED",
    "Compute",
    "Job",
    "LongDocuments",
    "Once",
    "Output",
    "Quality",
    "Source",
    "Summaries",
    "Tolerance",
]

JobName = Annotated[str, Field(pattern=JOB_NAME)]

_TRIAL = "-sample"


class Job(Section):
    """Everything that decides what a run does."""

    name: JobName = Field(
        description="Name of the job and of its output folder.", json_schema_extra=option("--name")
    )
    language: str = Field(
        "es",
        pattern=LANGUAGE,
        description="Language of the job (ISO 639); chooses the default template.",
        json_schema_extra=option("--language"),
    )
    source: Source
    scores: dict[ScoreName, Score] = Field(
        DEFAULT_SCORES,
        validate_default=True,
        min_length=1,
        description="What is asked about each document: the name of each score, which is its "
        "column, and how it is computed. Sentiment by the bundled model if none.",
    )
    long_documents: LongDocuments = LongDocuments()
    compute: Compute = Compute()
    summaries: Summaries = Summaries()
    output: Output = Output()
    quality: Quality = Quality()
    gold: dict[ScoreName, GoldFile] = Field(
        {}, description="Files of gold labels, by score, that every night is measured on."
    )
    retention: Retention = Retention()
    notify: tuple[Target, ...] = Field((), description="Who is told how a run ended.")
    full: bool = Field(
        False,
        description="Score every document again, also those that have not changed.",
        json_schema_extra=option("--full"),
    )
    once: Once = Once()
    shard_size: int | None = Field(
        None,
        ge=1,
        description="Documents a shard; without a value, chosen by the size of the corpus.",
        json_schema_extra=option("--shard-size"),
    )

    @property
    def kept(self) -> tuple[str, ...]:
        """Source columns that travel to the results: those asked for, EVERY perhaps among them,
        and second texts of pairs.
        """
        pairs = (getattr(score, "text_pair", None) for score in self.scores.values())
        return tuple(dict.fromkeys([*self.source.kept, *(pair for pair in pairs if pair)]))

    @model_validator(mode="after")
    def _tries_out_aside(self) -> Self:
        if self.once.is_trial and not self.name.endswith(_TRIAL):
            self.__dict__["name"] = self.name[: LONGEST - len(_TRIAL)] + _TRIAL
        return self

    @model_validator(mode="after")
    def _keeps_secrets(self) -> Self:
        self.source.known_as(self.name)
        return self

    @model_validator(mode="after")
    def _gold_is_of_scores(self) -> Self:
        odd = next((name for name in self.gold if name not in self.scores), None)
        if odd is not None:
            raise ValueError(
                f"gold.{odd}: the job has no such score; it has {', '.join(self.scores)}"
            )
        return self

    @model_validator(mode="after")
    def _checks_exist(self) -> Self:
        known = soft_checks_of(self.scores)
        odd = next((name for name in self.quality.warn_only if name not in known), None)
        if odd is not None:
            raise ValueError(
                f"quality.warn_only: {odd!r} is no check that can warn only; give any of "
                f"{', '.join(known)}"
            )
        return self

    @model_validator(mode="after")
    def _tells_its_language(self) -> Self:
        if self.quality.max_other_language is not None and len(self.language) != 2:
            raise ValueError(
                f"quality.max_other_language needs a language of two letters (ISO 639-1), such as "
                f"es, not {self.language!r}"
            )
        return self
