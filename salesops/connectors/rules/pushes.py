"""What a proven delivery tells: which records changed, were deleted or merged, one event for each, in the vendor's words.

Each function takes the body and the headers as they came and knows one vendor's form. It keeps nothing of a token that
a body carries, and never drops a part that it does not understand: that becomes an event of no object, to be seen.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from salesops.connectors.rules.proofs import read_json

_LONGEST_KEY: Final = 120


class Unreadable(ValueError):  # noqa: N818 - an answer, not a fault of ours
    """The body has not the form that the vendor describes. The delivery is refused, so that it is seen on both sides."""


@dataclass(frozen=True)
class Pushed:
    """One thing that a delivery tells.

    key: by what it counts once; "" where the vendor gives it no identity, so that each delivery counts. object: the
    vendor's word for the kind of record, "" for what is not understood. external_id: "" when only a whole collection is
    said to have changed. record: the record where the event carries it whole. account_id: whose it is.
    """

    key: str
    object: str = ""
    external_id: str = ""
    occurred_at: datetime | None = None
    is_deleted: bool = False
    merged_into: str = ""
    account_id: str = ""
    record: Mapping[str, Any] | None = None


#: Reads the events of a body with its headers. Raises Unreadable.
Reader = Callable[[bytes, Mapping[str, str]], list[Pushed]]


def _digest(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True, default=str).encode()
    return hashlib.sha256(raw).hexdigest()[:32]


def _key(*parts: Any) -> str:
    """A key of parts, as they are while they are short."""
    text = "|".join("" if part is None else str(part) for part in parts)
    return text if len(text) <= _LONGEST_KEY else f"#{_digest(text.encode())}"


def _text(value: Any) -> str:
    """An id as text; "" for what is no id."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)[:200]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object_of(body: bytes) -> dict[str, Any]:
    content = read_json(body)
    if not isinstance(content, dict):
        raise Unreadable
    return content


def _unix(value: Any, *, per_second: int = 1) -> datetime | None:
    """A moment in Unix time; None for what is none."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(value) / per_second)
    except (TypeError, ValueError, OverflowError):
        return None


def _iso(value: Any) -> datetime | None:
    """A moment in ISO text, UTC unless it says otherwise; None for what is none."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _odd(item: Any, *key: Any) -> Pushed:
    """Something that is not understood: kept as an event of no object."""
    return Pushed(_key("?", *key, _digest(item)))


# --- Billing ----------------------------------------------------------------------------------------------------------


def stripe(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """An event with its object as it was then; thin events name it only.

    `customer.subscription.deleted` ends a subscription that stays: only `<object>.deleted` says that the object is gone.
    """
    event = _object_of(body)
    key, kind, at = _text(event.get("id")), str(event.get("type", "")), event.get("created")
    occurred_at = _iso(at) if isinstance(at, str) else _unix(at)
    account = _text(event.get("account"))
    record = _dict(_dict(event.get("data")).get("object"))
    named = _dict(event.get("related_object"))
    name = _text(record.get("object")) or _text(named.get("type"))
    external_id = _text(record.get("id")) or _text(named.get("id"))
    if not (key and name and external_id):
        return [_odd(event, key)]
    gone = record.get("deleted") is True or kind == f"{name}.deleted"
    whole = record if record and not gone else None
    return [Pushed(key, name, external_id, occurred_at, is_deleted=gone, account_id=account, record=whole)]


def chargebee(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """An event and all records that it touched, each as it is now."""
    event = _object_of(body)
    key, kind = _text(event.get("id")), str(event.get("event_type", ""))
    found: list[Pushed] = []
    for name, value in _dict(event.get("content")).items():
        for record in value if isinstance(value, list) else [value]:
            external_id = _text(_dict(record).get("id"))
            if not external_id:
                continue  # cards and addresses, which belong to their customer
            label = _text(record.get("object")) or name
            gone = record.get("deleted") is True or kind == f"{label}_deleted"
            found.append(
                Pushed(
                    _key(key, label, external_id),
                    label,
                    external_id,
                    _unix(event.get("occurred_at")),
                    is_deleted=gone,
                    record=None if gone else record,
                )
            )
    return found if key and found else [_odd(event, key)]


def quickbooks(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """Both forms: `eventNotifications`, and CloudEvents (types like `qbo.invoice.updated.v1`) that replace it.

    Merged names: the event names the one that stays, and the one that is gone beside it. What is voided stays.
    """
    content = read_json(body)
    if isinstance(content, dict) and isinstance(content.get("eventNotifications"), list):
        return [each for note in content["eventNotifications"] for each in _quickbooks_note(_dict(note))]
    if not isinstance(content, list):
        raise Unreadable
    found: list[Pushed] = []
    for item in content:
        event = _dict(item)
        parts = str(event.get("type", "")).split(".")
        gone = _text(_dict(event.get("data")).get("deletedid"))
        if len(parts) < 3 or not _text(event.get("intuitentityid")):
            found.append(_odd(item))
            continue
        found += _quickbooks_event(
            _key(event.get("intuitaccountid"), event.get("id")),
            parts[1],
            parts[2],
            _text(event["intuitentityid"]),
            gone,
            _iso(event.get("time")),
            _text(event.get("intuitaccountid")),
        )
    return found


def _quickbooks_note(note: dict[str, Any]) -> list[Pushed]:
    realm = _text(note.get("realmId"))
    found: list[Pushed] = []
    for item in _list(_dict(note.get("dataChangeEvent")).get("entities")):
        entity = _dict(item)
        name, external_id, action = entity.get("name"), _text(entity.get("id")), entity.get("operation")
        if not (isinstance(name, str) and external_id and isinstance(action, str)):
            found.append(_odd(item, realm))
            continue
        key = _key(realm, name, external_id, action, entity.get("lastUpdated"))
        gone = _text(entity.get("deletedId"))
        found += _quickbooks_event(key, name, action, external_id, gone, _iso(entity.get("lastUpdated")), realm)
    return found


def _quickbooks_event(
    key: str, name: str, action: str, external_id: str, gone: str, occurred_at: datetime | None, realm: str
) -> list[Pushed]:
    is_deleted = action.lower() in {"delete", "deleted"}
    told = [Pushed(key, name.lower(), external_id, occurred_at, is_deleted=is_deleted, account_id=realm)]
    if gone and gone != external_id:
        loser = _key(key, "gone", gone)
        told.append(Pushed(loser, name.lower(), gone, occurred_at, merged_into=external_id, account_id=realm))
    return told


def xero(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """Ids only, in batches; none at all when Xero makes sure that the address is ours (intent to receive)."""
    events = _object_of(body).get("events")
    if not isinstance(events, list):
        raise Unreadable
    found: list[Pushed] = []
    for item in events:
        event = _dict(item)
        name, external_id = event.get("eventCategory"), _text(event.get("resourceId"))
        tenant, at = _text(event.get("tenantId")), event.get("eventDateUtc")
        if not (isinstance(name, str) and external_id):
            found.append(_odd(item, tenant))
            continue
        key = _key(tenant, name, external_id, event.get("eventType"), at)
        found.append(Pushed(key, name.lower(), external_id, _iso(at), account_id=tenant))
    return found


# --- Customers and deals ----------------------------------------------------------------------------------------------


def hubspot(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """Batches of up to a hundred, of all portals of an app; not in order, and more than once.

    `deal.creation` and the newer `object.creation` with `objectTypeId` say the same; the object is "deal" or "0-3". An
    eventId is not unique by itself. A merge may end in a new record: then both that were merged are gone.
    """
    content = read_json(body)
    if not isinstance(content, list):
        raise Unreadable
    return [each for item in content for each in _hubspot_event(_dict(item))]


def _hubspot_event(event: dict[str, Any]) -> list[Pushed]:
    kind, _point, action = str(event.get("subscriptionType", "")).partition(".")
    name = _text(event.get("objectTypeId")) if kind == "object" else kind
    portal, occurred_at = _text(event.get("portalId")), _unix(event.get("occurredAt"), per_second=1000)
    parts = (portal, event.get("eventId"), event.get("occurredAt"), event.get("subscriptionType"))

    def told(which: str, external_id: Any, **more: Any) -> Pushed:
        identity = _text(external_id)
        if not (which and identity):
            return _odd(event, *parts)
        key = _key(*parts, identity, event.get("propertyName"))
        return Pushed(key, which, identity, occurred_at, account_id=portal, **more)

    if action == "merge":
        survivor = event.get("newObjectId") or event.get("primaryObjectId") or event.get("objectId")
        merged = [event.get("primaryObjectId"), *_list(event.get("mergedObjectIds"))]
        losers = {text for each in merged if (text := _text(each)) and text != _text(survivor)}
        return [
            told(name, survivor),
            *(told(name, loser, merged_into=_text(survivor)) for loser in sorted(losers)),
        ]
    if action == "associationChange":
        one, _to, other = str(event.get("associationType", "")).lower().partition("_to_")
        return [
            told(_text(event.get("fromObjectTypeId")) or one, event.get("fromObjectId")),
            told(_text(event.get("toObjectTypeId")) or other, event.get("toObjectId")),
        ]
    return [told(name, event.get("objectId"), is_deleted=action in {"deletion", "privacyDeletion"})]


def pipedrive(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """Webhooks v2: one record as it is now; of a merge, the deleted one says what it was merged into."""
    content = _object_of(body)
    meta = _dict(content.get("meta"))
    name, external_id = _text(meta.get("entity")), _text(meta.get("entity_id"))
    action, company = _text(meta.get("action")), _text(meta.get("company_id"))
    if not (name and external_id and action):
        return [_odd(content, company)]
    at = meta.get("timestamp")
    gone = action == "delete"
    return [
        Pushed(
            _key(company, meta.get("id"), name, external_id, action, at),
            name,
            external_id,
            _iso(at) if isinstance(at, str) else _unix(at),
            is_deleted=gone,
            merged_into=_text(meta.get("merged_to_id")) if gone else "",
            account_id=company,
            record=None if gone else _dict(content.get("data")) or None,
        )
    ]


def close(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """An entry of the event log with its object; an entry that is written on counts again."""
    event = _dict(_object_of(body).get("event"))
    name, external_id = _text(event.get("object_type")), _text(event.get("object_id"))
    action, account = _text(event.get("action")), _text(event.get("organization_id"))
    key = _key(event.get("id"), event.get("date_updated"))
    if not (name and external_id and event.get("id")):
        return [_odd(event)]
    occurred_at, meta = _iso(event.get("date_updated") or event.get("date_created")), _dict(event.get("meta"))
    gone, into = _text(meta.get("merge_source_lead_id")), _text(meta.get("merge_destination_lead_id"))
    if action == "merged" and gone and into:
        return [
            Pushed(key, name, into, occurred_at, account_id=account),
            Pushed(_key(key, "gone"), name, gone, occurred_at, merged_into=into, account_id=account),
        ]
    is_deleted = action == "deleted"
    record = None if is_deleted or action == "merged" else _dict(event.get("data")) or None
    return [Pushed(key, name, external_id, occurred_at, is_deleted=is_deleted, account_id=account, record=record)]


def outreach(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """One record with the attributes that changed, so it is fetched."""
    content = _object_of(body)
    data, meta = _dict(content.get("data")), _dict(content.get("meta"))
    name, external_id, event = _text(data.get("type")), _text(data.get("id")), _text(meta.get("eventName"))
    if not (name and external_id):
        return [_odd(content)]
    at = meta.get("deliveredAt")
    key = _key(name, external_id, event, at, _digest(data))
    return [Pushed(key, name, external_id, _iso(at), is_deleted=event.endswith((".destroyed", ".deleted")))]


def sellsy(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """One record of one company (`corpid`), in the words of the old interface; it is fetched."""
    event = _object_of(body)
    name, external_id = _text(event.get("relatedtype")), _text(event.get("relatedid"))
    action, company, at = str(event.get("event", "")), _text(event.get("corpid")), event.get("timestamp")
    if not (name and external_id):
        return [_odd(event, company)]
    key = _key(company, name, external_id, event.get("eventType"), action, at, _digest(event))
    occurred_at = _iso(at) if isinstance(at, str) and not at.isdecimal() else _unix(at)
    is_deleted = action.lower().rpartition(".")[2] in {"delete", "deleted"}
    return [Pushed(key, name, external_id, occurred_at, is_deleted=is_deleted, account_id=company)]


# --- Telephony and calendars ------------------------------------------------------------------------------------------


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for known, value in headers.items() if known.lower() == name.lower()), "")


def twilio(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """A form about one call; its record is fetched. A repetition bears the token of the first attempt."""
    try:
        fields = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
    except ValueError as error:
        raise Unreadable from error
    call, account = fields.get("CallSid", ""), fields.get("AccountSid", "")
    if not call:
        return [_odd(fields, account)]
    try:
        occurred_at = parsedate_to_datetime(fields["Timestamp"]).astimezone(UTC)
    except (KeyError, ValueError):
        occurred_at = None
    token = _header(headers, "I-Twilio-Idempotency-Token") or _digest(fields)
    return [Pushed(_key(account, call, token), "call", call, occurred_at, account_id=account)]


def aircall(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """One call (or contact, or user) as it is now. The token in the body is the secret; only `data` is kept."""
    content = _object_of(body)
    data, event = _dict(content.get("data")), _text(content.get("event"))
    name, external_id = _text(content.get("resource")), _text(data.get("id"))
    if not (name and external_id):
        return [_odd(data, event)]
    key = _key(event, external_id, content.get("timestamp"), _digest(data))
    gone = event.endswith(".deleted")
    return [
        Pushed(
            key,
            name,
            external_id,
            _unix(content.get("timestamp")),
            is_deleted=gone,
            record=None if gone else data,
        )
    ]


def ringcentral(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """A session of a call (object "call"), or that something of an extension changed (the end of the event's path)."""
    content = _object_of(body)
    key, inner = _text(content.get("uuid")), _dict(content.get("body"))
    path = str(content.get("event", "")).partition("?")[0].rstrip("/")
    session = _text(inner.get("telephonySessionId"))
    if not key:
        return [_odd(content)]
    name = "call" if session else path.rpartition("/")[2]
    return [Pushed(key, name, session, _iso(content.get("timestamp")))]


def zoom(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """A call (`phone.*`, each side tells its own) or a meeting; the object is the first word of the event."""
    content = _object_of(body)
    event, payload = str(content.get("event", "")), _dict(content.get("payload"))
    inner, account = _dict(payload.get("object")), _text(payload.get("account_id"))
    name, at = event.partition(".")[0], content.get("event_ts")
    records = [_dict(each) for each in _list(inner.get("call_logs"))] or [inner]
    ids = [
        next((text for field in ("call_id", "uuid", "id") if (text := _text(record.get(field)))), "")
        for record in records
    ]
    if not (name and any(ids)):
        return [_odd(content, account)]
    occurred_at = _unix(at, per_second=1000)
    return [
        Pushed(_key(account, event, each, at, _digest(record)), name, each, occurred_at, account_id=account)
        for record, each in zip(records, ids, strict=True)
        if each
    ]


def google(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """Only that a calendar changed, in headers; the first message says that the channel stands and tells nothing."""
    state, channel = _header(headers, "X-Goog-Resource-State"), _header(headers, "X-Goog-Channel-ID")
    if not (state and channel):
        raise Unreadable
    if state == "sync":
        return []
    return [Pushed(_key(channel, _header(headers, "X-Goog-Message-Number")), "calendar")]


def microsoft(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """Which resources changed, in batches; the object is the collection ("events"). Only some bear an identity."""
    content = _object_of(body)
    found: list[Pushed] = []
    for item in _list(content.get("value")):
        note = _dict(item)
        data = _dict(note.get("resourceData"))
        subscription, tenant = _text(note.get("subscriptionId")), _text(note.get("tenantId"))
        parts = str(note.get("resource", "")).strip("/").split("/")
        if note.get("lifecycleEvent"):
            found.append(Pushed("", "lifecycle", "", account_id=tenant))
            continue
        external_id = _text(data.get("id")) or parts[-1]
        if not external_id:
            found.append(_odd({name: value for name, value in note.items() if name != "clientState"}, subscription))
            continue
        tag, identity = _text(data.get("@odata.etag")), _text(note.get("id"))
        key = _key(subscription, note.get("changeType"), external_id, identity or tag) if identity or tag else ""
        found.append(
            Pushed(
                key,
                parts[-2] if len(parts) > 1 else "",
                external_id,
                is_deleted=note.get("changeType") == "deleted",
                account_id=tenant,
            )
        )
    return found


# --- Our own ----------------------------------------------------------------------------------------------------------


def signed(body: bytes, headers: Mapping[str, str]) -> list[Pushed]:
    """Our own form, for what any system can send: `{"type": "deal.updated", "timestamp": ..., "data": {"id": ...}}`.

    Or a list of these. `data` holds the whole record when it has more than its id. `deleted` as the last word of the type
    says that it is gone; `merged_into` beside the id, what took its place. `webhook-id` is the identity of a delivery.
    """
    content = read_json(body)
    items: Iterable[Any] = content if isinstance(content, list) else [content]
    if not isinstance(content, dict | list):
        raise Unreadable
    delivery, found = _header(headers, "webhook-id"), list[Pushed]()
    for number, item in enumerate(items):
        event = _dict(item)
        name, _point, action = str(event.get("type", "")).rpartition(".")
        data = _dict(event.get("data"))
        external_id = _text(data.get("id")) or _text(data.get("Id"))
        if not (name and external_id):
            found.append(_odd(item, delivery))
            continue
        key = _key(delivery, number) if delivery else ""
        into = _text(data.get("merged_into"))
        gone = action in {"deleted", "destroyed"}
        is_whole = len(data) > 1 and not gone and not into
        found.append(
            Pushed(
                key,
                name,
                external_id,
                _iso(event.get("timestamp")),
                is_deleted=gone,
                merged_into=into,
                record=data if is_whole else None,
            )
        )
    return found


READERS: Final[Mapping[str, Reader]] = {
    "aircall": aircall,
    "chargebee": chargebee,
    "close": close,
    "google": google,
    "hubspot": hubspot,
    "microsoft": microsoft,
    "outreach": outreach,
    "pipedrive": pipedrive,
    "quickbooks": quickbooks,
    "ringcentral": ringcentral,
    "salesforce": signed,
    "sellsy": sellsy,
    "shared_secret": signed,
    "signed": signed,
    "stripe": stripe,
    "twilio": twilio,
    "xero": xero,
    "zoom": zoom,
}
