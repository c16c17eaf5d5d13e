"""What a run would do and cost, without doing it: `nocturna score --dry-run`."""

from dataclasses import asdict
from typing import Any

from nocturna.tasks.enrichment.estimate import Estimate
from nocturna.tasks.job.job import Job
from nocturna.tasks.plan import outlook
from nocturna.tasks.results.layout import new_run_id
from nocturna.tasks.results.lock import hold_lock
from nocturna.tasks.results.recovery import recover
from nocturna.tasks.run.frozen import job_layout


def preview(job: Job) -> tuple[list[str], dict[str, Any]]:
    """What there is to score and what summaries would cost, as lines and as plain values.

    Reads the corpus; loads no model, sends nothing and leaves nothing behind. What a dead run
    left, or what is lost, is put right as at the start of a run.

    Raises:
        NocturnaError: in one line, whatever would stop the run before it starts.
    """
    layout, run_id = job_layout(job), new_run_id()
    with hold_lock(layout, run_id):
        recover(layout)
        found = outlook(job, layout, run_id)
    lines, documents = [found.line], found.documents
    values: dict[str, Any] = {
        "documents": asdict(documents) | {"to_score": documents.to_score},
        "quarantined": found.quarantined,
    }
    if found.cost is not None:
        lines += _cost_lines(found.cost)
        values["summaries"] = asdict(found.cost)
    return lines, values


def _cost_lines(cost: Estimate) -> list[str]:
    asked = (
        f"summaries: {cost.requests:,} requests for {cost.documents:,} documents "
        f"({cost.cached:,} paid before, {cost.empty:,} empty), about {cost.tokens_in:,} tokens in "
        f"and {cost.tokens_out:,} out"
    )
    modes = [
        f"  {mode:<6} about {cost.usd[mode]:,.4f} USD, at most {cost.most_usd[mode]:,.4f}"
        for mode in cost.usd
    ]
    return [asked, *modes, f"  prices of {cost.prices_as_of}; nothing was sent"]
