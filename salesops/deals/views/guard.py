"""What the selling guard said, what waits for an approval, and what became of the deals it flagged."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core.actor import Role
from salesops.core.days import company_day
from salesops.core.views import Empty, PortalView, ScopedEditView, ScopedListView
from salesops.deals.filters import DecisionFilter, EscalationFilter
from salesops.deals.guard_forms import AnswerForm
from salesops.deals.guard_tables import DecisionTable, EscalationTable
from salesops.deals.models import GuardEscalation
from salesops.deals.rules.aftermath import LEAST_GROUP
from salesops.deals.selectors.aftermath import guard_report_for
from salesops.deals.selectors.guard import (
    READERS,
    decisions_for,
    escalation_for,
    escalations_for,
    violations_in_words,
    violations_of,
)
from salesops.deals.services.guard import answer_escalation, may_answer

#: Who answers what waits, and who reads what became of flagged deals.
ANSWERERS = (Role.MANAGER, Role.REVOPS)
REPORT_READERS = (Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)


class EscalationListView(ScopedListView):
    """Approvals asked for, of the deals that the actor sees."""

    roles = READERS
    selector = escalations_for
    table_class, filterset_class = EscalationTable, EscalationFilter
    title = gettext_lazy("Approvals")
    template_name = "deals/escalation_list.html"
    empty = Empty(
        gettext_lazy("Nothing waits for an approval"),
        gettext_lazy("Offers that the selling policy wants somebody else to look at are listed here."),
        "shield-check",
    )

    def get_context(self) -> dict[str, Any]:
        """Which of the pages of the guard this is."""
        return {"here": "approvals", "sees_report": self.actor.has(*REPORT_READERS)}


class DecisionListView(ScopedListView):
    """Every decision of the guard about the deals that the actor sees."""

    roles = READERS
    selector = decisions_for
    table_class, filterset_class = DecisionTable, DecisionFilter
    title = gettext_lazy("Decisions of the guard")
    template_name = "deals/decision_list.html"
    empty = Empty(
        gettext_lazy("No decision yet"),
        gettext_lazy("Once a selling policy is in force, whatever it says of a deal is kept here."),
        "history",
    )

    def get_context(self) -> dict[str, Any]:
        """Which of the pages of the guard this is."""
        return {"here": "log", "sees_report": self.actor.has(*REPORT_READERS)}


class EscalationAnswerView(ScopedEditView):
    """Approve or refuse what waits. Whoever asked and whoever owns the deal read why they cannot."""

    roles = ANSWERERS
    selector = escalation_for
    form_class, submit_label = AnswerForm, gettext_lazy("Answer")
    template_name = "deals/escalation_answer.html"
    dialog_template_name = "deals/escalation_dialog.html"

    def get_title(self) -> str:
        """Which deal."""
        return _("“%(deal)s” asks for your approval") % {"deal": self.object.deal}

    def get_back_url(self) -> str:
        """The deal."""
        return reverse("deals:deal_detail", kwargs={"pk": self.object.deal_id})

    def get_context(self) -> dict[str, Any]:
        """The reasons, and whether the actor may answer."""
        row: GuardEscalation = self.object
        return {
            "reasons": violations_in_words(violations_of(row.reasons), None),
            "escalation": row,
            "may_answer": may_answer(self.actor, row),
        }

    def save(self, form: AnswerForm) -> str:
        """Answer it."""
        answer_escalation(actor=self.actor, escalation_id=self.object.pk, at=self.now, **form.values)
        return self.get_back_url()

    def get_success_message(self, result: Any) -> str:
        """That whoever asked knows."""
        return _("Answered; who asked was told.")


class GuardReportView(PortalView):
    """What became of flagged deals, beside the others."""

    roles = REPORT_READERS

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The comparison, for all deals seen and for each pod."""
        context = {
            "title": _("What became of flagged deals"),
            "report": guard_report_for(self.actor, day=company_day(self.now)),
            "least": LEAST_GROUP,
            "here": "report",
            "sees_report": True,
        }
        return render(request, "deals/guard_report.html", context)
