"""The pieces that several vendors are made of."""

from __future__ import annotations

import pytest

from salesops.connectors.vendors import vendor_of, vendors
from salesops.connectors.vendors.base import Column, ColumnType, Fault, FaultKind, Identity, basic, columns_of
from salesops.connectors.vendors.billing import to_write


def test_columns_are_written_with_type_and_mark() -> None:
    assert columns_of("id", "value:number", "stage!", "arr:number!") == (
        Column("id", "id"),
        Column("value", "value", ColumnType.NUMBER),
        Column("stage", "stage", is_writable=True),
        Column("arr", "arr", ColumnType.NUMBER, is_writable=True),
    )
    with pytest.raises(ValueError, match="amount"):
        columns_of("value:amount")


def test_what_is_not_told_of_an_account_is_left_out() -> None:
    """It would wipe out what the connection knows."""
    assert Identity("1", "Acme", {"currency": "CHF", "time_zone": ""}).settings == {"currency": "CHF"}


def test_http_basic_is_written_as_rfc_7617_shows_it() -> None:
    assert basic("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert basic("key") == "Basic a2V5Og=="


@pytest.mark.parametrize(
    ("now", "seen", "wanted"),
    [
        ({"name": "Acme", "phone": "1"}, {"name": "Acme", "phone": "1"}, {"name": "Acme SA", "phone": ""}),
        ({"name": "Acme SA", "phone": None}, {"name": "Acme", "phone": "1"}, {}),  # somebody did the same
        ({"name": "Acme", "phone": ""}, {"name": "Acme"}, {"name": "Acme SA"}),
        (
            {"name": "Acme", "phone": "1", "email": "new"},
            {"name": "Acme", "phone": "1"},
            {"name": "Acme SA", "phone": ""},
        ),
    ],
)
def test_only_what_is_not_there_yet_is_written(
    now: dict[str, str], seen: dict[str, str], wanted: dict[str, str]
) -> None:
    assert to_write({"name": "Acme SA", "phone": None}, now, seen, "Stripe") == wanted


def test_whoever_was_faster_is_not_overwritten() -> None:
    with pytest.raises(Fault) as caught:
        to_write({"name": "Acme SA"}, {"name": "Acme Ltd"}, {"name": "Acme"}, "Stripe")
    assert caught.value.kind is FaultKind.CHANGED
    assert str(caught.value.problem.text()).startswith("The customer was changed in Stripe in the meantime.")


def test_all_but_databases_tell_changes_by_themselves() -> None:
    assert [vendor.code for vendor in vendors() if not vendor.has_webhooks] == ["sql"]


def test_another_address_stands_in_for_the_one_of_all_accounts() -> None:
    close = vendor_of("close")
    assert close.base({}) == "https://api.close.com/api/v1/"
    assert close.base({"address": "https://proxy.example:8443/"}) == "https://proxy.example:8443/api/v1/"
