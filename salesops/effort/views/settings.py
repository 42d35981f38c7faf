"""Weights in versions, published for everybody; what legal entities have settled, and their switches."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core import features
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
from salesops.effort.choices import EFFORT, OnSwitchOff
from salesops.effort.forms import DraftForm, EffortPolicyForm, EffortTargetForm, EffortVersionForm, SwitchOffForm
from salesops.effort.models import EffortVersion
from salesops.effort.selectors.policies import (
    READERS,
    entities_for,
    entity_for,
    people_without_entity,
    policies_by_entity,
    policy_of_entity,
)
from salesops.effort.selectors.versions import SETTINGS, WRITERS, shown_targets, version_for, versions_for
from salesops.effort.services.policies import FIELDS, may_settle, settle_policy, switch_off, switch_on
from salesops.effort.services.versions import (
    activate_effort_version,
    change_effort_version,
    discard_effort_version,
    draft_effort_version,
    may_write_weights,
    put_targets,
)
from salesops.effort.tables import STATE_TONES, EffortVersionTable
from salesops.effort.views.pages import HIRED, nav
from salesops.leads.choices import VersionState
from salesops.people.choices import JobFunction


class EffortVersionListView(ScopedListView):
    """All versions of weights; drafts for those who write them."""

    roles = HIRED
    selector = versions_for
    table_class, filterset_class = EffortVersionTable, PortalFilterSet
    title = gettext_lazy("Effort weights")
    create_url, create_label = "effort:effortversion_create", gettext_lazy("New version")
    empty = Empty(
        gettext_lazy("No weights yet"),
        gettext_lazy(
            "They say what is expected of each job function. Nothing is scored before a version is published."
        ),
        "gauge",
    )

    def may_create(self) -> bool:
        """Who writes them."""
        return may_write_weights(self.actor)

    def get_context(self) -> dict[str, Any]:
        """The links between the pages."""
        return nav(self)


class EffortVersionCreateView(ScopedCreateView):
    """A new draft: a copy of the last version."""

    roles = WRITERS
    form_class, title, back_url = DraftForm, gettext_lazy("New version of the weights"), "effort:effortversion_list"
    lead = gettext_lazy("It begins as a copy of the last one. Nothing changes until you publish it.")
    submit_label = gettext_lazy("Begin")

    def save(self, form: DraftForm) -> EffortVersion:
        """Begin it."""
        return draft_effort_version(actor=self.actor, at=self.now, note=form.values["note"])


class EffortVersionDetailView(ScopedDetailView):
    """A version with the targets of every job function: published, so for everybody."""

    roles = HIRED
    selector = version_for

    def get_context(self) -> dict[str, Any]:
        """The targets, and what may be done."""
        version: EffortVersion = self.object
        shown = shown_targets(version)
        return {
            "title": _("Effort weights, version %(number)s") % {"number": version.number},
            "version": version,
            "tone": STATE_TONES[VersionState(version.state)],
            "functions": shown,
            "has_problems": any(each.problems for each in shown) or not any(each.rows for each in shown),
            "may_change": may_write_weights(self.actor) and version.is_draft,
        }


class _OfVersion(ScopedEditView):
    """Pages under a version: back to it in the end."""

    roles = WRITERS
    selector = version_for

    def get_back_url(self) -> str:
        """The version."""
        return reverse("effort:effortversion_detail", kwargs={"pk": self.object.pk})


class EffortVersionEditView(_OfVersion):
    """Cap, edges and working day."""

    form_class, title = EffortVersionForm, gettext_lazy("Cap, edges and working day")
    success_message = gettext_lazy("Saved.")

    def save(self, form: EffortVersionForm) -> str:
        """Change them."""
        values = {name: form.values[name] for name in ("note", *SETTINGS)}
        change_effort_version(actor=self.actor, version_id=self.object.pk, at=self.now, **values)
        return self.get_back_url()


class EffortTargetEditView(_OfVersion):
    """What is expected of one job function."""

    form_class = EffortTargetForm
    lead = gettext_lazy("For a full working day. Leave a kind empty and it is not counted; all empty: not scored.")
    success_message = gettext_lazy("Saved.")

    @cached_property
    def function(self) -> JobFunction:
        """The job function of the address. Raises Http404."""
        if self.kwargs["function"] not in JobFunction.values:
            raise Http404
        return JobFunction(self.kwargs["function"])

    def get_title(self) -> str:
        """Whose targets they are."""
        return _("Targets: %(function)s") % {"function": self.function.label}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the targets as they are."""
        return super().get_form_kwargs() | {"rows": list(self.object.targets.filter(function=self.function.value))}

    def save(self, form: EffortTargetForm) -> str:
        """Keep them."""
        put_targets(
            actor=self.actor,
            version_id=self.object.pk,
            function=self.function.value,
            targets=form.targets,
            at=self.now,
        )
        return self.get_back_url()


class EffortVersionActivateView(_OfVersion, ConfirmView):
    """Publish a draft."""

    is_danger = False
    title, submit_label = gettext_lazy("Publish these weights"), gettext_lazy("Publish")
    lead = gettext_lazy("Everybody can read them from now on, and they hold from the next Monday on.")
    success_message = gettext_lazy("Published. They hold from the next Monday on.")

    def save(self, form: Any) -> str:
        """Publish it."""
        activate_effort_version(actor=self.actor, version_id=self.object.pk, at=self.now)
        return self.get_back_url()


class EffortVersionDiscardView(_OfVersion, ConfirmView):
    """Throw a draft away."""

    title, submit_label = gettext_lazy("Throw this draft away"), gettext_lazy("Throw away")
    success_message = gettext_lazy("Thrown away.")

    def save(self, form: Any) -> str:
        """Throw it away."""
        discard_effort_version(actor=self.actor, version_id=self.object.pk, at=self.now)
        return reverse("effort:effortversion_list")


# --- Legal entities -------------------------------------------------------------------------------------------------


class EffortPolicyListView(PortalView):
    """Every legal entity with what it has settled. There are few of them."""

    roles = READERS

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        policies = policies_by_entity()
        context = {
            "title": _("Effort by legal entity"),
            "entities": [(entity, policies.get(entity.pk)) for entity in entities_for(self.actor)],
            "may_settle": may_settle(self.actor),
            "unemployed": people_without_entity(),
            "is_feature_on": features.is_on(EFFORT),
            **nav(self),
        }
        return render(request, "effort/effortpolicy_list.html", context)


class _OfEntity(ScopedEditView):
    """Pages about a legal entity."""

    roles = (Role.ADMIN,)
    selector = entity_for

    def get_back_url(self) -> str:
        """All of them."""
        return reverse("effort:effortpolicy_list")


class EffortPolicyEditView(_OfEntity):
    """Purpose, notice, times, smallest group."""

    form_class = EffortPolicyForm
    success_message = gettext_lazy("Saved.")

    def get_title(self) -> str:
        """Whose it is."""
        return _("What %(entity)s has settled") % {"entity": self.object}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form begins with what is settled."""
        return super().get_form_kwargs() | {"instance": policy_of_entity(self.object)}

    def save(self, form: EffortPolicyForm) -> str:
        """Settle it."""
        values = {name: form.values[name] for name in FIELDS}
        settle_policy(actor=self.actor, entity=self.object, at=self.now, **values)
        return self.get_back_url()


class EffortPolicyOnView(_OfEntity, ConfirmView):
    """Switch it on for an entity."""

    is_danger = False
    submit_label = gettext_lazy("Switch on")
    lead = gettext_lazy(
        "Everybody of this legal entity is told now, with purpose and notice. What they log from today on is counted by"
        " day and kind; nothing from before. Make sure that whoever must agree has agreed."
    )
    success_message = gettext_lazy("Switched on. Everybody was told.")

    def get_title(self) -> str:
        """For whom."""
        return _("Switch effort scores on for %(entity)s") % {"entity": self.object}

    def save(self, form: Any) -> str:
        """Switch it on."""
        switch_on(actor=self.actor, entity=self.object, at=self.now)
        return self.get_back_url()


class EffortPolicyOffView(_OfEntity):
    """Switch it off for an entity, and say what becomes of what is kept."""

    form_class = SwitchOffForm
    is_danger = True
    submit_label = gettext_lazy("Switch off")
    lead = gettext_lazy("Counting and showing stop at once. What is deleted cannot be brought back.")
    success_message = gettext_lazy("Switched off.")

    def get_title(self) -> str:
        """For whom."""
        return _("Switch effort scores off for %(entity)s") % {"entity": self.object}

    def save(self, form: SwitchOffForm) -> str:
        """Switch it off."""
        switch_off(actor=self.actor, entity=self.object, at=self.now, then=OnSwitchOff(form.values["then"]))
        return self.get_back_url()
