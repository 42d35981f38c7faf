"""The territories, one territory with its people in time, and the forms that change who works there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.core.days import company_day
from salesops.core.views import Empty, ScopedCreateView, ScopedDetailView, ScopedEditView, ScopedListView
from salesops.pods.filters import TerritoryFilter
from salesops.pods.forms import EndForm, TerritoryAssignForm, TerritoryForm
from salesops.pods.models import Territory, TerritoryAssignment
from salesops.pods.selectors import (
    territories_for,
    territory_assignment_for,
    territory_assignments_for,
    territory_for,
)
from salesops.pods.services import add_territory, assign_territory, end_territory_assignment
from salesops.pods.tables import TerritoryTable
from salesops.pods.views.pods import ARRANGERS, PodView


class TerritoryListView(PodView, ScopedListView):
    """The territories and who works there today."""

    selector = territories_for
    table_class, filterset_class = TerritoryTable, TerritoryFilter
    create_url, create_label = "pods:territory_create", _("New territory")
    empty = Empty(_("No territories yet"), _("Add regions, so that credit can follow who works where."), "map")

    def may_create(self) -> bool:
        """Those who arrange pods."""
        return self.actor.has(*ARRANGERS)

    def add_figures(self, rows: Sequence[Territory]) -> None:
        """The people of today."""
        people: dict[int, list[str]] = defaultdict(list)
        assignments = territory_assignments_for(self.actor).on(company_day(self.now)).filter(territory__in=rows)
        for assignment in assignments.order_by("person__name", "pk"):
            people[assignment.territory_id].append(assignment.person.name)
        for row in rows:
            row.people_today = people[row.pk]  # type: ignore[attr-defined]  # for the table


class TerritoryDetailView(PodView, ScopedDetailView):
    """One territory, with who worked there when."""

    selector = territory_for

    def get_context(self) -> dict[str, Any]:
        """The people, as far as the actor may see them."""
        rows = territory_assignments_for(self.actor).filter(territory=self.object)
        return {
            "day": company_day(self.now),
            "assignments": list(rows.order_by("-start_on", "person__name", "pk")),
            "may_arrange": self.actor.has(*ARRANGERS),
        }


class TerritoryCreateView(ScopedCreateView):
    """A new territory."""

    roles = ARRANGERS
    form_class, title, back_url = TerritoryForm, _("New territory"), "pods:territory_list"
    submit_label = _("Add territory")
    success_message = _("Added the territory “%(object)s”.")

    def save(self, form: TerritoryForm) -> Territory:
        """Add it."""
        return add_territory(actor=self.actor, at=self.now, **form.values)


class TerritoryAssignView(ScopedEditView):
    """Somebody works in a territory for a time."""

    roles = ARRANGERS
    selector = territory_for
    form_class, title, submit_label = TerritoryAssignForm, _("Add somebody"), _("Add")
    success_message = _("Added to the territory.")

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the moment."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: TerritoryAssignForm) -> Territory:
        """Give it to them."""
        values = form.values
        assign_territory(
            territory_id=self.object.pk,
            person_id=values["person"].pk,
            start_on=values["start_on"],
            end_on=values["end_on"],
            actor=self.actor,
            at=self.now,
        )
        territory: Territory = self.object
        return territory


class TerritoryAssignmentEndView(ScopedEditView):
    """Somebody no longer works in a territory."""

    roles = ARRANGERS
    selector = territory_assignment_for
    form_class, submit_label, is_danger = EndForm, _("End"), True
    success_message = _("Ended.")

    def get_title(self) -> str:
        """Who leaves which territory."""
        row: TerritoryAssignment = self.object
        return translate("%(person)s leaves %(territory)s") % {"person": row.person, "territory": row.territory}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the moment."""
        return super().get_form_kwargs() | {"at": self.now}

    def get_back_url(self) -> str:
        """The territory's page."""
        return reverse("pods:territory_detail", kwargs={"pk": self.object.territory_id})

    def save(self, form: EndForm) -> str:
        """End it."""
        end_territory_assignment(assignment_id=self.object.pk, actor=self.actor, at=self.now, **form.values)
        return self.get_back_url()
