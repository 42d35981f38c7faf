"""Periods: where each stands, calculate, lock, release, download."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.audit.services import record
from salesops.commissions.choices import PAYROLL_RELEASE, PayrollFormat, PeriodState
from salesops.commissions.models import PayrollFile, Period, Statement
from salesops.commissions.pay_forms import PayrollReleaseForm
from salesops.commissions.selectors.changes import changes_of_calculation
from salesops.commissions.selectors.disputes import open_disputes
from salesops.commissions.selectors.exceptions import exceptions_of
from salesops.commissions.selectors.payroll import mapping_for
from salesops.commissions.selectors.periods import files_of, may_see_periods, periods_to_open, sees_amounts, standings
from salesops.commissions.selectors.statements import statements_for
from salesops.commissions.services.approvals import lock_period
from salesops.commissions.services.calculate import may_calculate
from salesops.commissions.services.payroll import release_payroll
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.waiting import turns_of
from salesops.commissions.tables import StatementTable
from salesops.core import features
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.core.tables import Rows
from salesops.core.views import ConfirmView, PortalView, ScopedEditView
from salesops.jobs.choices import UNFINISHED
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.people.reauth import require_recent

#: How many periods that can be calculated stand in sight; the earlier ones are unfolded.
RECENT = 12


def period_for(actor: Actor, pk: int) -> Period:
    """One period; 404 for those who do not run or read periods."""
    if not may_see_periods(actor):
        raise Http404
    return get_object_or_404(Period, pk=pk)


class PeriodListView(PortalView):
    """All periods, the newest first, with what is to be done next; and those that plans ask for."""

    def allows(self, actor: Actor) -> bool:
        """Finance, revops, executives."""
        return may_see_periods(actor)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The page."""
        to_open = periods_to_open(company_day(self.now)) if may_calculate(self.actor) else []
        found = standings(list(Period.objects.all()[:60]))
        turns = turns_of(found, company_day(self.now))
        context = {
            "title": _("Periods"),
            "standings": [(each, turns[each.period.pk]) for each in found],
            "sees_names": not self.actor.has(Role.EXECUTIVE) or self.actor.has(Role.FINANCE, Role.REVOPS),
            "to_open": to_open[:RECENT],
            "to_open_earlier": to_open[RECENT:],
            "sees_amounts": sees_amounts(self.actor),
            "may_calculate": may_calculate(self.actor),
        }
        return render(request, "commissions/period_list.html", context)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Open a period that a plan asks for, and calculate it."""
        if not may_calculate(self.actor):
            raise PermissionDenied
        wanted = (request.POST.get("kind", ""), request.POST.get("time_zone", ""), request.POST.get("start_on", ""))
        for kind, zone, _label, start in periods_to_open(company_day(self.now)):
            if (kind, zone, start.isoformat()) == wanted:
                period = open_period(day=start, kind=kind, time_zone=zone)
                start_calculation(self.actor, period, self.now)
                return redirect("commissions:period_detail", pk=period.pk)
        messages.error(request, _("No plan in force asks for this period."))
        return redirect("commissions:period_list")


def start_calculation(actor: Actor, period: Period, at: Any, *, is_touched_only: bool = False) -> Job:
    """Put the calculation of a period into the queue, or of those in it whom a change may have touched; pressed twice, it
    runs once.
    """
    return enqueue(
        kind="commissions.calculate",
        key=f"commissions.calculate:{period.pk}",
        payload={"period": period.pk, "is_touched_only": is_touched_only},
        actor=actor,
        at=at,
        title=_("Calculate %(period)s") % {"period": period.label},
    )


class PeriodDetailView(PortalView):
    """One period: its steps, exceptions first, then the statements and files."""

    def allows(self, actor: Actor) -> bool:
        """Finance, revops, executives."""
        return may_see_periods(actor)

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The page."""
        period = period_for(self.actor, pk)
        (standing,) = standings([period])
        rows = statements_for(self.actor).filter(period=period).order_by("person__name")
        count = rows.count()
        shown = list(rows[:100])
        job = (
            Job.objects.visible_to(self.actor).filter(key=f"commissions.calculate:{period.pk}").order_by("-pk").first()
        )
        calculation = standing.calculation
        return render(
            request,
            "commissions/period_detail.html",
            {
                "title": period.label,
                "period": period,
                "standing": standing,
                "calculation": calculation,
                "exceptions": exceptions_of(self.actor, period, calculation),
                "changes": changes_of_calculation(self.actor, calculation)
                if calculation and calculation.number > 1
                else None,
                "table": StatementTable(Rows(shown, Statement), now=self.now),
                "count": count,
                "shown": len(shown),
                "files": files_of(self.actor, period),
                "disputes": open_disputes(self.actor, period),
                "sees_amounts": sees_amounts(self.actor),
                "may_calculate": may_calculate(self.actor) and period.state == PeriodState.OPEN,
                "is_finance": self.actor.has(Role.FINANCE),
                "release_off": "" if features.is_on(PAYROLL_RELEASE) else features.off_text(PAYROLL_RELEASE),
                "job": job if job is not None and job.state in UNFINISHED else None,
                "last_day": date.fromordinal(period.end_on.toordinal() - 1),
            },
        )


class PeriodCalculateView(PortalView):
    """Calculate a period in the background."""

    def allows(self, actor: Actor) -> bool:
        """Finance and revops."""
        return may_calculate(actor)

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Enqueue, and go back to the page, which shows how far it is."""
        period = period_for(self.actor, pk)
        if period.state == PeriodState.LOCKED:
            messages.error(request, _("%(period)s is locked and stays as it is.") % {"period": period.label})
        else:
            start_calculation(self.actor, period, self.now, is_touched_only="changed" in request.POST)
        return redirect("commissions:period_detail", pk=period.pk)


@method_decorator(require_recent(minutes=10), name="get")
@method_decorator(require_recent(minutes=10), name="post")
class PeriodLockView(ConfirmView):
    """Freeze a period."""

    selector = period_for
    title = gettext_lazy("Lock the period")
    lead = gettext_lazy(
        "Its statements never change afterwards. A later change comes as an adjustment in an open period."
    )
    submit_label = gettext_lazy("Lock")
    is_danger = False
    roles = (Role.FINANCE,)

    def get_title(self) -> str:
        """Which period."""
        return _("Lock %(period)s") % {"period": self.object.label}

    def save(self, form: Any) -> Any:
        """Lock it."""
        return lock_period(actor=self.actor, period=self.object, at=self.now)

    def get_success_message(self, result: Any) -> str:
        """What happened."""
        return _("%(period)s is locked. Release the payroll file next.") % {"period": result.label}


@method_decorator(require_recent(minutes=10), name="get")
@method_decorator(require_recent(minutes=10), name="post")
class PayrollReleaseView(ScopedEditView):
    """Make the payroll file of a locked period."""

    feature = PAYROLL_RELEASE
    selector, form_class = period_for, PayrollReleaseForm
    title, submit_label = gettext_lazy("Release payroll"), gettext_lazy("Release")
    lead = gettext_lazy("The file is frozen: it downloads again as the same bytes, and no statement is in two files.")
    roles = (Role.FINANCE,)

    def get_title(self) -> str:
        """Of which period."""
        return _("Release the payroll of %(period)s") % {"period": self.object.label}

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor}

    def save(self, form: Any) -> Any:
        """Release, and say who is held back."""
        payroll_format, _colon, mapping = form.cleaned_data["payroll_format"].partition(":")
        release = release_payroll(
            actor=self.actor,
            period=self.object,
            payroll_format=PayrollFormat(payroll_format),
            mapping=mapping_for(self.actor, int(mapping)) if mapping else None,
            at=self.now,
        )
        for problem in release.held:
            messages.warning(self.request, f"{problem.text(_)} {problem.remedy_text(_)}")
        for file in release.files:
            messages.success(
                self.request, _("Released %(name)s for %(people)s people.") % {"name": file.name, "people": file.people}
            )
        return reverse("commissions:period_detail", kwargs={"pk": self.object.pk})


class PayrollFileView(PortalView):
    """Download a payroll file: the same bytes every time."""

    roles = (Role.FINANCE,)

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The bytes; each download is recorded."""
        file = PayrollFile.objects.get_for(self.actor, pk=pk)
        record(
            actor=self.actor,
            action="export.downloaded",
            subject=file,
            after={"file": file.name, "sha256": file.sha256},
            at=self.now,
        )
        response = HttpResponse(bytes(file.content), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
        response.headers["Digest"] = f"sha-256={file.sha256}"
        return response
