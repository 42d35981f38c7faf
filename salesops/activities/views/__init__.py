"""The pages of the activities room."""

from salesops.activities.views.activities import (
    ActivityCreateView,
    ActivityEditView,
    ActivityListView,
    SubjectOptionsView,
    TaskDoneView,
    TaskReopenView,
    TimelineView,
)

__all__ = [
    "ActivityCreateView",
    "ActivityEditView",
    "ActivityListView",
    "SubjectOptionsView",
    "TaskDoneView",
    "TaskReopenView",
    "TimelineView",
]
