"""Statements: the list, one statement, a line's why, approval, the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.commissions.choices import PeriodState, StatementState
from salesops.commissions.filters import EarningFilter, StatementFilter
from salesops.commissions.forms import ApproveForm, ReturnForm
from salesops.commissions.models import Earning, Statement
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.changes import last_change_of
from salesops.commissions.selectors.contest_words import Stage, stage_of
from salesops.commissions.selectors.contests import standings_of
from salesops.commissions.selectors.documents import statement_pdf
from salesops.commissions.selectors.drawing import draw
from salesops.commissions.selectors.exceptions import payout_looks, why_look
from salesops.commissions.selectors.pace import pace_of
from salesops.commissions.selectors.plans import tiers_of
from salesops.commissions.selectors.statements import (
    approvals_of,
    attainment_of,
    components_of,
    conventions_of,
    curve_of_line,
    definition_of,
    earning_for,
    earnings_for,
    history_of,
    statement_for,
    statements_for,
    steps_of,
    uncounted_of,
    why_of,
)
from salesops.commissions.services.approvals import (
    approve_statements,
    levels_of,
    return_statement,
    waits_for,
    why_not,
)
from salesops.commissions.services.pipeline import pipeline_of
from salesops.commissions.tables import EarningTable, StatementTable
from salesops.core import display
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.days import company_day
from salesops.core.documents import pdf_response
from salesops.core.tables import Rows
from salesops.core.views import (
    BulkAction,
    BulkView,
    Change,
    Empty,
    MoneyTotal,
    PortalView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.people.reauth import require_recent
from salesops.values.outcomes import Problem

#: Who may decide about statements: finance always, managers where a plan asks for their approval.
CHECKERS = (Role.FINANCE, Role.MANAGER)


def sees_pay(actor: Actor) -> bool:
    """Pages of pay are for those who see somebody's, their own at least."""
    return actor.sight(Noun.PAY) >= Scope.OWN


class StatementListView(ScopedListView):
    """All statements the actor may see."""

    selector = statements_for
    table_class, filterset_class = StatementTable, StatementFilter
    title = gettext_lazy("Statements")
    totals = (
        MoneyTotal(gettext_lazy("Credited"), "credited_minor"),
        MoneyTotal(gettext_lazy("Earned"), "earned_minor"),
        MoneyTotal(gettext_lazy("Paid out"), "payout_minor"),
    )
    bulk_actions = (
        BulkAction(gettext_lazy("Approve"), "commissions:statement_approve", icon="checks", roles=CHECKERS),
    )
    empty = Empty(
        gettext_lazy("No statements yet"),
        gettext_lazy("A statement appears when a period is calculated for somebody on a plan."),
        "receipt-2",
    )

    def allows(self, actor: Actor) -> bool:
        """Not for roles without sight of pay."""
        return sees_pay(actor)


class StatementDetailView(ScopedDetailView):
    """One statement: totals, the curve, every line, what was decided."""

    selector = statement_for

    def get_context(self) -> dict[str, Any]:
        """Totals from the whole statement; the first lines, with a way to all of them."""
        statement: Statement = self.object
        today = company_day(self.now)
        lines = earnings_for(self.actor, statement).order_by("component", "position")
        plan = definition_of(statement)
        shown = list(lines[:50])
        attainment = attainment_of(statement)
        history = history_of(self.actor, statement)
        carried = (statement.carried or {}).get("after", {})
        approvals = list(approvals_of(statement))
        is_above = self.actor.has(Role.MANAGER) and statement.person_id in self.actor.tree_ids
        is_checker = self.actor.has(Role.FINANCE) or (is_above and "manager" in levels_of(statement.plan_version))
        return {
            "title": f"{statement.person} · {statement.period.label}",
            "attainment": attainment,
            "attainment_bar": min(attainment or 0, 20_000) / 200,
            "problems": [Problem.from_plain(each) for each in statement.problems],
            "lines": EarningTable(Rows(shown, Earning), now=self.now),
            "lines_count": lines.count(),
            "lines_shown": len(shown),
            "steps": steps_of(statement),
            "pace": pace_of(statement, today),
            "changed": last_change_of(self.actor, statement),
            "held": sum(part["total_minor"] - part["released_minor"] for part in carried.get("held", ())),
            "advanced": sum(balance["owed_minor"] for balance in carried.get("draws", ())),
            "uncounted": uncounted_of(statement),
            "history": [(row, attainment_of(row)) for row in history],
            "year": statement.period.start_on.year,
            "year_credited": sum(row.credited_minor for row in history),
            "year_paid": sum(row.payout_minor for row in history),
            "year_earned": sum(row.earned_minor for row in history),
            "components": [
                {
                    "shown": each,
                    "tiers": tiers_of(each.component.shape),
                    "drawing": draw(
                        each.curve,
                        credited=each.reached,
                        quota=each.quota,
                        quota_label=_("Quota"),
                        target=each.target_minor,
                        target_label=_("Target"),
                        is_count=not each.is_money,
                    )
                    if each.curve
                    else None,
                }
                for each in components_of(statement)
            ],
            "conventions": conventions_of(plan),
            "contests": [
                (row, stage_of(row.contest, today) is not Stage.ENDED) for row in standings_of(self.actor, statement)
            ],
            "approvals": approvals,
            "levels": levels_of(statement.plan_version),
            "waits_for": waits_for(statement, approvals) if statement.state == StatementState.DRAFT else "",
            "may_approve": is_checker and statement.state == StatementState.DRAFT,
            "may_return": is_checker and statement.state in (StatementState.DRAFT, StatementState.APPROVED),
            "why_not": why_not(statement, self.actor, approvals) if is_checker else "",
            "look": self._look(statement) if is_checker else "",
        }

    def _look(self, statement: Statement) -> str:
        """Whether a draft pays out of proportion, in words."""
        if statement.state != StatementState.DRAFT:
            return ""
        return why_look(payout_looks([statement]).get(statement.pk), statement.currency)


class StatementForecastView(PortalView):
    """What the pipeline would pay: a part of the statement's page that it loads by itself, or a page of its own."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Calculate it; locked periods have nothing to forecast."""
        statement = statement_for(self.actor, pk)
        if statement.period.state != PeriodState.OPEN:
            raise Http404
        context = {
            "title": _("What the pipeline would pay"),
            "statement": statement,
            "pipeline": pipeline_of(self.actor, statement),
        }
        name = "parts_forecast" if self.is_partial else "statement_forecast"
        return render(request, f"commissions/{name}.html", context)


class EarningListView(ScopedListView):
    """All lines of one statement, to sort, search and export."""

    table_class, filterset_class = EarningTable, EarningFilter
    totals = (MoneyTotal(gettext_lazy("Earned"), "amount_minor"),)
    empty = Empty(
        gettext_lazy("Nothing was credited"),
        gettext_lazy("No deal of this period was credited to this person."),
        "receipt-off",
    )

    @cached_property
    def statement(self) -> Statement:
        """The statement whose lines these are."""
        return statement_for(self.actor, self.kwargs["pk"])

    @property
    def title(self) -> str:
        """Whose and when."""
        return _("Lines of %(statement)s") % {"statement": self.statement}

    def get_rows(self) -> QuerySet[Any]:
        """The lines."""
        return earnings_for(self.actor, self.statement)

    def get_context(self) -> dict[str, Any]:
        """The way back."""
        return {"statement": self.statement}


class EarningDetailView(ScopedDetailView):
    """The why of one line: transaction, share, where on the curve, tier and rate, rounding."""

    selector = earning_for

    def get_context(self) -> dict[str, Any]:
        """The steps, and the curve with this line's stretch."""
        earning: Earning = self.object
        shown = curve_of_line(earning)
        moved = earning.to_minor - earning.from_minor
        return {
            "title": _("Why %(amount)s") % {"amount": display.money(earning.amount_minor, earning.currency)},
            "why": why_of(earning),
            "shown": shown,
            "moved": moved,
            "drawing": draw(
                shown.curve,
                credited=shown.reached,
                quota=shown.quota,
                quota_label=_("Quota"),
                moved=(earning.from_minor, earning.to_minor),
                target=shown.target_minor,
                target_label=_("Target"),
                is_count=not shown.is_money,
            )
            if shown.curve and moved
            else None,
        }


@method_decorator(require_recent(minutes=30), name="get")
@method_decorator(require_recent(minutes=30), name="post")
class StatementApproveView(BulkView):
    """Approve many, with a look at what will be approved and what not and why."""

    list_view, form_class = StatementListView, ApproveForm
    title, back_url = gettext_lazy("Approve statements"), "commissions:statement_list"
    submit_label = gettext_lazy("Approve")
    roles = CHECKERS

    def get_next_url(self) -> str:
        """The period, where the next step stands; with statements of several, the list."""
        periods = list(self.chosen.order_by().values_list("period_id", flat=True).distinct()[:2])
        if len(periods) == 1:
            return reverse("commissions:period_detail", kwargs={"pk": periods[0]})
        return super().get_next_url()

    def preview(self, rows: QuerySet[Any], form: Any) -> Sequence[Change]:
        """Each statement with its amount, or why it stays."""
        found = list(rows.select_related("person", "period", "plan_version").prefetch_related("approvals"))
        looks, note = payout_looks(found), form.cleaned_data["note"]
        return [
            Change(
                label=str(row),
                before=str(row.get_state_display()),
                after=f"{_('Approved')} · {display.money(row.payout_minor, row.currency)}",
                problem=why_not(row, self.actor, row.approvals.all(), look=looks.get(row.pk), note=note),
            )
            for row in found
        ]

    def apply(self, rows: QuerySet[Any], form: Any) -> str:
        """Approve what can be."""
        result = approve_statements(
            actor=self.actor,
            statement_ids=list(rows.values_list("pk", flat=True)),
            at=self.now,
            note=form.cleaned_data["note"],
        )
        said = ngettext("Approved %(count)s statement.", "Approved %(count)s statements.", result.decided) % {
            "count": result.decided
        }
        if result.refused:
            said += " " + ngettext(
                "%(count)s was left as it is.", "%(count)s were left as they are.", len(result.refused)
            ) % {"count": len(result.refused)}
        return said


class StatementReturnView(ScopedEditView):
    """Send one back, with the reason."""

    selector, form_class = statement_for, ReturnForm
    title, submit_label = gettext_lazy("Send the statement back"), gettext_lazy("Send back")
    lead = gettext_lazy("It has to be approved again afterwards.")
    roles = CHECKERS

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor}

    def save(self, form: Any) -> Any:
        """Return it."""
        return_statement(actor=self.actor, statement=self.object, at=self.now, note=form.cleaned_data["note"])
        return self.object


class StatementBundleView(PortalView):
    """The statement as one JSON file that anybody can verify without the portal."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Download it; the download is recorded."""
        statement = statement_for(self.actor, pk)
        content = bundle_bytes(bundle_of(statement))
        record(
            actor=self.actor,
            action="export.downloaded",
            subject=statement,
            after={"file": "bundle", "bytes": len(content)},
            at=self.now,
        )
        response = HttpResponse(content, content_type="application/json")
        response.headers["Content-Disposition"] = f'attachment; filename="statement-{statement.pk}.json"'
        return response


class StatementPdfView(PortalView):
    """The statement as a PDF, to print, to keep, to hand on."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Make it in the reader's language and download it; the download is recorded."""
        statement = statement_for(self.actor, pk)
        content = statement_pdf(self.actor, statement, get_language() or "en")
        record(
            actor=self.actor,
            action="export.downloaded",
            subject=statement,
            after={"file": "pdf", "bytes": len(content)},
            at=self.now,
        )
        return pdf_response(f"{_('Statement')} {statement.person} {statement.period.label}", content)
