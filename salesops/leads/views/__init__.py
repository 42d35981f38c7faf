"""Pages of the leads room."""

from salesops.leads.views.bulk import LeadBulkAssignView, LeadBulkEditView
from salesops.leads.views.leads import (
    LeadAssignView,
    LeadConvertView,
    LeadCreateView,
    LeadDetailView,
    LeadEditView,
    LeadListView,
    LeadStatusView,
)

__all__ = [
    "LeadAssignView",
    "LeadBulkAssignView",
    "LeadBulkEditView",
    "LeadConvertView",
    "LeadCreateView",
    "LeadDetailView",
    "LeadEditView",
    "LeadListView",
    "LeadStatusView",
]
