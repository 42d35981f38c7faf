"""Hand-offs: the list, one of them with its answer and ratings, giving one, and what the ratings come to."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from salesops.accounts.models import Account
from salesops.core.actor import Role
from salesops.core.days import company_day
from salesops.core.views import (
    Empty,
    PortalView,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.deals.choices import HandOffState
from salesops.deals.filters import HandOffFilter
from salesops.deals.handoff_forms import HandOffAnswerForm, HandOffForm, RatingForm
from salesops.deals.handoff_tables import HAND_OFF_TONES, HandOffTable
from salesops.deals.models import Deal, HandOff
from salesops.deals.rules.handoffs import CORRECTABLE, LEAST_GROUP, RATINGS
from salesops.deals.selectors.handoffs import (
    LABELS,
    READERS,
    hand_off_for,
    hand_off_report_for,
    hand_offs_for,
    may_rate_now,
    ratings_shown,
)
from salesops.deals.services.handoffs import (
    answer_hand_off,
    give_hand_off,
    page_of_hand_off,
    rate_hand_off,
    subject_of,
)
from salesops.leads.models import Lead

#: Who gives and gets them, and who reads what their ratings come to.
EDITORS = (Role.REP, Role.MANAGER, Role.REVOPS, Role.ADMIN)
REPORT_READERS = (Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)


class HandOffListView(ScopedListView):
    """The hand-offs that the actor gave or got, or that people below them did."""

    roles = READERS
    selector = hand_offs_for
    table_class, filterset_class = HandOffTable, HandOffFilter
    title = gettext_lazy("Hand-offs")
    template_name = "deals/handoff_list.html"
    empty = Empty(
        gettext_lazy("No hand-offs yet"),
        gettext_lazy("Open a deal and hand it to whoever works on with it: they say how well it came."),
        "arrow-right",
    )

    def get_context(self) -> dict[str, Any]:
        """Whether the report is theirs to read."""
        return {"sees_report": self.actor.has(*REPORT_READERS)}


class HandOffCreateView(ScopedCreateView):
    """Hand a deal, an account or a lead (`?deal=12`, `?account=3`, `?lead=7`) to somebody."""

    roles = EDITORS
    form_class, title, submit_label = HandOffForm, gettext_lazy("Hand off"), gettext_lazy("Hand off")
    lead = gettext_lazy("It says who works on with it, and they rate how it came. Who owns it stays as it is.")
    success_message = gettext_lazy("Handed off; they were told.")

    @cached_property
    def about(self) -> Any:
        """What is handed off. Raises Http404 for nothing and for what is not the actor's."""
        for name, model in (("deal", Deal), ("account", Account), ("lead", Lead)):
            given = self.request.GET.get(name, "")
            if given.isdecimal() and len(given) <= 18:
                return model.objects.get_for(self.actor, pk=int(given))
        raise Http404

    def get_title(self) -> str:
        """What is handed off."""
        return _("Hand off “%(subject)s”") % {"subject": self.about}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who works where today."""
        return super().get_form_kwargs() | {"day": company_day(self.now)}

    def get_back_url(self) -> str:
        """The row's page."""
        meta = self.about._meta
        return reverse(f"{meta.app_label}:{meta.model_name}_detail", kwargs={"pk": self.about.pk})

    def save(self, form: HandOffForm) -> str:
        """Give it."""
        key = f"{self.about._meta.model_name}_id"
        give_hand_off(actor=self.actor, at=self.now, **{key: self.about.pk}, **form.values)
        return self.get_back_url()


class HandOffDetailView(ScopedDetailView):
    """One hand-off: what was said, the answer, the ratings; the receiver answers and rates here."""

    roles = READERS
    selector = hand_off_for
    template_name = "deals/handoff_detail.html"

    def get_context(self) -> dict[str, Any]:
        """What there is, and what may be done."""
        row: HandOff = self.object
        return {
            "title": subject_of(row),
            "hand_off": row,
            "tone": HAND_OFF_TONES[HandOffState(row.state)],
            "ratings": ratings_shown(row),
            "may_answer": self.actor.user_id == row.receiver_id and row.state == HandOffState.SENT,
            "may_rate": may_rate_now(self.actor, row, self.now),
            "subject_url": self._subject_url(row),
            "days": CORRECTABLE.days,
        }

    def _subject_url(self, row: HandOff) -> str:
        """The page of what is handed off, for who may open it."""
        subject: Any = row.deal or row.account or row.lead
        if not type(subject).objects.visible_to(self.actor).filter(pk=subject.pk).exists():
            return ""
        try:
            return reverse(f"{subject._meta.app_label}:{subject._meta.model_name}_detail", kwargs={"pk": subject.pk})
        except NoReverseMatch:
            return ""


class _OfHandOff(ScopedEditView):
    """A form about a hand-off: back to its page in the end."""

    roles = EDITORS
    selector = hand_off_for

    def get_title(self) -> str:
        """What was handed off."""
        return subject_of(self.object)

    def get_back_url(self) -> str:
        """Its page."""
        return page_of_hand_off(self.object)

    def get_success_url(self, result: Any) -> str:
        """Its page."""
        return page_of_hand_off(self.object)


class HandOffAnswerView(_OfHandOff):
    """Accept or decline."""

    form_class, submit_label = HandOffAnswerForm, gettext_lazy("Answer")
    success_message = gettext_lazy("Answered; the giver was told.")

    def get_initial(self) -> dict[str, Any]:
        """What was clicked."""
        asked = self.request.GET.get("answer", "")
        return {"is_accepted": asked} if asked in ("yes", "no") else {}

    def save(self, form: HandOffAnswerForm) -> HandOff:
        """Answer it."""
        return answer_hand_off(actor=self.actor, hand_off_id=self.object.pk, at=self.now, **form.values)


class HandOffRateView(_OfHandOff):
    """The five ratings; a page made for a phone."""

    form_class, submit_label = RatingForm, pgettext_lazy("a hand-off", "Rate")
    lead = gettext_lazy("From 1, not at all, to 5, fully. The giver reads your ratings.")
    success_message = gettext_lazy("Rated; the giver was told.")
    template_name = "deals/handoff_rate.html"

    def get_initial(self) -> dict[str, Any]:
        """What was given before."""
        return {name: getattr(self.object, name) for name in (*RATINGS, "comment")}

    def save(self, form: RatingForm) -> HandOff:
        """Rate it."""
        return rate_hand_off(actor=self.actor, hand_off_id=self.object.pk, at=self.now, **form.values)


class HandOffReportView(PortalView):
    """What the ratings come to, by giver, pod and pair."""

    roles = REPORT_READERS

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Means with the number of hand-offs; groups that are too small say so."""
        report = hand_off_report_for(self.actor)
        context = {
            "title": _("How well hand-offs come"),
            "report": report,
            "groups": (
                (_("By giver"), _("Given by"), report.by_giver),
                (_("By pod of the giver"), _("Pod"), report.by_pod),
                (_("From whom to whom"), _("From whom to whom"), report.by_pair),
            ),
            "labels": [LABELS[name] for name in RATINGS],
            "names": RATINGS,
            "least": LEAST_GROUP,
            "sees_report": True,
        }
        return render(request, "deals/handoff_report.html", context)
