"""Plans of scores by small models, without a job file around them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nocturna.tasks.inference.planned import InferencePlan, plan_inference
from nocturna.tasks.inference.scorer import Scores
from nocturna.tasks.job.job_file import make_job


def plan_scores(
    scores: dict[str, dict[str, Any]], long: dict[str, Any] | None = None, examined: bool = False
) -> InferencePlan:
    """The plan of a job with these scores; a folder may be given as a path."""
    described = {
        name: {key: str(v) if isinstance(v, Path) else v for key, v in options.items()}
        for name, options in scores.items()
    }
    job = make_job(
        {
            "name": "plan",
            "source": {"path": "texts.jsonl"},
            "scores": described,
            "long_documents": long or {},
        },
        "test",
    )
    return plan_inference(job, examined=examined)


def values(scores: Scores, name: str) -> NDArray[np.float32]:
    """One score of all texts, shape (n, labels)."""
    return scores.by_name[name].values
