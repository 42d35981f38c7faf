"""The tables of selling policies, of what the guard said, and of what waits for an approval."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from salesops.core.tables import (
    BadgeColumn,
    Cell,
    ChoiceColumn,
    LinkColumn,
    MomentColumn,
    MoneyColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
)
from salesops.deals.choices import EscalationState, GuardOutcome
from salesops.deals.models import GuardDecision, GuardEscalation, GuardPolicy
from salesops.deals.selectors.guard import violations_in_words, violations_of
from salesops.leads.choices import VersionState

#: The colours of a policy's state, of what the guard said, and of an approval.
STATE_TONES = {VersionState.DRAFT: "amber", VersionState.ACTIVE: "green", VersionState.RETIRED: "grey"}
OUTCOME_TONES = {GuardOutcome.ALLOW: "green", GuardOutcome.ESCALATE: "amber", GuardOutcome.BLOCK: "red"}
ANSWER_TONES = {
    EscalationState.OPEN: "amber",
    EscalationState.APPROVED: "green",
    EscalationState.REFUSED: "red",
    EscalationState.WITHDRAWN: "grey",
}


class PolicyTable(PortalTable):
    """Selling policies."""

    number = LinkColumn("deals:policy_detail", verbose_name=_("Version"), initial_sort_descending=True)
    note = PortalColumn(verbose_name=_("What is new"))
    state = BadgeColumn(tones=STATE_TONES, verbose_name=_("State"))
    created_by = PersonColumn(accessor="created_by", verbose_name=_("Written by"))
    created_at = MomentColumn(verbose_name=_("Written at"), initial_sort_descending=True)
    activated_by = PersonColumn(accessor="activated_by", verbose_name=_("Put in force by"))
    activated_at = MomentColumn(verbose_name=_("In force since"), initial_sort_descending=True)
    retired_at = MomentColumn(verbose_name=_("In force until"), initial_sort_descending=True)

    class Meta:
        model = GuardPolicy
        fields = ()


class ReasonsColumn(PortalColumn):
    """The reasons of a row, as sentences."""

    css = "cell-reasons"

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """One after the other."""
        return " ".join(violations_in_words(violations_of(value or []), None))

    def export(self, value: Any, record: Any) -> list[Cell]:
        """The same."""
        return [" ".join(violations_in_words(violations_of(value or []), None))]


class DecisionTable(PortalTable):
    """What the guard said."""

    deal = LinkColumn("deals:deal_detail", accessor="deal__name", pk_field="deal_id", verbose_name=_("Deal"))
    outcome = BadgeColumn(tones=OUTCOME_TONES, verbose_name=_("Outcome"))
    reasons = ReasonsColumn(accessor="reasons", verbose_name=_("Reasons"), orderable=False)
    occasion = ChoiceColumn(verbose_name=_("Occasion"))
    actor = PersonColumn(accessor="actor", verbose_name=_("By"))
    policy = LinkColumn(
        "deals:policy_detail", accessor="policy__number", pk_field="policy_id", verbose_name=_("Policy")
    )
    decided_at = MomentColumn(verbose_name=_("When"), initial_sort_descending=True)

    default_columns = ("deal", "outcome", "reasons", "occasion", "actor", "policy", "decided_at")

    class Meta:
        model = GuardDecision
        fields = ()

    def export_deal(self, value: Any, record: GuardDecision) -> Any:
        """The name; of what was refused before it came to be, the one it was to have."""
        return value or record.facts.get("name", "")


class EscalationTable(PortalTable):
    """What waits for an approval, and what was answered."""

    deal = LinkColumn("deals:deal_detail", accessor="deal__name", pk_field="deal_id", verbose_name=_("Deal"))
    state = BadgeColumn(tones=ANSWER_TONES, verbose_name=_("State"))
    reasons = ReasonsColumn(accessor="reasons", verbose_name=_("Reasons"), orderable=False)
    amount = MoneyColumn(accessor="deal__amount_minor", currency="deal.currency", verbose_name=_("Amount"))
    owner = PersonColumn(accessor="owner", verbose_name=_("Owner"))
    asked_by = PersonColumn(accessor="asked_by", verbose_name=_("Asked by"))
    asked_at = MomentColumn(ago=True, verbose_name=_("Asked"), initial_sort_descending=True)
    answered_by = PersonColumn(accessor="answered_by", verbose_name=_("Answered by"))
    answered_at = MomentColumn(ago=True, verbose_name=_("Answered"), initial_sort_descending=True)
    answer = PortalColumn(verbose_name=_("Answer"))

    default_columns = ("deal", "state", "reasons", "amount", "asked_by", "asked_at", "answered_by", "answer")

    class Meta:
        model = GuardEscalation
        fields = ()
