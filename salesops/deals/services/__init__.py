"""Everything that changes deals. Each service is one transaction; what is refused changes nothing."""

from salesops.deals.services.bulk import (
    BulkChanges,
    BulkPlan,
    BulkRow,
    bulk_edit,
    bulk_reassign,
    plan_bulk_edit,
    start_bulk_edit,
)
from salesops.deals.services.deals import StaleDealError, create_deal, edit_deal, move_deal, reassign
from salesops.deals.services.parts import LineDraft, SplitDraft, set_lines, set_splits
from salesops.deals.services.upserts import DealRecord, ProductRecord, upsert_deals, upsert_products

__all__ = [
    "BulkChanges",
    "BulkPlan",
    "BulkRow",
    "DealRecord",
    "LineDraft",
    "ProductRecord",
    "SplitDraft",
    "StaleDealError",
    "bulk_edit",
    "bulk_reassign",
    "create_deal",
    "edit_deal",
    "move_deal",
    "plan_bulk_edit",
    "reassign",
    "set_lines",
    "set_splits",
    "start_bulk_edit",
    "upsert_deals",
    "upsert_products",
]
