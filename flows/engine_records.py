"""How long an engine of Nocturna's own remembers: the records of old runs leave its database.

Prefect's own service for this knows no difference between flows, and the database may be the
user's: only runs of Nocturna's flows go, with their task runs, logs and artifacts.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta

FLOWS = ("nightly", "score-corpus")
"""Names of the flows whose runs are ours, which have a parameter `job`."""

DAYS = 30.0
MOST_SECONDS = 3600.0
_BATCH = 50


def days_kept() -> float:
    """Days that records are kept: `NOCTURNA_ENGINE_DAYS`, or 30."""
    try:
        return float(os.environ["NOCTURNA_ENGINE_DAYS"])
    except (KeyError, ValueError):
        return DAYS


async def forget_old_runs() -> None:
    """Takes old records away, now and every hour, until it is cancelled; trouble is for later."""
    days = days_kept()
    while True:
        try:
            await _forget(datetime.now(UTC) - timedelta(days=days))
        except Exception as error:
            print(f"old records could not be removed: {type(error).__name__}: {error}", flush=True)
        await asyncio.sleep(min(MOST_SECONDS, max(days * 86400 / 6, 5.0)))


async def _forget(before: datetime) -> int:
    """Removes what ended before a time, in small transactions; how many runs that were."""
    import sqlalchemy as sa
    from prefect.server.database import provide_database_interface
    from prefect.server.schemas.states import TERMINAL_STATES
    from prefect.server.services.db_vacuum import vacuum_stale_artifact_collections

    db = provide_database_interface()
    ours = sa.select(db.Flow.id).where(db.Flow.name.in_(FLOWS)).scalar_subquery()
    old = sa.and_(
        db.FlowRun.flow_id.in_(ours),
        sa.cast(db.FlowRun.parameters, sa.Text).like('%"job"%'),
        db.FlowRun.state_type.in_(TERMINAL_STATES),
        db.FlowRun.end_time < before,
    )
    removed = 0
    while True:
        async with db.session_context(begin_transaction=True, with_for_update=True) as session:
            found = await session.execute(sa.select(db.FlowRun.id).where(old).limit(_BATCH))
            ids = list(found.scalars())
            for table in (db.Log, db.Artifact):
                await session.execute(sa.delete(table).where(table.flow_run_id.in_(ids)))
            await session.execute(sa.delete(db.FlowRun).where(db.FlowRun.id.in_(ids)))
        removed += len(ids)
        if len(ids) < _BATCH:
            break
        await asyncio.sleep(0.05)
    if removed:
        await vacuum_stale_artifact_collections(db=db)
    return removed
