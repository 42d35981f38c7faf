"""The deals of an account, as its page fetches them."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.deals.models import Deal
from salesops.pods.workload import load_of
from tests.cast import NOW, Cast

MakeDeal = Callable[..., Deal]


def test_an_accounts_deals_are_shown_with_what_is_open_and_won(
    client_of: Callable[[str], Client], make_deal: MakeDeal, cast: Cast
) -> None:
    account = Account.objects.create(name="Acme", match_name="acme", owner=cast.ana, pod=cast.north, created_at=NOW)
    other = Account.objects.create(name="Other", match_name="other", owner=cast.ana, pod=cast.north, created_at=NOW)
    make_deal(name="Here", account=account, amount_minor=1_000_00)
    make_deal(name="There", account=other, amount_minor=5_000_00)
    make_deal(name="Hidden", account=account, owner=cast.alba, pod=cast.south, amount_minor=9_000_00)
    url = reverse("deals:account_deals", args=[account.pk])
    page = client_of("ana").get(url)
    assert [deal.name for deal in page.context["table"].data] == ["Here"]
    assert [(total.currency, total.amount_minor) for total in page.context["open"]] == [("USD", 1_000_00)]
    assert page.context["won"] == []
    assert {deal.name for deal in client_of("rita").get(url).context["table"].data} == {"Here", "Hidden"}


def test_an_account_that_is_not_yours_does_not_exist(client_of: Callable[[str], Client], cast: Cast) -> None:
    account = Account.objects.create(name="Acme", match_name="acme", owner=cast.ana, pod=cast.north, created_at=NOW)
    url = reverse("deals:account_deals", args=[account.pk])
    answers = {who: client_of(who).get(url).status_code for who in ("ana", "alba", "finn", "elsa", "norm")}
    assert answers == {"ana": 200, "alba": 404, "finn": 200, "elsa": 403, "norm": 403}
    assert "No deals with this account yet." in client_of("ana").get(url).content.decode()


def test_open_deals_are_counted_for_pods_and_people(make_deal: MakeDeal, cast: Cast) -> None:
    make_deal(name="One")
    make_deal(name="Two", owner=cast.sam)
    make_deal(name="South", owner=cast.alba, pod=cast.south)
    make_deal(name="Won", stage="won")
    load = load_of("deals", pod_ids=[cast.north.pk, cast.south.pk], person_ids=[cast.ana.pk, cast.carl.pk])
    assert load is not None
    assert (load.by_pod, load.by_person) == ({cast.north.pk: 2, cast.south.pk: 1}, {cast.ana.pk: 1})
