"""Score rules: the versions, one of them with its rules, side by side with what is in force, tried on a lead, put in force."""

from __future__ import annotations

from typing import Any

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
from salesops.core.views.base import redirect_for
from salesops.jobs.choices import UNFINISHED
from salesops.leads.choices import GRADES, ScorePart, VersionState
from salesops.leads.models import ScoreGroup, ScoreRule, ScoreVersion
from salesops.leads.rules.fields import OF_A_LEAD
from salesops.leads.score_forms import DraftForm, ScoreGroupForm, ScoreRuleForm, ScoreVersionForm, TryForm
from salesops.leads.score_tables import STATE_TONES, ScoreVersionTable
from salesops.leads.selectors.leads import leads_like
from salesops.leads.selectors.score_versions import (
    AT_ONCE,
    READERS,
    Comparison,
    compare_all,
    last_job,
    moved_leads,
    open_leads,
    score_version_for,
    score_versions_for,
)
from salesops.leads.selectors.scores import NUMBERS, scheme_of_version, score_rules_in_force, score_shown
from salesops.leads.services.score_versions import (
    COMPARE,
    activate_score_version,
    ask_for_comparison,
    change_score_version,
    discard_score_version,
    draft_score_version,
    drop_score_rule,
    may_write_score_rules,
    put_score_group,
    put_score_rule,
)
from salesops.leads.services.scores import RESCORE_ALL
from salesops.leads.tables import tone_of_grade
from salesops.values.formulas import describe_fields

#: Who writes score rules.
WRITERS = (Role.REVOPS, Role.ADMIN)


class ScoreVersionListView(ScopedListView):
    """All versions, the newest first."""

    roles = READERS
    selector = score_versions_for
    table_class, filterset_class = ScoreVersionTable, PortalFilterSet
    title = gettext_lazy("Score rules")
    template_name = "leads/scoreversion_list.html"
    create_url, create_label = "leads:scoreversion_create", gettext_lazy("New version")
    empty = Empty(
        gettext_lazy("No score rules yet"),
        gettext_lazy(
            "They say which leads fit and which are interested. The first version begins with usual rules: change them, look "
            "what becomes of your leads, then put them in force."
        ),
        "target-arrow",
    )

    def may_create(self) -> bool:
        """Who writes them."""
        return may_write_score_rules(self.actor)


class ScoreVersionCreateView(ScopedCreateView):
    """A new draft: a copy of the last version."""

    roles = WRITERS
    form_class, title, back_url = DraftForm, gettext_lazy("New version of the score rules"), "leads:scoreversion_list"
    lead = gettext_lazy("It begins as a copy of the last one. Nothing changes for leads until you put it in force.")
    submit_label = gettext_lazy("Begin")

    def save(self, form: DraftForm) -> ScoreVersion:
        """Begin it."""
        return draft_score_version(actor=self.actor, at=self.now, note=form.values["note"])


class ScoreVersionDetailView(ScopedDetailView):
    """A version with its rules; a draft also with what is wrong with it and what would become of the leads."""

    roles = READERS
    selector = score_version_for

    def get_context(self) -> dict[str, Any]:
        """The rules by half, and what may be done."""
        version: ScoreVersion = self.object
        rules = list(version.rules.select_related("group"))
        is_writer = may_write_score_rules(self.actor)
        job = last_job(f"{RESCORE_ALL}:{version.pk}")
        return {
            "title": _("Score rules, version %(number)s") % {"number": version.number},
            "version": version,
            "tone": STATE_TONES[VersionState(version.state)],
            "halves": [(part, [rule for rule in rules if rule.part == part.value]) for part in ScorePart],
            "groups": list(version.groups.all()),
            "problems": [
                (_(each.where), each.text(_), each.remedy_text(_)) for each in scheme_of_version(version).problems
            ],
            "may_change": is_writer and version.is_draft,
            "job": job if job is not None and job.state in UNFINISHED and is_writer else None,
            "form": TryForm(),
        }


class _DraftMixin:
    """Pages under a version: back to it in the end."""

    object: Any

    def get_back_url(self) -> str:
        """The version."""
        return page_of(self.object)


def page_of(version: ScoreVersion) -> str:
    """The page of a version."""
    return reverse("leads:scoreversion_detail", kwargs={"pk": version.pk})


class ScoreVersionEditView(_DraftMixin, ScopedEditView):
    """Limits, edges and fading."""

    roles = WRITERS
    selector = score_version_for
    form_class, title = ScoreVersionForm, gettext_lazy("Limits, edges and fading")
    success_message = gettext_lazy("Saved.")

    def save(self, form: ScoreVersionForm) -> ScoreVersion:
        """Change them."""
        values = {name: form.values[name] for name in ("note", *NUMBERS)}
        return change_score_version(actor=self.actor, version_id=self.object.pk, at=self.now, **values)


class ScoreVersionActivateView(_DraftMixin, ConfirmView):
    """Put a draft in force."""

    roles = WRITERS
    selector = score_version_for
    is_danger = False
    title, submit_label = gettext_lazy("Put these rules in force"), gettext_lazy("Put in force")
    lead = gettext_lazy("The rules in force now retire, and all open leads are scored anew.")
    success_message = gettext_lazy("These rules are in force. Leads are being scored.")

    def save(self, form: Any) -> str:
        """Put it in force; back to its page, where the scoring is followed."""
        page = page_of(self.object)
        activate_score_version(actor=self.actor, version_id=self.object.pk, at=self.now, url=page)
        return page


class ScoreVersionDiscardView(_DraftMixin, ConfirmView):
    """Throw a draft away."""

    roles = WRITERS
    selector = score_version_for
    title, submit_label = gettext_lazy("Throw this draft away"), gettext_lazy("Throw away")
    success_message = gettext_lazy("Thrown away.")

    def save(self, form: Any) -> str:
        """Throw it away."""
        discard_score_version(actor=self.actor, version_id=self.object.pk, at=self.now)
        return reverse("leads:scoreversion_list")


# --- Rules and groups of a draft ------------------------------------------------------------------------------------


class _OfVersion(_DraftMixin, ScopedEditView):
    """A form about a part of a version: the version is the object, the part is found in it."""

    roles = WRITERS
    selector = score_version_for

    @cached_property
    def rule(self) -> ScoreRule | None:
        """The rule of the address; 404 when it is not of this version."""
        if "rule" not in self.kwargs:
            return None
        return found(self.object.rules.filter(pk=self.kwargs["rule"]).first())

    @cached_property
    def group(self) -> ScoreGroup | None:
        """The group of the address."""
        if "group" not in self.kwargs:
            return None
        return found(self.object.groups.filter(pk=self.kwargs["group"]).first())


def found(row: Any) -> Any:
    """The row. Raises Http404 for none."""
    if row is None:
        raise Http404
    return row


class ScoreRuleCreateView(_OfVersion):
    """A new rule of a draft: for fit, or with `?part=engagement` for engagement."""

    form_class = ScoreRuleForm
    template_name = "leads/scorerule_form.html"
    success_message = gettext_lazy("Saved the rule.")

    @property
    def part(self) -> str:
        """Which half."""
        if self.rule is not None:
            return self.rule.part
        asked = self.request.GET.get("part", "")
        return asked if asked in ScorePart.values else ScorePart.FIT.value

    def get_title(self) -> str:
        """What is written."""
        is_fit = self.part == ScorePart.FIT
        if self.rule is None:
            return _("New rule for fit") if is_fit else _("New rule for engagement")
        return _("Rule for fit") if is_fit else _("Rule for engagement")

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows version and half."""
        kwargs = super().get_form_kwargs()
        kwargs |= {"version": self.object, "part": self.part, "instance": self.rule or ScoreRule()}
        return kwargs

    def get_context(self) -> dict[str, Any]:
        """What conditions may ask."""
        return {
            "known": [(each.name, _(each.label), _(each.kind), each.example) for each in describe_fields(OF_A_LEAD)]
        }

    def save(self, form: ScoreRuleForm) -> str:
        """Keep it."""
        put_score_rule(
            actor=self.actor,
            version_id=self.object.pk,
            rule_id=self.rule.pk if self.rule else None,
            at=self.now,
            part=self.part,
            **form.values,
        )
        return page_of(self.object)


class ScoreRuleEditView(ScoreRuleCreateView):
    """A rule of a draft."""


class ScoreRuleDropView(_OfVersion, ConfirmView):
    """Take a rule out of a draft."""

    title, submit_label = gettext_lazy("Take this rule out"), gettext_lazy("Take out")
    success_message = gettext_lazy("Taken out.")

    def save(self, form: Any) -> str:
        """Take it out."""
        drop_score_rule(actor=self.actor, version_id=self.object.pk, rule_id=self.kwargs["rule"], at=self.now)
        return page_of(self.object)


class ScoreGroupCreateView(_OfVersion):
    """A new group of a draft."""

    form_class, title = ScoreGroupForm, gettext_lazy("Group with a limit")
    lead = gettext_lazy("Rules of a group count no more than its limit together.")
    success_message = gettext_lazy("Saved the group.")

    def get_form_kwargs(self) -> dict[str, Any]:
        """The group, not the version, is what the form is about."""
        return super().get_form_kwargs() | {"instance": self.group or ScoreGroup()}

    def save(self, form: ScoreGroupForm) -> str:
        """Keep it."""
        put_score_group(
            actor=self.actor,
            version_id=self.object.pk,
            group_id=self.group.pk if self.group else None,
            at=self.now,
            **form.values,
        )
        return page_of(self.object)


class ScoreGroupEditView(ScoreGroupCreateView):
    """A group of a draft."""


class ScoreGroupDropView(_OfVersion, ConfirmView):
    """Drop a group of a draft; its rules stay."""

    title, submit_label = gettext_lazy("Drop this group"), gettext_lazy("Drop")
    lead = gettext_lazy("Its rules stay and count without its limit.")
    success_message = gettext_lazy("Dropped.")

    def save(self, form: Any) -> str:
        """Drop it."""
        group_id = self.kwargs["group"]
        put_score_group(
            actor=self.actor, version_id=self.object.pk, group_id=group_id, name="", limit=None, at=self.now
        )
        return page_of(self.object)


# --- Side by side, and on one lead ----------------------------------------------------------------------------------


class ScoreVersionCompareView(ScopedDetailView):
    """What would become of the open leads: worked out at once for some thousands, by a job for more (POST starts it)."""

    roles = READERS
    selector = score_version_for
    template_name = "leads/scoreversion_compare.html"
    parts = {"comparison": "leads/parts/comparison.html"}

    def get_context(self) -> dict[str, Any]:
        """The matrix and the leads that move most."""
        version: ScoreVersion = self.object
        new = scheme_of_version(version).value
        in_force = score_rules_in_force()
        job, comparison, is_many = None, None, False
        if new is not None:
            is_many = open_leads() > AT_ONCE
            if is_many:
                job = last_job(f"{COMPARE}:{version.pk}")
                kept = (job.checkpoint or {}).get("comparison") if job is not None else None
                comparison = Comparison.from_plain(kept) if kept and job and job.state not in UNFINISHED else None
            else:
                old = scheme_of_version(in_force).value if in_force else None
                comparison = compare_all(old, new, at=self.now)
        return {
            "title": _("What would become of the leads"),
            "version": version,
            "in_force": in_force,
            "is_readable": new is not None,
            "is_many": is_many,
            "job": job if job is not None and job.state in UNFINISHED else None,
            "done_job": job if comparison else None,
            "comparison": comparison,
            "grades": GRADES,
            "matrix": _matrix(comparison) if comparison else [],
            "moved": moved_leads(self.actor, comparison) if comparison else [],
            "may_start": is_many and may_write_score_rules(self.actor),
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Have it worked out in the background."""
        page = page_of(self.object)
        ask_for_comparison(actor=self.actor, version=self.object, at=self.now, url=page)
        return redirect_for(request, page)


def _matrix(comparison: Comparison) -> list[tuple[str, list[tuple[str, int]]]]:
    """Rows of grades before, with the counts of each grade after."""
    befores = [grade for grade in ("", *GRADES) if any(before == grade for before, _after in comparison.counts)]
    return [(before, [(after, comparison.counts.get((before, after), 0)) for after in GRADES]) for before in befores]


class ScoreVersionTryView(PortalView):
    """A version tried on a lead: its score with all parts, beside the one it has."""

    roles = READERS
    template_name = "leads/scoreversion_try.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Leads that fit what was typed; the score where it is one."""
        version = score_version_for(self.actor, pk)
        form = TryForm(request.GET)
        asked = form.cleaned_data["lead"].strip() if form.is_valid() else ""
        leads = leads_like(self.actor, asked)
        lead = leads[0] if len(leads) == 1 else None
        score = score_shown(self.actor, lead, self.now, version) if lead else None
        now = score_shown(self.actor, lead, self.now) if lead else None
        context = {
            "title": _("Try version %(number)s on a lead") % {"number": version.number},
            "version": version,
            "form": form,
            "asked": asked,
            "leads": leads,
            "lead": lead,
            "score": score,
            "score_tone": tone_of_grade(score.grade) if score else "",
            "score_title": _("By version %(number)s") % {"number": version.number},
            "now": now,
            "now_tone": tone_of_grade(now.grade) if now else "",
            "is_tried": True,
        }
        return render(request, self.template_name, context)
