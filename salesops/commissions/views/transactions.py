"""Transactions: the list, one of them with its credits and statements, recording one by hand, voiding."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy

from salesops.accounts.models import Account
from salesops.commissions.choices import TransactionKind
from salesops.commissions.models import Credit, Transaction
from salesops.commissions.selectors.transactions import (
    TRANSACTION_WRITERS,
    credits_of,
    deals_named,
    is_late,
    is_of_deal,
    may_see_transactions,
    reversals_of,
    transaction_for,
    transactions_for,
)
from salesops.commissions.services.recording import NewTransaction, record_transaction, void_transaction
from salesops.commissions.transaction_filters import TransactionFilter
from salesops.commissions.transaction_forms import TransactionForm, VoidForm, deal_label
from salesops.commissions.transaction_tables import CreditTable, TransactionTable
from salesops.core.actor import Actor, Noun, Scope
from salesops.core.tables import Rows
from salesops.core.views import (
    Empty,
    MoneyTotal,
    PortalView,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.deals.models import Deal

#: Credits of a transaction that its page shows, and deals that a field offers.
_SHOWN = 100
_OFFERED = 20


class TransactionListView(ScopedListView):
    """All transactions the actor sees."""

    selector = transactions_for
    table_class, filterset_class = TransactionTable, TransactionFilter
    title = gettext_lazy("Transactions")
    default_sort = "-effective_on"
    totals = (MoneyTotal(gettext_lazy("Amount"), "amount_minor"),)
    create_url, create_label = "commissions:transaction_create", gettext_lazy("Record a transaction")
    empty = Empty(
        gettext_lazy("No transactions yet"),
        gettext_lazy(
            "What is paid for stands here: bookings come from won deals when a period is calculated; invoices, renewals and refunds are recorded or imported."
        ),
        "receipt-2",
    )

    def allows(self, actor: Actor) -> bool:
        """Whoever sees work."""
        return may_see_transactions(actor)

    def may_create(self) -> bool:
        """Who records them."""
        return self.actor.has(*TRANSACTION_WRITERS)


class TransactionDetailView(ScopedDetailView):
    """One transaction: what it is of, what takes it back, who was credited with it on which statement."""

    selector = transaction_for

    def get_context(self) -> dict[str, Any]:
        """With what the reader may see of pay, of the deal and of the account."""
        row: Transaction = self.object
        found = credits_of(self.actor, row)
        may_write = self.actor.has(*TRANSACTION_WRITERS) and row.credited_to_id != self.actor.user_id
        original = row.reverses
        return {
            "sees_pay": self.actor.sight(Noun.PAY) >= Scope.OWN,
            "credits_count": found.count(),
            "credits": CreditTable(Rows(list(found[:_SHOWN]), Credit), now=self.now),
            "reversals": list(reversals_of(self.actor, row)[:_SHOWN]),
            "sees_original": original is not None
            and Transaction.objects.visible_to(self.actor).filter(pk=original.pk).exists(),
            "sees_deal": row.deal is not None and Deal.objects.visible_to(self.actor).filter(pk=row.deal.pk).exists(),
            "sees_account": row.account is not None
            and Account.objects.visible_to(self.actor).filter(pk=row.account.pk).exists(),
            "of_deal": is_of_deal(row),
            "late": may_write and is_late(row),
            "may_void": may_write and not row.is_void and not is_of_deal(row),
        }


class TransactionCreateView(ScopedCreateView):
    """Record one by hand."""

    form_class, back_url = TransactionForm, "commissions:transaction_list"
    template_name = "commissions/transaction_form.html"
    title, submit_label = gettext_lazy("Record a transaction"), gettext_lazy("Record")
    lead = gettext_lazy("Something that plans may pay for and that no deal brings by itself.")
    success_message = gettext_lazy("Recorded. It counts when its period is calculated next.")
    roles = TRANSACTION_WRITERS

    def save(self, form: Any) -> Any:
        """Record it, and say what a locked period makes of it."""
        values: dict[str, Any] = dict(form.values)
        rows = {f"{name}_id": values.pop(name) for name in ("deal", "account", "product", "credited_to", "reverses")}
        ids: dict[str, Any] = {name: None if row is None else row.pk for name, row in rows.items()}
        new = NewTransaction(kind=TransactionKind(values.pop("kind")), **values, **ids)
        done = record_transaction(actor=self.actor, new=new, at=self.now)
        if done.notice:
            messages.warning(self.request, done.notice)
        return reverse("commissions:transaction_detail", kwargs={"pk": done.transaction.pk})


class TransactionVoidView(ScopedEditView):
    """Let one no longer count."""

    selector, form_class = transaction_for, VoidForm
    title, submit_label = gettext_lazy("Void the transaction"), gettext_lazy("Void")
    lead = gettext_lazy("It stays in the list and no longer counts when its period is calculated next.")
    success_message = gettext_lazy("Void.")
    is_danger = True
    roles = TRANSACTION_WRITERS

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor}

    def save(self, form: Any) -> Any:
        """Void it, and say what a locked period makes of it."""
        done = void_transaction(
            actor=self.actor, transaction_id=self.object.pk, reason=form.cleaned_data["reason"], at=self.now
        )
        if done.notice:
            messages.warning(self.request, done.notice)
        return self.object


class DealOptionsView(PortalView):
    """Deals whose name holds what was typed, as options of a text field."""

    roles = TRANSACTION_WRITERS

    def get(self, request: HttpRequest) -> HttpResponse:
        """The options, those that begin with it first."""
        text = str(request.GET.get("deal", "")).replace("\x00", "").strip()[:100]
        options = [deal_label(deal) for deal in deals_named(self.actor, text, _OFFERED)]
        return render(request, "accounts/account_options.html", {"options": options})
