"""What inference will do in a run: models pinned to exact weights, labels, hypotheses, settings."""

import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

from tasks.errors import UsageError
from tasks.inference.model_config import classifier_labels, nli_verdicts
from tasks.inference.models import ModelRef, find_model, resolve_model
from tasks.inference.recipe import read_recipe
from tasks.job import BUNDLED, DEFAULT_TEMPLATES, Job, LongDocuments, Sentiment, Tolerance, ZeroShot

logger = logging.getLogger(__name__)

Resolve = Callable[[str, str | None, str], ModelRef]

PREPROCESSING = 2
"""Version of everything between text and logits that this code decides; part of `config_id`."""


@dataclass(frozen=True)
class SentimentPlan:
    """The sentiment model and its labels, in the model's own order."""

    model: ModelRef
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Shortlist:
    """How many labels a document is asked about, and the sentence encoder that chooses them.

    Attributes:
        size: fewer than there are labels.
    """

    model: ModelRef
    size: int


@dataclass(frozen=True)
class TopicPlan:
    """The zero-shot model, the user's labels and the sentence that stands for each.

    Attributes:
        temperature: only for the embedding method.
        shortlist: only for the NLI method; None where it asks about every label.
    """

    model: ModelRef
    method: str
    labels: tuple[str, ...]
    hypotheses: tuple[str, ...]
    multi_label: bool
    temperature: float | None
    shortlist: Shortlist | None = None

    @property
    def asked(self) -> int:
        """Labels that get a score for a document."""
        return self.shortlist.size if self.shortlist else len(self.labels)

    @property
    def adds_up(self) -> bool:
        """Whether the scores of a document add up to 1; NLI has nothing to weigh one label with."""
        return self.method == "embedding" or not (self.multi_label or self.asked == 1)


@dataclass(frozen=True)
class InferencePlan:
    """All that decides a score.

    Attributes:
        precision: number format of the models.
        tolerance: what `precision` was or is to be chosen by, where the job leaves that open; then
            it stands in for the precision: scores within it are meant to be equal.
    """

    sentiment: SentimentPlan | None
    topics: TopicPlan | None
    long_documents: LongDocuments
    precision: str
    tolerance: Tolerance | None = None

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """Every model that is loaded."""
        topics = self.topics
        shortlist = topics.shortlist if topics else None
        return tuple(part.model for part in (self.sentiment, topics, shortlist) if part)

    @property
    def config_id(self) -> str:
        """Sixteen hex digits; equal if and only if the scores of a text are meant to be equal."""
        decisive = {
            "preprocessing": PREPROCESSING,
            "precision": self._precision,
            "long_documents": self.long_documents.model_dump(),
            "sentiment": self.sentiment and _decisive(self.sentiment),
            "topics": self.topics and _decisive(self.topics),
        }
        text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def _precision(self) -> str | dict[str, float]:
        return self.tolerance.model_dump(exclude={"sample"}) if self.tolerance else self.precision


def plan_inference(job: Job, examined: bool = True) -> InferencePlan:
    """Resolves and checks the models of a job before any work; reads no weights.

    Args:
        examined: whether to look at weights and tokenizers too, which takes seconds; without it
            a rehearsal says all that configurations tell.

    Raises:
        UsageError: a model that does not exist, cannot do what the job wants of it, or cannot be
            loaded as its authors meant.
        Transient: the Hub does not answer.
    """
    plan = InferencePlan(
        sentiment=_plan_sentiment(job.sentiment, resolve_model) if job.sentiment.enabled else None,
        topics=_plan_topics(job.zero_shot, job.language, resolve_model) if job.zero_shot else None,
        long_documents=job.long_documents,
        precision="fp32" if job.compute.precision == "auto" else job.compute.precision,
        tolerance=job.compute.tolerance if job.compute.precision == "auto" else None,
    )
    if examined:
        from tasks.inference.examined import examine

        for note in dict.fromkeys(examine(plan)):
            logger.warning(note)
    return plan


def check_models(job: Job) -> tuple[str, ...]:
    """Checks what can be known of the models of a job in moments: by `plan_inference`'s own rules.

    Weights are not read, and the Hub is not asked about models that are not on this machine.

    Returns:
        the labels of the sentiment model; none where there is none or only the Hub can tell.

    Raises:
        UsageError: as `plan_inference`.
    """
    labels: tuple[str, ...] = ()
    if job.sentiment.enabled:
        with suppress(_OnHub):
            labels = _plan_sentiment(job.sentiment, _found).labels
    if job.zero_shot:
        with suppress(_OnHub):
            _plan_topics(job.zero_shot, job.language, _found)
    return labels


class _OnHub(Exception):
    """A model that only the Hub can tell of."""


def _found(name: str, revision: str | None, kind: str) -> ModelRef:
    found = find_model(name, revision, kind)
    if found is None:
        raise _OnHub
    return found


def _plan_sentiment(settings: Sentiment, resolve: Resolve) -> SentimentPlan:
    model = resolve(settings.model, settings.revision, "sentiment")
    return SentimentPlan(model, classifier_labels(model))


def _plan_topics(settings: ZeroShot, language: str, resolve: Resolve) -> TopicPlan:
    model = resolve(settings.model, settings.revision, "encoder")
    method = settings.method or ("embedding" if settings.model == BUNDLED else "nli")
    temperature = None
    if method == "nli":
        nli_verdicts(model)
        template = settings.template or DEFAULT_TEMPLATES.get(language)
        if template is None:
            raise UsageError(
                f"zero_shot.template: there is no default template for language {language!r}; "
                "write one in that language, with {} for the label"
            )
    else:
        template = settings.template or "{}"
        temperature = settings.temperature or read_recipe(model).temperature
    return TopicPlan(
        model=model,
        method=method,
        labels=settings.labels,
        hypotheses=tuple(template.replace("{}", label) for label in settings.labels),
        multi_label=settings.multi_label,
        temperature=temperature,
        shortlist=_plan_shortlist(settings, resolve),
    )


def _plan_shortlist(settings: ZeroShot, resolve: Resolve) -> Shortlist | None:
    size = settings.shortlist
    if size is None or size >= len(settings.labels):
        return None
    model = resolve(settings.shortlist_model, None, "encoder")
    read_recipe(model)
    return Shortlist(model, size)


def _decisive(part: SentimentPlan | TopicPlan) -> dict[str, object]:
    values = asdict(part)
    values["model"] = part.model.revision
    shortlist = values.pop("shortlist", None)
    if shortlist is not None:
        values["shortlist"] = {
            "model": shortlist["model"]["revision"],
            "size": shortlist["size"],
        }
    return values
