"""One thing that was done, logged about many rows of a list at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from salesops.accounts.views.accounts import AccountListView
from salesops.activities.choices import ActivityKind
from salesops.activities.forms import BulkLogForm
from salesops.activities.services import log_many
from salesops.activities.views.activities import EDITORS
from salesops.core import display
from salesops.core.actor import Role
from salesops.core.views import BulkView, Change
from salesops.deals.views.deals import DealListView
from salesops.leads.views.leads import LeadListView

#: About so many rows at most one thing is logged: more than a person did in a day is no log but an import.
MOST = 1_000


class _BulkLogView(BulkView):
    """What the three lists share."""

    roles: ClassVar[tuple[Role, ...]] = EDITORS
    form_class, title, submit_label = BulkLogForm, _("Log an activity"), _("Log it for all of them")
    template_name = "activities/bulk_log.html"

    def preview(self, rows: QuerySet[Any], form: BulkLogForm) -> Sequence[Change]:
        """What would be logged about each."""
        self._check(rows)
        data = form.cleaned_data
        said = data["subject"] or str(ActivityKind(data["kind"]).label)
        return [Change(str(row), "", said) for row in rows]

    def apply(self, rows: QuerySet[Any], form: BulkLogForm) -> str:
        """Log it."""
        self._check(rows)
        done = len(log_many(actor=self.actor, rows=list(rows), at=self.now, **form.given))
        words = ngettext("Logged about %(count)s row.", "Logged about %(count)s rows.", done)
        return words % {"count": display.number(done)}

    def _check(self, rows: QuerySet[Any]) -> None:
        if rows.order_by()[: MOST + 1].count() > MOST:
            raise ValidationError(
                translate("At most %(most)s rows at once. Narrow the filter."), params={"most": display.number(MOST)}
            )


class LeadLogView(_BulkLogView):
    """About many leads."""

    list_view, back_url = LeadListView, "leads:lead_list"


class DealLogView(_BulkLogView):
    """About many deals."""

    list_view, back_url = DealListView, "deals:deal_list"


class AccountLogView(_BulkLogView):
    """About many accounts."""

    list_view, back_url = AccountListView, "accounts:account_list"
