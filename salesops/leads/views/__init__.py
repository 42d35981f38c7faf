"""Pages of the leads room."""

from salesops.leads.views.board import (
    LeadBoardAssignView,
    LeadBoardSuggestView,
    LeadBoardUndoView,
    LeadBoardView,
)
from salesops.leads.views.bulk import LeadBulkAssignView, LeadBulkEditView
from salesops.leads.views.leads import (
    LeadAssignView,
    LeadConvertView,
    LeadCreateView,
    LeadDetailView,
    LeadEditView,
    LeadListView,
    LeadRestoreView,
    LeadSpicedView,
    LeadStatusView,
)
from salesops.leads.views.merging import LeadMergeView, LeadPartView
from salesops.leads.views.response import ResponseReportView
from salesops.leads.views.routing import LeadGiveBackView, PoolDetailView, PoolListView, PoolSetupBackView

__all__ = [
    "LeadAssignView",
    "LeadBoardAssignView",
    "LeadBoardSuggestView",
    "LeadBoardUndoView",
    "LeadBoardView",
    "LeadBulkAssignView",
    "LeadBulkEditView",
    "LeadConvertView",
    "LeadCreateView",
    "LeadDetailView",
    "LeadEditView",
    "LeadGiveBackView",
    "LeadListView",
    "LeadMergeView",
    "LeadPartView",
    "LeadRestoreView",
    "LeadSpicedView",
    "LeadStatusView",
    "PoolDetailView",
    "PoolListView",
    "PoolSetupBackView",
    "ResponseReportView",
]
