"""Whether a model can be trusted with a night, and what it is: `nocturna check-model`."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors import safe_open

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.backends import REFERENCE
from nocturna.tasks.inference.device import usable_precisions
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.inference.models import BUNDLED_FOLDER, ModelRef, is_encoder
from nocturna.tasks.inference.planned import InferencePlan, examine, plan_inference
from nocturna.tasks.inference.running import Running, running
from nocturna.tasks.inference.score_plan import Reader, ScorePlan
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Compute
from nocturna.tasks.job.job_file import make_job
from nocturna.tasks.job.labels import LabelOptions
from nocturna.tasks.job.yaml_text import parsed_yaml

SAMPLES = 64
COMPARED = 16
"""Texts whose speed is measured, and those among them that are compared."""

TOLERANCE = 1e-5
"""Scores that differ by less are equal."""

LABELS = ("política", "economía", "cultura", "deportes")
"""What a model is asked about that needs labels and was given none."""

_NAME = "score"


@dataclass(frozen=True)
class ModelCheck:
    """What a model is, and how its scores compare with those of its authors' own way.

    Attributes:
        revision: Hub commit, or the hash of a local folder's files.
        labels: its own, or those that it was asked about.
        windows: tokens that each of its readers reads at once, special tokens included.
        parameters: numbers in its weights; None where the format does not tell.
        size: bytes of its weights.
        licence: as its card says; None where there is no card.
        precisions: number formats that are worth while here, fp32 first.
        backend: what runs it in fp32.
        documents_per_second: of 64 sample texts in fp32, once it is loaded.
        compared: what the scores were held against.
        largest: largest difference of any score.
        notes: what is odd about it.
    """

    name: str
    revision: str
    kind: str
    labels: tuple[str, ...]
    windows: tuple[int, ...]
    parameters: int | None
    size: int
    licence: str | None
    backend: str
    precisions: tuple[str, ...]
    documents_per_second: float
    compared: str
    largest: float
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the scores are the other way's own."""
        return self.largest <= TOLERANCE

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "equal": self.equal}


def check_model(model: ModelRef, options: Mapping[str, Any], device: str = "auto") -> ModelCheck:
    """Plans and loads a model as a night would, scores sample texts and compares.

    Args:
        model: a sentence encoder is asked about labels, if no others are given.
        options: further keys of the score, such as `labels`, `kind` or `revision`.

    Raises:
        UsageError: why a night would refuse the model.
        Transient: the Hub does not answer.
    """
    values = {"model": model.name, **options}
    asked = heads().get(str(options.get("kind")))
    takes_labels = asked is not None and issubclass(asked.Options, LabelOptions)
    if (takes_labels or is_encoder(model)) and "labels" not in values:
        values["labels"] = list(LABELS)
    plan = _planned(values)
    (score,) = plan.scores
    notes = examine(plan.scores)
    compute = Compute(device=device)
    run = running(compute, "fp32")
    readers = heads()[score.kind].readers(score)
    texts = sample_texts()
    _scored(plan, texts, run)
    begun = time.perf_counter()
    found = _scored(plan, texts, run)
    took = time.perf_counter() - begun
    whole = _that_fit(texts, readers)
    if not np.isfinite(found).any():
        raise UsageError(
            f"model {score.model.name}: it gives no number for any of {len(texts)} sample texts, "
            "as weights that are not finite do; copy the model again or choose another one"
        )
    compared, reference = _reference(plan, score, [texts[at] for at in whole], run)
    weights = [_weights(ref) for ref in plan.models]
    counts = [count for count, _ in weights]
    return ModelCheck(
        name=score.model.name,
        revision=score.model.revision,
        kind=score.kind,
        labels=score.labels,
        windows=tuple(reader.tokenizer.window for reader in readers),
        parameters=None if None in counts else sum(c for c in counts if c is not None),
        size=sum(size for _, size in weights),
        licence=_licence(score.model),
        backend=run.backend,
        precisions=usable_precisions(compute),
        documents_per_second=round(len(texts) / took, 1),
        compared=compared,
        largest=_largest(found[whole], reference),
        notes=tuple(notes),
    )


def sample_texts() -> list[str]:
    """Sixty-four short Spanish and English texts of the bundled corpus."""
    lines = (BUNDLED_FOLDER.parent / "samples" / "opiniones.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines[:SAMPLES]]


def _that_fit(texts: Sequence[str], readers: Sequence[Reader]) -> list[int]:
    """The first texts that every reader reads in one window, with room for a label.

    At least the shortest one: a comparison of nothing would find everything equal.
    """
    fit = np.ones(len(texts), dtype=bool)
    for reader in readers:
        lengths = [len(ids) for ids in reader.tokenizer.encode(list(texts))]
        fit &= np.array(lengths) <= reader.tokenizer.window // 2
    shortest = min(range(len(texts)), key=lambda at: len(texts[at]))
    return [int(at) for at in np.flatnonzero(fit)[:COMPARED]] or [shortest]


def _largest(found: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference of any score; 1 where only one of the two has a score."""
    one = np.isnan(found) != np.isnan(reference)
    return float(np.where(one, 1.0, np.abs(np.nan_to_num(found) - np.nan_to_num(reference))).max())


def _planned(values: dict[str, Any]) -> InferencePlan:
    """The plan of a job with this score alone, of the first kind that takes the model."""
    tried = [values]
    if "labels" in values and "kind" not in values:
        tried += [{**values, "kind": kind} for kind in heads()]
    refused: list[UsageError] = []
    for score in tried:
        described = {"name": "check", "source": {"path": "texts.jsonl"}, "scores": {_NAME: score}}
        try:
            return plan_inference(make_job(described, "check"), examined=False)
        except UsageError as error:
            refused.append(error)
    raise refused[0]


def _scored(plan: InferencePlan, texts: Sequence[str], run: Running) -> np.ndarray:
    return score_texts(plan, list(texts), run).by_name[_NAME].values


def _reference(
    plan: InferencePlan, score: ScorePlan, texts: Sequence[str], run: Running
) -> tuple[str, np.ndarray]:
    """The same scores by the library's own way, or by the reference, a text at a time."""
    own = getattr(heads()[score.kind], "by_pipeline", None)
    if own is not None:
        return "transformers.pipeline", own(score, texts)
    alone = replace(run, backend=REFERENCE, workers=1)
    return f"{REFERENCE}, a text at a time", np.concatenate(
        [_scored(plan, [t], alone) for t in texts]
    )


def _weights(ref: ModelRef) -> tuple[int | None, int]:
    """How many numbers a model's weights hold, and how many bytes."""
    folder = Path(ref.folder)
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    size = sum(path.stat().st_size for path in files)
    if not files or files[0].suffix != ".safetensors":
        return None, size
    count = 0
    for path in files:
        with safe_open(path, "numpy") as weights:
            shapes = (weights.get_slice(name).get_shape() for name in weights.keys())  # noqa: SIM118
            count += sum(int(np.prod(shape)) for shape in shapes)
    return count, size


def _licence(ref: ModelRef) -> str | None:
    card = Path(ref.folder) / "README.md"
    if not card.is_file():
        return None
    parts = card.read_text("utf-8", errors="replace").split("---", 2)
    try:
        about = parsed_yaml(parts[1]) if len(parts) == 3 and not parts[0].strip() else {}
    except yaml.YAMLError:
        return None
    found = about.get("license") if isinstance(about, dict) else None
    return str(found) if found else None
