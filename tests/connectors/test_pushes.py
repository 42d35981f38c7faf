"""What deliveries tell, vendor by vendor: which record, what happened, whose it is, and by what it counts once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from salesops.connectors.rules import pushes
from salesops.connectors.rules.pushes import Pushed, Unreadable


def read(vendor: str, content: Any, **headers: str) -> list[Pushed]:
    """The events of a body; underscores in the names of headers stand for hyphens."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return pushes.READERS[vendor](body, {name.replace("_", "-"): value for name, value in headers.items()})


def facts(found: list[Pushed]) -> list[tuple[str, str, str]]:
    """Object, id and what happened."""
    return [
        (each.object, each.external_id, "deleted" if each.is_deleted else f"into {each.merged_into}".strip())
        for each in found
    ]


def moment(*parts: int) -> datetime:
    """A moment in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


STRIPE: dict[str, Any] = {
    "id": "evt_1",
    "type": "invoice.paid",
    "created": 1700000000,
    "account": "acct_1",
    "data": {"object": {"id": "in_1", "object": "invoice", "total": 1999}},
}


def test_stripe() -> None:
    """The record as it was; an ended subscription is not gone, a deleted customer is; thin events name only."""
    (found,) = read("stripe", STRIPE)
    assert found == Pushed(
        "evt_1",
        "invoice",
        "in_1",
        moment(2023, 11, 14, 22, 13, 20),
        account_id="acct_1",
        record={"id": "in_1", "object": "invoice", "total": 1999},
    )
    ended = {"id": "sub_1", "object": "subscription", "status": "canceled"}
    (found,) = read("stripe", STRIPE | {"type": "customer.subscription.deleted", "data": {"object": ended}})
    assert (found.is_deleted, found.record) == (False, ended)
    for kind, record in (
        ("customer.deleted", {"id": "cus_1", "object": "customer"}),
        ("customer.updated", {"id": "cus_1", "object": "customer", "deleted": True}),
    ):
        (found,) = read("stripe", STRIPE | {"type": kind, "data": {"object": record}})
        assert (found.external_id, found.is_deleted, found.record) == ("cus_1", True, None)
    thin = {
        "id": "evt_2",
        "object": "v2.core.event",
        "type": "v1.billing.meter.error",
        "created": "2026-03-02T09:30:00Z",
        "related_object": {"id": "mtr_1", "type": "billing.meter"},
    }
    assert read("stripe", thin) == [Pushed("evt_2", "billing.meter", "mtr_1", moment(2026, 3, 2, 9, 30))]


def test_chargebee_tells_of_all_records_that_it_touched() -> None:
    """Each with a key of its own; cards have no id and belong to their customer; amounts stay exact."""
    body = b'{"id":"ev_1","occurred_at":1700000000,"event_type":"subscription_deleted","content":{"subscription":{"id":"s1","object":"subscription"},"customer":{"id":"c1","object":"customer","balance":10.10},"card":{"object":"card"},"invoices":[{"id":"i1","object":"invoice"}]}}'
    found = read("chargebee", body)
    assert facts(found) == [("subscription", "s1", "deleted"), ("customer", "c1", "into"), ("invoice", "i1", "into")]
    assert [each.key for each in found] == ["ev_1|subscription|s1", "ev_1|customer|c1", "ev_1|invoice|i1"]
    assert found[0].record is None
    assert found[1].record is not None
    assert found[1].record["balance"] == Decimal("10.10")


def test_quickbooks_in_both_forms() -> None:
    """The old and the new form of the same change; a merge names the one that is gone; what is voided stays."""
    old = {
        "eventNotifications": [
            {
                "realmId": "1185883450",
                "dataChangeEvent": {
                    "entities": [
                        {
                            "name": "Customer",
                            "id": "1",
                            "operation": "Create",
                            "lastUpdated": "2015-10-05T14:42:19-0700",
                        },
                        {"name": "Vendor", "id": "3", "operation": "Merge", "deletedId": "2"},
                        {"name": "Invoice", "id": "4", "operation": "Void"},
                        {"name": "Payment", "id": "5", "operation": "Delete"},
                    ]
                },
            }
        ]
    }
    found = read("quickbooks", old)
    assert facts(found) == [
        ("customer", "1", "into"),
        ("vendor", "3", "into"),
        ("vendor", "2", "into 3"),
        ("invoice", "4", "into"),
        ("payment", "5", "deleted"),
    ]
    assert found[0].key == "1185883450|Customer|1|Create|2015-10-05T14:42:19-0700"
    assert found[0].occurred_at == moment(2015, 10, 5, 21, 42, 19)
    assert {each.account_id for each in found} == {"1185883450"}

    def cloud(kind: str, **more: Any) -> dict[str, Any]:
        base = {"specversion": "1.0", "id": f"e-{kind}", "type": f"qbo.{kind}.v1", "time": "2026-03-05T10:00:00Z"}
        return base | {"intuitentityid": "7", "intuitaccountid": "9341455600000000001"} | more

    new = read(
        "quickbooks",
        [cloud("invoice.updated"), cloud("customer.merged", data={"deletedid": "27"}), cloud("payment.deleted")],
    )
    assert facts(new) == [
        ("invoice", "7", "into"),
        ("customer", "7", "into"),
        ("customer", "27", "into 7"),
        ("payment", "7", "deleted"),
    ]
    assert new[0].key == "9341455600000000001|e-invoice.updated"
    assert (new[0].account_id, new[0].occurred_at) == ("9341455600000000001", moment(2026, 3, 5, 10))


def test_xero() -> None:
    """Ids only; an empty list is the question whether the address is ours."""
    event = {
        "resourceId": "717f2bfc",
        "eventDateUtc": "2017-06-21T01:15:39.902",
        "eventType": "UPDATE",
        "eventCategory": "INVOICE",
        "tenantId": "t1",
    }
    (found,) = read("xero", {"events": [event]})
    assert (found.object, found.external_id, found.account_id) == ("invoice", "717f2bfc", "t1")
    assert found.key == "t1|INVOICE|717f2bfc|UPDATE|2017-06-21T01:15:39.902"
    assert found.occurred_at == moment(2017, 6, 21, 1, 15, 39).replace(microsecond=902_000)
    assert read("xero", {"events": []}) == []


HUBSPOT: dict[str, Any] = {
    "eventId": 1,
    "portalId": 62515,
    "occurredAt": 1564113600000,
    "subscriptionType": "deal.propertyChange",
    "propertyName": "amount",
    "attemptNumber": 0,
    "objectId": 123,
}


def test_hubspot() -> None:
    """Old and new names of the same; an event id alone is no identity, and an attempt makes no new event."""
    (found,) = read("hubspot", [HUBSPOT])
    assert found == Pushed(
        "62515|1|1564113600000|deal.propertyChange|123|amount",
        "deal",
        "123",
        moment(2019, 7, 26, 4),
        account_id="62515",
    )
    (again,) = read("hubspot", [HUBSPOT | {"attemptNumber": 3}])
    (other,) = read("hubspot", [HUBSPOT | {"objectId": 124}])
    assert (again.key == found.key, other.key == found.key) == (True, False)
    named = HUBSPOT | {"subscriptionType": "object.deletion", "objectTypeId": "0-3"}
    private = HUBSPOT | {"subscriptionType": "contact.privacyDeletion"}
    assert facts(read("hubspot", [named, private])) == [("0-3", "123", "deleted"), ("contact", "123", "deleted")]


def test_merges_of_hubspot() -> None:
    """Into the first of two, or into a new record, where both are gone; each has a key of its own."""
    merge = HUBSPOT | {"subscriptionType": "company.merge", "primaryObjectId": 1, "mergedObjectIds": [2, 3]}
    found = read("hubspot", [merge | {"newObjectId": 1}])
    assert facts(found) == [("company", "1", "into"), ("company", "2", "into 1"), ("company", "3", "into 1")]
    assert len({each.key for each in found}) == 3
    found = read("hubspot", [merge | {"newObjectId": 9}])
    assert facts(found)[0] == ("company", "9", "into")
    assert [each.external_id for each in found if each.merged_into == "9"] == ["1", "2", "3"]


def test_associations_of_hubspot_touch_both_sides() -> None:
    """A deal that is put to another company changes both."""
    event = HUBSPOT | {"associationType": "DEAL_TO_COMPANY", "fromObjectId": 5, "toObjectId": 6}
    found = read("hubspot", [event | {"subscriptionType": "deal.associationChange"}])
    assert facts(found) == [("deal", "5", "into"), ("company", "6", "into")]
    generic = {"subscriptionType": "object.associationChange", "fromObjectTypeId": "0-3", "toObjectTypeId": "0-2"}
    assert facts(read("hubspot", [event | generic])) == [("0-3", "5", "into"), ("0-2", "6", "into")]


def test_pipedrive() -> None:
    """One record as it is now; a merge is a deletion that says where to; an attempt makes no new event."""
    meta = {
        "action": "change",
        "entity": "deal",
        "entity_id": 7,
        "company_id": 31,
        "id": "11-22",
        "timestamp": "2026-03-02T09:30:00.000Z",
        "attempt": 1,
    }
    (found,) = read("pipedrive", {"meta": meta, "data": {"id": 7, "title": "Deal"}, "previous": {}})
    assert (found.key, found.account_id) == ("31|11-22|deal|7|change|2026-03-02T09:30:00.000Z", "31")
    assert (found.record, found.occurred_at) == ({"id": 7, "title": "Deal"}, moment(2026, 3, 2, 9, 30))
    (again,) = read("pipedrive", {"meta": meta | {"attempt": 2}, "data": {"id": 7}})
    assert again.key == found.key
    (gone,) = read("pipedrive", {"meta": meta | {"action": "delete", "merged_to_id": "8"}, "data": None})
    assert (gone.is_deleted, gone.merged_into, gone.record) == (True, "8", None)


def test_close() -> None:
    """An entry that is written on is a new event; a merge names both."""
    event = {
        "id": "ev_1",
        "date_updated": "2019-01-15T12:48:23.395000",
        "action": "updated",
        "object_type": "opportunity",
        "object_id": "oppo_1",
        "organization_id": "orga_1",
        "data": {"id": "oppo_1", "value": 100000},
    }
    (found,) = read("close", {"event": event, "subscription_id": "w"})
    assert (found.object, found.external_id, found.account_id) == ("opportunity", "oppo_1", "orga_1")
    assert found.record == {"id": "oppo_1", "value": 100000}
    assert found.occurred_at == moment(2019, 1, 15, 12, 48, 23).replace(microsecond=395_000)
    (later,) = read("close", {"event": event | {"date_updated": "2019-01-15T12:49:00"}})
    assert later.key != found.key
    assert facts(read("close", {"event": event | {"action": "deleted"}})) == [("opportunity", "oppo_1", "deleted")]
    meta = {"merge_source_lead_id": "lead_1", "merge_destination_lead_id": "lead_2"}
    merged = event | {"object_type": "lead", "object_id": "lead_2", "action": "merged", "meta": meta}
    assert facts(read("close", {"event": merged})) == [("lead", "lead_2", "into"), ("lead", "lead_1", "into lead_2")]


def test_outreach_and_sellsy() -> None:
    """One record each, to be fetched."""
    data = {"type": "opportunity", "id": 54, "attributes": {"amount": 7}}
    sent = {
        "data": data,
        "meta": {"deliveredAt": "2019-08-15T19:52:07.697+00:00", "eventName": "opportunity.destroyed"},
    }
    (found,) = read("outreach", sent)
    assert (facts([found]), found.record) == ([("opportunity", "54", "deleted")], None)
    event = {
        "eventType": "opportunity",
        "event": "updated",
        "relatedtype": "opportunity",
        "relatedid": "12",
        "timestamp": 1700000000,
        "corpid": 77,
    }
    (one,) = read("sellsy", event | {"relatedobject": {"step": 1}})
    (two,) = read("sellsy", event | {"relatedobject": {"step": 2}})
    assert (one.object, one.external_id, one.account_id) == ("opportunity", "12", "77")
    assert one.key != two.key, "two changes in one second are two"
    assert facts(read("sellsy", event | {"event": "deleted"})) == [("opportunity", "12", "deleted")]


def test_telephony() -> None:
    """Calls of Twilio, Aircall, RingCentral and Zoom; nothing of a token in a body is kept."""
    form = (
        b"CallSid=CA1&AccountSid=AC1&CallStatus=completed&Timestamp=Mon%2C%2002%20Mar%202026%2009%3A30%3A00%20%2B0000"
    )
    (found,) = read("twilio", form, I_Twilio_Idempotency_Token="tok")
    assert found == Pushed("AC1|CA1|tok", "call", "CA1", moment(2026, 3, 2, 9, 30), account_id="AC1")
    (without,) = read("twilio", form)
    assert without.key.startswith("AC1|CA1|")
    (found,) = read(
        "aircall",
        {"resource": "call", "event": "call.ended", "timestamp": 1700000000, "token": "fake-token", "data": {"id": 1}},
    )
    assert (found.object, found.external_id, found.record) == ("call", "1", {"id": 1})
    assert "fake-token" not in repr(found)
    (odd,) = read("aircall", {"resource": "call", "token": "fake-token", "data": {}})
    assert (odd.object, "fake-token" in repr(odd)) == ("", False)
    event = {"uuid": "u-1", "event": "/restapi/v1.0/account/1/telephony/sessions", "timestamp": "2026-03-02T09:30:00Z"}
    (found,) = read("ringcentral", event | {"body": {"telephonySessionId": "s-1"}})
    assert (found.key, found.object, found.external_id) == ("u-1", "call", "s-1")
    (found,) = read("ringcentral", event | {"event": "/restapi/v1.0/account/1/extension/2/call-log?x=1"})
    assert (found.object, found.external_id) == ("call-log", "")
    sent = {"event": "phone.callee_ended", "event_ts": 1700000000000, "payload": {"account_id": "abc"}}
    (found,) = read("zoom", sent | {"payload": {"account_id": "abc", "object": {"call_id": "1"}}})
    assert (found.object, found.external_id, found.account_id) == ("phone", "1", "abc")
    logs = {"account_id": "abc", "object": {"call_logs": [{"call_id": "1"}, {"id": "2"}, {}]}}
    assert [each.external_id for each in read("zoom", sent | {"payload": logs})] == ["1", "2"]


def test_calendars() -> None:
    """Google says that something changed; Microsoft, what. Where there is no identity the key is empty."""
    headers = {"X_Goog_Channel_ID": "c-1", "X_Goog_Message_Number": "2"}
    assert read("google", b"", **headers, X_Goog_Resource_State="sync") == []
    assert read("google", b"", **headers, X_Goog_Resource_State="exists") == [Pushed("c-1|2", "calendar")]
    note = {
        "subscriptionId": "s1",
        "clientState": "fake-state",
        "changeType": "updated",
        "resource": "users/u/events/e",
        "tenantId": "t",
    }
    tagged = note | {"resourceData": {"id": "e2", "@odata.etag": 'W/"1"'}, "changeType": "deleted"}
    plain, etag, odd = read("microsoft", {"value": [note, tagged, {"clientState": "fake-state"}]})
    assert plain == Pushed("", "events", "e", account_id="t")
    assert (etag.key, etag.external_id, etag.is_deleted) == ('s1|deleted|e2|W/"1"', "e2", True)
    assert odd.object == ""
    assert "fake-state" not in repr((plain, etag, odd))
    (life,) = read("microsoft", {"value": [note | {"lifecycleEvent": "missed"}]})
    assert (life.object, life.external_id) == ("lifecycle", "")


def test_our_own_form() -> None:
    """One event or several; a record is whole when it says more than its id."""
    event = {"type": "deal.updated", "timestamp": "2026-03-02T10:30:00+01:00", "data": {"id": 7, "name": "Deal"}}
    (found,) = read("signed", event, webhook_id="m1")
    assert found == Pushed("m1|0", "deal", "7", moment(2026, 3, 2, 9, 30), record={"id": 7, "name": "Deal"})
    two = [event | {"type": "deal.deleted"}, event | {"data": {"Id": "8", "merged_into": "9"}}]
    first, second = read("signed", two, webhook_id="m2")
    assert (first.key, second.key, second.merged_into) == ("m2|0", "m2|1", "9")
    assert (first.is_deleted, first.record, second.record) == (True, None, None)
    assert read("signed", event)[0].key == ""


@pytest.mark.parametrize("vendor", sorted(pushes.READERS))
def test_what_is_not_understood_is_never_dropped(vendor: str) -> None:
    """A body of another form is refused; a part that says too little is an event of no object; nothing breaks."""
    for body in (
        b"",
        b"{",
        b"null",
        b"7",
        b'"text"',
        b"[" * 100_000,
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"[7]",
        b'{"events":[7]}',
    ):
        try:
            found = pushes.READERS[vendor](body, {})
        except Unreadable:
            continue
        assert {each.object for each in found} <= {""}


@pytest.mark.parametrize(
    ("vendor", "content"),
    [
        ("quickbooks", [{"type": "qbo.invoice"}]),
        ("quickbooks", {"eventNotifications": [{"dataChangeEvent": {"entities": [{"name": "Invoice"}]}}]}),
        ("xero", {"events": [{"resourceId": "1"}]}),
        ("hubspot", [{"subscriptionType": "deal.creation"}]),
        ("hubspot", ["text"]),
        ("chargebee", {"id": "ev_1", "content": {}}),
        ("microsoft", {"value": ["text"]}),
        ("signed", [{"type": "deal.updated"}, "text"]),
    ],
)
def test_a_part_that_says_too_little_is_kept(vendor: str, content: Any) -> None:
    """It is seen as an event of no object, and each of two with another content."""
    found = read(vendor, content)
    assert found
    assert {each.object for each in found} == {""}
    assert len({each.key for each in found}) == len(found)


def test_long_keys_are_shortened_and_differ() -> None:
    """A key is as long as its column allows, whatever a vendor sends."""
    found = [read("hubspot", [HUBSPOT | {"propertyName": "p" * 500 + end}])[0].key for end in "ab"]
    assert len(set(found)) == 2
    assert max(map(len, found)) <= 120
    assert len(read("xero", {"events": [{"resourceId": "r" * 900, "eventCategory": "INVOICE"}]})[0].external_id) == 200
