"""Routing rules: the versions, one of them in words, tried on the leads of a month or on one lead, put in force."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core.actor import Role
from salesops.core.filters import PortalFilterSet
from salesops.core.views import (
    ConfirmView,
    Empty,
    PortalView,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.leads.choices import VersionState
from salesops.leads.models import RoutingRule, RoutingVersion, ServiceLevel
from salesops.leads.routing_forms import (
    RoutingDraftForm,
    RoutingRuleForm,
    RoutingVersionForm,
    ServiceLevelForm,
    TryForm,
)
from salesops.leads.routing_tables import STATE_TONES, RoutingVersionTable
from salesops.leads.rules.fields import OF_A_LEAD
from salesops.leads.selectors.leads import leads_like
from salesops.leads.selectors.routing import read_version
from salesops.leads.selectors.routing_versions import (
    READERS,
    by_person,
    levels_shown,
    routing_version_for,
    routing_versions_for,
    rules_shown,
)
from salesops.leads.selectors.ways import HELD, Gone, ways_of
from salesops.leads.services.routing import Routed, try_lead
from salesops.leads.services.routing_rules import (
    change_routing_version,
    drop_routing_rule,
    drop_service_level,
    put_routing_rule,
    put_service_level,
)
from salesops.leads.services.routing_versions import (
    DRY_RUN_DAYS,
    DRY_RUN_MOST,
    activate_routing_version,
    discard_routing_version,
    draft_routing_version,
    dry_run,
    may_write_routing,
)
from salesops.values.formulas import describe_fields

#: Who writes routing rules.
WRITERS = (Role.REVOPS, Role.ADMIN)


def page_of_version(version: RoutingVersion) -> str:
    """The page of a version."""
    return reverse("leads:routingversion_detail", kwargs={"pk": version.pk})


class RoutingVersionListView(ScopedListView):
    """All versions, the newest first."""

    roles = READERS
    selector = routing_versions_for
    table_class, filterset_class = RoutingVersionTable, PortalFilterSet
    title = gettext_lazy("Routing rules")
    template_name = "leads/routingversion_list.html"
    create_url, create_label = "leads:routingversion_create", gettext_lazy("New version")
    empty = Empty(
        gettext_lazy("No routing rules yet"),
        gettext_lazy(
            "They say to whom a lead goes and how soon it must be touched. Until then leads wait for a person."
        ),
        "route",
    )

    def may_create(self) -> bool:
        """Who writes them."""
        return may_write_routing(self.actor)

    def get_context(self) -> dict[str, Any]:
        """The way to the pools."""
        return {"sees_rules": True}


class RoutingVersionCreateView(ScopedCreateView):
    """A new draft: a copy of the last version."""

    roles = WRITERS
    form_class, back_url = RoutingDraftForm, "leads:routingversion_list"
    title = gettext_lazy("New version of the routing rules")
    lead = gettext_lazy("It begins as a copy of the last one. Nothing changes for leads until you put it in force.")
    submit_label = gettext_lazy("Begin")

    def save(self, form: RoutingDraftForm) -> RoutingVersion:
        """Begin it."""
        return draft_routing_version(actor=self.actor, at=self.now, note=form.values["note"])


class RoutingVersionDetailView(ScopedDetailView):
    """A version in words, with what is wrong with it, and what may be done."""

    roles = READERS
    selector = routing_version_for

    def get_context(self) -> dict[str, Any]:
        """Its rules and service levels in their order."""
        version: RoutingVersion = self.object
        problems = read_version(version).problems if version.is_draft else ()
        return {
            "title": _("Routing rules, version %(number)s") % {"number": version.number},
            "version": version,
            "tone": STATE_TONES[VersionState(version.state)],
            "rules": rules_shown(version),
            "levels": levels_shown(version),
            "problems": [(_place(each.where), each.text(_), each.remedy_text(_)) for each in problems],
            "may_change": may_write_routing(self.actor) and version.is_draft,
            "may_try": may_write_routing(self.actor),
            "sees_rules": True,
            "form": TryForm(),
        }


def _place(where: str) -> str:
    """Where a problem is, in words: "rule:3", "level:1"."""
    what, _colon, number = where.partition(":")
    text = _("Rule %(number)s") if what == "rule" else _("Service level %(number)s")
    return text % {"number": number}


class _OfVersion(ScopedEditView):
    """A form about a version or a part of it: back to the version in the end."""

    roles = WRITERS
    selector = routing_version_for
    template_name = "core/form_page.html"

    def get_back_url(self) -> str:
        """The version."""
        return page_of_version(self.object)


class RoutingVersionEditView(_OfVersion):
    """What is new in a draft, and whether it asks for consent."""

    form_class, title = RoutingVersionForm, gettext_lazy("Edit the draft")
    success_message = gettext_lazy("Saved.")

    def get_initial(self) -> dict[str, Any]:
        """As it is."""
        return {name: getattr(self.object, name) for name in RoutingVersionForm.base_fields}

    def save(self, form: RoutingVersionForm) -> RoutingVersion:
        """Change it."""
        return change_routing_version(actor=self.actor, version_id=self.object.pk, at=self.now, **form.values)


class RoutingVersionActivateView(_OfVersion, ConfirmView):
    """Put a draft in force."""

    is_danger = False
    title, submit_label = gettext_lazy("Put these rules in force"), gettext_lazy("Put in force")
    lead = gettext_lazy("The rules in force now retire. Leads that wait are tried again by the new ones.")
    success_message = gettext_lazy("These rules are in force.")

    def save(self, form: Any) -> RoutingVersion:
        """Put it in force."""
        return activate_routing_version(actor=self.actor, version_id=self.object.pk, at=self.now)


class RoutingVersionDiscardView(_OfVersion, ConfirmView):
    """Throw a draft away."""

    title, submit_label = gettext_lazy("Throw this draft away"), gettext_lazy("Throw away")
    success_message = gettext_lazy("Thrown away.")

    def save(self, form: Any) -> str:
        """Throw it away."""
        discard_routing_version(actor=self.actor, version_id=self.object.pk, at=self.now)
        return reverse("leads:routingversion_list")


# --- Rules and service levels of a draft ----------------------------------------------------------------------------


class RoutingRuleCreateView(_OfVersion):
    """A new rule of a draft."""

    form_class, title = RoutingRuleForm, gettext_lazy("Routing rule")
    template_name = "leads/scorerule_form.html"
    success_message = gettext_lazy("Saved the rule.")

    @cached_property
    def row(self) -> RoutingRule | None:
        """The rule of the address; 404 when it is not of this version."""
        return _part(self.object.rules, self.kwargs.get("rule"))

    def get_initial(self) -> dict[str, Any]:
        """As it is; a new one comes last."""
        row = self.row
        if row is None:
            return {}
        names = ("name", "position", "condition", "action")
        return {name: getattr(row, name) for name in names} | {"pool": row.pool_id, "person": row.person_id}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks who works here now."""
        return super().get_form_kwargs() | {"at": self.now}

    def get_context(self) -> dict[str, Any]:
        """What conditions may ask."""
        return {"known": known_fields()}

    def save(self, form: RoutingRuleForm) -> str:
        """Keep it."""
        rule_id = self.row.pk if self.row else None
        put_routing_rule(actor=self.actor, version_id=self.object.pk, rule_id=rule_id, at=self.now, **form.values)
        return page_of_version(self.object)


class RoutingRuleEditView(RoutingRuleCreateView):
    """A rule of a draft."""


class RoutingRuleDropView(_OfVersion, ConfirmView):
    """Take a rule out of a draft."""

    title, submit_label = gettext_lazy("Take this rule out"), gettext_lazy("Take out")
    success_message = gettext_lazy("Taken out.")

    def save(self, form: Any) -> str:
        """Take it out."""
        drop_routing_rule(actor=self.actor, version_id=self.object.pk, rule_id=self.kwargs["rule"], at=self.now)
        return page_of_version(self.object)


class ServiceLevelCreateView(_OfVersion):
    """A new service level of a draft."""

    form_class, title = ServiceLevelForm, gettext_lazy("Service level")
    template_name = "leads/scorerule_form.html"
    success_message = gettext_lazy("Saved the service level.")

    @cached_property
    def row(self) -> ServiceLevel | None:
        """The service level of the address; 404 when it is not of this version."""
        return _part(self.object.levels, self.kwargs.get("level"))

    def get_initial(self) -> dict[str, Any]:
        """As it is; a new one comes last."""
        names = ("name", "position", "condition", "warn_minutes", "alert_minutes", "reassign_minutes")
        return {name: getattr(self.row, name) for name in names} if self.row else {}

    def get_context(self) -> dict[str, Any]:
        """What conditions may ask."""
        return {"known": known_fields()}

    def save(self, form: ServiceLevelForm) -> str:
        """Keep it."""
        level_id = self.row.pk if self.row else None
        put_service_level(actor=self.actor, version_id=self.object.pk, level_id=level_id, at=self.now, **form.values)
        return page_of_version(self.object)


class ServiceLevelEditView(ServiceLevelCreateView):
    """A service level of a draft."""


class ServiceLevelDropView(_OfVersion, ConfirmView):
    """Take a service level out of a draft."""

    title, submit_label = gettext_lazy("Take this service level out"), gettext_lazy("Take out")
    success_message = gettext_lazy("Taken out.")

    def save(self, form: Any) -> str:
        """Take it out."""
        drop_service_level(actor=self.actor, version_id=self.object.pk, level_id=self.kwargs["level"], at=self.now)
        return page_of_version(self.object)


def _part(rows: Any, pk: int | None) -> Any:
    """A row of a version by its key; None without one. Raises Http404."""
    if pk is None:
        return None
    row = rows.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


def known_fields() -> list[tuple[str, str, str, str]]:
    """What conditions on leads may ask: name, label, kind, example."""
    return [(each.name, _(each.label), _(each.kind), each.example) for each in describe_fields(OF_A_LEAD)]


# --- Tried ----------------------------------------------------------------------------------------------------------


class RoutingVersionDryRunView(ScopedDetailView):
    """What a version would have done with the leads of the last month, beside what became of them."""

    roles = WRITERS
    selector = routing_version_for
    template_name = "leads/routingversion_dry_run.html"

    def get_context(self) -> dict[str, Any]:
        """Who would get how many, how many would wait, and why."""
        version: RoutingVersion = self.object
        problems: list[str] = []
        routed: list[Routed] = []
        truly = Counter[int | None]()
        try:
            routed, truly = dry_run(actor=self.actor, version=version, at=self.now)
        except ValidationError as error:
            problems = list(error.messages)
        waits = Counter(done.held for done in routed if done.held is not None)
        would = Counter(done.person for done in routed)
        return {
            "title": _("Version %(number)s on the leads of the last month") % {"number": version.number},
            "version": version,
            "problems": problems,
            "days": DRY_RUN_DAYS,
            "most": DRY_RUN_MOST,
            "count": len(routed),
            "is_cut": len(routed) >= DRY_RUN_MOST,
            "people": by_person(would, truly),
            "waiting": sum(waits.values()),
            "waits": [(HELD[held], count) for held, count in waits.most_common()],
        }


class RoutingVersionTryView(PortalView):
    """A version tried on a lead: the way it would go now. Nothing is written."""

    roles = READERS
    template_name = "leads/routingversion_try.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Leads that fit what was typed; the way where it is one."""
        version = routing_version_for(self.actor, pk)
        form = TryForm(request.GET)
        asked = form.cleaned_data["lead"].strip() if form.is_valid() else ""
        leads = leads_like(self.actor, asked)
        lead = leads[0] if len(leads) == 1 else None
        outcome = read_version(version)
        way, done = None, None
        if lead is not None and outcome.value is not None:
            done = try_lead(lead=lead, ruleset=outcome.value, at=self.now)
            path = done.path | ({"held": done.held.value} if done.held else {})
            way = ways_of(self.actor, [Gone(lead.pk, path, done.person)])[lead.pk]
        context = {
            "title": _("Try version %(number)s on a lead") % {"number": version.number},
            "version": version,
            "form": form,
            "asked": asked,
            "leads": leads,
            "lead": lead,
            "way": way,
            "level": done.level.name if done and done.level else "",
            "problems": [f"{_place(each.where)}: {each.text(_)}" for each in outcome.problems],
        }
        return render(request, self.template_name, context)
