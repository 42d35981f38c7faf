"""Admin pages of the leads room: to look at, with a link to the portal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from salesops.core.admin import (
    PortalAdmin,
    PortalAdminForm,
    PortalInline,
    ReadOnlyAdmin,
    actor_of,
    is_administrator,
    money,
)
from salesops.leads.choices import VersionState
from salesops.leads.models import (
    DisqualifyReason,
    Lead,
    LeadAssignment,
    LeadSpiced,
    Pool,
    PoolMember,
    RoutingRule,
    RoutingVersion,
    ScoreGroup,
    ScoreRule,
    ScoreVersion,
    ServiceLevel,
)
from salesops.leads.rules.fairness import hundredths
from salesops.leads.rules.fields import OF_A_LEAD
from salesops.leads.selectors.routing_versions import versions_to_try
from salesops.leads.selectors.score_versions import score_versions_to_try
from salesops.leads.selectors.ways import leads_text
from salesops.leads.services.pools import keep_setups
from salesops.values.formulas import check


class AssignmentInline(PortalInline):
    """Each time the lead was given to somebody."""

    model = LeadAssignment
    is_read_only = True
    fk_name = "lead"
    fields = ("assigned_at", "person", "pod", "method", "reason")


class LeadSpicedInline(PortalInline):
    """What is known of it."""

    model = LeadSpiced
    is_read_only = True
    fields = ("situation", "pain", "impact", "critical_event", "critical_event_on", "decision")


@admin.register(DisqualifyReason)
class DisqualifyReasonAdmin(PortalAdmin):
    """Why leads are disqualified. Taken out of use rather than deleted; leads keep the words."""

    list_display = ("name", "position", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name",)


@admin.register(Lead)
class LeadAdmin(ReadOnlyAdmin):
    """Leads."""

    list_display = ("name", "company", "status", "origin", "owner", "pod", "shown_value", "created_at")
    list_filter = ("status", "origin", "pod", "source")
    search_fields = ("name", "company", "email", "external_id")
    list_select_related = ("owner", "pod")
    portal_page = "leads:lead_detail"
    exclude = ("estimated_minor",)
    readonly_fields = ("shown_value",)
    inlines = (LeadSpicedInline, AssignmentInline)

    shown_value = money("estimated_minor", label=_("estimated value"))
    actions_detail = ("test_routing", "test_scores")

    # Buttons lead to pages of the portal, on which nothing is written.

    @action(description=_("Test the routing rules on this lead"), url_path="test-routing")
    def test_routing(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """To the page that shows its way by the rules in force, else by the newest draft."""
        return _tried(versions_to_try(actor_of(request)), "leads:routingversion", object_id)

    @action(description=_("Test the score rules on this lead"), url_path="test-scores")
    def test_scores(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """To the page that shows its score by the rules in force, else by the newest draft."""
        return _tried(score_versions_to_try(actor_of(request)), "leads:scoreversion", object_id)


def _tried(versions: Sequence[RoutingVersion | ScoreVersion], page: str, lead: int) -> HttpResponse:
    """To the page on which rules are tried on a lead: those in force first; to the list where there are none yet."""
    found = sorted(versions, key=lambda version: version.state != VersionState.ACTIVE)
    if not found:
        return redirect(f"{page}_list")
    return redirect(f"{reverse(f'{page}_try', kwargs={'pk': found[0].pk})}?{urlencode({'lead': lead})}")


class OfDraftInline(PortalInline):
    """Parts of a version, which change with it while it is a draft."""

    may_delete = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of a draft."""
        return super().has_add_permission(request, obj) and obj is not None and obj.is_draft

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of a draft."""
        return super().has_change_permission(request, obj) and obj is not None and obj.is_draft

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of a draft."""
        return super().has_delete_permission(request, obj) and obj is not None and obj.is_draft


class ScoreGroupInline(OfDraftInline):
    """Groups with a limit."""

    model = ScoreGroup
    fields = ("name", "limit")


class ScoreRuleInline(OfDraftInline):
    """Rules with their points."""

    model = ScoreRule
    fields = ("position", "part", "name", "points", "condition", "signal", "most_times", "group")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Groups of the same version."""
        if db_field.name == "group":
            version = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
            kwargs["queryset"] = ScoreGroup.objects.filter(version=version)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(ScoreVersion)
class ScoreVersionAdmin(PortalAdmin):
    """Score rules: drafts change here as in the portal, where they are begun, compared and put in force."""

    list_display = ("number", "note", "state", "created_by", "created_at", "activated_by", "activated_at")
    list_filter = ("state",)
    search_fields = ("note",)
    list_select_related = ("created_by", "activated_by")
    may_add = False
    portal_page = "leads:scoreversion_detail"
    readonly_fields = ("number", "state", "created_by", "created_at", "activated_by", "activated_at", "retired_at")
    inlines = (ScoreGroupInline, ScoreRuleInline)
    actions_detail = ("test_on_lead",)

    @action(description=_("Test on a lead"), url_path="test-on-lead")
    def test_on_lead(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """To the page on which a lead is chosen."""
        return redirect("leads:scoreversion_try", pk=object_id)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only drafts; the page of the others shows them."""
        return is_administrator(request) and (obj is None or obj.is_draft)


# --- Routing --------------------------------------------------------------------------------------------------------


def readable(text: str) -> str:
    """A condition on leads that reads, without space around it. Raises ValidationError with all that is wrong with it."""
    text = text.strip()
    problems = check(text, OF_A_LEAD).problems if text else ()
    if problems:
        raise ValidationError([f"{each.text(gettext)} {each.remedy_text(gettext)}".strip() for each in problems])
    return text


class ConditionForm(PortalAdminForm):
    """A row with a condition on leads."""

    def clean_condition(self) -> str:
        """One that reads."""
        return readable(self.cleaned_data["condition"])


class PoolMemberForm(PortalAdminForm):
    """Somebody in a pool."""

    def clean_takes(self) -> str:
        """A condition that reads: one that does not would take nothing."""
        return readable(self.cleaned_data["takes"])


class PoolMemberInline(PortalInline):
    """Who is in the pool. Whoever is not to take part any more stays, with what they are owed."""

    model = PoolMember
    form = PoolMemberForm
    fields = ("person", "is_in", "weight", "takes", "cap_open", "cap_day", "cap_30_days", "shown_credit")
    readonly_fields = ("shown_credit",)
    autocomplete_fields = ("person",)

    @admin.display(description=_("credit"))
    def shown_credit(self, row: PoolMember) -> str:
        """In leads."""
        return leads_text(hundredths(row.credit))


@admin.register(Pool)
class PoolAdmin(PortalAdmin):
    """Pools of people who take leads in turn: switched off, never deleted, so that their turns stay."""

    list_display = ("name", "method", "on_return", "when_nobody", "pod", "is_active")
    list_filter = ("method", "is_active", "pod")
    search_fields = ("name", "members__person__name")
    list_select_related = ("pod",)
    autocomplete_fields = ("on_call",)
    portal_page = "leads:pool_detail"
    inlines = (PoolMemberInline,)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """With its members, the pool is set up in a new way."""
        super().save_related(request, form, formsets, change)
        keep_setups(pools=[form.instance.pk], actor=actor_of(request), at=request.now)  # type: ignore[attr-defined]


class RoutingRuleInline(OfDraftInline):
    """Rules in their order."""

    model = RoutingRule
    form = ConditionForm
    fields = ("position", "name", "condition", "action", "pool", "person")
    autocomplete_fields = ("person",)


class ServiceLevelInline(OfDraftInline):
    """How soon leads must be touched."""

    model = ServiceLevel
    form = ConditionForm
    fields = ("position", "name", "condition", "warn_minutes", "alert_minutes", "reassign_minutes")


@admin.register(RoutingVersion)
class RoutingVersionAdmin(PortalAdmin):
    """Routing rules: drafts change here as in the portal, where they are begun, tried and put in force."""

    list_display = ("number", "note", "state", "created_by", "created_at", "activated_by", "activated_at")
    list_filter = ("state",)
    search_fields = ("note",)
    list_select_related = ("created_by", "activated_by")
    may_add = False
    portal_page = "leads:routingversion_detail"
    readonly_fields = ("number", "state", "created_by", "created_at", "activated_by", "activated_at", "retired_at")
    inlines = (RoutingRuleInline, ServiceLevelInline)
    actions_list = ("begin_draft",)
    actions_detail = ("put_in_force", "test_on_lead")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only drafts; the page of the others shows them."""
        return is_administrator(request) and (obj is None or obj.is_draft)

    # Buttons lead to pages of the portal, which ask before they do anything.

    @action(description=_("Begin a draft"), url_path="begin-draft")
    def begin_draft(self, request: HttpRequest) -> HttpResponse:
        """To the page that begins one."""
        return redirect("leads:routingversion_create")

    @action(description=_("Put in force"), url_path="put-in-force")
    def put_in_force(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """To the page that asks."""
        return redirect("leads:routingversion_activate", pk=object_id)

    @action(description=_("Test on a lead"), url_path="test-on-lead")
    def test_on_lead(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """To the page on which a lead is chosen."""
        return redirect("leads:routingversion_try", pk=object_id)
