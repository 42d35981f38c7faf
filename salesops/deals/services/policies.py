"""Writes selling policies: only drafts change, one at a time is in force, and what was in force stays as it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.http import Http404
from django.utils.translation import gettext as _

from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.deals.choices import GuardEffect, GuardRuleKind, StageKind
from salesops.deals.models import Deal, GuardPolicy, GuardRule
from salesops.deals.rules.guard import Outcome, Verdict, judge, problems_of_rule
from salesops.deals.selectors.guard import offers_of, rule_of, rules_of
from salesops.leads.choices import VersionState
from salesops.values.money import MoneyError, check_currency

#: A dry run looks at deals of so many days, and at no more than so many of them.
DRY_RUN_DAYS: Final = 92
DRY_RUN_MOST: Final = 2_000
#: What each kind of rule is made of, beside its name, effect and message.
FIELDS_OF: Final[dict[str, tuple[str, ...]]] = {
    GuardRuleKind.DISCOUNT: ("segment", "tier", "max_discount_bp"),
    GuardRuleKind.OFFER: ("segment", "least_minor", "most_minor", "currency", "least_months", "most_months"),
    GuardRuleKind.PROMISE: ("segment", "phrases"),
    GuardRuleKind.PRODUCT: ("product", "segment", "employees_from", "employees_to", "countries"),
}
_KEPT: Final = (
    "position",
    "name",
    "kind",
    "effect",
    "message",
    *dict.fromkeys(name for names in FIELDS_OF.values() for name in names),
)


def may_write_policies(actor: Actor) -> bool:
    """Revenue operations and administrators."""
    return actor.has(Role.REVOPS, Role.ADMIN)


@transaction.atomic
def draft_policy(*, actor: Actor, at: datetime, note: str = "") -> GuardPolicy:
    """Begin a draft as a copy of the last policy, or empty where there is none.

    Raises PermissionDenied, ValidationError while there is a draft already.
    """
    _check_may_write(actor)
    rows = GuardPolicy.objects.select_for_update(of=("self",)).order_by("-number")
    last = rows.first()
    if last is not None and rows.filter(state=VersionState.DRAFT).exists():
        raise ValidationError(_("There is a draft already: change that one."), code="draft-exists")
    draft = GuardPolicy(
        number=(last.number if last else 0) + 1, note=note.strip(), created_by_id=actor.user_id, created_at=at
    )
    draft.full_clean()
    draft.save()
    if last is not None:
        rules = list(last.rules.all())
        for rule in rules:
            rule.pk, rule.policy = None, draft
        GuardRule.objects.bulk_create(rules)
    record(actor=actor, action="policy.drafted", subject=draft, after={"number": draft.number}, at=at)
    return draft


@transaction.atomic
def change_policy(*, actor: Actor, policy_id: int, note: str, at: datetime) -> GuardPolicy:
    """What is new in a draft. Raises PermissionDenied, Http404, ValidationError for what is no draft."""
    draft = _locked_draft(actor, policy_id)
    before = {"note": draft.note}
    draft.note = note.strip()
    draft.full_clean()
    draft.save(update_fields=["note"])
    if before["note"] != draft.note:
        record(actor=actor, action="policy.edited", subject=draft, before=before, after={"note": draft.note}, at=at)
    return draft


@transaction.atomic
def discard_policy(*, actor: Actor, policy_id: int, at: datetime) -> None:
    """Throw a draft away. Raises PermissionDenied, Http404, ValidationError for what is no draft."""
    draft = _locked_draft(actor, policy_id)
    record(actor=actor, action="policy.discarded", subject=draft, before={"number": draft.number}, at=at)
    draft.delete()


@transaction.atomic
def activate_policy(*, actor: Actor, policy_id: int, at: datetime) -> GuardPolicy:
    """Put a draft in force: the policy in force retires. Deals are held against the new one when they next change.

    Raises PermissionDenied, Http404, ValidationError with every problem of its rules, without a rule, or for no draft.
    """
    draft = _locked_draft(actor, policy_id)
    rows = list(draft.rules.select_related("segment", "product").order_by("position", "pk"))
    if not rows:
        raise ValidationError(_("There is no rule in it yet: it would allow everything."), code="no-rule")
    problems = [f"{row}: {each.text(_)}" for row in rows for each in problems_of_rule(rule_of(row))]
    if problems:
        raise ValidationError(problems)
    before = GuardPolicy.objects.select_for_update(of=("self",)).filter(state=VersionState.ACTIVE).first()
    if before is not None:
        before.state, before.retired_at = VersionState.RETIRED, at
        before.save(update_fields=["state", "retired_at"])
    draft.state, draft.activated_at, draft.activated_by_id = VersionState.ACTIVE, at, actor.user_id
    draft.save(update_fields=["state", "activated_at", "activated_by"])
    record(
        actor=actor,
        action="policy.activated",
        subject=draft,
        before={"in_force": before.number if before else None},
        after={"in_force": draft.number},
        at=at,
    )
    return draft


@transaction.atomic
def put_guard_rule(
    *,
    actor: Actor,
    policy_id: int,
    kind: str,
    name: str,
    effect: str,
    at: datetime,
    message: str = "",
    rule_id: int | None = None,
    **fields: Any,
) -> GuardRule:
    """Add a rule to a draft, at the end, or change one. What its kind does not need (FIELDS_OF) is left out.

    Raises PermissionDenied, Http404, ValidationError at the field at fault and for what is no draft.
    """
    draft = _locked_draft(actor, policy_id)
    if kind not in GuardRuleKind.values:
        raise ValidationError({"kind": _("There is no such kind of rule.")})
    if effect not in GuardEffect.values:
        raise ValidationError({"effect": _("A rule blocks or escalates.")})
    rows = list(draft.rules.order_by("position", "pk"))
    if rule_id is None:
        row = GuardRule(policy=draft, position=len(rows) + 1)
        before: dict[str, Any] = {}
    else:
        row = _found(rows, rule_id)
        before = state_of(row, names=_KEPT)
    row.kind, row.name, row.effect, row.message = kind, name.strip(), effect, message.strip()
    defaults = {each.name: each.get_default() for each in GuardRule._meta.concrete_fields}
    for column in _KEPT[5:]:
        used = column in FIELDS_OF[kind] and column in fields
        setattr(row, column, fields[column] if used else defaults[column])
    row.tier, row.countries = row.tier.strip(), row.countries.strip()
    row.phrases = "\n".join(line.strip() for line in row.phrases.splitlines() if line.strip())
    try:
        check_currency(row.currency)
    except MoneyError as error:
        raise ValidationError({"currency": str(error)}) from error
    row.full_clean()
    if problems := problems_of_rule(rule_of(row)):
        raise ValidationError(
            {each.where or "__all__": ValidationError(each.text(_), code=each.code) for each in problems}
        )
    row.save()
    old, new = changed(before, state_of(row, names=_KEPT))
    if new:
        action = "policy.rule_edited" if before else "policy.rule_added"
        record(actor=actor, action=action, subject=draft, before=old, after=new, at=at)
    return row


@transaction.atomic
def drop_guard_rule(*, actor: Actor, policy_id: int, rule_id: int, at: datetime) -> None:
    """Take a rule out of a draft; those after it move up. Raises PermissionDenied, Http404, ValidationError."""
    draft = _locked_draft(actor, policy_id)
    rows = list(draft.rules.order_by("position", "pk"))
    row = _found(rows, rule_id)
    before = state_of(row, names=_KEPT)
    row.delete()
    for number, each in enumerate((each for each in rows if each is not row), start=1):
        GuardRule.objects.filter(pk=each.pk).update(position=number)
    record(actor=actor, action="policy.rule_dropped", subject=draft, before=before, at=at)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a policy would say of a deal."""

    deal: Deal
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a policy would say of the deals of a quarter: counts by outcome and by rule, and those it would not allow."""

    count: int
    outcomes: Counter[Outcome]
    by_rule: Counter[str]
    flagged: tuple[Tried, ...]

    @property
    def is_cut(self) -> bool:
        """Whether there were more deals than are looked at."""
        return self.count >= DRY_RUN_MOST


def try_policy(*, policy: GuardPolicy, deal: Deal, at: datetime) -> Verdict:
    """What a policy would say of a deal as it is now. Nothing is written."""
    rules = rules_of(policy)
    return judge(rules, offers_of([deal], rules, day=company_day(at))[deal.pk])


def dry_run_policy(*, actor: Actor, policy: GuardPolicy, at: datetime) -> DryRun:
    """What a policy would say of the deals that were opened or won in the last quarter, as they are now.

    Lost deals are left out. Nothing is written. Raises PermissionDenied.
    """
    _check_may_write(actor)
    since = at - timedelta(days=DRY_RUN_DAYS)
    rows = Deal.objects.exclude(kind=StageKind.LOST).filter(
        Q(created_at__gte=since) | Q(kind=StageKind.WON, closed_on__gte=company_day(since))
    )
    deals = list(rows.select_related("account", "owner", "stage").order_by("-created_at", "-pk")[:DRY_RUN_MOST])
    rules = rules_of(policy)
    offers = offers_of(deals, rules, day=company_day(at))
    tried = [Tried(deal, judge(rules, offers[deal.pk])) for deal in deals]
    return DryRun(
        count=len(tried),
        outcomes=Counter(each.verdict.outcome for each in tried),
        by_rule=Counter(rule for each in tried for rule in {broken.rule for broken in each.verdict.violations}),
        flagged=tuple(each for each in tried if each.verdict.outcome is not Outcome.ALLOW),
    )


def _check_may_write(actor: Actor) -> None:
    if not may_write_policies(actor):
        raise PermissionDenied(_("Only revenue operations and administrators change selling policies."))


def _locked_draft(actor: Actor, policy_id: int) -> GuardPolicy:
    _check_may_write(actor)
    policy = GuardPolicy.objects.select_for_update(of=("self",)).filter(pk=policy_id).first()
    if policy is None:
        raise Http404
    if not policy.is_draft:
        raise ValidationError(_("Only a draft can be changed: begin a new one."), code="no-draft")
    return policy


def _found(rows: list[GuardRule], pk: int) -> GuardRule:
    row = next((row for row in rows if row.pk == pk), None)
    if row is None:
        raise Http404
    return row
