"""What if: a rep wins open deals; revops and finance try other plans on a past period."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import PeriodState
from salesops.commissions.models import Scenario
from salesops.commissions.scenario_forms import ScenarioForm
from salesops.commissions.selectors.statements import statement_for
from salesops.commissions.services.scenarios import create_scenario, delete_scenario
from salesops.commissions.services.what_if import (
    CLASSES,
    if_closed,
    may_try_plans,
    names_of,
    open_deals_of,
    scenarios_for,
)
from salesops.commissions.tables import ScenarioTable
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.views import ConfirmView, Empty, PortalView, ScopedCreateView, ScopedDetailView, ScopedListView
from salesops.jobs.choices import UNFINISHED
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue

TRIERS = (Role.REVOPS, Role.FINANCE)
#: So many open deals are offered; the nearest first.
MOST_DEALS = 200


class WhatIfView(PortalView):
    """What a person would be paid if they won these open deals in the period of a statement."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The open deals, and, for those ticked, what they would pay."""
        statement = statement_for(self.actor, pk)
        if statement.period.state != PeriodState.OPEN:
            raise Http404
        deals = list(open_deals_of(self.actor, statement.person_id)[:MOST_DEALS])
        asked = {value for value in request.GET.getlist("deal") if value.isascii() and value.isdigit()}
        chosen = [deal for deal in deals if str(deal.pk) in asked]
        return render(
            request,
            "commissions/what_if.html",
            {
                "view": self,
                "title": _("What if I close these"),
                "statement": statement,
                "deals": [(deal, deal in chosen) for deal in deals],
                "result": if_closed(statement, chosen) if chosen else None,
                "is_own": statement.person_id == self.actor.user_id,
            },
        )


def scenario_for(actor: Actor, pk: int) -> Scenario:
    """One scenario; 404 for whoever may not try plans."""
    return get_object_or_404(scenarios_for(actor), pk=pk)


class ScenarioListView(ScopedListView):
    """Scenarios, the newest first."""

    selector = scenarios_for
    table_class = ScenarioTable
    title = gettext_lazy("What-if scenarios")
    create_url, create_label = "commissions:scenario_create", gettext_lazy("New scenario")
    empty = Empty(
        gettext_lazy("No scenario yet"),
        gettext_lazy("Try a draft on a past period: what it would have cost, and who would gain or lose."),
        "flask",
    )

    def allows(self, actor: Actor) -> bool:
        """Revops and finance."""
        return may_try_plans(actor)

    def may_create(self) -> bool:
        """Whoever may try plans."""
        return may_try_plans(self.actor)


class ScenarioCreateView(ScopedCreateView):
    """A new scenario; it is calculated in the background."""

    form_class, title, back_url = ScenarioForm, gettext_lazy("New scenario"), "commissions:scenario_list"
    lead = gettext_lazy("The whole period is calculated twice: by the plans in force, and by the versions you choose.")
    submit_label = gettext_lazy("Calculate")
    roles = TRIERS

    def get_initial(self) -> dict[str, Any]:
        """The version from whose page one comes."""
        initial = super().get_initial()
        if "versions" in initial:
            initial["versions"] = [initial["versions"]]
        return initial

    def save(self, form: Any) -> Any:
        """Keep it, and start calculating."""
        data = form.cleaned_data
        scenario = create_scenario(
            actor=self.actor,
            name=data["name"],
            period=data["period"],
            changes={version.plan_id: version.definition for version in data["versions"]},
            at=self.now,
        )
        start(self.actor, scenario, self.now)
        return scenario


def start(actor: Actor, scenario: Scenario, at: Any) -> Job:
    """Put the calculation of a scenario into the queue."""
    return enqueue(
        kind="commissions.scenario",
        key=f"commissions.scenario:{scenario.pk}",
        payload={"scenario": scenario.pk},
        actor=actor,
        at=at,
        title=_("Calculate %(period)s") % {"period": scenario.name},
        url=reverse("commissions:scenario_detail", kwargs={"pk": scenario.pk}),
    )


class ScenarioDetailView(ScopedDetailView):
    """What a scenario comes to, beside the others of the same period."""

    selector = scenario_for

    def allows(self, actor: Actor) -> bool:
        """Revops and finance."""
        return may_try_plans(actor)

    def get_context(self) -> dict[str, Any]:
        """Columns side by side; people by name only for those who see pay."""
        scenario: Scenario = self.object
        others: QuerySet[Scenario] = scenarios_for(self.actor).filter(period=scenario.period, result__isnull=False)
        sees_people = self.actor.sight(Noun.PAY) >= Scope.ALL
        job = Job.objects.filter(key=f"commissions.scenario:{scenario.pk}").order_by("-pk").first()
        return {
            "title": scenario.name,
            "currencies": [
                {
                    "currency": currency,
                    "result": result,
                    "columns": [
                        (other, other.result[currency])
                        for other in (scenario, *others.exclude(pk=scenario.pk)[:4])
                        if other.result and currency in other.result
                    ],
                    "classes": list(zip(_class_labels(), result["classes"], strict=True)),
                    "most": max([*result["classes"], 1]),
                    "people": self._people(result) if sees_people else [],
                }
                for currency, result in (scenario.result or {}).items()
            ],
            "sees_people": sees_people,
            "job": job if job is not None and (job.state in UNFINISHED or not scenario.result) else None,
        }

    def _people(self, result: dict[str, Any]) -> list[tuple[str, int, int, int]]:
        """Those whose pay changes: the ten who lose most, and the ten who gain most."""
        moved = [row for row in result["people"] if row[1] != row[2]]
        shown = moved if len(moved) <= 20 else [*moved[:10], *moved[-10:]]
        names = names_of([row[0] for row in shown])
        return [(names.get(person, "–"), old, new, new - old) for person, old, new in shown]


def _class_labels() -> list[str]:
    """The ranges of the distribution in words."""
    low, *_rest = CLASSES
    labels = [_("at least %(percent)s %% less") % {"percent": -low}]
    labels += [
        _("%(low)s %% to %(high)s %%") % {"low": f"{first:+d}", "high": f"{last:+d}"}
        for first, last in pairwise(CLASSES)
    ]
    return [*labels, _("at least %(percent)s %% more") % {"percent": CLASSES[-1]}]


class ScenarioDeleteView(ConfirmView):
    """Throw a scenario away."""

    selector = scenario_for
    title = gettext_lazy("Delete the scenario")
    lead = gettext_lazy("Only the comparison goes; plans and pay are not touched.")
    submit_label = gettext_lazy("Delete")
    roles = TRIERS

    def save(self, form: Any) -> Any:
        """Delete it."""
        delete_scenario(actor=self.actor, scenario=self.object, at=self.now)
        return reverse("commissions:scenario_list")
