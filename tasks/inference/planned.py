"""What inference will do in a run: models pinned to exact weights, labels, hypotheses, settings."""

import hashlib
import json
from dataclasses import asdict, dataclass

from tasks.errors import UsageError
from tasks.inference.classifier import classifier_labels
from tasks.inference.encoder import read_recipe
from tasks.inference.models import ModelRef, resolve_model
from tasks.inference.nli import nli_verdicts
from tasks.job import BUNDLED, DEFAULT_TEMPLATES, Job, LongDocuments, Sentiment, ZeroShot

PREPROCESSING = 1
"""Version of everything between text and logits that this code decides; part of `config_id`."""


@dataclass(frozen=True)
class SentimentPlan:
    """The sentiment model and its labels, in the model's own order."""

    model: ModelRef
    labels: tuple[str, ...]


@dataclass(frozen=True)
class TopicPlan:
    """The zero-shot model, the user's labels and the sentence that stands for each.

    Attributes:
        temperature: only for the embedding method.
    """

    model: ModelRef
    method: str
    labels: tuple[str, ...]
    hypotheses: tuple[str, ...]
    multi_label: bool
    temperature: float | None


@dataclass(frozen=True)
class InferencePlan:
    """All that decides a score."""

    sentiment: SentimentPlan | None
    topics: TopicPlan | None
    long_documents: LongDocuments
    precision: str

    @property
    def config_id(self) -> str:
        """Sixteen hex digits; equal if and only if the scores of a text are meant to be equal."""
        decisive = {
            "preprocessing": PREPROCESSING,
            "precision": self.precision,
            "long_documents": self.long_documents.model_dump(),
            "sentiment": self.sentiment and _decisive(self.sentiment),
            "topics": self.topics and _decisive(self.topics),
        }
        text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan_inference(job: Job) -> InferencePlan:
    """Resolves and checks the models of a job before any work; loads no weights.

    Raises:
        UsageError: a model that does not exist or cannot do what the job wants of it.
        Transient: the Hub does not answer.
    """
    return InferencePlan(
        sentiment=_plan_sentiment(job.sentiment) if job.sentiment.enabled else None,
        topics=_plan_topics(job.zero_shot, job.language) if job.zero_shot else None,
        long_documents=job.long_documents,
        precision=job.compute.precision,
    )


def _plan_sentiment(settings: Sentiment) -> SentimentPlan:
    model = resolve_model(settings.model, settings.revision, "sentiment")
    return SentimentPlan(model, classifier_labels(model))


def _plan_topics(settings: ZeroShot, language: str) -> TopicPlan:
    model = resolve_model(settings.model, settings.revision, "encoder")
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
    )


def _decisive(part: SentimentPlan | TopicPlan) -> dict[str, object]:
    values = asdict(part)
    values["model"] = part.model.revision
    return values
