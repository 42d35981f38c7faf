"""Carries out the moves of a reorganisation in the caller's transaction: each through the service of the room it concerns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.accounts.services.bulk import bulk_hand_over
from salesops.accounts.services.bulk import bulk_reassign as reassign_accounts
from salesops.audit.services import change_of, record_many
from salesops.commissions.models import PlanAssignment, PlanVersion
from salesops.commissions.services.plans import set_quota
from salesops.core.actor import Actor
from salesops.core.upserts import UNSET
from salesops.deals.services.bulk import bulk_reassign as reassign_deals
from salesops.leads.models import Pool, PoolMember
from salesops.leads.services.bulk import bulk_assign
from salesops.leads.services.pools import keep_setups
from salesops.people.models import FunctionAssignment, ReportingLine, User
from salesops.people.services.lines import set_function, set_manager
from salesops.pods.models import Pod, PodMembership
from salesops.pods.services import add_member, end_membership, move_member
from salesops.reorganisations.choices import Book
from salesops.reorganisations.models import Move, Reorganisation
from salesops.reorganisations.selectors.books import Books
from salesops.reorganisations.selectors.figures import Touched
from salesops.reorganisations.selectors.snapshots import RowKey, snapshot_of
from salesops.values.periods import PeriodKind, period_of

#: By which periods somebody is paid who is on no plan.
_KIND: Final = PeriodKind.QUARTER


@dataclass(frozen=True, slots=True)
class Change:
    """One row as it was and as it is: `before` is None for a row that was made, `after` for one that was removed."""

    key: RowKey
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What moves changed, and what stands in their way: sentences, each with the person it concerns."""

    changes: tuple[Change, ...]
    problems: tuple[str, ...]


def move_all(*, reorganisation: Reorganisation, books: Books, touched: Touched, actor: Actor, at: datetime) -> Outcome:
    """Carry out every move, as of the day of the reorganisation. The caller takes it all back where there are problems."""
    before = snapshot_of(touched.movers, books)
    problems: list[str] = []
    rows = reorganisation.moves.select_related("person", "to_pod", "manager", "successor").order_by("pk")
    for move in rows:
        for step in _STEPS:
            try:
                with transaction.atomic():
                    step(_Moving(reorganisation, move, books, actor, at))
            except ValidationError as error:
                problems += [f"{move.person}: {message}" for message in error.messages]
            except PermissionDenied as error:
                problems.append(f"{move.person}: {error or _('You may not do that.')}")
    after = snapshot_of(touched.movers, books)
    return Outcome(_changes(before, after), tuple(dict.fromkeys(problems)))


def _changes(before: dict[RowKey, dict[str, Any]], after: dict[RowKey, dict[str, Any]]) -> tuple[Change, ...]:
    keys = sorted(before.keys() | after.keys())
    return tuple(Change(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key))


@dataclass(frozen=True, slots=True)
class _Moving:
    """One move, with what is needed to carry it out."""

    reorganisation: Reorganisation
    move: Move
    books: Books
    actor: Actor
    at: datetime

    @property
    def from_pod(self) -> Pod | None:
        pod = self.books.pods.get(self.move.person_id)
        return Pod.objects.get(pk=pod) if pod is not None else None

    @property
    def reason(self) -> str:
        return str(_("Reorganisation: %(name)s") % {"name": self.reorganisation.name})[:200]

    @property
    def common(self) -> dict[str, Any]:
        return {"actor": self.actor, "at": self.at, "reason": self.reason}

    @property
    def keeps_the_book(self) -> bool:
        """Whether they stay in their pod, with what they hold."""
        return self.move.to_pod_id == self.books.pods.get(self.move.person_id) and self.move.successor is None

    def receiver(self, book: str) -> dict[str, Any]:
        """To whom a part of the book goes: the pod it goes along to, or who takes over in the pod it stays in."""
        if book == Book.ALONG:
            return {} if self.move.to_pod is None else {"pod": self.move.to_pod}
        return {"owner": self._successor(), "pod": self.from_pod or UNSET}

    def _successor(self) -> User:
        if self.move.successor is None:
            raise ValidationError(_("Choose who takes over what stays."))
        return self.move.successor


def _membership(step: _Moving) -> None:
    move, day = step.move, step.reorganisation.effective_on
    held = PodMembership.objects.on(day).filter(person=move.person_id).first()
    if move.to_pod is None:
        if held is not None:
            end_membership(membership_id=held.pk, end_on=day, **step.common)
        return
    if held is None:
        functions = FunctionAssignment.objects.on(day).filter(person=move.person_id)
        function = move.function or functions.values_list("function", flat=True).first()
        if not function:
            raise ValidationError(_("Choose the function in the new pod: there is none on that day."))
        add_member(pod_id=move.to_pod.pk, person_id=move.person_id, function=function, start_on=day, **step.common)
    elif (held.pod_id, held.function) != (move.to_pod.pk, move.function or held.function):
        move_member(
            person_id=move.person_id,
            to_pod_id=move.to_pod.pk,
            day=day,
            function=move.function or None,
            **step.common,
        )


def _function(step: _Moving) -> None:
    move, day = step.move, step.reorganisation.effective_on
    held = FunctionAssignment.objects.on(day).filter(person=move.person_id).values_list("function", flat=True).first()
    if move.function and move.function != held:
        set_function(person=move.person, function=move.function, start_on=day, **step.common)


def _manager(step: _Moving) -> None:
    move, day = step.move, step.reorganisation.effective_on
    held = ReportingLine.objects.on(day).filter(person=move.person_id).values_list("manager_id", flat=True).first()
    if move.manager is not None and move.manager_id != held:
        set_manager(person=move.person, manager=move.manager, start_on=day, **step.common)


def _accounts(step: _Moving) -> None:
    move, day = step.move, step.reorganisation.effective_on
    held, to = step.books.accounts.get(move.person_id, []), None
    if step.keeps_the_book:
        return
    if held:
        to = step.receiver(move.accounts)
    if to:
        _refuse(
            [row.problem for row in reassign_accounts(account_ids=held, day=day, **to, **step.common) if row.problem]
        )
    if move.accounts == Book.ALONG:
        return
    for (person, function), accounts in step.books.responsible.items():
        if person == move.person_id:
            successor = step.receiver(move.accounts)["owner"]
            refused = bulk_hand_over(account_ids=accounts, function=function, person=successor, day=day, **step.common)
            _refuse(list(refused.values()))


def _refuse(problems: list[str]) -> None:
    """The first of the problems, and how many there are besides."""
    if len(problems) == 1:
        raise ValidationError(problems[0])
    if problems:
        raise ValidationError(
            _("%(problem)s And %(count)s more like this."), params={"problem": problems[0], "count": len(problems) - 1}
        )


def _deals(step: _Moving) -> None:
    move = step.move
    held = [pk for pk in step.books.deals.get(move.person_id, []) if pk not in step.books.protected]
    to = step.receiver(move.deals) if held and not step.keeps_the_book else None
    if to:
        plan = reassign_deals(deal_ids=held, **to, **step.common)
        _refuse([problem.text(_) for row in plan.refused_rows for problem in row.problems])


def _leads(step: _Moving) -> None:
    held = step.books.leads.get(step.move.person_id, [])
    to = step.receiver(step.move.leads) if held and not step.keeps_the_book else None
    if to:
        _refuse([row.problem for row in bulk_assign(lead_ids=held, **to, **step.common) if row.problem])


def _pools(step: _Moving) -> None:
    """Who took leads in turn in the pod that they leave does so in the one they join: at the place and with the weight they
    had there before, if they were there. Who took none takes none."""
    move, left = step.move, step.books.pods.get(step.move.person_id)
    if not move.swaps_pools or move.to_pod_id == left:
        return
    if not PoolMember.objects.filter(person=move.person_id, is_in=True, pool__pod=left, pool__is_active=True).exists():
        return
    rows = []
    pools = Pool.objects.select_for_update(of=("self",)).filter(is_active=True).order_by("pk")
    for pool in pools.filter(pod__in=[pk for pk in (left, move.to_pod_id) if pk]):
        is_in = pool.pod_id == move.to_pod_id
        member = PoolMember.objects.filter(pool=pool, person=move.person_id).first()
        if (member is None and not is_in) or (member is not None and member.is_in == is_in):
            continue
        before = {"is_in": member.is_in if member else False}
        if member is None:
            PoolMember.objects.create(pool=pool, person=move.person)
        else:
            member.is_in = is_in
            member.save(update_fields=["is_in"])
        rows.append(
            change_of(
                pool,
                action="pool.member_added" if is_in else "pool.member_ended",
                before=before,
                after={"is_in": is_in, "person": move.person_id},
                reason=step.reason,
            )
        )
    if rows:
        keep_setups(pools=[int(row.subject_id) for row in rows], actor=step.actor, at=step.at)
        record_many(actor=step.actor, changes=rows, at=step.at)


def _quota(step: _Moving) -> None:
    move, day = step.move, step.reorganisation.effective_on
    if move.quota_minor is None:
        return
    set_quota(
        actor=step.actor,
        person_id=move.person_id,
        period=period_of(day, kind_of_pay(move.person_id, step.reorganisation)),
        amount_minor=move.quota_minor,
        currency=move.currency,
        at=step.at,
    )


def kind_of_pay(person: int, reorganisation: Reorganisation) -> PeriodKind:
    """By which periods somebody is paid on the day: that of their plan, quarters where they are on none."""
    day = reorganisation.effective_on
    plans = PlanAssignment.objects.on(day).filter(person=person).values("plan")
    versions = PlanVersion.objects.filter(plan__in=plans, state="active", start_on__lte=day).order_by("-start_on", "pk")
    found = versions.values_list("period_kind", flat=True).first()
    return PeriodKind(found) if found else _KIND


#: In this order: what is given to the new pod needs no membership, but who looks at the audit reads it as it happened.
_STEPS: Final[tuple[Callable[[_Moving], None], ...]] = (
    _membership,
    _function,
    _manager,
    _accounts,
    _deals,
    _leads,
    _pools,
    _quota,
)
