"""An error reply that is not what the vendor writes (a proxy's page, half a body) is understood by its status alone."""

from __future__ import annotations

import json
from typing import Final

import pytest

from salesops.connectors.vendors import vendors
from salesops.connectors.vendors.base import FaultKind, Said, Vendor, said_in
from salesops.connectors.wire import Reply

KINDS: Final = {
    400: FaultKind.REFUSED,
    401: FaultKind.UNAUTHORIZED,
    403: FaultKind.FORBIDDEN,
    404: FaultKind.MISSING,
    410: FaultKind.GONE,
    412: FaultKind.CHANGED,
    429: FaultKind.LIMITED,
    500: FaultKind.PASSING,
    502: FaultKind.PASSING,
    503: FaultKind.PASSING,
}
#: What no vendor writes.
STRANGE: Final = {
    "a proxy's page": b"<html><body><h1>Error</h1>The requested service is not available.</body></html>",
    "nothing": b"",
    "half a body": b'{"error": {"code": "rate_lim',
    "no text": b"\xff\xfe\x00",
    "a list": b'["error", 3]',
    "an empty list": b"[]",
    "a list of nothing": b"[null]",
    "null": b"null",
    "a number": b"42",
    "a text": b'"error"',
}
#: Every name under which one of them tells something, and what does not belong there.
NAMES: Final = (
    "api_error_code", "code", "Detail", "details", "Elements", "Error", "error", "errors", "Fault", "fault", "field-errors",
    "message", "policyName", "troubleshoot", "type", "ValidationErrors",
)  # fmt: skip
WRONG: Final = (7, True, [], [7], [None], [[]], {}, {"7": 7})
OTHER_FORMS: Final = [
    *({name: wrong} for name in NAMES for wrong in WRONG),
    *({outer: {name: wrong}} for outer in ("error", "Fault", "fault") for name in NAMES for wrong in WRONG),
    *({outer: [{name: wrong}]} for outer in ("errors", "Elements") for name in NAMES for wrong in WRONG),
]

each_vendor = pytest.mark.parametrize("vendor", vendors(), ids=lambda vendor: vendor.code)


def kind(vendor: Vendor, status: int, body: bytes) -> FaultKind | None:
    verdict = vendor.verdict(Reply(status, {}, body, "https://vendor.example/"))
    return verdict.kind if verdict else None


@each_vendor
@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
def test_what_is_not_of_the_vendor_counts_by_its_status(vendor: Vendor, body: bytes) -> None:
    expected = dict(KINDS)
    if vendor.code == "pipedrive":
        expected[403] = FaultKind.LIMITED  # whoever asks too much is shut out before Pipedrive, by a page
    assert {status: kind(vendor, status, body) for status in KINDS} == expected


@each_vendor
def test_other_forms_inside_count_by_the_status(vendor: Vendor) -> None:
    for told in OTHER_FORMS:
        body = json.dumps(told).encode()
        assert {status: kind(vendor, status, body) for status in KINDS} == KINDS, told


@each_vendor
@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
def test_a_good_status_is_no_refusal(vendor: Vendor, body: bytes) -> None:
    assert [kind(vendor, status, body) for status in (200, 201, 204, 304)] == [None] * 4


def test_only_what_reading_raises_is_caught() -> None:
    def broken(_told: object) -> Said:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        said_in(Reply(400, {}, b"{}", "https://vendor.example/"), broken)
