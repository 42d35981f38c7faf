"""The secrets of a connection are changed, lost and given anew, and what is kept in step goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from salesops.connectors.choices import ConnectionState
from salesops.connectors.models import Authorization, Connection, Credential, RawRecord, Stream
from salesops.connectors.rules import proofs
from salesops.connectors.services import authorizing, budgets, credentials
from salesops.core.vault import key_id_of
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.connectors.linking import REDIRECT, Link, allowed
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.salesforce import Salesforce
from tests.connectors.standins.stripe import Stripe
from tests.connectors.test_connection_pages import DEALS, at, come_back, put_deal, said, text_of
from tests.core.test_vault import ONE, TWO

FIRST: Final = "obviously-not-a-secret"
SECOND: Final = "obviously-another-secret"
KEY: Final = "sk_test_obviously_another_key"


@pytest.fixture(autouse=True)
def _no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the pages stands still, so a bucket of requests would never fill again."""
    monkeypatch.setattr(budgets, "take", lambda *_args, **_kwargs: timedelta(0))


@pytest.fixture
def org(settings: Any) -> Iterator[StandIn]:
    """A vendor to sign in at, with three deals. The portal has one key for its secrets."""
    settings.SECRETS_KEYS = ONE
    with Salesforce() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.put("User", 2, Name="Ana Alvarez", Email="ana@example.com", IsActive=True)
        standin.put("Account", 1, Name="Acme")
        for number in range(3):
            put_deal(standin, f"Deal {number}", 100 + number)
        yield standin


@pytest.fixture
def link(org: StandIn, cast: Cast) -> Link:
    """A connection in step with it, which knows a secret of its webhooks."""
    made = Link(cast.actor("rita"), org).connect("salesforce", secrets={"webhook_secret": FIRST})
    made.want(*DEALS).start().run()
    return made


def deals() -> set[tuple[str, int]]:
    """What came."""
    return set(Deal.objects.filter(source="salesforce").values_list("name", "amount_minor"))


THREE: Final = {("Deal 0", 10_000), ("Deal 1", 10_100), ("Deal 2", 10_200)}


# --- The key of the portal --------------------------------------------------------------------------------------------


def test_the_key_of_the_portal_is_changed_under_a_connection(link: Link, org: StandIn, settings: Any) -> None:
    """A new key in front, everything sealed again, the old one dropped: syncs and a sign-in under way know nothing of it."""
    url = authorizing.begin(actor=link.actor, connection=link.connection, redirect_uri=REDIRECT, at=link.at)
    settings.SECRETS_KEYS = f"{TWO},{ONE}"
    put_deal(org, "While both keys are there", 300)
    link.sync(after=120)
    call_command("rotate_secrets")
    sealed = [
        *Credential.objects.values_list("sealed", flat=True),
        *Authorization.objects.values_list("sealed_verifier", flat=True),
    ]
    assert len(sealed) == 5  # client secret, webhook secret, two tokens; the verifier of the sign-in
    assert {key_id_of(each) for each in sealed} == {"two"}

    settings.SECRETS_KEYS = TWO
    put_deal(org, "With the new key alone", 400)
    org.expire_tokens()  # the client secret and the refresh token are opened too
    link.sync(after=120)
    assert link.connection.state == ConnectionState.RUNNING
    assert deals() == THREE | {("While both keys are there", 30_000), ("With the new key alone", 40_000)}
    told = come_back(url)
    authorizing.complete(
        actor=link.actor, state=told["state"], code=told["code"], extra={}, at=link.at, caller=link.trial
    )


def test_a_key_that_is_lost_is_said_and_mended_by_connecting_anew(
    link: Link, org: StandIn, settings: Any, client_of: Callable[[str], Client]
) -> None:
    settings.SECRETS_KEYS = TWO
    link.sync()
    assert link.connection.state == ConnectionState.BROKEN
    rita = client_of("rita")
    page = rita.get(link.connection.get_absolute_url())
    assert "The stored credentials cannot be opened with the keys that are here." in text_of(page)
    assert "Put the key back, or connect anew." in text_of(page)

    given = {
        "source_name": "Salesforce", "sync_every": "15", "brake_deals": "25", "brake_minor": "50,000.00",
        "address": org.origin, "client_id": org.client_id, "login_host": "login.salesforce.com",
        "client_secret": org.client_secret,
    }  # fmt: skip
    assert rita.post(at("connection_edit", link.connection.pk), given).status_code == 302
    told = come_back(rita.post(at("connection_sign_in", link.connection.pk)).context["url"])
    rita.get(at("connection_authorized"), told)
    put_deal(org, "Afterwards", 500)
    link.sync()
    assert link.connection.state == ConnectionState.RUNNING
    assert deals() == THREE | {("Afterwards", 50_000)}


# --- The key of a vendor ----------------------------------------------------------------------------------------------


def test_the_key_of_a_vendor_is_replaced_in_the_portal(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """A key that the vendor ended breaks the connection and says so; the new one mends it, and the old one is gone."""
    with Stripe() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.put("customer", 1, name="Acme")
        link = Link(cast.actor("rita"), standin).connect("stripe", secrets={"api_key": Stripe.api_key})
        link.want("customers").start().run()
        standin.api_key = KEY
        link.sync()
        assert link.connection.state == ConnectionState.BROKEN
        rita = client_of("rita")
        page = rita.get(link.connection.get_absolute_url())
        assert "Stripe no longer accepts the sign-in" in text_of(page)

        given = {
            "source_name": "Stripe", "sync_every": "15", "brake_deals": "25", "brake_minor": "50,000.00",
            "address": standin.origin, "api_key": KEY,
        }  # fmt: skip
        response = rita.post(at("connection_edit", link.connection.pk), given, follow=True)
        assert said(response) == ["Saved."]
        assert KEY not in text_of(response)
        connection = Connection.objects.get()
        assert (connection.state, connection.error) == (ConnectionState.RUNNING, {})
        assert [each.name for each in Credential.objects.all()] == ["api_key"]
        assert credentials.valid_ones(connection, "api_key", at=link.at) == [KEY]
        standin.put("customer", 2, name="Beta")
        link.sync()
        assert set(link.raws("customers")) == {"cus_00000000000001", "cus_00000000000002"}


def test_the_secret_of_the_webhooks_is_replaced_on_its_page(
    link: Link, client_of: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the vendor still signs with the one before is taken for a day, and no longer."""
    moment = {"now": link.at}
    monkeypatch.setattr(timezone, "now", lambda: moment["now"])
    outside = Client(enforce_csrf_checks=True)

    def tell(secret: str, identifier: str) -> int:
        headers = proofs.sign(secret, identifier=identifier, at=moment["now"], body=b"[]")
        path = f"/hooks/salesforce/{link.connection.hook_token}/"
        return int(outside.generic("POST", path, b"[]", "application/json", headers=headers).status_code)

    assert (tell(FIRST, "1"), tell(SECOND, "2")) == (200, 401)
    rita = client_of("rita")
    page = at("webhookevent_secret", link.connection.pk)
    response = rita.post(page, {"webhook_secret": ""}, follow=True)
    assert said(response) == ["Write the new secret."]
    response = rita.post(page, {"webhook_secret": SECOND}, follow=True)
    assert said(response) == ["The new secret is kept. What was signed with the one before is taken for another day."]
    assert SECOND not in text_of(response)
    assert "is taken for one more day" in text_of(response)
    assert client_of("ana").post(page, {"webhook_secret": "hers"}).status_code == 403

    kept = Credential.objects.get(name="webhook_secret_before")
    moment["now"] = kept.expires_at - timedelta(seconds=1)
    assert (tell(FIRST, "3"), tell(SECOND, "4")) == (200, 200)
    moment["now"] = kept.expires_at
    assert (tell(FIRST, "5"), tell(SECOND, "6")) == (401, 200)
    assert kept.expires_at - kept.changed_at == timedelta(days=1)


# --- Gone and back ----------------------------------------------------------------------------------------------------


def test_connected_anew_after_it_was_disconnected(link: Link, org: StandIn, client_of: Callable[[str], Client]) -> None:
    """Nothing is kept of the old secrets, nothing comes twice, and what changed meanwhile comes in."""
    before = dict(RawRecord.objects.values_list("pk", "external_id"))
    address = link.connection.hook_token
    rita = client_of("rita")
    rita.post(at("connection_disconnect", link.connection.pk))
    put_deal(org, "Meanwhile", 600)
    link.at += timedelta(hours=1)
    link.run()
    assert deals() == THREE

    told = come_back(rita.post(at("connection_sign_in", link.connection.pk)).context["url"])
    response = rita.get(at("connection_authorized"), told, follow=True)
    assert said(response)[0].startswith("Salesforce did not give a new token")  # the client secret was forgotten too
    assert Connection.objects.get().state == ConnectionState.DISCONNECTED
    given = {
        "source_name": "Salesforce", "sync_every": "15", "brake_deals": "25", "brake_minor": "50,000.00",
        "address": org.origin, "client_id": org.client_id, "login_host": "login.salesforce.com",
        "client_secret": org.client_secret,
    }  # fmt: skip
    rita.post(at("connection_edit", link.connection.pk), given)
    assert Connection.objects.get().state == ConnectionState.PAUSED
    told = come_back(rita.post(at("connection_sign_in", link.connection.pk)).context["url"])
    rita.get(at("connection_authorized"), told)
    rita.post(at("connection_start", link.connection.pk))
    link.connection.refresh_from_db()
    link.sync()
    connection = link.connection
    assert (connection.state, connection.error, connection.failing_since) == (ConnectionState.RUNNING, {}, None)
    assert connection.hook_token != address  # whoever knew the old address knows no new one
    assert set(Credential.objects.values_list("name", flat=True)) == {"client_secret", "access_token", "refresh_token"}
    assert deals() == THREE | {("Meanwhile", 60_000)}
    assert Stream.objects.filter(connection=connection, is_wanted=True).count() == 3
    assert before.items() <= dict(RawRecord.objects.values_list("pk", "external_id")).items()
    assert RawRecord.objects.count() == len(before) + 1


def test_a_sign_in_anew_is_enough_where_the_app_needs_no_secret(
    link: Link, org: StandIn, client_of: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the return of the sign-in itself begins it again."""
    client_of("rita").post(at("connection_disconnect", link.connection.pk))
    monkeypatch.setattr(authorizing, "_ask", lambda *_args: org.give_tokens())
    put_deal(org, "Meanwhile", 600)
    link.sign_in()
    assert (link.connection.state, link.connection.next_sync_at) == (ConnectionState.RUNNING, link.at)
    link.sync()
    assert deals() == THREE | {("Meanwhile", 60_000)}
