"""Selling policies: the versions, one of them in words, tried on the deals of a quarter or on one deal, put in force."""

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
from salesops.deals.choices import GuardOutcome, GuardRuleKind
from salesops.deals.guard_forms import GuardRuleForm, PolicyForm, TryPolicyForm, rule_initial
from salesops.deals.guard_tables import OUTCOME_TONES, STATE_TONES, PolicyTable
from salesops.deals.models import GuardPolicy, GuardRule
from salesops.deals.rules.guard import Outcome
from salesops.deals.selectors.guard import (
    READERS,
    deals_like,
    in_words,
    policies_for,
    policy_for,
    violations_in_words,
)
from salesops.deals.selectors.policies import rules_in_words
from salesops.deals.services.policies import (
    DRY_RUN_DAYS,
    DRY_RUN_MOST,
    activate_policy,
    change_policy,
    discard_policy,
    draft_policy,
    drop_guard_rule,
    dry_run_policy,
    may_write_policies,
    put_guard_rule,
    try_policy,
)
from salesops.leads.choices import VersionState

#: Who writes selling policies.
WRITERS = (Role.REVOPS, Role.ADMIN)
#: Flagged deals that a dry run names.
NAMED = 50


def page_of_policy(policy: GuardPolicy) -> str:
    """The page of a policy."""
    return reverse("deals:policy_detail", kwargs={"pk": policy.pk})


class PolicyListView(ScopedListView):
    """All versions, the newest first."""

    roles = READERS
    selector = policies_for
    table_class, filterset_class = PolicyTable, PortalFilterSet
    title = gettext_lazy("Selling policies")
    template_name = "deals/policy_list.html"
    create_url, create_label = "deals:policy_create", gettext_lazy("New version")
    empty = Empty(
        gettext_lazy("No selling policy yet"),
        gettext_lazy("It says what may be offered to whom. Until one is in force every offer is allowed."),
        "shield-check",
    )

    def may_create(self) -> bool:
        """Who writes them."""
        return may_write_policies(self.actor)

    def get_context(self) -> dict[str, Any]:
        """Which of the pages of the guard this is."""
        return {"here": "policies"}


class PolicyCreateView(ScopedCreateView):
    """A new draft: a copy of the last version."""

    roles = WRITERS
    form_class, back_url = PolicyForm, "deals:policy_list"
    title = gettext_lazy("New version of the selling policy")
    lead = gettext_lazy("It begins as a copy of the last one. Nothing changes for deals until you put it in force.")
    submit_label = gettext_lazy("Begin")

    def save(self, form: PolicyForm) -> str:
        """Begin it."""
        return page_of_policy(draft_policy(actor=self.actor, at=self.now, note=form.values["note"]))


class PolicyDetailView(ScopedDetailView):
    """A version in words, and what may be done with it."""

    roles = READERS
    selector = policy_for
    template_name = "deals/policy_detail.html"

    def get_context(self) -> dict[str, Any]:
        """Its rules in their order."""
        policy: GuardPolicy = self.object
        return {
            "title": _("Selling policy, version %(number)s") % {"number": policy.number},
            "policy": policy,
            "tone": STATE_TONES[VersionState(policy.state)],
            "rules": rules_in_words(policy),
            "kinds": GuardRuleKind.choices,
            "may_change": may_write_policies(self.actor) and policy.is_draft,
            "may_try": may_write_policies(self.actor),
            "form": TryPolicyForm(),
        }


class _OfPolicy(ScopedEditView):
    """A form about a policy or a part of it: back to the policy in the end."""

    roles = WRITERS
    selector = policy_for
    template_name = "core/form_page.html"

    def get_back_url(self) -> str:
        """The policy."""
        return page_of_policy(self.object)

    def get_success_url(self, result: Any) -> str:
        """The policy, or the address given."""
        return result if isinstance(result, str) else page_of_policy(self.object)


class PolicyEditView(_OfPolicy):
    """What is new in a draft."""

    form_class, title = PolicyForm, gettext_lazy("Edit the draft")
    success_message = gettext_lazy("Saved.")

    def get_initial(self) -> dict[str, Any]:
        """As it is."""
        return {"note": self.object.note}

    def save(self, form: PolicyForm) -> GuardPolicy:
        """Change it."""
        return change_policy(actor=self.actor, policy_id=self.object.pk, at=self.now, **form.values)


class PolicyActivateView(_OfPolicy, ConfirmView):
    """Put a draft in force."""

    is_danger = False
    title, submit_label = gettext_lazy("Put this policy in force"), gettext_lazy("Put in force")
    lead = gettext_lazy("The policy in force now retires. Deals are held against the new one when they next change.")
    success_message = gettext_lazy("This policy is in force.")

    def save(self, form: Any) -> GuardPolicy:
        """Put it in force."""
        return activate_policy(actor=self.actor, policy_id=self.object.pk, at=self.now)


class PolicyDiscardView(_OfPolicy, ConfirmView):
    """Throw a draft away."""

    title, submit_label = gettext_lazy("Throw this draft away"), gettext_lazy("Throw away")
    success_message = gettext_lazy("Thrown away.")

    def save(self, form: Any) -> str:
        """Throw it away."""
        discard_policy(actor=self.actor, policy_id=self.object.pk, at=self.now)
        return reverse("deals:policy_list")


# --- Rules of a draft -----------------------------------------------------------------------------------------------


class GuardRuleCreateView(_OfPolicy):
    """A new rule of a draft, of the kind in the address (`?kind=discount`)."""

    form_class = GuardRuleForm
    success_message = gettext_lazy("Saved the rule.")

    @cached_property
    def row(self) -> GuardRule | None:
        """The rule of the address; 404 when it is not of this policy."""
        pk = self.kwargs.get("rule")
        if pk is None:
            return None
        row: GuardRule | None = self.object.rules.filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    @property
    def kind(self) -> str:
        """What the rule looks at."""
        if self.row is not None:
            return self.row.kind
        asked = self.request.GET.get("kind", GuardRuleKind.DISCOUNT.value)
        return asked if asked in GuardRuleKind.values else GuardRuleKind.DISCOUNT.value

    def get_title(self) -> str:
        """What the rule looks at."""
        return str(GuardRuleKind(self.kind).label)

    def get_initial(self) -> dict[str, Any]:
        """As it is."""
        return rule_initial(self.row) if self.row else {}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form asks only what the kind is made of."""
        return super().get_form_kwargs() | {"kind": self.kind}

    def save(self, form: GuardRuleForm) -> GuardPolicy:
        """Keep it."""
        rule_id = self.row.pk if self.row else None
        put_guard_rule(
            actor=self.actor, policy_id=self.object.pk, rule_id=rule_id, kind=self.kind, at=self.now, **form.values
        )
        policy: GuardPolicy = self.object
        return policy


class GuardRuleEditView(GuardRuleCreateView):
    """A rule of a draft."""


class GuardRuleDropView(_OfPolicy, ConfirmView):
    """Take a rule out of a draft."""

    title, submit_label = gettext_lazy("Take this rule out"), gettext_lazy("Take out")
    success_message = gettext_lazy("Taken out.")

    def save(self, form: Any) -> GuardPolicy:
        """Take it out."""
        drop_guard_rule(actor=self.actor, policy_id=self.object.pk, rule_id=self.kwargs["rule"], at=self.now)
        policy: GuardPolicy = self.object
        return policy


# --- Tried ----------------------------------------------------------------------------------------------------------


class PolicyDryRunView(ScopedDetailView):
    """What a policy would say of the deals of the last quarter."""

    roles = WRITERS
    selector = policy_for
    template_name = "deals/policy_dry_run.html"

    def get_context(self) -> dict[str, Any]:
        """How many would be allowed, refused and asked about, by which rules, and which."""
        policy: GuardPolicy = self.object
        run = dry_run_policy(actor=self.actor, policy=policy, at=self.now)
        outcomes = [
            (outcome.label, OUTCOME_TONES[outcome], run.outcomes[Outcome(outcome.value)])
            for outcome in (GuardOutcome.ALLOW, GuardOutcome.ESCALATE, GuardOutcome.BLOCK)
        ]
        return {
            "title": _("Version %(number)s on the deals of the last quarter") % {"number": policy.number},
            "policy": policy,
            "days": DRY_RUN_DAYS,
            "most": DRY_RUN_MOST,
            "run": run,
            "outcomes": outcomes,
            "by_rule": run.by_rule.most_common(),
            "flagged": [
                (
                    each.deal,
                    GuardOutcome(each.verdict.outcome.value).label,
                    OUTCOME_TONES[GuardOutcome(each.verdict.outcome.value)],
                    violations_in_words(each.verdict.violations, None),
                )
                for each in run.flagged[:NAMED]
            ],
            "more": max(0, len(run.flagged) - NAMED),
        }


class PolicyTryView(PortalView):
    """A policy tried on a deal as it is now. Nothing is written."""

    roles = READERS
    template_name = "deals/policy_try.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Deals that fit what was typed; what the policy says where it is one."""
        policy = policy_for(self.actor, pk)
        form = TryPolicyForm(request.GET)
        asked = form.cleaned_data["deal"].strip() if form.is_valid() else ""
        deals = deals_like(self.actor, asked)
        deal = deals[0] if len(deals) == 1 else None
        verdict = try_policy(policy=policy, deal=deal, at=self.now) if deal is not None else None
        outcome = GuardOutcome(verdict.outcome.value) if verdict else None
        context = {
            "title": _("Try version %(number)s on a deal") % {"number": policy.number},
            "policy": policy,
            "form": form,
            "asked": asked,
            "deals": deals,
            "deal": deal,
            "outcome": outcome.label if outcome else "",
            "tone": OUTCOME_TONES[outcome] if outcome else "",
            "reasons": [(each.rule, in_words(each)) for each in verdict.violations] if verdict else [],
        }
        return render(request, self.template_name, context)
