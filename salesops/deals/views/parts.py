"""The lines and the shares of a deal: a page with a row for each."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from salesops.core.views import PortalView, redirect_for
from salesops.deals.forms import LineFormSet, SplitFormSet, line_initial, split_initial
from salesops.deals.models import Deal
from salesops.deals.rules.amounts import line_amount
from salesops.deals.selectors import deal_for
from salesops.deals.services import StaleDealError, set_lines, set_splits
from salesops.deals.views.deals import EDITORS, refuse_kept, stale_or
from salesops.values.money import plain


class _PartsView(PortalView):
    """A page of rows that belong to a deal and are saved together, against the version they were opened with."""

    roles = EDITORS
    title: ClassVar[Any] = ""
    lead: ClassVar[Any] = ""
    template_name: ClassVar[str] = ""
    saved: ClassVar[Any] = ""

    @cached_property
    def deal(self) -> Deal:
        """The deal. Raises Http404 when it is not the actor's."""
        return deal_for(self.actor, self.kwargs["pk"])

    def make(self, data: Any = None) -> Any:
        """The rows' forms."""
        raise NotImplementedError(f"{type(self).__name__} does not say which rows it has")

    def save(self, rows: list[Any], version: int) -> Deal:
        """Call the service."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to save")

    def answer(self, rows: Any, version: int, *, problems: tuple[str, ...] = (), status: int = 200) -> HttpResponseBase:
        """The page with the rows as they are."""
        context = {
            "view": self,
            "deal": self.deal,
            "title": self.title,
            "lead": self.lead,
            "rows": rows,
            "version": version,
            "problems": problems,
            "back_url": reverse("deals:deal_detail", kwargs={"pk": self.deal.pk}),
        }
        return render(self.request, self.template_name, context, status=status)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The rows as they are now, and an empty one; 403 with the words for a closed deal that is not theirs to change."""
        refuse_kept(self.actor, self.deal)
        return self.answer(self.make(), self.deal.version)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Save all rows, or none and say why. "more" adds an empty row and saves nothing."""
        given = request.POST.get("version", "")
        version = int(given) if given.isdecimal() and len(given) < 10 else 0
        if "more" in request.POST:
            return self.answer(self.make(_with_one_more(request.POST)), version)
        rows = self.make(request.POST)
        if not rows.is_valid():
            return self.answer(rows, version, problems=tuple(map(str, rows.non_form_errors())), status=422)
        kept = [
            form
            for position, form in enumerate(rows.forms)
            if (position < rows.initial_form_count() or form.has_changed()) and form not in rows.deleted_forms
        ]
        try:
            self.save(kept, version)
        except ValidationError as error:
            if isinstance(error, StaleDealError):
                version = error.deal.version
            return self.answer(rows, version, problems=tuple(error.messages), status=stale_or(error))
        messages.success(request, str(self.saved))
        return redirect_for(request, reverse("deals:deal_detail", kwargs={"pk": self.deal.pk}))


def _with_one_more(data: Any) -> Any:
    """The posted rows with room for another."""
    copy = data.copy()
    total = copy.get("form-TOTAL_FORMS", "0")
    copy["form-TOTAL_FORMS"] = str(min(int(total) + 1, 500) if total.isdecimal() and len(total) < 5 else 1)
    return copy


class DealLinesView(_PartsView):
    """The lines, which make the deal's amount."""

    title, saved = _("Lines"), _("Saved the lines.")
    lead = _("The deal's amount is the sum of its lines. An amount left empty is quantity × price less the discount.")
    template_name = "deals/deal_lines.html"

    def make(self, data: Any = None) -> forms.BaseFormSet[Any]:
        """A form for each line. The amount is shown only where it was stated differently from what is counted."""
        currency = self.deal.currency
        initial = []
        for line in self.deal.lines.all():
            counted = line_amount(line.quantity, line.unit_price_minor, line.discount_bp)
            values = line_initial(line)
            values |= {"unit_price": plain(line.unit_price_minor, currency), "counted": plain(counted, currency)}
            if line.amount_minor != counted:
                values["amount"] = plain(line.amount_minor, currency)
            initial.append(values)
        return LineFormSet(data, initial=initial, form_kwargs={"deal": self.deal})

    def save(self, rows: list[Any], version: int) -> Deal:
        """The lines in their order."""
        return set_lines(
            actor=self.actor,
            deal_id=self.deal.pk,
            version=version,
            lines=[form.draft for form in rows],
            at=self.now,
        )


class DealSplitsView(_PartsView):
    """Who shares in a deal, and how much."""

    title, saved = _("Shares"), _("Saved the shares.")
    lead = _("The shares add up to 100 %. Without shares the owner has the whole. Shares on top take from nobody.")
    template_name = "deals/deal_splits.html"

    def make(self, data: Any = None) -> forms.BaseFormSet[Any]:
        """A form for each share."""
        initial = [split_initial(split) for split in self.deal.splits.all()]
        return SplitFormSet(data, initial=initial, form_kwargs={"deal": self.deal, "actor": self.actor})

    def save(self, rows: list[Any], version: int) -> Deal:
        """All shares at once."""
        return set_splits(
            actor=self.actor,
            deal_id=self.deal.pk,
            version=version,
            splits=[form.draft for form in rows],
            at=self.now,
        )
