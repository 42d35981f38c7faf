"""Where records of each kind go: the rooms below by themselves, rooms beside this one when `home` introduces them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from salesops.accounts.services.upserts import AccountRecord, ContactRecord, upsert_accounts, upsert_contacts
from salesops.connectors.rules.convert import Record
from salesops.connectors.rules.fields import LookupKind
from salesops.core.actor import Actor
from salesops.core.upserts import Fate, RecordOutcome, UpsertResult, refusing
from salesops.deals.services.upserts import DealRecord, ProductRecord, upsert_deals, upsert_products
from salesops.leads.services.upserts import LeadRecord, upsert_leads
from salesops.people.imports import PersonRecord, upsert_people
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
from salesops.values.names import match_name


class Upsert(Protocol):
    """A room's service that takes records in bulk."""

    def __call__(
        self, *, records: Sequence[Any], actor: Actor, source: str, at: datetime, preview: bool = False
    ) -> UpsertResult:
        """Bring them in, or in a preview say what would happen."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A kind of record: how a canonical record becomes the room's own, and the service that takes it."""

    make: Callable[[Record], Any]
    upsert: Upsert


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
    """Every kind that can be imported."""
    return list(_DESTINATIONS)


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
    return ContactRecord(**_flat(record, without=("first_name", "last_name"), texts=_TEXTS))


def _lead(record: Record) -> LeadRecord:
    values = _moment(record)
    for name in ("first_name", "last_name"):
        values.pop(name, None)
    return LeadRecord(**values)


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
    introduce("accounts", Destination(_account, upsert_accounts))
    introduce("contacts", Destination(_contact, upsert_contacts))
    introduce("leads", Destination(_lead, upsert_leads))
    introduce("products", Destination(lambda record: ProductRecord(**_texts(record)), upsert_products))
    introduce("deals", Destination(_deal, upsert_deals))
