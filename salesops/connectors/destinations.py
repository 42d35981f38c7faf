"""Where records of each kind go: the rooms below by themselves, rooms beside this one when `home` introduces them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet

from salesops.accounts.choices import Consent
from salesops.accounts.models import Account, Contact, Subscription
from salesops.accounts.services.removal import (
    merge_accounts,
    merge_contacts,
    remove_accounts,
    remove_contacts,
    remove_subscriptions,
    restore_accounts,
    restore_contacts,
)
from salesops.accounts.services.upserts import (
    AccountRecord,
    ContactRecord,
    SubscriptionRecord,
    upsert_accounts,
    upsert_contacts,
    upsert_subscriptions,
)
from salesops.activities.models import Activity
from salesops.activities.services.upserts import ActivityRecord, remove_activities, upsert_activities
from salesops.audit.selectors import edits_by_people
from salesops.connectors.models import Source
from salesops.connectors.rules.convert import Record
from salesops.connectors.rules.fields import KINDS, LookupKind
from salesops.core.actor import Actor
from salesops.core.upserts import Fate, RecordOutcome, UpsertResult, refusing
from salesops.deals.models import Deal, DealLine, DealSplit, Product
from salesops.deals.rules.amounts import WHOLE_BP
from salesops.deals.services.part_upserts import (
    DealLineRecord,
    DealSplitRecord,
    StageChangeRecord,
    remove_deal_lines,
    remove_deal_splits,
    upsert_deal_lines,
    upsert_deal_splits,
    upsert_stage_changes,
)
from salesops.deals.services.removal import merge_deals, remove_deals, restore_deals
from salesops.deals.services.upserts import DealRecord, ProductRecord, upsert_deals, upsert_products
from salesops.leads.models import Lead
from salesops.leads.services.removal import merge_leads, remove_leads, restore_leads
from salesops.leads.services.upserts import LeadRecord, upsert_leads
from salesops.people.imports import OwnerRecord, PersonRecord, match_owners, upsert_people
from salesops.pods.choices import PodTemplate
from salesops.pods.models import Pod, Segment
from salesops.pods.services import open_pod
from salesops.pods.services.upserts import (
    MembershipRecord,
    TerritoryAssignmentRecord,
    TerritoryRecord,
    upsert_memberships,
    upsert_territories,
    upsert_territory_assignments,
)
from salesops.values.money import round_half_up
from salesops.values.names import match_name


class Upsert(Protocol):
    """A room's service that takes records in bulk."""

    def __call__(
        self, *, records: Sequence[Any], actor: Actor, source: str, at: datetime, preview: bool = False
    ) -> UpsertResult:
        """Bring them in, or in a preview say what would happen."""


class Remove(Protocol):
    """A room's service that takes rows away, or brings them back: one outcome for each key, by its position."""

    def __call__(self, *, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
        """Do it; what is so already stays as it is."""


class Merge(Protocol):
    """A room's service that lets one row stand for another."""

    def __call__(self, *, loser: int, winner: int, actor: Actor, at: datetime) -> UpsertResult:
        """Remove the loser, let what names it name the winner."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How rows of a kind are read back in the words of canonical records.

    columns: the names of values in a record that are columns of the table under the same name. days: names of days that
    are kept as moments, and their columns. moment: the column that tells when a row was last saved; "" where none does.
    """

    model: type[Model]
    columns: tuple[str, ...]
    days: Mapping[str, str] = field(default_factory=dict)
    moment: str = "updated_at"

    @property
    def rows(self) -> QuerySet[Any]:
        """All rows, also those that were removed."""
        return self.model._base_manager.all()


@dataclass(frozen=True, slots=True)
class Destination:
    """A kind of record: how a canonical record becomes the room's own, and the services that take it and take it away.

    What a kind cannot do is None: there is no merging of products. A later upsert of a removed row restores it by itself.
    """

    make: Callable[[Record], Any]
    upsert: Upsert
    remove: Remove | None = None
    restore: Remove | None = None
    merge: Merge | None = None
    shown: Shown | None = None

    def current(self, pks: Collection[int], *, lock: bool = False) -> dict[int, dict[str, Any]]:
        """What these rows hold now, by key, in the names that `Record.flat()` gives (`amount_minor`, `owner_id`). One query.

        Rows that do not exist are left out; nothing for a kind that cannot be read back. `lock`: nobody changes them until
        the caller's transaction ends.
        """
        if self.shown is None or not pks:
            return {}
        shown = self.shown
        names = (*shown.columns, *shown.days.values())
        zone = ZoneInfo(settings.COMPANY_TIME_ZONE)
        found: dict[int, dict[str, Any]] = {}
        rows = shown.rows.filter(pk__in=set(pks)).order_by()
        if lock:  # in the order in which everybody locks them, so that two never wait for one another
            rows = rows.order_by("pk").select_for_update()
        for pk, *values in rows.values_list("pk", *names):
            held = dict(zip(names, values, strict=True))
            for name, column in shown.days.items():
                moment = held.pop(column)
                held[name] = moment.astimezone(zone).date() if moment is not None else None
            found[pk] = held
        return found

    def edited(self, pks: Collection[int], *, since: datetime) -> dict[int, dict[str, datetime]]:
        """When a person last changed each value of these rows, in the names of `current`, where that was after `since`.

        What a connection brought is no edit, also where a person let it in. One query.
        """
        if self.shown is None or not pks:
            return {}
        model, days = self.shown.model, {column: name for name, column in self.shown.days.items()}
        # The audit names a reference without "_id", and some services an id as well.
        names = {
            said: days.get(column.attname, column.attname)
            for column in model._meta.concrete_fields
            for said in (column.attname.removesuffix("_id"), column.attname)
        }
        brought = Source.objects.filter(connection__isnull=False).values("code")
        found: dict[int, dict[str, datetime]] = {}
        for pk, moment, after in edits_by_people(model, pks, since=since, not_because=brought):
            found.setdefault(pk, {}).update({names[name]: moment for name in after if name in names})
        return found

    def changed_since(self, moment: datetime, limit: int) -> list[tuple[int, datetime]]:
        """Rows saved at or after a moment with when, the earliest first, at most `limit`: also removed ones.

        Rows of one moment may be cut by the limit: ask again from the last moment given, with a larger limit where all
        rows were of that one moment.
        """
        if self.shown is None or not self.shown.moment:
            return []
        name = self.shown.moment
        rows = self.shown.rows.filter(**{f"{name}__gte": moment}).order_by(name, "pk")
        return list(rows.values_list("pk", name)[:limit])


@dataclass(frozen=True, slots=True)
class Named:
    """A record that a lookup may find: its key and each of its names by the key's kind ("name", "email", "code")."""

    key: int
    names: dict[str, str]


#: Records of rooms beside this one that lookups may find: the lookup's kind to all of them.
_CANDIDATES: dict[LookupKind, Callable[[], Sequence[Named]]] = {}
_DESTINATIONS: dict[str, Destination] = {}


def introduce(kind: str, destination: Destination) -> None:
    """Say where records of a kind go; called once at start-up, by `home` for rooms beside this one."""
    _DESTINATIONS[kind] = destination


def introduce_candidates(kind: LookupKind, candidates: Callable[[], Sequence[Named]]) -> None:
    """Say what a lookup of this kind may find, where the records live in a room beside this one."""
    _CANDIDATES[kind] = candidates


def candidates_of(kind: LookupKind) -> Sequence[Named]:
    """Records of a room beside this one; nothing where nobody introduced it."""
    return _CANDIDATES[kind]() if kind in _CANDIDATES else ()


def destination_of(kind: str) -> Destination:
    """Where records of a kind go. Raises KeyError for a kind nobody takes."""
    return _DESTINATIONS[kind]


def kinds_taken() -> list[str]:
    """Every kind that a file can bring."""
    return [code for code in _DESTINATIONS if KINDS[code].is_for_files]


def _flat(record: Record, *, without: Sequence[str] = (), texts: Sequence[str] = ()) -> dict[str, Any]:
    """The record's values as keyword arguments; an emptied text is an empty text."""
    return {
        name: "" if value is None and name in texts else value
        for name, value in record.flat().items()
        if name not in without
    }


def _moment(record: Record) -> dict[str, Any]:
    """`created_on`, a day, as the first moment of that day in the company's zone."""
    values = _flat(record, texts=_TEXTS)
    day = values.pop("created_on", None)
    if day is not None:
        values["created_at"] = datetime.combine(day, time(), ZoneInfo(settings.COMPANY_TIME_ZONE))
    return values


_TEXTS = (
    "name", "title", "email", "phone", "country", "city", "website", "industry", "company", "campaign", "note",
    "disqualified_because", "lost_because", "next_step", "series", "code", "region", "payroll_number", "external_id",
)  # fmt: skip


def _texts(record: Record) -> dict[str, Any]:
    return _flat(record, texts=_TEXTS)


def _person(record: Record) -> PersonRecord:
    nullable = ("external_id", "employee_number")
    values = _flat(
        record, without=("first_name", "last_name", "pod_id"), texts=[name for name in _TEXTS if name not in nullable]
    )
    return PersonRecord(**values)


def _account(record: Record) -> AccountRecord:
    values = _texts(record)
    if "currency" in values and "revenue_minor" not in values:
        values.pop("currency")
    return AccountRecord(**values)


def _contact(record: Record) -> ContactRecord:
    values = _flat(record, without=("first_name", "last_name"), texts=_TEXTS)
    return ContactRecord(**_without_unknown_consent(values))


def _lead(record: Record) -> LeadRecord:
    values = _moment(record)
    for name in ("first_name", "last_name"):
        values.pop(name, None)
    return LeadRecord(**_without_unknown_consent(values))


def _without_unknown_consent(values: dict[str, Any]) -> dict[str, Any]:
    """A source that does not know whether somebody may be contacted does not make the portal forget it."""
    if values.get("consent") in (None, "", Consent.UNKNOWN):
        values.pop("consent", None)
    return values


def _deal(record: Record) -> DealRecord:
    values = _texts(record)
    values.setdefault("external_id", "")
    return DealRecord(**values)


def upsert_pods(
    *, records: Sequence[Any], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Open pods that are not there yet; pods that are stay as they are."""
    result = UpsertResult()
    known = {match_name(name): pk for pk, name in Pod.objects.values_list("pk", "name")}
    with transaction.atomic():
        for position, record in enumerate(records):
            pk = known.get(match_name(record.name))
            fate = Fate.UNCHANGED if pk is not None else Fate.CREATED
            if pk is None and not preview:
                with refusing(result, position):
                    segment = Segment.objects.get(pk=record.segment_id) if record.segment_id else None
                    pod = open_pod(
                        actor=actor,
                        name=record.name,
                        opened_on=record.opened_on,
                        segment=segment,
                        template=PodTemplate.MODERATE,
                        is_gated=False,
                        at=at,
                    )
                    pk = pod.pk
                if result.is_refused(position):
                    continue
            known.setdefault(match_name(record.name), pk or 0)
            result.outcomes.append(RecordOutcome(position, fate, pk, record.name))
    return result


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod as a file names it."""

    name: str
    opened_on: Any
    segment_id: int | None = None


def _pod(record: Record) -> PodRecord:
    return PodRecord(**record.flat())


def _owner(record: Record) -> OwnerRecord:
    return OwnerRecord(**_flat(record, without=("first_name", "last_name"), texts=_TEXTS))


def _line(record: Record) -> DealLineRecord:
    values = _texts(record)
    if "discount" in values:
        values["discount_bp"] = _basis_points(values.pop("discount"))
    return DealLineRecord(**values)


def _split(record: Record) -> DealSplitRecord:
    values = _texts(record)
    values["share_bp"] = _basis_points(values.pop("share"))
    if "overlay" in values:
        values["is_overlay"] = values.pop("overlay") == "yes"
    return DealSplitRecord(**values)


def _basis_points(share: Decimal | None) -> int | None:
    """A share of one in basis points, half up. A third of a deal is 3,333: what is missing to the whole is refused."""
    return None if share is None else round_half_up(Fraction(share) * WHOLE_BP)


def _stage_change(record: Record) -> StageChangeRecord:
    return StageChangeRecord(**_zoned(_texts(record), "changed_at"))


def _activity(record: Record) -> ActivityRecord:
    values = _flat(record, texts=(*_TEXTS, "subject", "outcome", "direction"))
    return ActivityRecord(**_zoned(values, "happened_at", "due_at", "done_at"))


def _zoned(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Moments that name no zone are meant in the company's."""
    for name in names:
        moment = values.get(name)
        if isinstance(moment, datetime) and moment.tzinfo is None:
            values[name] = moment.replace(tzinfo=ZoneInfo(settings.COMPANY_TIME_ZONE))
    return values


#: How accounts, contacts, leads and deals are read back.
_ACCOUNT: Final = Shown(
    Account,
    (
        "name", "external_id", "parent_id", "status", "industry", "country", "city", "website", "employees",
        "revenue_minor", "currency", "founded_year", "owner_id", "segment_id", "territory_id",
    ),
)  # fmt: skip
_CONTACT: Final = Shown(Contact, ("name", "account_id", "title", "email", "phone", "consent", "external_id"))
_LEAD: Final = Shown(
    Lead,
    (
        "name", "company", "title", "email", "phone", "country", "employees", "origin", "campaign", "status",
        "consent", "disqualified_because", "owner_id", "account_id", "estimated_minor", "currency", "external_id", "note",
    ),
    days={"created_on": "created_at"},
)  # fmt: skip
_DEAL: Final = Shown(
    Deal,
    (
        "external_id", "name", "account_id", "contact_id", "lead_id", "owner_id", "product_id", "stage_id", "amount_minor",
        "currency", "term_months", "opened_on", "expected_close_on", "closed_on", "pod_id", "lost_because", "next_step",
        "note",
    ),
)  # fmt: skip
_PRODUCT: Final = Shown(Product, ("name", "code", "series", "price_minor", "currency"), moment="")

_LINE: Final = Shown(
    DealLine,
    ("external_id", "deal_id", "product_id", "quantity", "unit_price_minor", "amount_minor", "note"),
    moment="",
)
_SPLIT: Final = Shown(DealSplit, ("external_id", "deal_id", "person_id", "function"), moment="")
_ACTIVITY: Final = Shown(
    Activity,
    (
        "external_id", "kind", "subject", "note", "person_id", "lead_id", "deal_id", "account_id", "contact_id",
        "happened_at", "due_at", "done_at", "outcome", "direction",
    ),
    moment="",
)  # fmt: skip
_SUBSCRIPTION: Final = Shown(
    Subscription,
    ("external_id", "account_id", "name", "mrr_minor", "currency", "seats", "start_on", "end_on"),
    moment="",
)


def introduce_rooms_below() -> None:
    """The kinds that the rooms below take."""
    introduce("people", Destination(_person, upsert_people))
    introduce("territories", Destination(lambda record: TerritoryRecord(**_texts(record)), upsert_territories))
    introduce(
        "territory_assignments",
        Destination(lambda record: TerritoryAssignmentRecord(**record.flat()), upsert_territory_assignments),
    )
    introduce("pods", Destination(_pod, upsert_pods))
    introduce("pod_memberships", Destination(lambda record: MembershipRecord(**record.flat()), upsert_memberships))
    introduce(
        "accounts",
        Destination(_account, upsert_accounts, remove_accounts, restore_accounts, merge_accounts, _ACCOUNT),
    )
    introduce(
        "contacts",
        Destination(_contact, upsert_contacts, remove_contacts, restore_contacts, merge_contacts, _CONTACT),
    )
    introduce("leads", Destination(_lead, upsert_leads, remove_leads, restore_leads, merge_leads, _LEAD))
    introduce("products", Destination(lambda record: ProductRecord(**_texts(record)), upsert_products, shown=_PRODUCT))
    introduce("deals", Destination(_deal, upsert_deals, remove_deals, restore_deals, merge_deals, _DEAL))
    introduce("owners", Destination(_owner, match_owners))
    introduce("deal_lines", Destination(_line, upsert_deal_lines, remove_deal_lines, shown=_LINE))
    introduce("deal_splits", Destination(_split, upsert_deal_splits, remove_deal_splits, shown=_SPLIT))
    introduce("stage_changes", Destination(_stage_change, upsert_stage_changes))
    introduce("activities", Destination(_activity, upsert_activities, remove_activities, shown=_ACTIVITY))
    introduce(
        "subscriptions",
        Destination(
            lambda record: SubscriptionRecord(**_texts(record)),
            upsert_subscriptions,
            remove_subscriptions,
            shown=_SUBSCRIPTION,
        ),
    )
