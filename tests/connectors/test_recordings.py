"""A recording keeps a reply's shape and nobody's data."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from salesops.connectors.management.commands import connector_record
from salesops.connectors.models import RawRecord
from salesops.connectors.rules.recordings import recording, scrubbed
from tests.cast import NOW, Cast
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.salesforce import Salesforce

ROW = {
    "Id": "006Aa0000000001IAA",
    "AccountId": "001Aa0000000002IAA",
    "Name": "Rollout at Lemaire",
    "Email": "eva.lemaire@lemaire.example",
    "StageName": "Closed Won",
    "Amount": Decimal("48250.75"),
    "CloseDate": "2026-05-01",
    "SystemModstamp": "2026-05-01T07:25:37.000+0000",
    "IsWon": True,
    "Website": "https://lemaire.example/about",
    "created": 1_777_000_000,
}


def test_names_ids_and_amounts_are_replaced_and_the_rest_stays() -> None:
    made = scrubbed(ROW)
    assert made.keys() == ROW.keys()
    for kept in ("StageName", "CloseDate", "SystemModstamp", "IsWon", "created"):
        assert made[kept] == ROW[kept]
    for replaced in ("Id", "AccountId", "Name", "Email", "Amount", "Website"):
        assert made[replaced] != ROW[replaced]
    assert len(made["Id"]) == 18
    assert made["Amount"].as_tuple().exponent == -2
    assert made["Email"].endswith("@example.com")


def test_what_meets_still_meets() -> None:
    one, other = scrubbed({"AccountId": "001Aa0000000002IAA"}), scrubbed({"Id": "001Aa0000000002IAA"})
    assert one["AccountId"] == other["Id"]
    assert scrubbed({"Id": "a1"}) != scrubbed({"Id": "a2"})


def test_secrets_are_removed_from_addresses_headers_and_bodies() -> None:
    made = recording(
        [
            (
                "GET",
                "https://vendor.example/v1/deals?access_token=canary-1&limit=2",
                200,
                {
                    "Set-Cookie": "canary-2",
                    "X-RateLimit-Remaining": "7",
                    "Authorization": "canary-3",
                    "Date-Of-Birth": "canary-5",
                },
                b'{"access_token": "canary-4", "data": []}',
            )
        ]
    )
    assert "canary" not in json.dumps(made)
    assert made[0]["headers"] == {"x-ratelimit-remaining": "7"}
    assert made[0]["query"] == "access_token=REMOVED&limit=2"


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ({"type": "eva@lemaire.example"}, {"type": "person-"}),
        ({"next_page": "https://lemaire.example/2"}, {"next_page": "https://example.com/"}),
        ({"Website": "https://lemaire.example/about"}, {"Website": "https://example.com/"}),
        ({"api_key": 12345, "note": ""}, {"api_key": "REMOVED", "note": ""}),
        ({"password": {"a": "eva"}}, {"password": {"a": "text "}}),
    ],
)
def test_whoever_stands_in_a_word_of_the_vendor_goes(row: dict[str, object], kept: dict[str, object]) -> None:
    made = scrubbed(row)
    assert made.keys() == kept.keys()
    for name, begins in kept.items():
        assert str(made[name]).startswith(str(begins).removesuffix("'}"))
    assert "lemaire" not in json.dumps(made)


def test_an_amount_as_text_is_replaced_by_an_amount() -> None:
    made = scrubbed({"amount": "-48250.75"})["amount"]
    assert made != "-48250.75"
    assert (len(made), made[0], made[-3:]) == (9, "-", ".75")


def test_whoever_is_asked_for_goes_from_the_address() -> None:
    made = recording([("GET", "https://v.example/?email=eva@lemaire.example&q=name='Eva'&page=2", 200, {}, b"")])
    assert made[0]["query"] == "email=REMOVED&q=REMOVED&page=2"


def test_what_a_recording_leaves_in_is_still_searched_for_secrets(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that stands where nobody thought of one: the portal knows it, because it opened it."""
    with Salesforce() as org, allowed(org):
        org.clock.now = NOW
        org.put("Account", 1, Name="Lemaire")
        Link(cast.actor("rita"), org).connect("salesforce")
        token = next(iter(org.grants[0].access))
        monkeypatch.setattr(connector_record, "recording", lambda _exchanges: [{"path": f"/odd/{token}"}])
        call_command("connector_record", "salesforce", "Account", str(tmp_path / "a.json"), rows=1, verbosity=0)
    assert json.loads((tmp_path / "a.json").read_text())["exchanges"] == [{"path": "/odd/•••"}]


def test_the_command_writes_a_recording_and_brings_nothing_in(cast: Cast, tmp_path: Path) -> None:
    with Salesforce() as org, allowed(org):
        org.clock.now = NOW
        org.put("Account", 1, Name="Lemaire")
        org.put("Account", 2, Name="Dubois")
        link = Link(cast.actor("rita"), org).connect("salesforce")
        call_command("connector_record", "salesforce", "Account", str(tmp_path / "a.json"), rows=1, verbosity=0)
        made = json.loads((tmp_path / "a.json").read_text())
        assert [each["status"] for each in made["exchanges"]] == [200, 200, 200]
        text = json.dumps(made)
        assert "Lemaire" not in text
        assert org.identity("Account", 1) not in text
        for grant in org.grants:
            assert not any(token in text for token in grant.access)
        assert not RawRecord.objects.filter(stream__connection=link.connection).exists()
        with pytest.raises(CommandError, match="It has: "):
            call_command("connector_record", "salesforce", "Nothing", str(tmp_path / "b.json"))
