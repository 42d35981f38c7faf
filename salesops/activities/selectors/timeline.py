"""Reads what happened to a lead, a deal or an account: activities, moves, assignments, changes, in one order."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Model, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from salesops.accounts.models import Account
from salesops.activities.choices import ActivityKind
from salesops.activities.models import Activity
from salesops.audit.models import AuditEntry
from salesops.audit.selectors import history_of
from salesops.core import display
from salesops.core.actor import Actor
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, StageChange
from salesops.leads.choices import AssignmentMethod
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.selectors.ways import HELD
from salesops.people.models import User

#: Items of a timeline that are shown at first, and that "load more" adds.
ITEMS: Final = 20
#: Audit entries that a row of another kind in the timeline tells better.
_TOLD_OTHERWISE: Final = (
    "deal.created",
    "deal.stage_moved",
    "deal.reopened",
    "lead.assigned",
    "lead.reassigned",
    "lead.routed",
    "lead.held",
    "lead.time_ran_out",
)
#: Columns of a deal that its stage changes tell.
_OF_STAGE: Final = frozenset({"stage", "kind", "closed_on", "lost_because"})
#: What an entry without columns is called.
_TITLES: Final = {
    "deal.approval_asked": gettext_lazy("Asked for approval"),
    "deal.approval_given": gettext_lazy("Approved"),
    "deal.approval_refused": gettext_lazy("Approval refused"),
    "deal.handed_off": gettext_lazy("Handed off"),
    "deal.hand_off_accepted": gettext_lazy("Hand-off accepted"),
    "deal.hand_off_declined": gettext_lazy("Hand-off declined"),
    "deal.hand_off_rated": gettext_lazy("Hand-off rated"),
    "lead.handed_off": gettext_lazy("Handed off"),
    "lead.hand_off_accepted": gettext_lazy("Hand-off accepted"),
    "lead.hand_off_declined": gettext_lazy("Hand-off declined"),
    "lead.hand_off_rated": gettext_lazy("Hand-off rated"),
    "account.handed_off": gettext_lazy("Handed off"),
    "account.hand_off_accepted": gettext_lazy("Hand-off accepted"),
    "account.hand_off_declined": gettext_lazy("Hand-off declined"),
    "account.hand_off_rated": gettext_lazy("Hand-off rated"),
}
#: Merges: what they are called says what some of their columns do.
_MERGES: Final = {
    "merged": gettext_lazy("Merged into another"),
    "took_over": gettext_lazy("Took over another"),
    "parted": gettext_lazy("The merge was undone"),
}
_OF_MERGES: Final = frozenset({"moved", "removed_at", "removed_because"})
#: The icon of an activity, by its kind.
_ICONS: Final = {
    ActivityKind.CALL: "phone",
    ActivityKind.MAIL: "mail",
    ActivityKind.MEETING: "calendar-event",
    ActivityKind.NOTE: "note",
    ActivityKind.TASK: "checkbox",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a change, in words. Empty text stands for nothing."""

    label: str
    before: str
    after: str


@dataclass(slots=True)
class TimelineItem:
    """One thing that happened. `title` is plain text; `activity` is there for activities and tasks only."""

    at: datetime
    rank: int
    pk: int
    icon: str
    title: str
    who: str = ""
    text: str = ""
    tag: str = ""
    tone: str = "grey"
    about: str = ""
    changes: list[FieldChange] = field(default_factory=list)
    activity: Activity | None = None
    entry: AuditEntry | None = None

    @property
    def key(self) -> tuple[datetime, int, int]:
        """Its place: later things come first."""
        return (self.at, self.rank, self.pk)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Some items, the latest first; `next` is what to hand in as `after` for those that follow, empty at the end."""

    items: list[TimelineItem]
    next: str = ""


def timeline_for(
    actor: Actor,
    *,
    lead: Lead | None = None,
    deal: Deal | None = None,
    account: Account | None = None,
    after: str = "",
    limit: int = ITEMS,
) -> Timeline:
    """What happened to one row that the actor sees, the latest first, `limit` items at a time.

    Exactly one of `lead`, `deal` and `account` is given. An account's timeline also tells the moves of its deals. Takes
    the same few queries however much happened. A cursor that cannot be read starts from the top.
    """
    row = lead or deal or account
    if row is None or sum(each is not None for each in (lead, deal, account)) != 1:
        raise TypeError("a timeline is about one lead, one deal or one account")
    cursor = _read_cursor(after)
    found: list[TimelineItem] = []
    for rank, source in enumerate(
        (
            _activities(actor, lead, deal, account),
            _moves(actor, deal, account),
            _assignments(actor, lead),
            _changes(actor, row),
        )
    ):
        if source is None:
            continue
        rows, column = source
        found += _items(rows, column, rank, cursor, limit + 1)
    found.sort(key=lambda item: item.key, reverse=True)
    shown = found[:limit]
    _put_into_words(shown, row)
    following = _write_cursor(shown[-1].key) if len(found) > limit else ""
    return Timeline([item for item in shown if item.title], following)


# --- Sources ---------------------------------------------------------------------------------------------------------

_Source = tuple[QuerySet[Any], str]


def _activities(actor: Actor, lead: Lead | None, deal: Deal | None, account: Account | None) -> _Source:
    """Activities by when they happened; an open task by when it was set."""
    about = {"lead": lead} if lead else {"deal": deal} if deal else {"account": account}
    rows = (
        Activity.objects.visible_to(actor)
        .filter(**about)
        .annotate(told_at=Coalesce("happened_at", "created_at"))
        .select_related("person", "deal", "lead", "contact")
    )
    return rows, "told_at"


def _moves(actor: Actor, deal: Deal | None, account: Account | None) -> _Source | None:
    """Stage changes of the deal, or of all deals of the account."""
    if deal is None and account is None:
        return None
    rows = StageChange.objects.visible_to(actor).select_related("from_stage", "to_stage", "changed_by", "deal")
    return (rows.filter(deal=deal) if deal else rows.filter(deal__account=account)), "changed_at"


def _assignments(actor: Actor, lead: Lead | None) -> _Source | None:
    """To whom a lead was given."""
    if lead is None:
        return None
    rows = LeadAssignment.objects.visible_to(actor).filter(lead=lead)
    return rows.select_related("person", "pod", "assigned_by"), "assigned_at"


def _changes(actor: Actor, row: Model) -> _Source:
    """What the audit says."""
    return history_of(actor, row).exclude(action__in=_TOLD_OTHERWISE), "at"


def _items(
    rows: QuerySet[Any], column: str, rank: int, cursor: tuple[datetime, int, int] | None, limit: int
) -> list[TimelineItem]:
    """The next items of a source, after the cursor."""
    if cursor is not None:
        at, at_rank, at_pk = cursor
        condition = Q(**{f"{column}__lt": at})
        if rank < at_rank:
            condition |= Q(**{column: at})
        elif rank == at_rank:
            condition |= Q(**{column: at, "pk__lt": at_pk})
        rows = rows.filter(condition)
    return [_item(row, getattr(row, column), rank) for row in rows.order_by(F(column).desc(), "-pk")[:limit]]


def _item(row: Any, at: datetime, rank: int) -> TimelineItem:
    if isinstance(row, Activity):
        return _activity_item(row, at, rank)
    if isinstance(row, StageChange):
        return _move_item(row, at, rank)
    if isinstance(row, LeadAssignment):
        return _assignment_item(row, at, rank)
    return TimelineItem(at, rank, row.pk, "pencil", "", row.actor_name or _("Salesops"), row.reason, entry=row)


def _activity_item(row: Activity, at: datetime, rank: int) -> TimelineItem:
    tone = {"reached": "green", "held": "green", "replied": "green", "no_show": "red"}.get(row.outcome, "grey")
    tag = row.get_outcome_display() if row.outcome else ""
    if row.is_planned:
        tag, tone = pgettext("meeting", "Planned"), "blue"
    elif row.kind == ActivityKind.TASK and row.done_at is None:
        tag, tone = _("To do"), "amber"
    elif row.kind == ActivityKind.TASK and not tag:
        tag, tone = pgettext("task", "Done"), "green"
    return TimelineItem(
        at,
        rank,
        row.pk,
        _ICONS.get(ActivityKind(row.kind), "activity"),
        row.subject,
        str(row.person),
        row.note,
        tag,
        tone,
        activity=row,
    )


def _move_item(row: StageChange, at: datetime, rank: int) -> TimelineItem:
    names = {"from": row.from_stage, "to": row.to_stage}
    title = _("From %(from)s to %(to)s") % names if row.from_stage else _("Began in %(to)s") % names
    tone = {StageKind.WON: "green", StageKind.LOST: "red"}.get(StageKind(row.to_stage.kind), "blue")
    text = ""
    if row.from_stage is not None and (row.seconds_in_stage or 0) >= 60:
        text = _("After %(time)s in %(stage)s") % {"time": _span(row.seconds_in_stage or 0), "stage": row.from_stage}
    who = str(row.changed_by) if row.changed_by else _("Salesops")
    return TimelineItem(
        at,
        rank,
        row.pk,
        "arrow-right",
        title,
        who,
        text,
        display.money(row.amount_minor, row.currency),
        tone,
        about=row.deal.name,
    )


def _assignment_item(row: LeadAssignment, at: datetime, rank: int) -> TimelineItem:
    holder = row.person or row.pod
    title = _("Given to %(holder)s") % {"holder": holder} if holder else _("Given to nobody")
    if row.person is None and row.path.get("held"):
        title = _("Waits because %(why)s") % {"why": HELD.get(row.path["held"], row.path["held"])}
    elif row.method == AssignmentMethod.RETURNED:
        title = _("Given back")
    who = str(row.assigned_by) if row.assigned_by else _("Salesops")
    return TimelineItem(at, rank, row.pk, "user-plus", title, who, row.reason, row.get_method_display(), "violet")


def _span(seconds: int) -> str:
    """A length of time in its largest unit."""
    if seconds >= 86_400:
        count = seconds // 86_400
        return ngettext("%(count)d day", "%(count)d days", count) % {"count": count}
    if seconds >= 3_600:
        count = seconds // 3_600
        return ngettext("%(count)d hour", "%(count)d hours", count) % {"count": count}
    count = seconds // 60
    return ngettext("%(count)d minute", "%(count)d minutes", count) % {"count": count}


# --- Changes in words ------------------------------------------------------------------------------------------------


def _put_into_words(items: Iterable[TimelineItem], row: Model) -> None:
    """Turn the audit entries among the items into titles and changes; references become names, one query a model."""
    entries = [(item, item.entry) for item in items if item.entry is not None]
    wanted: dict[type[Model], set[int]] = defaultdict(set)
    for _item_of, entry in entries:
        model = _model_of(entry)
        for name, value in [*entry.before.items(), *entry.after.items()]:
            related = _related(model, name)
            if related is not None and isinstance(value, int):
                wanted[related].add(value)
            elif name == "splits" and isinstance(value, list):
                wanted[User].update(each["person"] for each in value)
    names = {
        (model, pk): str(found)
        for model, pks in wanted.items()
        for pk, found in model._base_manager.in_bulk(pks).items()
    }
    for item, entry in entries:
        model = _model_of(entry)
        currency = str(entry.after.get("currency") or getattr(row, "currency", "") or "")
        is_deal = entry.subject_type == "deals.deal"
        merge = _MERGES.get(entry.action.partition(".")[2])
        item.changes = [
            FieldChange(
                _label(model, name),
                _words(model, name, entry.before.get(name), names, currency),
                _words(model, name, value, names, currency),
            )
            for name, value in sorted(entry.after.items(), key=lambda pair: _place(model, pair[0]))
            if not (is_deal and name in _OF_STAGE and "stage" in entry.after)
            and not (merge and (name in _OF_MERGES or entry.before.get(name) == value))
        ]
        if entry.action.endswith(".created"):
            item.changes, item.icon = [], "plus"
            item.title = _("Created")
        elif merge:
            item.title = str(merge)
        elif item.changes:
            item.title = _("Changed %(fields)s") % {"fields": _listed([change.label for change in item.changes])}
        elif not entry.after and not entry.before:
            told = _TITLES.get(entry.action)
            item.title = str(told) if told else entry.action.replace(".", " ").replace("_", " ").capitalize()


def _model_of(entry: AuditEntry) -> type[Model] | None:
    try:
        return apps.get_model(entry.subject_type)
    except (LookupError, ValueError):
        return None


def _field(model: type[Model] | None, name: str) -> Any:
    try:
        return model._meta.get_field(name) if model is not None else None
    except FieldDoesNotExist:
        return None


def _place(model: type[Model] | None, name: str) -> tuple[int, str]:
    """Where a field stands in its model: PostgreSQL keeps the keys of JSON in an order of its own."""
    names = [column.name for column in model._meta.concrete_fields] if model is not None else []
    return (names.index(name) if name in names else len(names), name)


def _related(model: type[Model] | None, name: str) -> type[Model] | None:
    found = getattr(_field(model, name), "related_model", None)
    return found if isinstance(found, type) else None


def _label(model: type[Model] | None, name: str) -> str:
    special = {
        "lines": _("lines"),
        "merged_from": _("merged lead"),
        "splits": _("splits"),
        "situation": _("situation"),
        "pain": _("pain"),
        "impact": _("impact"),
        "critical_event": _("critical event"),
        "critical_event_on": _("day of the critical event"),
        "decision": _("decision"),
    }
    if name in special:
        return special[name]
    return str(getattr(_field(model, name), "verbose_name", name.replace("_", " ")))


def _words(
    model: type[Model] | None, name: str, value: Any, names: Mapping[tuple[type[Model], int], str], currency: str
) -> str:
    """A value of the audit as a person reads it."""
    if value in (None, "", [], {}):
        return ""
    if name == "critical_event_on":
        return _day_or_moment("DateField", str(value))
    column = _field(model, name)
    related = _related(model, name)
    if related is not None and isinstance(value, int):
        return names.get((related, value), f"#{value}")
    if name == "splits" and isinstance(value, list):
        return ", ".join(
            f"{names.get((User, each['person']), '?')} {display.share(each['share_bp'])}" for each in value
        )
    if isinstance(value, list):
        return ngettext("%(count)d line", "%(count)d lines", len(value)) % {"count": len(value)}
    if name.endswith("_minor") and isinstance(value, int) and currency:
        return display.money(value, currency)
    if name.endswith("_bp") and isinstance(value, int):
        return display.share(value)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if column is not None and getattr(column, "choices", None):
        return str(dict(column.flatchoices).get(value, value))
    if isinstance(value, str) and column is not None:
        return _day_or_moment(column.get_internal_type(), value)
    return str(value)


def _day_or_moment(kind: str, text: str) -> str:
    try:
        if kind == "DateField":
            return display.day(date.fromisoformat(text))
        if kind == "DateTimeField":
            return display.moment(datetime.fromisoformat(text))
    except ValueError:
        return text
    return text


def _listed(labels: list[str]) -> str:
    """At most three labels, then how many more."""
    if len(labels) > 3:
        return _("%(names)s and %(count)d more") % {"names": ", ".join(labels[:2]), "count": len(labels) - 2}
    return ", ".join(labels)


# --- Cursor ----------------------------------------------------------------------------------------------------------


def _write_cursor(key: tuple[datetime, int, int]) -> str:
    at, rank, pk = key
    return urlsafe_b64encode(f"{at.isoformat()}|{rank}|{pk}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, int, int] | None:
    if not text or len(text) > 200:
        return None
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        at, rank, pk = plain.split("|")
        moment = datetime.fromisoformat(at)
        return (moment, int(rank), int(pk)) if moment.tzinfo else None
    except (ValueError, binascii.Error):
        return None
