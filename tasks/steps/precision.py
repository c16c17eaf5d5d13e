"""How far a faster precision is from fp32, measured on the run's own texts."""

import pyarrow.compute as pc

from tasks.inference.scorer import Deviation, measure_deviation, running
from tasks.results.layout import Layout
from tasks.steps.documents import read_planned
from tasks.steps.run import Plan

SAMPLE = 200


def measure_precision(layout: Layout, plan: Plan) -> Deviation | None:
    """Compares the scores of up to SAMPLE documents with those in fp32; None for fp32 itself."""
    if plan.inference.precision == "fp32" or not plan.shards:
        return None
    documents = read_planned(layout, plan, 0)[0].documents
    texts = documents["text"].filter(pc.is_null(documents["error_code"])).slice(0, SAMPLE)
    run = running(plan.job.compute, plan.inference.precision)
    return measure_deviation(plan.inference, texts.to_pylist(), run)
