"""Disputes: the list with its clock, the thread, opening, answering, deciding, withdrawing."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from salesops.commissions.choices import DisputeState
from salesops.commissions.models import Adjustment, Dispute
from salesops.commissions.pay_filters import DisputeFilter
from salesops.commissions.pay_forms import DecisionForm, DisputeForm, MessageForm
from salesops.commissions.pay_tables import SOON_HOURS, DisputeTable, clock_text
from salesops.commissions.selectors.disputes import (
    dispute_for,
    disputes_for,
    hours_left,
    line_named,
    may_answer,
    may_see_disputes,
    messages_of,
)
from salesops.commissions.selectors.statements import statement_for
from salesops.commissions.services.disputes import (
    Correction,
    decide_dispute,
    open_dispute,
    withdraw_dispute,
    write_message,
)
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.views import ConfirmView, Empty, ScopedDetailView, ScopedEditView, ScopedListView

#: Who may have disputes to answer.
ANSWERING = (Role.MANAGER, Role.FINANCE, Role.REVOPS)


class DisputeListView(ScopedListView):
    """All disputes the actor may see."""

    selector = disputes_for
    table_class, filterset_class = DisputeTable, DisputeFilter
    title = gettext_lazy("Disputes")
    empty = Empty(
        gettext_lazy("No disputes"),
        gettext_lazy("Whoever doubts a line of their statement opens a dispute there; it has a clock and an answer."),
        "message-circle-question",
    )

    def allows(self, actor: Actor) -> bool:
        """Not for roles without sight of pay, but for revenue operations."""
        return may_see_disputes(actor)


class DisputeDetailView(ScopedDetailView):
    """A thread: what is doubted, what was written, what was decided."""

    selector = dispute_for

    def get_context(self) -> dict[str, Any]:
        """The messages, the clock, and what this reader may do."""
        dispute: Dispute = self.object
        is_open = dispute.state == DisputeState.OPEN
        answers = may_answer(self.actor, dispute)
        hours = hours_left(dispute, self.now)
        adjustment = dispute.adjustment
        return {
            "title": dispute.subject,
            "messages_written": messages_of(self.actor, dispute),
            "line": line_named(self.actor, dispute.statement, dispute.line) if dispute.line else None,
            "sees_statement": self.actor.sight(Noun.PAY) >= Scope.OWN,
            "adjustment": adjustment
            if adjustment and Adjustment.objects.visible_to(self.actor).filter(pk=adjustment.pk).exists()
            else None,
            "is_open": is_open,
            "clock": clock_text(hours),
            "clock_tone": "red" if hours < 0 else "amber" if hours < SOON_HOURS else "grey",
            "may_decide": is_open and answers,
            "may_write": is_open and (answers or dispute.person_id == self.actor.user_id),
            "may_withdraw": is_open and dispute.person_id == self.actor.user_id,
            "form": MessageForm(actor=self.actor),
        }


class DisputeOpenView(ScopedEditView):
    """Doubt one's own statement, or a line of it."""

    form_class = DisputeForm
    selector = statement_for
    title, submit_label = gettext_lazy("Open a dispute"), pgettext_lazy("a dispute", "Open")
    success_message = gettext_lazy("Your dispute is open. You are told when somebody answers.")

    @property
    def statement(self) -> Any:
        """The statement, which only its own person may doubt."""
        if self.object.person_id != self.actor.user_id:
            raise Http404
        return self.object

    def get_title(self) -> str:
        """Which statement."""
        return _("Dispute the statement of %(period)s") % {"period": self.statement.period.label}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The lines to choose from; the address may name one."""
        return {
            "actor": self.actor,
            "statement": self.statement,
            "initial": {"line": self.request.GET.get("line", "")},
        }

    def save(self, form: Any) -> Any:
        """Open it."""
        return open_dispute(actor=self.actor, statement=self.statement, at=self.now, **form.values)


class DisputeMessageView(ScopedEditView):
    """Write in an open dispute."""

    selector, form_class = dispute_for, MessageForm
    title, submit_label = gettext_lazy("Write a message"), gettext_lazy("Send")

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor}

    def save(self, form: Any) -> Any:
        """Write it."""
        write_message(actor=self.actor, dispute=self.object, text=form.cleaned_data["text"], at=self.now)
        return reverse("commissions:dispute_detail", kwargs={"pk": self.object.pk})


class DisputeDecideView(ScopedEditView):
    """Accept or refuse a dispute of somebody else."""

    selector, form_class = dispute_for, DecisionForm
    title, submit_label = gettext_lazy("Decide the dispute"), gettext_lazy("Decide")
    lead = gettext_lazy("The decision stays; the person is told.")
    roles = ANSWERING

    def get_form_kwargs(self) -> dict[str, Any]:
        """A form that knows what it is about."""
        return {"actor": self.actor, "dispute": self.object}

    def save(self, form: Any) -> Any:
        """Decide it."""
        data = form.cleaned_data
        correction = None
        if data["amount_minor"] is not None:
            correction = Correction(data["period"], data["amount_minor"], data["reason"])
        return decide_dispute(
            actor=self.actor,
            dispute=self.object,
            is_accepted=data["outcome"] == "accepted",
            decision=data["decision"],
            correction=correction,
            at=self.now,
        )

    def get_success_message(self, result: Any) -> str:
        """What happened, and who is next."""
        if result.adjustment_id:
            return _("Decided. Finance still has to approve the adjustment.")
        return _("Decided.")


class DisputeWithdrawView(ConfirmView):
    """Take one's own dispute back."""

    selector = dispute_for
    title, submit_label = gettext_lazy("Withdraw the dispute"), gettext_lazy("Withdraw")
    lead = gettext_lazy("What was written stays; nobody has to answer any more.")
    success_message = gettext_lazy("Withdrawn.")
    is_danger = False

    def save(self, form: Any) -> Any:
        """Withdraw it."""
        return withdraw_dispute(actor=self.actor, dispute=self.object, at=self.now)
