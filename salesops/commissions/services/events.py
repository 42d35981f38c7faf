"""Records what settlements need to know of people beside their earnings: by form, or from a CSV file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from salesops.audit.services import change_of, record, record_many
from salesops.commissions.choices import EventKind
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Plan, PlanAssignment, PlanEvent, Transaction
from salesops.commissions.rules.plans import share_from_text
from salesops.commissions.selectors.events import RECORDERS, Known, known_on
from salesops.commissions.services.plan_files import EVENT_COLUMNS, read_rows
from salesops.core.actor import Actor, Role
from salesops.core.models import held_on
from salesops.people.models import User
from salesops.values.money import MoneyError, check_minor, to_minor

MOST_BYTES: Final = 1_000_000
MOST_ROWS: Final = 5_000
#: 100 times a quota or an objective is a percentage typed for a share.
_MOST_SHARE: Final = Decimal(100)
#: Of these there is one at most for a person, reference and day; a bonus can be earned twice on a day.
_ONCE: Final = (EventKind.OBJECTIVE, EventKind.TEAM, EventKind.PAYMENT)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as it is given. share: 1 is all; amounts in minor units of the plan's currency.

    Without a person a payment is of whoever was credited, and a team's attainment of everybody on the plan.
    """

    plan: Plan
    kind: EventKind
    on: date
    person_id: int | None = None
    reference: str = ""
    share: Decimal | None = None
    amount_minor: int | None = None
    of_minor: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line of a file that was not recorded, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class EventsRead:
    """What a file came to: rows recorded, rows that were there already, lines that were refused."""

    recorded: int
    already: int
    refused: tuple[RefusedLine, ...]


def _recorder(actor: Actor) -> int:
    if not actor.has(*RECORDERS) or actor.user_id is None:
        raise NotAllowedError(_("Only revenue operations and managers record plan events."))
    return actor.user_id


@transaction.atomic
def record_event(*, actor: Actor, event: NewEvent, at: datetime) -> PlanEvent:
    """Record one event. Managers do so for their own people.

    Raises CommissionRefusedError for what the plan in force on that day does not know, a person who is not on it then,
    a payment of a transaction that is not there, and what stands there already.
    """
    _recorder(actor)
    _check_sight(actor, event)
    # One row of the plan is what two requests at once wait for, so that neither records the same.
    Plan.objects.select_for_update().get(pk=event.plan.pk)
    checked, currency = _checked(event, known_on(event.plan, event.on))
    if checked.kind in _ONCE and _standing(checked).exists():
        raise CommissionRefusedError({"on": _("This is recorded for the day already. Void that one first.")})
    row = _row(checked, currency, actor, at)
    row.save()
    record(actor=actor, action="event.recorded", subject=row, after=_told(row), at=at)
    return row


@transaction.atomic
def void_event(*, actor: Actor, event: PlanEvent, at: datetime, note: str = "") -> None:
    """Say that an event no longer counts; it stays in the list. Managers do so for their own people."""
    _recorder(actor)
    row = PlanEvent.objects.select_for_update(of=("self",)).get_for(actor, pk=event.pk)
    if not actor.has(Role.REVOPS) and row.person_id not in actor.tree_ids:
        raise NotAllowedError(_("Managers void events of their own people."))
    if row.is_void:
        raise CommissionRefusedError(_("It does not count already."))
    PlanEvent.objects.filter(pk=row.pk).update(is_void=True)
    record(
        actor=actor,
        action="event.voided",
        subject=row,
        before={"is_void": False},
        after={"is_void": True},
        reason=note,
        at=at,
    )


@transaction.atomic
def record_file(*, actor: Actor, data: bytes, at: datetime) -> EventsRead:
    """Record the rows of a CSV file with the columns of `EVENT_COLUMNS`; the same file again records nothing.

    A row that cannot be taken is named and the others are recorded. Adjustments and leavers are refused: they have
    pages of their own. Raises CommissionRefusedError for what is no such file.
    """
    _recorder(actor)
    rows = _rows_of(data)
    reader = _Reader(actor)
    good: list[tuple[int, NewEvent, str]] = []
    refused = []
    for line, cells in enumerate(rows, 2):
        try:
            good.append((line, *reader.read(cells)))
        except ValidationError as error:
            refused.append(RefusedLine(line, " ".join(error.messages)))
    list(Plan.objects.select_for_update().filter(pk__in={each[1].plan.pk for each in good}).order_by("pk"))
    there = _there([event for _line, event, _currency in good])
    new, already = [], 0
    for line, event, currency in good:
        standing = there[_identity(event)]
        if event.kind not in _ONCE and standing:
            standing.pop()  # a bonus twice on a day is two rows of the file
            already += 1
        elif standing and standing[0] == _values(event):
            already += 1
        elif standing:
            refused.append(RefusedLine(line, _("Something else is recorded for the day already. Void that first.")))
        else:
            new.append(_row(event, currency, actor, at))
            if event.kind in _ONCE:
                standing.append(_values(event))
    PlanEvent.objects.bulk_create(new)
    record_many(
        actor=actor,
        changes=[change_of(row, action="event.recorded", after=_told(row), reason=_("From a file")) for row in new],
        at=at,
    )
    return EventsRead(recorded=len(new), already=already, refused=tuple(sorted(refused, key=lambda each: each.line)))


def _rows_of(data: bytes) -> list[dict[str, str]]:
    if len(data) > MOST_BYTES:
        raise CommissionRefusedError({"file": _("The file is larger than 1 MB. Cut it in two.")})
    try:
        rows = read_rows(data)
    except ValueError as error:
        raise CommissionRefusedError(
            {"file": _("This is no CSV file in UTF-8 with commas: %(why)s") % {"why": str(error)[:200]}}
        ) from error
    if not rows:
        raise CommissionRefusedError({"file": _("The file has no rows.")})
    if len(rows) > MOST_ROWS:
        raise CommissionRefusedError(
            {"file": _("More than %(count)s rows. Cut the file in two.") % {"count": MOST_ROWS}}
        )
    unknown = [name for name in rows[0] if name not in EVENT_COLUMNS]
    if unknown:
        raise CommissionRefusedError(
            {
                "file": _("Unknown column: %(names)s. The columns are %(known)s.")
                % {"names": ", ".join(unknown)[:200], "known": ", ".join(EVENT_COLUMNS)}
            }
        )
    return rows


def _check_sight(actor: Actor, event: NewEvent) -> None:
    """Managers speak of their own people only, and of nobody in general."""
    if not actor.has(Role.REVOPS) and event.person_id not in actor.tree_ids:
        raise NotAllowedError(_("Managers record events of their own people."))


def _checked(event: NewEvent, known: Known | None) -> tuple[NewEvent, str]:
    """The event with what its kind does not have left out, and its currency; refused when the plan does not know it."""
    if known is None:
        raise CommissionRefusedError(
            {"on": _("No version of “%(plan)s” is in force on this day.") % {"plan": event.plan}}
        )
    if not known.takes(event.kind):
        raise CommissionRefusedError(
            {"kind": _("The plan “%(plan)s” in force on this day pays nothing for this.") % {"plan": event.plan}}
        )
    keys = known.keys(event.kind)
    reference = event.reference.strip()
    if event.kind in (EventKind.OBJECTIVE, EventKind.BONUS) and reference not in keys:
        raise CommissionRefusedError(
            {
                "reference": _("The plan in force on this day does not know “%(key)s”. It knows: %(keys)s.")
                % {"key": reference, "keys": ", ".join(keys)}
            }
        )
    if event.kind == EventKind.PAYMENT:
        _check_payment(event, reference)
    elif event.person_id is None and event.kind != EventKind.TEAM:
        raise CommissionRefusedError({"person": _("Whose is it? Choose a person.")})
    if event.person_id is not None:
        on_plan = PlanAssignment.objects.filter(held_on(event.on), plan=event.plan, person_id=event.person_id)
        if not on_plan.exists():
            raise CommissionRefusedError({"person": _("This person is not on the plan on this day.")})
    is_share = event.kind in (EventKind.OBJECTIVE, EventKind.TEAM)
    if is_share and (event.share is None or not 0 <= event.share <= _MOST_SHARE):
        raise CommissionRefusedError({"share": _("How much was reached? Write it like 0.8.")})
    is_payment = event.kind == EventKind.PAYMENT
    return (
        replace(
            event,
            reference="" if event.kind == EventKind.TEAM else reference,
            share=event.share if is_share else None,
            amount_minor=event.amount_minor if is_payment else None,
            of_minor=event.of_minor if is_payment else None,
            note=event.note.strip()[:300],
        ),
        known.version.currency,
    )


def _check_payment(event: NewEvent, reference: str) -> None:
    if not Transaction.objects.filter(source_key=reference).exists():
        raise CommissionRefusedError(
            {
                "reference": _("There is no transaction “%(key)s”. Write its key, such as deal:12:booking.")
                % {"key": reference}
            }
        )
    for field, amount, least in (("amount_minor", event.amount_minor, 0), ("of_minor", event.of_minor, 1)):
        if amount is None or amount < least:
            raise CommissionRefusedError({field: _("Give what was paid in all, and the whole invoice.")})
        try:
            check_minor(amount)
        except MoneyError as error:
            raise CommissionRefusedError({field: _("This is more than can be kept.")}) from error


def _identity(event: NewEvent) -> tuple[object, ...]:
    """What makes two events the same; of a bonus also its words, since one can be earned twice on a day."""
    same = (event.plan.pk, event.kind, event.person_id, event.reference, event.on)
    return same if event.kind in _ONCE else (*same, event.note)


def _standing(event: NewEvent) -> QuerySet[PlanEvent]:
    return PlanEvent.objects.filter(
        plan=event.plan,
        kind=event.kind,
        person_id=event.person_id,
        reference=event.reference,
        on=event.on,
        is_void=False,
    )


def _values(event: NewEvent) -> tuple[object, ...]:
    return (event.share, event.amount_minor, event.of_minor)


def _there(events: Sequence[NewEvent]) -> dict[tuple[object, ...], list[tuple[object, ...]]]:
    """What stands there already of these events: the values of each, by what makes them the same."""
    found: dict[tuple[object, ...], list[tuple[object, ...]]] = defaultdict(list)
    rows = PlanEvent.objects.filter(
        plan__in={event.plan.pk for event in events}, on__in={event.on for event in events}, is_void=False
    )
    for row in rows:
        same = (row.plan_id, row.kind, row.person_id, row.reference, row.on)
        found[same if row.kind in _ONCE else (*same, row.note)].append((row.share, row.amount_minor, row.of_minor))
    return found


def _row(event: NewEvent, currency: str, actor: Actor, at: datetime) -> PlanEvent:
    return PlanEvent(
        plan=event.plan,
        person_id=event.person_id,
        kind=event.kind,
        on=event.on,
        reference=event.reference,
        share=event.share,
        amount_minor=event.amount_minor,
        of_minor=event.of_minor,
        currency=currency,
        note=event.note,
        recorded_by_id=actor.user_id,
        recorded_at=at,
    )


def _told(row: PlanEvent) -> dict[str, object]:
    return {
        "plan": row.plan.name,
        "person": row.person_id,
        "kind": row.kind,
        "on": row.on,
        "reference": row.reference,
        "share": row.share,
        "amount_minor": row.amount_minor,
        "of_minor": row.of_minor,
    }


class _Reader:
    """Reads the rows of a file; plans and people are looked up once."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.plans = {plan.name: plan for plan in Plan.objects.visible_to(actor)}
        self.known: dict[tuple[int, date], Known | None] = {}
        self.people: dict[str, list[int]] = defaultdict(list)
        for pk, name, email in (
            User.objects.filter(plan_assignments__isnull=False).distinct().values_list("pk", "name", "email")
        ):
            self.people[name.casefold()].append(pk)
            self.people[email.casefold()].append(pk)

    def read(self, cells: Mapping[str, str]) -> tuple[NewEvent, str]:
        """The event of a row, checked, and its currency. Raises ValidationError with what is wrong."""
        kind = cells.get("type", "").strip()
        if kind == "adjustment":
            raise CommissionRefusedError(_("An adjustment is prepared on its own page: it needs a second person."))
        if kind == "leaving":
            raise CommissionRefusedError(_("Who leaves is entered on the person's page."))
        if kind not in EventKind.values:
            raise CommissionRefusedError(
                _("“%(kind)s” is no kind of event. Write one of: %(kinds)s.")
                % {"kind": kind[:60], "kinds": ", ".join(EventKind.values)}
            )
        day = self._day(cells)
        plan = self._plan(cells)
        person = self._person(cells)
        if not self.actor.has(Role.REVOPS) and person not in self.actor.tree_ids:
            raise CommissionRefusedError(_("Managers record events of their own people."))
        known = self._known(plan, day)
        currency = known.version.currency if known else ""
        event = NewEvent(
            plan=plan,
            kind=EventKind(kind),
            on=day,
            person_id=person,
            reference=cells.get("reference", "").strip()[:120],
            share=self._share(cells),
            amount_minor=self._amount(cells, "amount", currency),
            of_minor=self._amount(cells, "of", currency),
            note=cells.get("reason", "").strip(),
        )
        return _checked(event, known)

    def _known(self, plan: Plan, day: date) -> Known | None:
        if (plan.pk, day) not in self.known:
            self.known[plan.pk, day] = known_on(plan, day)
        return self.known[plan.pk, day]

    def _day(self, cells: Mapping[str, str]) -> date:
        text = cells.get("date", "").strip()
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise CommissionRefusedError(
                _("“%(text)s” is no day. Write it like 2026-01-31.") % {"text": text[:40]}
            ) from error

    def _plan(self, cells: Mapping[str, str]) -> Plan:
        name = cells.get("plan", "").strip()
        if not name and len(self.plans) == 1:
            return next(iter(self.plans.values()))
        if name not in self.plans:
            raise CommissionRefusedError(_("There is no plan “%(name)s”.") % {"name": name[:60]})
        return self.plans[name]

    def _person(self, cells: Mapping[str, str]) -> int | None:
        text = cells.get("person", "").strip()
        found = self.people.get(text.casefold(), [])
        if not text:
            return None
        if not found:
            raise CommissionRefusedError(_("Nobody on a plan is called “%(name)s”.") % {"name": text[:60]})
        if len(found) > 1:
            raise CommissionRefusedError(
                _("Several people are called “%(name)s”. Write the e-mail address.") % {"name": text[:60]}
            )
        return found[0]

    def _share(self, cells: Mapping[str, str]) -> Decimal | None:
        text = cells.get("share", "").strip()
        share = share_from_text(text) if text else None
        if text and share is None:
            raise CommissionRefusedError(_("“%(text)s” is no share. Write it like 0.8.") % {"text": text[:40]})
        return None if share is None else Decimal(share.numerator) / Decimal(share.denominator)

    def _amount(self, cells: Mapping[str, str], name: str, currency: str) -> int | None:
        text = cells.get(name, "").strip()
        if not text or not currency:
            return None
        try:
            return to_minor(text, currency)
        except MoneyError as error:
            raise CommissionRefusedError(
                _("“%(text)s” is no amount. Write it like 1250.00.") % {"text": text[:40]}
            ) from error
