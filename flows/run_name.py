"""What a run is called on the engine's page."""

from prefect.runtime import flow_run


def job_and_date() -> str:
    """The job and when its run was due, by the clock of this machine: `prensa 2026-03-29 02:00`."""
    due = flow_run.scheduled_start_time.astimezone()
    return f"{flow_run.parameters['job'].name} {due:%Y-%m-%d %H:%M}"
