"""Deals and what hangs on them, the selling guard, and hand-offs."""

from salesops.deals.models.deals import Deal, DealLine, DealOwnership, DealSplit, Product, Stage, StageChange
from salesops.deals.models.guard import GuardDecision, GuardEscalation, GuardPolicy, GuardRule
from salesops.deals.models.handoffs import HandOff
from salesops.deals.models.spiced import DealSpiced

__all__ = [
    "Deal",
    "DealLine",
    "DealOwnership",
    "DealSpiced",
    "DealSplit",
    "GuardDecision",
    "GuardEscalation",
    "GuardPolicy",
    "GuardRule",
    "HandOff",
    "Product",
    "Stage",
    "StageChange",
]
