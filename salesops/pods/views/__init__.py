"""Pages of the pods room."""

from salesops.pods.views.members import MemberAddView, MemberEndView, MemberListView, MemberMoveView
from salesops.pods.views.pods import PodCloseView, PodCreateView, PodDetailView, PodEditView, PodListView
from salesops.pods.views.territories import (
    TerritoryAssignmentEndView,
    TerritoryAssignView,
    TerritoryCreateView,
    TerritoryDetailView,
    TerritoryListView,
)

__all__ = [
    "MemberAddView",
    "MemberEndView",
    "MemberListView",
    "MemberMoveView",
    "PodCloseView",
    "PodCreateView",
    "PodDetailView",
    "PodEditView",
    "PodListView",
    "TerritoryAssignView",
    "TerritoryAssignmentEndView",
    "TerritoryCreateView",
    "TerritoryDetailView",
    "TerritoryListView",
]
