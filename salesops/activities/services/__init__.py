"""Changes activities: log what was done, for one row or many, set a task, do it, correct it."""

from salesops.activities.services.activities import (
    EDITABLE,
    OUTCOMES,
    SIGNALS,
    FollowUp,
    complete_task,
    edit_activity,
    log_activity,
    may_edit,
    reopen_task,
)
from salesops.activities.services.bulk import log_many

__all__ = [
    "EDITABLE",
    "OUTCOMES",
    "SIGNALS",
    "FollowUp",
    "complete_task",
    "edit_activity",
    "log_activity",
    "log_many",
    "may_edit",
    "reopen_task",
]
