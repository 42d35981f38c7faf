"""Undoes a reorganisation: every row that it changed is as it was before, as if nobody had moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from salesops.accounts.models import Account, AccountOwnership
from salesops.audit.rules.chain import plain
from salesops.audit.services import Change, record, record_many
from salesops.commissions.models import Quota
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, DealOwnership, DealSplit
from salesops.leads.choices import WORK_STATUSES
from salesops.leads.models import Lead, PoolMember, Turn
from salesops.leads.services.bulk import bulk_assign
from salesops.leads.services.pools import keep_setups
from salesops.people.models import FunctionAssignment, ReportingLine, User
from salesops.people.rules.lines import Line, first_circle
from salesops.people.selectors import active_on
from salesops.pods.models import Pod, PodMembership
from salesops.reorganisations.choices import ReorganisationState
from salesops.reorganisations.models import Reorganisation, ReorganisationChange
from salesops.reorganisations.selectors.snapshots import COLUMNS, KINDS
from salesops.reorganisations.services.carrying import tell_whom_it_touches
from salesops.reorganisations.services.drafts import check_may_arrange, locked

#: So many rows in the way are named.
_NAMED: Final = 10
#: Models of which one row holds at a time, for each value of these columns.
_ONE_AT_A_TIME: Final[Mapping[type[models.Model], tuple[str, ...]]] = {
    PodMembership: ("person_id",),
    FunctionAssignment: ("person_id",),
    ReportingLine: ("person_id",),
    AccountOwnership: ("account_id", "function"),
    DealOwnership: ("deal_id",),
    Quota: ("person_id", "measure"),
}
#: What belongs to an owner and a pod.
_HELD: Final = (Account, Deal, Lead)
Key = tuple[str, int]


@dataclass(slots=True)
class _Group:
    """Rows that go back together or not at all: an account with its owners in time, a person's memberships, one deal.

    why: what stands in the way, as a sentence; empty where nothing does.
    """

    changes: list[ReorganisationChange] = field(default_factory=list)
    why: str = ""


@transaction.atomic
def undo(
    *, actor: Actor, reorganisation_id: int, at: datetime, reason: str, leaves_changed: bool = False
) -> Reorganisation:
    """Put back every row that it changed, remove those it made, make those it removed.

    leaves_changed: what somebody has changed since, or what cannot go back (its owner has left, its pod is closed, its
    deal was won), stays as it is now; without it that stands in the way and is named. Periods that were locked meanwhile
    stay as they are: what they would pay otherwise comes as adjustments. Raises PermissionDenied, Http404,
    ValidationError.
    """
    check_may_arrange(actor)
    row = locked(actor, reorganisation_id)
    if row.state != ReorganisationState.DONE:
        raise ValidationError(_("Only what was carried out can be undone."))
    if not reason.strip():
        raise ValidationError({"reason": _("Say why it is undone.")})
    groups = _grouped(row.changes.order_by("pk"))
    _find_what_stands_in_the_way(groups, company_day(at))
    in_the_way = [group for group in groups if group.why]
    if in_the_way and not leaves_changed:
        names = "; ".join(f"{group.changes[0].label} ({group.why})" for group in in_the_way[:_NAMED])
        raise ValidationError(
            _(
                "This cannot go back as it is: %(names)s. %(count)s in all. Tick “leave alone what was changed since” to "
                "undo the rest."
            ),
            params={"names": names, "count": len(in_the_way)},
        )
    going = [change for group in groups if not group.why for change in group.changes]
    left = sum(len(group.changes) for group in in_the_way)
    try:
        with transaction.atomic():
            _put_back(going, row, actor, at, reason)
    except IntegrityError as error:
        raise ValidationError(_("Somebody has just changed something that it concerns. Try again.")) from error
    row.state, row.undone_at = ReorganisationState.UNDONE, at
    row.save(update_fields=["state", "undone_at"])
    tell_whom_it_touches(row, at, is_undone=True)
    record(
        actor=actor,
        action="reorganisation.undone",
        subject=row,
        before={"state": ReorganisationState.DONE},
        after={"state": row.state, "put_back": len(going), "left_alone": left},
        reason=reason,
        at=at,
    )
    return row


# --- What stands in the way ---------------------------------------------------------------------------------------


def _grouped(changes: Iterable[ReorganisationChange]) -> list[_Group]:
    """The changes by what has to go back together, in their order."""
    groups: dict[tuple[Any, ...], _Group] = defaultdict(_Group)
    for change in changes:
        model, columns = KINDS[change.kind], change.after or change.before or {}
        key: tuple[Any, ...] = (change.kind, change.object_id)
        if model is Account:
            key = ("account", change.object_id)
        elif model is AccountOwnership:
            key = ("account", columns["account_id"])
        elif model is Deal:
            key = ("deal", change.object_id)
        elif model in (DealOwnership, DealSplit):
            key = ("deal", columns["deal_id"])
        elif "person_id" in columns:
            key = (change.kind, columns["person_id"])
        groups[key].changes.append(change)
    return list(groups.values())


def _find_what_stands_in_the_way(groups: Sequence[_Group], today: date) -> None:
    """Say of each group what keeps it from going back, the rows locked."""
    changes = [change for group in groups for change in group.changes]
    now = _as_they_are(changes)
    before = [change.before for change in changes if change.before]
    owners = {columns["owner_id"] for columns in before if columns.get("owner_id")}
    pods = {columns["pod_id"] for columns in before if columns.get("pod_id")}
    gone = owners - set(User.objects.filter(active_on(today), pk__in=owners).values_list("pk", flat=True))
    closed = set(Pod.objects.filter(pk__in=pods, closed_on__isnull=False).values_list("pk", flat=True))
    strangers, circles = _strangers(changes), _circles(changes)
    for group in groups:
        for change in group.changes:
            if not group.why:
                found = _why_not(change, now.get((change.kind, change.object_id)), gone, closed, strangers)
                group.why = found or circles.get(_key_of(change), "")


def _why_not(
    change: ReorganisationChange,
    now: dict[str, Any] | None,
    gone: set[int],
    closed: set[int],
    strangers: Mapping[Key, list[tuple[date, date]]],
) -> str:
    if now != change.after:
        return _("changed since")
    before, model = change.before, KINDS[change.kind]
    if before is None:
        return ""
    if model in _HELD and before["owner_id"] in gone:
        return _("its owner has left")
    if model in (*_HELD, PodMembership) and before["pod_id"] in closed:
        return _("its pod is closed")
    if model in _ONE_AT_A_TIME:
        start, end = _range(before)
        if any(start < other_end and other_start < end for other_start, other_end in strangers[_key_of(change)]):
            return _("something else holds on those days now")
    return ""


def _circles(changes: Sequence[ReorganisationChange]) -> dict[Key, str]:
    """The reporting lines that would close a circle, with the lines as they would be when all of them are back."""
    ours = [change for change in changes if KINDS[change.kind] is ReportingLine]
    if not ours:
        return {}
    staying = ReportingLine.objects.exclude(pk__in=[change.object_id for change in ours])
    lines = [Line(*row) for row in staying.values_list("person_id", "manager_id", "start_on", "end_on")]
    back = {_key_of(change): _line(change.before) for change in ours if change.before}
    lines += back.values()
    found = {key: circle for key, line in back.items() if (circle := first_circle(lines, line))}
    people = {person for circle in found.values() for person in circle.people}
    names = dict(User.objects.filter(pk__in=people).values_list("pk", "name")) if people else {}
    return {
        key: _("that closes a circle on %(day)s: %(people)s")
        % {"day": circle.on.isoformat(), "people": " → ".join(names[person] for person in circle.people)}
        for key, circle in found.items()
    }


def _line(columns: Mapping[str, Any]) -> Line:
    start, end = _range(columns)
    return Line(columns["person_id"], columns["manager_id"], start, None if end == date.max else end)


def _as_they_are(changes: Sequence[ReorganisationChange]) -> dict[Key, dict[str, Any]]:
    """The rows as they are now, locked; what is no longer worked on, a lead or a deal, counts as changed."""
    found: dict[Key, dict[str, Any]] = {}
    for kind, model in KINDS.items():
        keys = [change.object_id for change in changes if change.kind == kind]
        rows = model._default_manager.filter(pk__in=keys).order_by("pk").select_for_update(of=("self",))
        if model is Lead:
            rows = rows.filter(status__in=WORK_STATUSES)
        elif model is Deal:
            rows = rows.filter(kind=StageKind.OPEN)
        for values in rows.values("pk", *COLUMNS[model]):
            key = values.pop("pk")
            found[kind, key] = plain(values)
    return found


def _strangers(changes: Sequence[ReorganisationChange]) -> dict[Key, list[tuple[date, date]]]:
    """By change: the days of rows that came since, of the same person or account, of which one holds at a time."""
    found: dict[Key, list[tuple[date, date]]] = defaultdict(list)
    for model, names in _ONE_AT_A_TIME.items():
        ours = [change for change in changes if KINDS[change.kind] is model]
        if not ours:
            continue
        known = {change.object_id for change in ours}
        keys = {(change.before or change.after or {})[names[0]] for change in ours}
        by_value: dict[tuple[Any, ...], list[tuple[date, date]]] = defaultdict(list)
        rows = model._default_manager.filter(**{f"{names[0].removesuffix('_id')}__in": keys}).exclude(pk__in=known)
        for start, end, *values in rows.values_list("start_on", "end_on", *names):
            by_value[tuple(values)].append((start, end or date.max))
        for change in ours:
            columns = change.before or change.after or {}
            found[_key_of(change)] = by_value[tuple(columns[name] for name in names)]
    return found


def _key_of(change: ReorganisationChange) -> Key:
    return change.kind, change.object_id


def _range(columns: Mapping[str, Any]) -> tuple[date, date]:
    end = columns["end_on"]
    return date.fromisoformat(columns["start_on"]), date.fromisoformat(end) if end else date.max


# --- Putting back -------------------------------------------------------------------------------------------------


def _put_back(
    changes: Sequence[ReorganisationChange], row: Reorganisation, actor: Actor, at: datetime, reason: str
) -> None:
    """First what was made goes, then what was changed is as before, then what was removed comes back: so that two rows of
    one person never hold at the same time. The number of statements depends on how many different things are put back."""
    made: dict[type[models.Model], list[int]] = defaultdict(list)
    same: dict[tuple[type[models.Model], tuple[tuple[str, Any], ...]], list[int]] = defaultdict(list)
    leads: dict[tuple[int | None, int | None], list[int]] = defaultdict(list)
    removed: dict[type[models.Model], list[models.Model]] = defaultdict(list)
    for change in changes:
        model, before, after = KINDS[change.kind], change.before, change.after
        if before is None:
            made[model].append(change.object_id)
        elif after is None:
            removed[model].append(model(pk=change.object_id, **_values(model, before)))
        elif model is Lead:
            leads[before["owner_id"], before["pod_id"]].append(change.object_id)
        else:
            differing = tuple(sorted((name, value) for name, value in before.items() if after[name] != value))
            same[model, differing].append(change.object_id)
    # The turns of a pool name all who were in it: whoever has joined one that has moved on is out of it, but stays known.
    joined = PoolMember.objects.filter(pk__in=made.pop(PoolMember, []))
    turned = {change.object_id for change in changes if KINDS[change.kind] is PoolMember}
    pools = set(PoolMember.objects.filter(pk__in=turned).values_list("pool", flat=True))
    used = Turn.objects.filter(taken_at__gte=row.done_at).values("pool")
    joined.filter(pool__in=used).update(is_in=False)
    joined.exclude(pool__in=used).delete()
    for model, keys in made.items():
        model._default_manager.filter(pk__in=keys).delete()
    for (model, differing), keys in same.items():
        rows = model._default_manager.filter(pk__in=keys)
        rows.update(**_values(model, dict(differing)), **_also(model, at))
    for model, again in removed.items():
        model._default_manager.bulk_create(again)
    keep_setups(pools=pools, actor=actor, at=at)
    said = _("Undone: %(name)s") % {"name": row.name}
    for (owner, pod), keys in leads.items():
        bulk_assign(
            actor=actor,
            lead_ids=keys,
            owner=User.objects.get(pk=owner) if owner else None,
            pod=Pod.objects.get(pk=pod) if pod else None,
            at=at,
            reason=said,
        )
    record_many(
        actor=actor,
        changes=(
            Change(
                action="reorganisation.row_put_back",
                subject_type=change.kind,
                subject_id=str(change.object_id),
                subject_label=change.label,
                before=change.after or {},
                after=change.before or {},
                reason=reason,
            )
            for change in changes
            if KINDS[change.kind] is not Lead
        ),
        at=at,
    )


def _values(model: type[models.Model], row: dict[str, Any]) -> dict[str, Any]:
    """Columns as the model takes them: days are days again."""
    fields = {column.attname: column for column in model._meta.concrete_fields}
    return {name: fields[name].to_python(value) for name, value in row.items()}


def _also(model: type[models.Model], at: datetime) -> dict[str, Any]:
    """What else moves on with a row that is changed."""
    names = {column.name for column in model._meta.concrete_fields}
    also: dict[str, Any] = {"updated_at": at} if "updated_at" in names else {}
    if "version" in names:
        also["version"] = F("version") + 1
    return also
