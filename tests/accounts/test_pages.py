"""The pages of accounts and contacts: what they show to whom, what their forms do; what is not yours does not exist."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.accounts.models import Account, AccountOwnership, Contact, Subscription
from salesops.accounts.services import create_account, create_contact, set_responsible
from salesops.accounts.tables import AccountTable, ContactTable
from salesops.audit.models import AuditEntry
from tests.cast import NOW, SINCE, TODAY, Cast

Log = Callable[[str], Client]


def make(cast: Cast, who: str = "ana", **fields: Any) -> Account:
    return create_account(actor=cast.actor(who), at=NOW, **({"name": "Acme Inc"} | fields))


def names(response: Any) -> list[str]:
    """The names in the first column of a list page."""
    return re.findall(r'<th scope="row"[^>]*>\s*<a href="[^"]*">([^<]*)</a>', response.content.decode())


def typed(response: Any, **values: Any) -> dict[str, Any]:
    """What a browser posts: the form as it was shown, with some fields typed over."""
    form = response.context["form"]
    shown = {name: form[name].value() for name in form.fields}
    posted = {name: value for name, value in shown.items() if value is not None and value is not False}
    return {name: value for name, value in (posted | values).items() if value is not None}


@pytest.fixture
def some(cast: Cast) -> dict[str, Account]:
    found = {
        "Mine": make(cast, "ana", name="Mine", city="Bonn", employees=10),
        "Pods": make(cast, "sam", name="Pods", status="customer", employees=500),
        "Theirs": make(cast, "alba", name="Theirs"),
        "Nobodys": make(cast, "rita", name="Nobodys"),
    }
    by = {"actor": cast.actor("rita"), "at": NOW}
    create_contact(account_id=found["Mine"].pk, name="Bea", email="bea@mine.example", is_primary=True, **by)
    create_contact(account_id=found["Theirs"].pk, name="Cal", **by)
    return found


@pytest.mark.parametrize(
    ("who", "accounts", "contacts"),
    [
        ("ana", {"Mine", "Pods"}, {"Bea"}),
        ("alba", {"Theirs"}, {"Cal"}),
        ("max", {"Mine", "Pods"}, {"Bea"}),
        ("rita", {"Mine", "Pods", "Theirs", "Nobodys"}, {"Bea", "Cal"}),
        ("finn", {"Mine", "Pods", "Theirs", "Nobodys"}, {"Bea", "Cal"}),
    ],
)
def test_each_sees_their_accounts_and_contacts(
    client_of: Log, some: dict[str, Account], who: str, accounts: set[str], contacts: set[str]
) -> None:
    client = client_of(who)
    assert set(names(client.get(reverse("accounts:account_list")))) == accounts
    assert set(names(client.get(reverse("accounts:contact_list")))) == contacts


@pytest.mark.parametrize("who", ["elsa", "norm"])
def test_who_sees_no_single_account_has_no_list(client_of: Log, some: dict[str, Account], who: str) -> None:
    for name in ("account_list", "contact_list", "account_options"):
        assert client_of(who).get(reverse(f"accounts:{name}")).status_code == 403


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("q=bonn", {"Mine"}),
        ("status=customer", {"Pods"}),
        ("owner=none", {"Nobodys"}),
        ("pod=none", {"Nobodys"}),
        ("employees_min=11", {"Pods"}),
        ("segment=none", {"Theirs", "Nobodys"}),
        ("in_group=yes", set()),
    ],
)
def test_filters_narrow_the_list(client_of: Log, some: dict[str, Account], query: str, seen: set[str]) -> None:
    assert set(names(client_of("rita").get(f"{reverse('accounts:account_list')}?{query}"))) == seen


@pytest.mark.parametrize("page", ["account", "contact"])
def test_a_list_costs_the_same_for_few_and_many(cast: Cast, client_of: Log, page: str) -> None:
    client = client_of("rita")
    table = AccountTable if page == "account" else ContactTable
    url = f"{reverse(f'accounts:{page}_list')}?per=100&cols={','.join(table.column_names())}"

    def cost(count: int) -> int:
        accounts = Account.objects.bulk_create(
            Account(name=f"{number}", match_name="x", owner=cast.ana, pod=cast.north, segment=cast.smb, created_at=NOW)
            for number in range(count)
        )
        Contact.objects.bulk_create(Contact(account=account, name=account.name, created_at=NOW) for account in accounts)
        with CaptureQueriesContext(connection) as queries:
            response = client.get(url)
        assert len(names(response)) == min(100, Account.objects.count())
        return len(queries)

    cost(1)
    assert cost(2) == cost(120)


def test_an_account_shows_what_hangs_on_it(cast: Cast, client_of: Log) -> None:
    parent = make(cast, name="Parent Group")
    account = make(cast, name="Child", parent=parent, revenue_minor=1_234_500)
    by = {"actor": cast.actor("ana"), "account_id": account.pk, "at": NOW}
    create_contact(name="Bea Berg", email="bea@acme.com", is_primary=True, **by)
    set_responsible(function="csm", person=cast.carl, **by)
    Subscription.objects.create(account=account, name="Pro", mrr_minor=9_900, currency="USD", start_on=SINCE)
    Subscription.objects.create(
        account=account, name="Old", mrr_minor=5_000, currency="USD", start_on=SINCE, end_on=TODAY
    )
    response = client_of("ana").get(reverse("accounts:account_detail", args=[account.pk]))
    page = response.content.decode()
    for text in ("Parent Group", "Bea Berg", "bea@acme.com", "Carl Chen", "CSM", "$12,345.00", "Main contact"):
        assert text in page
    assert response.context["mrr"] == [("USD", 9_900)]
    assert [row.person.name for row in response.context["team"]] == ["Ana Alvarez", "Carl Chen"]


def test_an_account_costs_the_same_however_much_hangs_on_it(cast: Cast, client_of: Log) -> None:
    def cost(account: Account) -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("accounts:account_detail", args=[account.pk]))
        return len(queries)

    client = client_of("ana")
    top, other = make(cast, name="Top"), make(cast, name="Other")
    make(cast, name="Below other", parent=other)
    for number in range(10):
        make(cast, name=f"Below {number}", parent=top)
        create_contact(actor=cast.actor("ana"), account_id=top.pk, at=NOW, name=f"Person {number}")
    cost(top)
    assert cost(top) == cost(other)


def test_what_is_not_yours_does_not_exist_and_does_not_change(
    cast: Cast, client_of: Log, some: dict[str, Account]
) -> None:
    client, account = client_of("alba"), some["Mine"]
    contact = account.contacts.get()
    state = lambda: (list(Account.objects.values()), list(Contact.objects.values()), AuditEntry.objects.count())  # noqa: E731
    before = state()
    for name, key in (
        ("account_detail", account.pk),
        ("account_edit", account.pk),
        ("account_assign", account.pk),
        ("account_responsible", account.pk),
        ("contact_detail", contact.pk),
        ("contact_edit", contact.pk),
    ):
        assert client.get(reverse(f"accounts:{name}", args=[key])).status_code == 404
    for name, key, data in (
        ("account_edit", account.pk, {"name": "Stolen", "status": "prospect", "currency": "USD"}),
        ("account_assign", account.pk, {"owner": cast.alba.pk, "day": TODAY}),
        ("account_responsible", account.pk, {"function": "csm", "person": cast.alba.pk, "day": TODAY}),
        ("contact_edit", contact.pk, {"name": "Stolen"}),
    ):
        assert client.post(reverse(f"accounts:{name}", args=[key]), data).status_code == 404
    given = {"pk": [account.pk], "step": "apply", "owner": cast.alba.pk, "fingerprint": ""}
    client.post(reverse("accounts:account_bulk_assign"), given)
    assert client.get(f"{reverse('accounts:contact_create')}?account={account.pk}").status_code == 404
    refused = client.post(reverse("accounts:contact_create"), {"account": "Mine", "name": "Stolen"})
    assert list(refused.context["form"].errors) == ["account"]
    assert state() == before


@pytest.mark.parametrize("who", ["finn", "elsa", "norm"])
def test_who_only_reads_has_no_forms(client_of: Log, some: dict[str, Account], who: str) -> None:
    client, account = client_of(who), some["Mine"]
    for name in ("account_edit", "account_assign", "account_responsible"):
        assert client.post(reverse(f"accounts:{name}", args=[account.pk]), {}).status_code == 403
    for name in ("account_create", "contact_create", "account_bulk_edit", "account_bulk_assign"):
        assert client.post(reverse(f"accounts:{name}"), {}).status_code == 403
    assert client.post(reverse("accounts:contact_edit", args=[account.contacts.get().pk]), {}).status_code == 403
    assert (Account.objects.count(), Contact.objects.count()) == (4, 2)


# --- Forms --------------------------------------------------------------------------------------------------------


def test_an_account_is_added_once_however_often_the_form_is_posted(cast: Cast, client_of: Log) -> None:
    client, url = client_of("ana"), reverse("accounts:account_create")
    parent = make(cast, name="Parent")
    data = typed(client.get(url), name="Acme", parent="parent", revenue_minor="1.5", currency="JPY", employees="40")
    refused = client.post(url, data)
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["revenue_minor"])
    data = typed(refused, revenue_minor="1,500", website="acme.example")
    first, again = client.post(url, data), client.post(url, data)
    account = Account.objects.get(name="Acme")
    assert first.url == again.url == reverse("accounts:account_detail", args=[account.pk])
    assert (account.parent, account.revenue_minor, account.currency, account.owner, account.segment) == (
        parent,
        1_500,
        "JPY",
        cast.ana,
        cast.smb,
    )
    assert account.website == "https://acme.example"


def test_an_edit_over_a_newer_account_shows_both_and_can_be_saved_again(cast: Cast, client_of: Log) -> None:
    account = make(cast, city="Bonn")
    url, client = reverse("accounts:account_edit", args=[account.pk]), client_of("ana")
    page = client.get(url)
    Account.objects.update(city="Ulm", revenue_minor=100, updated_at=NOW + timedelta(seconds=5))
    stale = client.post(url, typed(page, city="Köln"))
    assert stale.status_code == 409
    assert stale.context["theirs"] == [
        {"label": "City", "typed": "Köln", "now": "Ulm"},
        {"label": "Annual revenue", "typed": "—", "now": "$1.00"},
    ]
    assert client.post(url, typed(stale)).status_code == 302
    account.refresh_from_db()
    assert account.city == "Köln"


def test_a_circle_is_refused_at_its_field(cast: Cast, client_of: Log) -> None:
    top = make(cast, name="Top")
    make(cast, name="Below", parent=top)
    url, client = reverse("accounts:account_edit", args=[top.pk]), client_of("ana")
    page = client.post(url, typed(client.get(url), parent="Below"))
    assert (page.status_code, list(page.context["form"].errors)) == (422, ["parent"])
    top.refresh_from_db()
    assert top.parent is None


def test_a_parent_out_of_sight_is_neither_shown_nor_touched(cast: Cast, client_of: Log) -> None:
    theirs = make(cast, "alba", name="Hidden Holding")
    mine = make(cast, "ana", name="Mine")
    Account.objects.filter(pk=mine.pk).update(parent=theirs)
    client = client_of("ana")
    for name, args in (("account_detail", [mine.pk]), ("account_edit", [mine.pk]), ("account_list", [])):
        assert "Hidden Holding" not in client.get(reverse(f"accounts:{name}", args=args)).content.decode()
    url = reverse("accounts:account_edit", args=[mine.pk])
    assert client.post(url, typed(client.get(url), city="Bonn")).status_code == 302
    mine.refresh_from_db()
    assert (mine.city, mine.parent) == ("Bonn", theirs)


def test_names_are_offered_within_sight_and_with_their_number_when_two_share_one(cast: Cast, client_of: Log) -> None:
    first, second = make(cast, name="Twin"), make(cast, name="Twin")
    make(cast, name="The twins")
    make(cast, "alba", name="Twin of the south")
    page = client_of("ana").get(reverse("accounts:account_options"), {"parent": "twin"}).content.decode()
    assert re.findall(r'value="([^"]*)"', page) == [f"Twin (#{first.pk})", f"Twin (#{second.pk})", "The twins"]
    client, url = client_of("ana"), reverse("accounts:account_create")
    refused = client.post(url, typed(client.get(url), name="X", parent="Twin"))
    assert list(refused.context["form"].errors) == ["parent"]
    client.post(url, typed(refused, parent=f"Twin (#{second.pk})"))
    assert Account.objects.get(name="X").parent == second


def test_an_account_changes_hands_from_a_day_on(cast: Cast, client_of: Log) -> None:
    account = make(cast, "ana")
    AccountOwnership.objects.update(start_on=SINCE)
    url, client = reverse("accounts:account_assign", args=[account.pk]), client_of("max")
    future = client.post(url, {"owner": cast.sam.pk, "day": TODAY + timedelta(days=1)})
    assert list(future.context["form"].errors) == ["day"]
    given = client.post(url, {"owner": cast.sam.pk, "day": TODAY - timedelta(days=7), "reason": "leave"})
    assert given.url == reverse("accounts:account_detail", args=[account.pk])
    assert list(AccountOwnership.objects.order_by("start_on").values_list("person__name", "start_on", "end_on")) == [
        ("Ana Alvarez", SINCE, TODAY - timedelta(days=7)),
        ("Sam Sorensen", TODAY - timedelta(days=7), None),
    ]
    away = client_of("rita").post(url, {"owner": cast.alba.pk, "day": TODAY})
    assert away.url == reverse("accounts:account_detail", args=[account.pk])


def test_somebody_is_responsible_beside_the_owner(cast: Cast, client_of: Log) -> None:
    account = make(cast, "ana")
    url = reverse("accounts:account_responsible", args=[account.pk])
    client_of("ana").post(url, {"function": "csm", "person": cast.carl.pk, "day": TODAY})
    row = AccountOwnership.objects.get(function="csm")
    assert (row.person, row.start_on, row.end_on) == (cast.carl, TODAY, None)
    assert client_of("ana").post(url, {"function": "ae", "person": cast.carl.pk, "day": TODAY}).status_code == 422


def test_a_contact_is_added_from_the_account_and_edited(cast: Cast, client_of: Log) -> None:
    account = make(cast, "ana")
    client = client_of("ana")
    url = f"{reverse('accounts:contact_create')}?account={account.pk}"
    data = typed(client.get(url), name="Bea", email="BEA@acme.com", is_primary="on")
    assert data["account"] == "Acme Inc"
    added = client.post(url, data)
    assert added.url == reverse("accounts:account_detail", args=[account.pk])
    client.post(url, data)
    contact = Contact.objects.get()
    assert (contact.name, contact.email, contact.is_primary) == ("Bea", "bea@acme.com", True)
    edit = reverse("accounts:contact_edit", args=[contact.pk])
    page = client.get(edit)
    Contact.objects.update(title="CEO", updated_at=NOW + timedelta(seconds=5))
    stale = client.post(edit, typed(page, title="Chair"))
    assert (stale.status_code, stale.context["theirs"]) == (
        409,
        [{"label": "Title", "typed": "Chair", "now": "CEO"}],
    )
    assert client.post(edit, typed(stale)).url == reverse("accounts:contact_detail", args=[contact.pk])
    history = client.get(reverse("accounts:contact_detail", args=[contact.pk])).content.decode()
    assert "<del>CEO</del>" in history


def test_who_refused_to_be_contacted_is_shown_without_a_link_to_do_so(cast: Cast, client_of: Log) -> None:
    account, client = make(cast, "ana"), client_of("ana")
    by = {"actor": cast.actor("ana"), "at": NOW, "account_id": account.pk}
    bea = create_contact(name="Bea", email="bea@acme.com", phone="+1 555 0100", **by)
    create_contact(name="Cal", email="cal@acme.com", **by)
    detail = reverse("accounts:contact_detail", args=[bea.pk])
    pages = (detail, reverse("accounts:contact_list"), reverse("accounts:account_detail", args=[account.pk]))
    for page in pages:
        assert "mailto:bea@acme.com" in client.get(page).content.decode()
    edit = reverse("accounts:contact_edit", args=[bea.pk])
    assert client.post(edit, typed(client.get(edit), consent="refused")).status_code == 302
    bea.refresh_from_db()
    assert bea.consent == "refused"
    for page in pages:
        shown = client.get(page).content.decode()
        assert "mailto:bea@acme.com" not in shown
        assert "tel:+1 555 0100" not in shown
    assert "<ins>Refused</ins>" in client.get(detail).content.decode()
    for asked, count in (("refused", 1), ("unknown", 1), ("given", 0)):
        assert client.get(f"{pages[1]}?consent={asked}").context["page"].count == count
    # A form that does not ask leaves it as it is.
    given = typed(client.get(edit), name="Beate")
    del given["consent"]
    assert client.post(edit, given).status_code == 302
    bea.refresh_from_db()
    assert (bea.name, bea.consent) == ("Beate", "refused")


def test_many_are_previewed_then_changed_as_shown(cast: Cast, client_of: Log, some: dict[str, Account]) -> None:
    client, url = client_of("rita"), reverse("accounts:account_bulk_assign")
    chosen = {"pk": [some["Mine"].pk, some["Nobodys"].pk]}
    asked = {"owner": cast.sam.pk, "reason": "tidy", "form_key": typed(client.post(url, chosen))["form_key"]}
    preview = client.post(url, chosen | asked | {"step": "preview"})
    assert [(change.label, change.before, change.after) for change in preview.context["changes"]] == [
        ("Mine", "Owner: Ana Alvarez", "Owner: Sam Sorensen"),
        ("Nobodys", "Owner: — · Pod: —", "Owner: Sam Sorensen · Pod: North"),
    ]
    assert Account.objects.filter(owner=cast.sam).count() == 1
    client.post(url, chosen | asked | {"step": "apply", "fingerprint": preview.context["fingerprint"]})
    assert set(Account.objects.filter(owner=cast.sam).values_list("name", flat=True)) == {"Mine", "Pods", "Nobodys"}
    edit = reverse("accounts:account_bulk_edit")
    empty = client.post(edit, chosen | {"step": "preview"})
    assert (empty.status_code, "Choose at least one thing to change." in empty.content.decode()) == (422, True)
    both = client.post(edit, chosen | {"step": "preview", "industry": "x", "clear": ["industry"]})
    assert list(both.context["form"].errors) == ["industry"]
