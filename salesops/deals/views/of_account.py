"""The deals of one account, as a part of the account's page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from salesops.accounts.selectors import account_for
from salesops.core.tables import Rows
from salesops.core.views import PortalView
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.deals.selectors import deals_for, totals_of
from salesops.deals.tables import DealTable
from salesops.deals.views.deals import READERS

#: Deals shown on an account's page; the rest is a list away.
_SHOWN = 20
_COLUMNS = ("name", "stage", "amount", "owner")


class AccountDealsView(PortalView):
    """What is open with an account and what was won, and its newest deals. 404 when the account is not the actor's."""

    roles = READERS

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part, fetched by the account's page."""
        account = account_for(self.actor, pk)
        deals = deals_for(self.actor).filter(account=account)
        related = DealTable.related_fields(Deal, _COLUMNS)
        rows = list(deals.select_related(*related).order_by("-created_at", "-pk")[: _SHOWN + 1])
        context = {
            "account": account,
            "table": DealTable(Rows(rows[:_SHOWN], Deal), columns_shown=_COLUMNS, now=self.now) if rows else None,
            "has_more": len(rows) > _SHOWN,
            "open": totals_of(deals.filter(kind=StageKind.OPEN)),
            "won": totals_of(deals.filter(kind=StageKind.WON)),
        }
        return render(request, "deals/account_deals.html", context)
