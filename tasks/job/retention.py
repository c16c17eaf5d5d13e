"""How long things are kept on the disk."""

from pydantic import Field

from nocturna.tasks.job.base import Section

LONGEST_DAYS = 36_500
"""A century: a longer time may reach back to before the calendar begins."""


class Retention(Section):
    """How long things are kept on the disk; what is over it goes at the end of each night."""

    snapshots: int = Field(
        3, ge=1, description="Newest snapshots that are always kept, to read or to go back to."
    )
    snapshot_hours: float = Field(
        24,
        ge=0,
        le=24 * LONGEST_DAYS,
        description="Hours that an older snapshot stays after it was replaced, for those who are "
        "still reading it; with less than their longest query takes, readers lose files.",
    )
    runs: int = Field(
        400,
        ge=1,
        description="Newest runs whose records are kept; those that rows of a kept snapshot name "
        "stay too.",
    )
    work_days: float = Field(
        7,
        ge=0,
        le=LONGEST_DAYS,
        description="Days that the work of a run that was not published is kept.",
    )
    quarantine_days: float = Field(
        90, ge=0, le=LONGEST_DAYS, description="Days that rows that could not be read are kept."
    )
    cache_days: float = Field(
        90,
        ge=1,
        le=LONGEST_DAYS,
        description="Days without use after which a converted model, or a fact about one, leaves "
        "this user's cache.",
    )
