"""Everything that reads activities, always for an actor."""

from salesops.activities.selectors.activities import (
    About,
    about_for,
    activities_for,
    activity_for,
    open_tasks_for,
    subjects_for,
)
from salesops.activities.selectors.timeline import FieldChange, Timeline, TimelineItem, timeline_for

__all__ = [
    "About",
    "FieldChange",
    "Timeline",
    "TimelineItem",
    "about_for",
    "activities_for",
    "activity_for",
    "open_tasks_for",
    "subjects_for",
    "timeline_for",
]
