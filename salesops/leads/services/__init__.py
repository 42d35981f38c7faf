"""Everything that changes leads. Each service is one transaction; what is refused changes nothing."""

from salesops.leads.services.bulk import LeadChanges, bulk_assign, bulk_edit, plan_bulk_edit
from salesops.leads.services.conversion import Conversion, convert_lead
from salesops.leads.services.leads import assign_lead, create_lead, edit_lead, set_status
from salesops.leads.services.spiced import set_lead_spiced
from salesops.leads.services.touches import touch_lead
from salesops.leads.services.upserts import LeadRecord, upsert_leads

__all__ = [
    "Conversion",
    "LeadChanges",
    "LeadRecord",
    "assign_lead",
    "bulk_assign",
    "bulk_edit",
    "convert_lead",
    "create_lead",
    "edit_lead",
    "plan_bulk_edit",
    "set_lead_spiced",
    "set_status",
    "touch_lead",
    "upsert_leads",
]
