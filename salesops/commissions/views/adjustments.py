"""Adjustments: the list, one of them, preparing, approving, refusing, withdrawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from salesops.commissions.choices import AdjustmentKind, AdjustmentState
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Adjustment
from salesops.commissions.pay_filters import AdjustmentFilter
from salesops.commissions.pay_forms import AdjustmentApproveForm, AdjustmentForm, NoteForm, OneAdjustmentApproveForm
from salesops.commissions.pay_tables import AdjustmentTable
from salesops.commissions.selectors.adjustments import (
    PREPARERS,
    adjustment_for,
    adjustments_for,
    may_see_adjustments,
    second_looks,
)
from salesops.commissions.services.adjustments import (
    approve_adjustments,
    prepare_adjustment,
    refuse_adjustment,
    why_look_again,
    why_not,
    withdraw_adjustment,
)
from salesops.core import display
from salesops.core.actor import Actor, Role
from salesops.core.views import (
    BulkAction,
    BulkView,
    Change,
    ConfirmView,
    Empty,
    MoneyTotal,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.people.reauth import require_recent


class AdjustmentListView(ScopedListView):
    """All adjustments the actor may see, by hand and by late changes."""

    selector = adjustments_for
    table_class, filterset_class = AdjustmentTable, AdjustmentFilter
    title = gettext_lazy("Adjustments")
    totals = (MoneyTotal(gettext_lazy("Amount"), "amount_minor"),)
    bulk_actions = (
        BulkAction(
            gettext_lazy("Approve"), "commissions:adjustment_bulk_approve", icon="checks", roles=(Role.FINANCE,)
        ),
    )
    create_url = "commissions:adjustment_create"
    create_label = gettext_lazy("New adjustment")
    empty = Empty(
        gettext_lazy("No adjustments"),
        gettext_lazy(
            "What is paid beside the plan stands here: prepared by one person, approved by another; and what late changes to locked periods come to."
        ),
        "adjustments",
    )

    def allows(self, actor: Actor) -> bool:
        """Not for roles without sight of pay, but for revenue operations."""
        return may_see_adjustments(actor)

    def may_create(self) -> bool:
        """Who prepares them."""
        return self.actor.has(*PREPARERS)


class AdjustmentDetailView(ScopedDetailView):
    """One adjustment with its history; of a late change what was paid and what should have been."""

    selector = adjustment_for

    def get_context(self) -> dict[str, Any]:
        """What this reader may do about it."""
        row: Adjustment = self.object
        waits = row.kind == AdjustmentKind.MANUAL and row.state == AdjustmentState.WAITING
        look = second_looks([row]).get(row.pk) if waits else None
        is_finance = self.actor.has(Role.FINANCE)
        return {
            "title": _("Adjustment for %(person)s") % {"person": row.person},
            "look": why_look_again(look, row) if is_finance else "",
            "why_not": why_not(row, self.actor.user_id) if waits and is_finance else "",
            "may_decide": waits and is_finance and not why_not(row, self.actor.user_id),
            "may_withdraw": waits and row.prepared_by_id == self.actor.user_id,
        }


class AdjustmentCreateView(ScopedCreateView):
    """Prepare one."""

    form_class, back_url = AdjustmentForm, "commissions:adjustment_list"
    title, submit_label = gettext_lazy("New adjustment"), gettext_lazy("Prepare")
    lead = gettext_lazy("Finance, and nobody who prepared it, approves it; then it is paid with the open period.")
    success_message = gettext_lazy("Prepared. Somebody else in finance has to approve it.")
    roles = PREPARERS

    def save(self, form: Any) -> Any:
        """Prepare it."""
        values = form.values
        return prepare_adjustment(
            actor=self.actor,
            person_id=values["person"].pk,
            plan=values["plan"],
            period=values["period"],
            amount_minor=values["amount_minor"],
            reason=values["reason"],
            at=self.now,
        )


@method_decorator(require_recent(minutes=30), name="get")
@method_decorator(require_recent(minutes=30), name="post")
class AdjustmentApproveView(ScopedEditView):
    """Approve one, with a tick where it is out of proportion."""

    selector, form_class = adjustment_for, OneAdjustmentApproveForm
    title, submit_label = gettext_lazy("Approve the adjustment"), gettext_lazy("Approve")
    roles = (Role.FINANCE,)

    def get_title(self) -> str:
        """How much for whom."""
        return _("Approve %(amount)s for %(person)s") % {
            "amount": display.money(self.object.amount_minor, self.object.currency),
            "person": self.object.person,
        }

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form that knows whether to ask twice."""
        return {
            "actor": self.actor,
            "adjustment": self.object,
            "look": second_looks([self.object]).get(self.object.pk),
        }

    def save(self, form: Any) -> Any:
        """Approve it, or say why not."""
        result = approve_adjustments(
            actor=self.actor,
            adjustment_ids=[self.object.pk],
            at=self.now,
            note=form.cleaned_data["note"],
            looked_again=form.cleaned_data.get("looked_again", False),
        )
        if not result.decided:
            raise CommissionRefusedError(list(result.refused.values()) or [_("This adjustment is no longer there.")])
        return self.object

    def get_success_message(self, result: Any) -> str:
        """What happened, and what comes next."""
        return _("Approved. Calculate %(period)s again: then it stands on the statement.") % {
            "period": self.object.period.label
        }


class AdjustmentRefuseView(ScopedEditView):
    """Refuse one, with a note."""

    selector, form_class = adjustment_for, NoteForm
    title, submit_label = gettext_lazy("Refuse the adjustment"), gettext_lazy("Refuse")
    success_message = gettext_lazy("Refused.")
    is_danger = True
    roles = (Role.FINANCE,)

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor}

    def save(self, form: Any) -> Any:
        """Refuse it."""
        refuse_adjustment(actor=self.actor, adjustment=self.object, at=self.now, note=form.cleaned_data["note"])
        return self.object


class AdjustmentWithdrawView(ConfirmView):
    """Take back what one prepared."""

    selector = adjustment_for
    title, submit_label = gettext_lazy("Withdraw the adjustment"), gettext_lazy("Withdraw")
    lead = gettext_lazy("It stays in the list as withdrawn and is not paid.")
    success_message = gettext_lazy("Withdrawn.")
    roles = PREPARERS

    def save(self, form: Any) -> Any:
        """Withdraw it."""
        withdraw_adjustment(actor=self.actor, adjustment=self.object, at=self.now)
        return self.object


@method_decorator(require_recent(minutes=30), name="get")
@method_decorator(require_recent(minutes=30), name="post")
class AdjustmentBulkApproveView(BulkView):
    """Approve many, with a look at what will be approved and what not and why."""

    list_view, form_class = AdjustmentListView, AdjustmentApproveForm
    title, back_url = gettext_lazy("Approve adjustments"), "commissions:adjustment_list"
    submit_label = gettext_lazy("Approve")
    roles = (Role.FINANCE,)

    def preview(self, rows: QuerySet[Any], form: Any) -> Sequence[Change]:
        """Each with its amount, or why it stays."""
        found = list(rows.select_related("person", "period"))
        looks = {} if form.cleaned_data["looked_again"] else second_looks(found)
        return [
            Change(
                label=str(row),
                before=str(row.get_state_display()),
                after=f"{_('Approved')} · {display.money(row.amount_minor, row.currency)}",
                problem=why_not(row, self.actor.user_id) or why_look_again(looks.get(row.pk), row),
            )
            for row in found
        ]

    def apply(self, rows: QuerySet[Any], form: Any) -> str:
        """Approve what can be."""
        result = approve_adjustments(
            actor=self.actor,
            adjustment_ids=list(rows.values_list("pk", flat=True)),
            at=self.now,
            note=form.cleaned_data["note"],
            looked_again=form.cleaned_data["looked_again"],
        )
        said = ngettext("Approved %(count)s adjustment.", "Approved %(count)s adjustments.", result.decided) % {
            "count": result.decided
        }
        if result.refused:
            said += " " + ngettext(
                "%(count)s was left as it is.", "%(count)s were left as they are.", len(result.refused)
            ) % {"count": len(result.refused)}
        return said
