"""How leads find their people: giving one back, the pools, one pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from salesops.accounts.views.accounts import EDITORS, READERS
from salesops.core.filters import OneOfFilter, PortalFilterSet, YesNoFilter
from salesops.core.views import ConfirmView, Empty, ScopedDetailView, ScopedEditView, ScopedListView
from salesops.leads.choices import PoolMethod
from salesops.leads.forms import GiveBackForm
from salesops.leads.models import Lead, Pool
from salesops.leads.routing_tables import PoolTable
from salesops.leads.selectors import lead_for
from salesops.leads.selectors.pools import (
    in_short,
    last_turns,
    pool_for,
    pools_for,
    setups_of,
    standing_of,
    version_for,
)
from salesops.leads.selectors.routing_versions import READERS as RULE_READERS
from salesops.leads.services.pools import CONFIGURING, bring_setup_back, may_set_up
from salesops.leads.services.turns import give_back, may_give_back
from salesops.leads.views.leads import page_of


class LeadGiveBackView(ScopedEditView):
    """Somebody gives a lead back, or says that it is none."""

    roles = EDITORS
    selector = lead_for
    form_class, title, submit_label = GiveBackForm, _("Give the lead back"), _("Give back")
    lead = _("It goes to somebody else by the rules, and its turn comes back to whoever has it now.")
    success_message = _("Gave the lead back.")

    def get_initial(self) -> dict[str, Any]:
        """Nothing: a reason is typed. Refuses whoever may not, before they type."""
        lead: Lead = self.object
        if lead.owner_id is not None and not may_give_back(self.actor, lead):
            raise PermissionDenied
        return {}

    def save(self, form: GiveBackForm) -> Lead | str:
        """Give it."""
        lead = give_back(actor=self.actor, lead_id=self.object.pk, at=self.now, **form.values)
        return page_of(self, lead)


class PoolFilter(PortalFilterSet):
    """Which pools."""

    search_fields = ("name",)

    method = OneOfFilter(choices=PoolMethod.choices, label=_("How turns go"))
    is_active = YesNoFilter(field_name="is_active", label=_("Active"))

    class Meta:
        model = Pool
        fields: list[str] = []


class PoolListView(ScopedListView):
    """The pools that the actor sees: reps their own, managers those of their people."""

    roles = READERS
    selector = pools_for
    table_class, filterset_class = PoolTable, PoolFilter
    template_name = "leads/pool_list.html"
    empty = Empty(
        _("No pools here yet"),
        _("A pool is a group of people who take leads in turn. Administrators set up who is in it, with which weight."),
        "route",
    )

    def add_figures(self, rows: Sequence[Pool]) -> None:
        """How these pools stand."""
        figures = in_short(rows, self.now)
        for row in rows:
            row.in_short = figures[row.pk]  # type: ignore[attr-defined]  # for the table

    def get_context(self) -> dict[str, Any]:
        """Whether the rules are the actor's to read."""
        return {"sees_rules": self.actor.has(*RULE_READERS)}


class PoolDetailView(ScopedDetailView):
    """One pool: who is next, and how fair it has been."""

    roles = READERS
    selector = pool_for

    def get_context(self) -> dict[str, Any]:
        """The people in their order, and the last turns."""
        pool: Pool = self.object
        return {
            "standing": standing_of(pool, self.now),
            "turns": last_turns(self.actor, pool),
            "rules": list(pool.rules.filter(version__state="active").select_related("version").order_by("position"))
            if self.actor.has(*RULE_READERS)
            else [],
            "sees_rules": self.actor.has(*RULE_READERS),
            "reader": self.actor.user_id,
            "setups": setups_of(self.actor, pool),
            "sets_up": may_set_up(self.actor),
        }


class PoolSetupBackView(ConfirmView):
    """Set a pool up as it was before."""

    roles = CONFIGURING
    selector = version_for
    is_danger = False
    title, submit_label = _("Bring this setup back"), _("Bring it back")
    lead = _("Weights, limits, conditions and how turns go become what they were then. What everybody is owed stays.")
    success_message = _("The pool is set up as it was.")

    def get_back_url(self) -> str:
        """The pool."""
        return reverse("leads:pool_detail", kwargs={"pk": self.object.pool_id})

    def save(self, form: Any) -> Pool:
        """Bring it back."""
        return bring_setup_back(actor=self.actor, version_id=self.object.pk, at=self.now)
