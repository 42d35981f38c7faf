"""Rows of the leads room."""

from salesops.leads.models.clocks import Clock, ServiceLevel
from salesops.leads.models.leads import Lead, LeadAssignment
from salesops.leads.models.merges import LeadMerge
from salesops.leads.models.routing import Pool, PoolMember, PoolVersion, RoutingRule, RoutingVersion, Turn
from salesops.leads.models.scores import LeadScore, LeadSignal, LearnedModel, ScoreGroup, ScoreRule, ScoreVersion
from salesops.leads.models.spiced import DisqualifyReason, LeadSpiced

__all__ = [
    "Clock",
    "DisqualifyReason",
    "Lead",
    "LeadAssignment",
    "LeadMerge",
    "LeadScore",
    "LeadSignal",
    "LeadSpiced",
    "LearnedModel",
    "Pool",
    "PoolMember",
    "PoolVersion",
    "RoutingRule",
    "RoutingVersion",
    "ScoreGroup",
    "ScoreRule",
    "ScoreVersion",
    "ServiceLevel",
    "Turn",
]
