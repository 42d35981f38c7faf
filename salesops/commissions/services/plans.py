"""Writes plans: drafts, putting a version in force, people on plans, quotas."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from salesops.audit.services import record, state_of
from salesops.commissions.choices import TransactionKind, VersionState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Acknowledgement, Plan, PlanAssignment, PlanVersion, Quota
from salesops.commissions.rules.conventions import CreditDay
from salesops.commissions.rules.engine import wants_of
from salesops.commissions.rules.examples import activation_problems
from salesops.commissions.rules.fields import OF_THE_PORTAL
from salesops.commissions.rules.plans import PlanDefinition, plan_digest, plan_from_plain
from salesops.commissions.selectors.plans import to_acknowledge
from salesops.core import display
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.deals.models import Stage
from salesops.values import formulas
from salesops.values.outcomes import Problem, gettext_noop
from salesops.values.periods import Period


def _designer(actor: Actor) -> None:
    if not actor.has(Role.REVOPS, Role.ADMIN):
        raise NotAllowedError(_("Only revenue operations writes plans."))


def _refuse(problems: list[Any]) -> None:
    """Turn problems of a definition into one refusal that names each."""
    if problems:
        raise CommissionRefusedError(
            [f"{problem.where}: {problem.text(_)} {problem.remedy_text(_)}".strip(": ") for problem in problems]
        )


def kinds_that_never_come(plan: PlanDefinition) -> list[Problem]:
    """The kinds of transactions that a plan counts and the portal does not know: they would never come."""
    return [
        Problem.of(
            "kind-unknown",
            gettext_noop("%(kind)s is no kind of transaction of the portal."),
            where=f"{component.key}.counts",
            remedy=gettext_noop("Known are: %(known)s."),
            kind=kind,
            known=", ".join(TransactionKind.values),
        )
        for component in plan.components
        for kind in component.counts
        if kind not in TransactionKind.values
    ]


def conditions_that_cannot_be_read(plan: PlanDefinition) -> list[Problem]:
    """What is wrong with the formulas of a plan, by component: words that no booking of the portal has, for one."""
    return [
        replace(problem, where=f"{component.key}.{name}")
        for component in plan.components
        for name, text, wants in (
            ("when", component.when, formulas.Kind.BOOLEAN),
            ("amount", component.amount, wants_of(component)),
        )
        if text
        for problem in formulas.check(text, OF_THE_PORTAL, wants).problems
    ]


def stage_that_is_missing(plan: PlanDefinition) -> list[Problem]:
    """A plan that credits as of a stage, while no stage is marked as the one that decides."""
    if plan.conventions.credit_day is not CreditDay.STAGE or Stage.objects.filter(decides_credit=True).exists():
        return []
    return [
        Problem.of(
            "no-stage-decides",
            gettext_noop("The plan credits whoever had the deal at the stage that decides, but no stage is marked so."),
            where="conventions.credit_day",
            remedy=gettext_noop("Have an administrator mark a stage, or choose another day of crediting."),
        )
    ]


@transaction.atomic
def create_plan(*, actor: Actor, name: str, description: str = "", at: datetime) -> Plan:
    """A plan without a version yet."""
    _designer(actor)
    if Plan.objects.filter(name__iexact=name.strip()).exists():
        raise CommissionRefusedError(_("There is a plan called %(name)s already.") % {"name": name.strip()})
    plan = Plan.objects.create(name=name.strip(), description=description, created_at=at)
    record(actor=actor, action="plan.created", subject=plan, after={"name": plan.name}, at=at)
    return plan


@transaction.atomic
def save_draft(
    *,
    actor: Actor,
    plan: Plan,
    definition: dict[str, Any],
    start_on: date,
    at: datetime,
    version: PlanVersion | None = None,
    seen_digest: str | None = None,
) -> PlanVersion:
    """Write a new draft of a plan, or change one. The definition must be readable; whether it may be put in force is
    asked when somebody tries. Raises CommissionRefusedError, also for a version that is no draft.

    seen_digest: the digest of the draft that was changed; another one means that somebody saved in between (code "stale").
    """
    _designer(actor)
    outcome = plan_from_plain(definition)
    if outcome.value is None:
        _refuse(list(outcome.problems))
    parsed = outcome.unwrap()
    _refuse(conditions_that_cannot_be_read(parsed))
    if version is None:
        number = (PlanVersion.objects.filter(plan=plan).aggregate(last=Max("number"))["last"] or 0) + 1
        version = PlanVersion(plan=plan, number=number, created_by_id=actor.user_id, created_at=at)
        before: dict[str, Any] = {}
    else:
        version = PlanVersion.objects.select_for_update().get(pk=version.pk)
        if version.state != VersionState.DRAFT:
            raise CommissionRefusedError(_("A version in force cannot be changed. Write a new draft from it."))
        if seen_digest is not None and seen_digest != version.digest:
            raise CommissionRefusedError(
                _("Somebody changed this draft in the meantime. Open it again and repeat your change."), code="stale"
            )
        before = {"digest": version.digest, "start_on": version.start_on}
        version.created_by_id = actor.user_id  # whoever changed it last may not put it in force
    version.definition = definition
    version.digest = plan_digest(parsed)
    version.currency, version.time_zone, version.period_kind = (
        parsed.currency,
        parsed.time_zone,
        parsed.period_kind.value,
    )
    version.start_on = start_on
    version.save()
    record(
        actor=actor,
        action="plan.drafted",
        subject=version,
        before=before,
        after={"digest": version.digest, "start_on": start_on},
        at=at,
    )
    return version


@transaction.atomic
def discard_draft(*, actor: Actor, version: PlanVersion, at: datetime) -> Plan:
    """Throw a draft away; the audit keeps what its digest was. Returns the plan, which stays.

    Raises CommissionRefusedError for a version that is, or was, in force.
    """
    _designer(actor)
    version = PlanVersion.objects.select_for_update().select_related("plan").get(pk=version.pk)
    if version.state != VersionState.DRAFT:
        raise CommissionRefusedError(_("This version is no draft any more."))
    before = {"number": version.number, "digest": version.digest, "start_on": version.start_on}
    record(actor=actor, action="plan.draft_discarded", subject=version, before=before, at=at)
    version.delete()
    return version.plan


@transaction.atomic
def activate_version(*, actor: Actor, version: PlanVersion, at: datetime) -> PlanVersion:
    """Put a draft in force from its first day; the version before it ends there. By finance or revops, never by its writer.

    Raises CommissionRefusedError when the plan cannot be calculated or one of its examples fails, NotAllowedError for
    the writer.
    """
    if not actor.has(Role.FINANCE, Role.REVOPS):
        raise NotAllowedError(_("Only finance or revenue operations puts a plan in force."))
    version = PlanVersion.objects.select_for_update().get(pk=version.pk)
    if version.state != VersionState.DRAFT:
        raise CommissionRefusedError(_("This version is no draft any more."))
    if version.created_by_id is not None and version.created_by_id == actor.user_id:
        raise NotAllowedError(_("You wrote this version: somebody else must put it in force."))
    plan = plan_from_plain(version.definition).unwrap()
    _refuse(list(activation_problems(plan)))
    _refuse(kinds_that_never_come(plan))
    _refuse(stage_that_is_missing(plan))
    _refuse(conditions_that_cannot_be_read(plan))
    same = PlanVersion.objects.select_for_update().filter(plan=version.plan, state=VersionState.ACTIVE)
    running = same.filter(Q(end_on__isnull=True) | Q(end_on__gt=version.start_on))
    for other in running:
        if other.start_on >= version.start_on:
            raise CommissionRefusedError(
                _("Version %(number)s is in force from %(day)s. Choose a later first day.")
                % {"number": other.number, "day": other.start_on}
            )
        PlanVersion.objects.filter(pk=other.pk).update(end_on=version.start_on)
    version.state = VersionState.ACTIVE
    version.activated_by_id, version.activated_at = actor.user_id, at
    version.save()
    record(
        actor=actor,
        action="plan.put_in_force",
        subject=version,
        before={"state": VersionState.DRAFT},
        after={"state": VersionState.ACTIVE, "digest": version.digest},
        at=at,
    )
    return version


@transaction.atomic
def acknowledge_version(*, actor: Actor, version: PlanVersion, at: datetime) -> Acknowledgement:
    """Keep that the actor has read a version in force of a plan they are on, with the digest of what they saw; once.

    Raises CommissionRefusedError for a draft, a version that is over, or somebody who is not on the plan.
    """
    found = Acknowledgement.objects.filter(plan_version=version, person_id=actor.user_id).first()
    if found:
        return found
    if all(each.pk != version.pk for each in to_acknowledge(actor, company_day(at))):
        raise CommissionRefusedError(_("Only people on the plan acknowledge it, while the version is in force."))
    row, is_new = Acknowledgement.objects.get_or_create(
        plan_version=version,
        person_id=actor.user_id,
        defaults={"digest": version.digest, "acknowledged_at": at},
    )
    if is_new:
        record(actor=actor, action="plan.acknowledged", subject=version, after={"digest": version.digest}, at=at)
    return row


@transaction.atomic
def assign_to_plan(
    *,
    actor: Actor,
    plan: Plan,
    person_id: int,
    start_on: date,
    end_on: date | None = None,
    rate: Decimal | None = None,
    target_pay_minor: int | None = None,
    currency: str,
    at: datetime,
) -> PlanAssignment:
    """Put a person on a plan from a day. What they were on this plan before ends the day before.

    Raises CommissionRefusedError when a later assignment stands in the way or the rate is out of bounds (0 to 10).
    """
    _designer(actor)
    if rate is not None and not 0 <= rate <= 10:
        raise CommissionRefusedError(_("A personal rate is a share between 0 and 10; 0.012 is 1.2 %."))
    earlier = PlanAssignment.objects.filter(plan=plan, person_id=person_id, start_on__lt=start_on)
    earlier.filter(Q(end_on__isnull=True) | Q(end_on__gt=start_on)).update(end_on=start_on)
    try:
        with transaction.atomic():
            row = PlanAssignment.objects.create(
                plan=plan,
                person_id=person_id,
                start_on=start_on,
                end_on=end_on,
                rate=rate,
                target_pay_minor=target_pay_minor,
                currency=currency,
            )
    except IntegrityError as error:
        raise CommissionRefusedError(_("This person is on the plan for some of these days already.")) from error
    record(actor=actor, action="plan.person_assigned", subject=row, after=state_of(row), at=at)
    return row


@transaction.atomic
def take_off_plan(*, actor: Actor, plan: Plan, person_id: int, end_on: date, at: datetime) -> list[PlanAssignment]:
    """End a person's time on a plan; `end_on` is the first day on which they are on it no more.

    What would have begun on that day or later never begins, and its row goes; the audit keeps it. What a locked period
    had paid from that day on comes back as a late change. Returns what was ended. Raises CommissionRefusedError when the
    person is not on the plan on that day or later.
    """
    _designer(actor)
    held = PlanAssignment.objects.select_for_update().filter(plan=plan, person_id=person_id)
    rows = list(held.filter(Q(end_on__isnull=True) | Q(end_on__gt=end_on)).order_by("start_on"))
    if not rows:
        raise CommissionRefusedError(
            {"person": _("This person is not on the plan on %(day)s or later.") % {"day": display.day(end_on)}}
        )
    for row in rows:
        before = state_of(row)
        if row.start_on < end_on:
            row.end_on = end_on
            row.save(update_fields=["end_on"])
            record(actor=actor, action="plan.person_taken_off", subject=row, before=before, after=state_of(row), at=at)
        else:
            record(actor=actor, action="plan.person_taken_off", subject=row, before=before, after={}, at=at)
            row.delete()
    return rows


@transaction.atomic
def set_quota(
    *,
    actor: Actor,
    person_id: int,
    period: Period,
    amount_minor: int,
    currency: str,
    at: datetime,
    measure: str = "bookings",
) -> Quota:
    """Set what a person is to reach in a period; the same amount again changes nothing.

    amount_minor: minor units of `currency` or, for a quota of things (`selectors.plans.quota_names`), their number.
    """
    if not actor.has(Role.REVOPS, Role.ADMIN, Role.MANAGER):
        raise NotAllowedError(_("Only revenue operations and managers set quotas."))
    if not actor.has(Role.REVOPS, Role.ADMIN) and person_id not in actor.tree_ids:
        raise NotAllowedError(_("Managers set quotas of their own people."))
    if amount_minor < 0:
        raise CommissionRefusedError(_("A quota cannot be negative."))
    row = Quota.objects.filter(person_id=person_id, measure=measure, start_on=period.start, end_on=period.end).first()
    before = state_of(row) if row else {}
    if row is None:
        row = Quota(person_id=person_id, measure=measure, start_on=period.start, end_on=period.end)
    elif (row.amount_minor, row.currency) == (amount_minor, currency):
        return row
    row.amount_minor, row.currency = amount_minor, currency
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise CommissionRefusedError(
            _("There is a quota for other days that overlaps %(period)s.") % {"period": period.label}
        ) from error
    record(actor=actor, action="quota.set", subject=row, before=before, after=state_of(row), at=at)
    return row
