"""Changes pods, who is in them, territories and who works there."""

from salesops.pods.services.pods import (
    add_member,
    check_may_arrange,
    close_pod,
    correct_membership,
    edit_pod,
    end_membership,
    move_member,
    open_pod,
)
from salesops.pods.services.territories import add_territory, assign_territory, end_territory_assignment
from salesops.pods.services.upserts import (
    MembershipRecord,
    TerritoryAssignmentRecord,
    TerritoryRecord,
    upsert_memberships,
    upsert_territories,
    upsert_territory_assignments,
)

__all__ = [
    "MembershipRecord",
    "TerritoryAssignmentRecord",
    "TerritoryRecord",
    "add_member",
    "add_territory",
    "assign_territory",
    "check_may_arrange",
    "close_pod",
    "correct_membership",
    "edit_pod",
    "end_membership",
    "end_territory_assignment",
    "move_member",
    "open_pod",
    "upsert_memberships",
    "upsert_territories",
    "upsert_territory_assignments",
]
