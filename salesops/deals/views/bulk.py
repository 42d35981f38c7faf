"""Many deals at once, from the list: what would change, then exactly that."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from salesops.core import display
from salesops.core.upserts import Fate
from salesops.core.views import BulkView, Change
from salesops.core.views.bulk import MOST_ROWS
from salesops.deals.forms import BulkForm, BulkReassignForm
from salesops.deals.models import Deal
from salesops.deals.services import BulkPlan, BulkRow, plan_bulk_edit, start_bulk_edit
from salesops.deals.views.deals import EDITORS, DealListView


class _BulkDealsView(BulkView):
    """What both bulk pages share: the plan as a preview, the service at once or as a job."""

    roles = EDITORS
    list_view = DealListView
    back_url = "deals:deal_list"
    form_class: ClassVar[Callable[..., Any]]
    job_url = ""

    def preview(self, rows: QuerySet[Deal], form: Any) -> Sequence[Change]:
        """What `apply` would do to each row now."""
        plan = plan_bulk_edit(
            actor=self.actor, deal_ids=_keys(rows), changes=form.changes, at=self.now, most_named=MOST_ROWS
        )
        return [_shown(row) for row in plan.rows]

    def apply(self, rows: QuerySet[Deal], form: Any) -> str:
        """Change them now or, when they are many, by a job."""
        done = start_bulk_edit(
            actor=self.actor,
            deal_ids=_keys(rows),
            changes=form.changes,
            at=self.now,
            key=f"{self.actor.user_id}:{form.key or uuid.uuid4()}",
        )
        if isinstance(done, BulkPlan):
            return told(done)
        try:
            self.job_url = reverse("jobs:job_detail", kwargs={"pk": done.pk})
        except NoReverseMatch:
            self.job_url = ""
        return translate("The deals are changed in the background; you can go on working.")

    def carry_out(self, form: Any, count: int) -> HttpResponseBase:
        """A job leads to its page, which shows how far it is."""
        response = super().carry_out(form, count)
        return redirect(self.job_url) if self.job_url else response


class DealBulkEditView(_BulkDealsView):
    """Stage, days, product or next step of many deals."""

    form_class, title, submit_label = BulkForm, _("Edit deals"), _("Change them")


class DealBulkReassignView(_BulkDealsView):
    """Owner or pod of many deals."""

    form_class, title, submit_label = BulkReassignForm, _("Reassign deals"), _("Reassign them")

    def get_form(self, data: Any = None) -> Any:
        """The form asks who may own deals now."""
        return self.form_class(data, actor=self.actor, at=self.now)


def _keys(rows: QuerySet[Deal]) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def _shown(row: BulkRow) -> Change:
    """A row of the plan as the preview shows it."""
    if row.fate is Fate.CHANGED:
        filled = {name: value for name, value in row.before.items() if value not in (None, "")}
        return Change(row.name, _in_words(filled), _in_words(row.after))
    if row.fate is Fate.UNCHANGED:
        return Change(row.name, problem=translate("It already is so."))
    return Change(row.name, problem=" ".join(problem.text(translate) for problem in row.problems))


def _in_words(values: Mapping[str, Any]) -> str:
    """Fields and values in one line."""
    parts = []
    for name, value in values.items():
        label = capfirst(str(getattr(Deal._meta.get_field(name), "verbose_name", name)))
        if value in (None, ""):
            text = display.NOTHING
        else:
            text = display.day(date.fromisoformat(value)) if name.endswith("_on") else str(value)
        parts.append(f"{label}: {text}")
    return " · ".join(parts)


def told(plan: BulkPlan) -> str:
    """What was done, in words."""
    words = [ngettext("Changed %(count)s deal.", "Changed %(count)s deals.", plan.changed) % {"count": plan.changed}]
    if plan.unchanged:
        words.append(
            ngettext("%(count)s already was so.", "%(count)s already were so.", plan.unchanged)
            % {"count": plan.unchanged}
        )
    if plan.refused:
        words.append(
            ngettext("%(count)s was refused.", "%(count)s were refused.", plan.refused) % {"count": plan.refused}
        )
    return " ".join(words)
