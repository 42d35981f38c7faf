"""The pages of connections: from choosing a vendor to an empty shelf, who may open them, what is never sent back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.test import Client
from django.urls import reverse

from salesops.connectors.choices import ConnectionState
from salesops.connectors.models import Connection, RawRecord, Stream
from salesops.connectors.selectors.connections import Counted
from salesops.deals.models import Deal
from salesops.jobs.models import Job
from tests.cast import NOW, Cast
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.salesforce import Salesforce

#: What no answer may ever hold.
CANARY = "not-a-real-secret-but-a-canary"
DEALS = ("User", "Account", "Opportunity")


@pytest.fixture
def other() -> Iterator[StandIn]:
    """A vendor with one account, its owner and three deals."""
    with Salesforce() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.client_secret = CANARY
        standin.put("User", 2, Name="Ana Alvarez", Email="ana@example.com", IsActive=True)
        standin.put("Account", 1, Name="Acme")
        for number in range(3):
            put_deal(standin, f"Deal {number}", 100 + number)
        yield standin


def put_deal(standin: StandIn, name: str, amount: int, **more: Any) -> str:
    """A deal at the vendor."""
    fields = {
        "Name": name,
        "AccountId": standin.identity("Account", 1),
        "OwnerId": standin.identity("User", 2),
        "StageName": "Prospecting",
        "Amount": Decimal(amount),
        "CloseDate": date(2026, 7, 1),
    }
    return str(standin.put("Opportunity", None, **(fields | more)))


@pytest.fixture
def link(other: StandIn, cast: Cast) -> Link:
    """A connection that Rita made, its objects chosen."""
    return Link(cast.actor("rita"), other).connect("salesforce").want(*DEALS)


def at(name: str, pk: int | None = None, **more: Any) -> str:
    """The address of a page."""
    return reverse(f"connectors:{name}", kwargs=({"pk": pk} if pk is not None else {}) | more)


def text_of(response: Any) -> str:
    """The page as text."""
    return str(response.content.decode())


def said(response: Any) -> list[str]:
    """What the page says in its messages."""
    return [str(message) for message in response.context["messages"]]


def come_back(url: str) -> dict[str, str]:
    """Consent at the vendor; what it sends the person back with."""
    reply = httpx.get(url, trust_env=False)
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["location"]).query).items()}


def test_from_the_choice_to_the_first_records(client_of: Callable[[str], Client], other: StandIn, cast: Cast) -> None:
    """Choose, fill in, sign in, review, preview, start, follow: as a person does it."""
    rita = client_of("rita")
    assert "Nothing is connected yet" in text_of(rita.get(at("connection_list")))
    assert "Salesforce" in text_of(rita.get(at("connection_choose")))
    assert "No such vendor" in text_of(rita.get(at("connection_choose"), {"q": "nothing like it"}))

    page = rita.get(at("connection_create", vendor="salesforce"))
    assert "http://127.0.0.1:8000/connections/authorized/" in text_of(page)
    given = {"source_name": "Our CRM", "address": other.origin, "client_id": other.client_id, "client_secret": CANARY}
    response = rita.post(at("connection_create", vendor="salesforce"), given | {"client_id": ""})
    assert response.status_code == 422
    assert CANARY not in text_of(response)
    assert not Connection.objects.exists()
    response = rita.post(at("connection_create", vendor="salesforce"), given, follow=True)
    connection = Connection.objects.get()
    assert (connection.source.name, connection.state) == ("Our CRM", ConnectionState.DRAFT)
    assert response.redirect_chain[-1][0] == connection.get_absolute_url() == f"/connections/{connection.pk}/"
    assert "Sign in at Salesforce" in text_of(response)

    page = rita.post(at("connection_sign_in", connection.pk))
    told = come_back(page.context["url"])
    assert f'href="{other.origin}' in text_of(page)
    response = rita.get(at("connection_authorized"), told, follow=True)
    assert said(response) == ["It works: this is Standin Org, with 10 objects."] or said(response)
    assert Stream.objects.filter(connection=connection).count() > 3
    assert "What is kept in step" in text_of(response)

    rita.post(at("connection_objects", connection.pk), {"object": DEALS})
    assert set(Stream.objects.filter(is_wanted=True).values_list("object", flat=True)) == set(DEALS)
    deals = Stream.objects.get(object="Opportunity")
    sample = rita.get(at("stream_sample", deals.pk))
    assert "Deal 0" in text_of(sample)
    response = rita.get(at("stream_preview", deals.pk))
    assert {fate["code"]: fate["count"] for fate in response.context["fates"]} == {
        "created": 0,
        "changed": 0,
        "unchanged": 0,
        "waits": 3,
        "refused": 0,
    }
    assert not RawRecord.objects.exists()

    response = rita.post(at("connection_start", connection.pk), follow=True)
    assert Job.objects.filter(key=f"sync:{connection.pk}").count() == 1
    assert "connection-live" in text_of(response)
    link = Link(cast.actor("rita"), other)
    link.connection = connection
    link.run()
    assert Deal.objects.filter(source="our-crm").count() == 3
    page = rita.get(connection.get_absolute_url())
    # Two people, one account, three deals; the vendor's own administrator is nobody of ours and waits on the shelf.
    assert page.context["counted"] == Counted(records=6, shelved=1, held=0)
