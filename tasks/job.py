"""The one description of a job: flow parameter, job file and command options."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks.naming import RESERVED_SLUGS, slug

BUNDLED = "bundled"
"""Model name that stands for the small models in `data/models/`."""

TABLE_SCHEMES = ("s3", "s3a", "gs", "file")

SOFT_CHECKS = (
    "max_quarantined",
    "max_failed",
    "max_truncated",
    "max_other_language",
    "sentiment_shift",
    "topic_shift",
    "language_shift",
    "sentiment_mean_score",
    "topic_mean_score",
    "sentiment_saturated",
    "topic_saturated",
)
"""Quality checks that a job may turn into warnings; all others always refuse to publish."""

DEFAULT_TEMPLATES = {"es": "Este ejemplo es {}.", "en": "This example is {}."}


def option(name: str) -> dict[str, Any]:
    """Marks a field as a command option; help, type and default come from the field itself."""
    return {"option": name}


def split_list(value: Any) -> Any:
    """A comma-separated text as a list; anything else as it is."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Section):
    """Where the documents of a job come from: files by path, or a data set on the Hub."""

    path: str | None = Field(
        None, description="File, folder, glob or URI (s3://, gs://, hf://, file://) of the corpus."
    )
    dataset: str | None = Field(
        None, description="Data set on the Hugging Face Hub.", json_schema_extra=option("--dataset")
    )
    config: str | None = Field(
        None,
        description="Configuration of the Hub data set.",
        json_schema_extra=option("--dataset-config"),
    )
    split: str = Field(
        "train", description="Split of the Hub data set.", json_schema_extra=option("--split")
    )
    revision: str | None = Field(
        None,
        description="Branch, tag or commit of the Hub data set.",
        json_schema_extra=option("--dataset-revision"),
    )
    format: Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "text", "files"] = (
        Field(
            "auto",
            description="Format of the files; auto goes by the ending. `text` is a document a "
            "line, `files` a document a file.",
            json_schema_extra=option("--format"),
        )
    )
    text: str = Field(
        "text", description="Column that holds the text.", json_schema_extra=option("--text")
    )
    id: str | None = Field(
        None,
        description="Column that identifies a document; without one, the text's hash does.",
        json_schema_extra=option("--id"),
    )
    encoding: str = Field(
        "utf-8", description="Encoding of text files.", json_schema_extra=option("--encoding")
    )
    keep: tuple[str, ...] = Field(
        (),
        description="Source columns to carry to the results.",
        json_schema_extra=option("--keep"),
    )
    max_chars: int = Field(
        10_000_000,
        ge=1,
        description="Longest document, in characters; longer ones keep their row, unscored.",
    )

    @field_validator("keep", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return split_list(value)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.dataset is None):
            raise ValueError("give either `path` or `dataset`, not both and not neither")
        return self


class Sentiment(Section):
    """Sentiment by a sequence-classification model."""

    enabled: bool = Field(
        True, description="Score sentiment.", json_schema_extra=option("--sentiment/--no-sentiment")
    )
    model: str = Field(
        BUNDLED,
        description="Hub name or local folder of a sequence-classification model.",
        json_schema_extra=option("--sentiment-model"),
    )
    revision: str | None = Field(
        None, description="Branch, tag or commit of the model; the run pins its commit sha."
    )


class ZeroShot(Section):
    """Topics by zero-shot classification: every label gets a score."""

    labels: tuple[str, ...] = Field(
        min_length=1,
        description="Candidate labels, separated by commas.",
        json_schema_extra=option("--labels"),
    )
    method: Literal["nli", "embedding"] | None = Field(
        None,
        description="`nli` asks an entailment model, `embedding` compares sentence embeddings; "
        "without a value: embedding for the bundled model, nli for any other.",
        json_schema_extra=option("--method"),
    )
    model: str = Field(
        BUNDLED,
        description="Hub name or local folder of an NLI model or sentence encoder.",
        json_schema_extra=option("--topic-model"),
    )
    revision: str | None = Field(
        None, description="Branch, tag or commit of the model; the run pins its commit sha."
    )
    template: str | None = Field(
        None,
        description="Hypothesis with {} for the label; without a value, by the job's language.",
        json_schema_extra=option("--template"),
    )
    multi_label: bool = Field(
        False,
        description="Score each label by itself; scores then do not add up to 1.",
        json_schema_extra=option("--multi-label/--single-label"),
    )
    temperature: float | None = Field(
        None,
        gt=0,
        description="Softmax temperature of the embedding method; the model's own if none.",
    )
    shortlist: int | None = Field(
        None,
        ge=1,
        description="Labels that method nli asks about for each document, those most similar to "
        "it by embedding; the others get no score. With as many labels or fewer all are asked.",
        json_schema_extra=option("--shortlist"),
    )
    shortlist_model: str = Field(
        BUNDLED,
        description="Hub name or local folder of the sentence encoder that draws up shortlists.",
        json_schema_extra=option("--shortlist-model"),
    )

    @field_validator("labels", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return split_list(value)

    @field_validator("labels")
    @classmethod
    def _distinct_columns(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        columns: dict[str, str] = {}
        for label in labels:
            name = slug(label)
            if not name:
                raise ValueError(f"label {label!r} has no letter or digit to name a column with")
            if name in RESERVED_SLUGS:
                raise ValueError(
                    f"label {label!r} would become the column topic_{name}, which is taken"
                )
            if label in columns.values():
                raise ValueError(f"label {label!r} is given twice")
            if name in columns:
                raise ValueError(
                    f"labels {columns[name]!r} and {label!r} both become the column topic_{name}"
                )
            columns[name] = label
        return labels

    @field_validator("template")
    @classmethod
    def _has_slot(cls, template: str | None) -> str | None:
        if template is not None and template.count("{}") != 1:
            raise ValueError(f"template {template!r} needs exactly one {{}} for the label")
        return template

    @model_validator(mode="after")
    def _fits_method(self) -> Self:
        embedding = self.method == "embedding" or (self.method is None and self.model == BUNDLED)
        if self.model == BUNDLED and not embedding:
            raise ValueError("method nli needs an NLI model: name one with `model`")
        if embedding and self.multi_label:
            raise ValueError("multi_label needs method nli: similarities are no probabilities")
        if embedding and self.shortlist is not None:
            raise ValueError(
                "shortlist needs method nli (name an NLI model with `model`): method embedding "
                "reads a document once, however many labels there are"
            )
        if self.shortlist is None and self.shortlist_model != BUNDLED:
            raise ValueError(
                "shortlist_model has nothing to do: say with `shortlist` how many labels a "
                "document it is to choose"
            )
        return self


class LongDocuments(Section):
    """What happens to documents longer than the model's window."""

    policy: Literal["windows", "truncate"] = Field(
        "windows",
        description="Read long documents whole in overlapping windows, or cut them.",
        json_schema_extra=option("--long-documents"),
    )
    overlap: int = Field(
        64, ge=0, description="Tokens shared by neighbouring windows; at most half a window."
    )
    aggregate: Literal["mean", "max", "first"] = Field(
        "mean", description="How window scores become one: token-weighted mean, max or the first."
    )


class Tolerance(Section):
    """How far a faster precision may be from fp32 for `precision: auto` to choose it."""

    score: float = Field(0.01, gt=0, le=1, description="Largest change of any score.")
    changed_labels: float = Field(
        0.0, ge=0, lt=1, description="Largest share of documents whose top label changes."
    )
    sample: int = Field(
        1000,
        ge=10,
        description="Most documents to measure on; a twentieth of the run's, but at least 64.",
    )


class Compute(Section):
    """How the models run."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Device that runs the models.", json_schema_extra=option("--device")
    )
    backend: Literal["auto", "torch", "openvino"] = Field(
        "auto",
        description="What runs the models; without a value, OpenVINO on a CPU and torch on a GPU.",
        json_schema_extra=option("--backend"),
    )
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        "fp32",
        description="Number format of the models; fp32 gives transformers' own scores, auto the "
        "fastest that stays within `tolerance` on a sample of the job's texts.",
        json_schema_extra=option("--precision"),
    )
    tolerance: Tolerance = Tolerance()
    batch_tokens: int | None = Field(
        None,
        ge=16,
        description="Tokens a batch; without a value, by the device. Halved by itself when memory "
        "runs out.",
    )
    workers: int | None = Field(
        None,
        ge=1,
        description="Shards scored at once, which share the cores; without a value, one a core on "
        "a CPU, and on a GPU one a process, or two where there is one process.",
        json_schema_extra=option("--workers"),
    )
    processes: int | None = Field(
        None,
        ge=1,
        description="Processes that read, tokenise and score; without a value, one on a CPU and "
        "one for every four cores on a GPU.",
        json_schema_extra=option("--processes"),
    )


class Summaries(Section):
    """Summaries by Gemini. Off unless asked for: documents leave the machine."""

    enabled: bool = Field(
        False, description="Summarise with Gemini.", json_schema_extra=option("--summaries")
    )
    max_usd: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Most that a run may spend on summaries, in USD; required with summaries.",
        json_schema_extra=option("--max-usd"),
    )
    mode: Literal["online", "flex", "batch"] = Field(
        "online",
        description="`online` answers in seconds; `flex` (minutes) and `batch` (up to a day) cost "
        "half.",
        json_schema_extra=option("--summary-mode"),
    )
    model: str = Field(
        "gemini-3.5-flash-lite",
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description="Gemini model that summarises.",
        json_schema_extra=option("--summary-model"),
    )
    price_in: float | None = Field(
        None,
        ge=0,
        description="USD for a million input tokens online; only for a model without known prices.",
    )
    price_out: float | None = Field(
        None,
        ge=0,
        description="USD for a million output tokens online; only for a model without known "
        "prices.",
    )
    language: str | None = Field(
        None,
        pattern=r"^[a-z]{2,3}$",
        description="Language of the summaries (ISO 639); the job's if none.",
        json_schema_extra=option("--summary-language"),
    )
    words: int = Field(
        60,
        ge=5,
        le=1000,
        description="Longest summary, in words.",
        json_schema_extra=option("--summary-words"),
    )
    max_output_tokens: int | None = Field(
        None,
        ge=64,
        description="Most tokens an answer may take, thinking included; bounds its cost. 256 and 4 "
        "a word if none.",
    )
    long_documents: Literal["head_tail", "parts"] = Field(
        "head_tail",
        description="Documents over `max_chars`: send their beginning and end, or summarise every "
        "part and then the whole.",
    )
    max_chars: int = Field(24_000, ge=200, description="Most characters of a document in a call.")
    redact: Literal["none", "basic", "presidio"] = Field(
        "basic",
        description="What is taken out before a document is sent: `basic` DNI, NIE, IBAN, card "
        "numbers, e-mail and phone; `presidio` also names and places.",
        json_schema_extra=option("--redact"),
    )
    secret: str | None = Field(
        None, description="Prefect Secret block that holds the key; GEMINI_API_KEY if none."
    )
    concurrency: int = Field(32, ge=1, description="Calls under way at once (online and flex).")
    requests_per_minute: float = Field(
        600, gt=0, description="Requests a minute that the key allows; lowered when it allows less."
    )
    tokens_per_minute: float = Field(
        1_000_000, gt=0, description="Input tokens a minute that the key allows."
    )
    timeout_s: float | None = Field(
        None, gt=0, description="Seconds to wait for an answer; 120 online, 900 flex if none."
    )
    attempts: int = Field(
        6, ge=1, description="Failed calls (server errors, lost answers) before a document fails."
    )
    batch_size: int = Field(10_000, ge=1, description="Most requests in a batch job.")
    batch_deadline_hours: float = Field(
        26, gt=0, description="Hours after which an unfinished batch job is given up."
    )
    batch_fallback: Literal["none", "online"] = Field(
        "none", description="What happens to documents that a batch job left without an answer."
    )

    @model_validator(mode="after")
    def _has_budget(self) -> Self:
        if self.enabled and self.max_usd is None:
            raise ValueError("summaries need `max_usd`: the most that a run may spend, in USD")
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("give both `price_in` and `price_out`, or neither")
        return self


class Output(Section):
    """Where results go and what a row carries."""

    dir: str = Field(
        "out",
        description="Folder that holds one output folder a job.",
        json_schema_extra=option("--out"),
    )
    table: str | None = Field(
        None,
        min_length=1,
        description="Delta table that shows the same rows: s3://, gs://, file:// or a path.",
        json_schema_extra=option("--table"),
    )
    keep_text: bool = Field(
        False,
        description="Copy the text into the results.",
        json_schema_extra=option("--keep-text"),
    )
    deletions: Literal["keep", "drop"] = Field(
        "keep",
        description="What happens to the rows of documents that left the corpus.",
        json_schema_extra=option("--deletions"),
    )
    other_columns: Literal["fill", "refuse"] = Field(
        "fill",
        description="Rows that are carried over from a night with other columns: fill what they "
        "lack with nulls, or refuse to publish.",
    )

    @field_validator("table")
    @classmethod
    def _is_address(cls, table: str | None) -> str | None:
        scheme, found, place = (table or "").partition("://")
        if found and scheme not in TABLE_SCHEMES:
            raise ValueError(f"{scheme}:// is no place for a table; give s3://, gs:// or a path")
        if found and ("@" in place.split("/")[0] or "?" in place):
            raise ValueError("credentials come from the environment, not from the address")
        return table


class Quality(Section):
    """Limits beyond which a run is not published."""

    max_quarantined: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest share of rows that could not be read.",
        json_schema_extra=option("--max-quarantined"),
    )
    max_failed: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest share of documents without a score.",
        json_schema_extra=option("--max-failed"),
    )
    max_truncated: float | None = Field(
        None, ge=0, le=1, description="Largest share of documents of which text was left out."
    )
    max_other_language: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Largest share of documents in a known language other than the job's.",
    )
    warn_shift: float | None = Field(
        0.03,
        ge=0,
        le=1,
        description="Change of a label's or language's share against the nights before that is "
        "worth a warning; 0.03 is three points.",
    )
    max_shift: float | None = Field(
        0.10,
        ge=0,
        le=1,
        description="Change of a label's or language's share against the nights before that "
        "refuses to publish.",
        json_schema_extra=option("--max-shift"),
    )
    shift_documents: int = Field(
        1000, ge=1, description="Fewer documents than this, tonight or before, are not compared."
    )
    min_score: float | None = Field(
        None, ge=0, le=1, description="Smallest mean score of the top labels."
    )
    max_saturated: float | None = Field(
        None, ge=0, le=1, description="Largest share of top scores above 0.999."
    )
    warn_only: tuple[str, ...] = Field(
        (), description="Names of checks that warn and never refuse to publish."
    )

    @field_validator("warn_only", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return split_list(value)

    @field_validator("warn_only")
    @classmethod
    def _can_warn(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        odd = next((name for name in names if name not in SOFT_CHECKS), None)
        if odd is not None:
            raise ValueError(
                f"{odd!r} is no check that can warn only; give any of {', '.join(SOFT_CHECKS)}"
            )
        return names


JobName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class Job(Section):
    """Everything that decides what a run does."""

    name: JobName = Field(
        description="Name of the job and of its output folder.", json_schema_extra=option("--name")
    )
    language: str = Field(
        "es",
        pattern=r"^[a-z]{2,3}$",
        description="Language of the job (ISO 639); chooses the default template.",
        json_schema_extra=option("--language"),
    )
    source: Source
    sentiment: Sentiment = Sentiment()
    zero_shot: ZeroShot | None = None
    long_documents: LongDocuments = LongDocuments()
    compute: Compute = Compute()
    summaries: Summaries = Summaries()
    output: Output = Output()
    quality: Quality = Quality()
    full: bool = Field(
        False,
        description="Score every document again, also those that have not changed.",
        json_schema_extra=option("--full"),
    )
    shard_size: int | None = Field(
        None,
        ge=1,
        description="Documents a shard; without a value, chosen by the size of the corpus.",
        json_schema_extra=option("--shard-size"),
    )

    @model_validator(mode="after")
    def _has_work(self) -> Self:
        if not (self.sentiment.enabled or self.zero_shot):
            raise ValueError("nothing to score: sentiment is off and zero_shot has no labels")
        return self

    @model_validator(mode="after")
    def _tells_its_language(self) -> Self:
        if self.quality.max_other_language is not None and len(self.language) != 2:
            raise ValueError(
                f"quality.max_other_language needs a language of two letters (ISO 639-1), such as "
                f"es, not {self.language!r}"
            )
        return self
