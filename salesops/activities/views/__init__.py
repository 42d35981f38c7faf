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
from salesops.activities.views.bulk import AccountLogView, DealLogView, LeadLogView
from salesops.activities.views.weeks import WeekView

__all__ = [
    "AccountLogView",
    "ActivityCreateView",
    "ActivityEditView",
    "ActivityListView",
    "DealLogView",
    "LeadLogView",
    "SubjectOptionsView",
    "TaskDoneView",
    "TaskReopenView",
    "TimelineView",
    "WeekView",
]
