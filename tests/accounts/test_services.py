"""Accounts and contacts are made, changed and handed over in time; what does not fit is refused and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.test.utils import CaptureQueriesContext

from salesops.accounts import services
from salesops.accounts.models import Account, AccountOwnership, Contact
from salesops.accounts.rules.groups import DEEPEST, closes_circle
from salesops.accounts.selectors import group_of
from salesops.accounts.services import AccountChanges
from salesops.accounts.services.removal import merge_contacts
from salesops.audit.models import AuditEntry
from tests.cast import NOW, SINCE, TODAY, Cast

YESTERDAY, LATER = TODAY - timedelta(days=1), NOW + timedelta(days=5)


def make(cast: Cast, who: str = "rita", **fields: Any) -> Account:
    return services.create_account(actor=cast.actor(who), at=NOW, **({"name": "Acme Inc"} | fields))


def owners(account: Account, function: str = "ae") -> list[tuple[str, date, date | None]]:
    rows = AccountOwnership.objects.filter(account=account, function=function).order_by("start_on")
    return list(rows.values_list("person__name", "start_on", "end_on"))


def entry() -> tuple[str, dict[str, Any], dict[str, Any]]:
    found = AuditEntry.objects.latest("sequence")
    return found.action, found.before, found.after


def refusal(call: Callable[[], Any]) -> dict[str, list[str]] | list[str]:
    """What a service says when it refuses, having changed nothing."""
    tables = (Account, AccountOwnership, Contact, AuditEntry)
    before = [sorted(map(str, model.objects.values_list())) for model in tables]
    with pytest.raises(ValidationError) as caught, transaction.atomic():
        call()
    assert [sorted(map(str, model.objects.values_list())) for model in tables] == before
    return caught.value.message_dict if hasattr(caught.value, "error_dict") else caught.value.messages


# --- Making and changing ------------------------------------------------------------------------------------------


def test_a_rep_makes_an_account_of_their_own_and_their_pod(cast: Cast) -> None:
    account = make(cast, "ana", name="  Acme Inc ", employees=50)
    assert (account.name, account.match_name, account.owner, account.pod, account.segment) == (
        "Acme Inc",
        "acme",
        cast.ana,
        cast.north,
        cast.smb,
    )
    assert (account.created_at, account.currency, account.status) == (NOW, "USD", "prospect")
    assert owners(account) == [("Ana Alvarez", TODAY, None)]
    action, before, after = entry()
    assert (action, before) == ("account.created", {})
    assert (after["name"], after["owner"], after["employees"]) == ("Acme Inc", cast.ana.pk, 50)
    assert "city" not in after


def test_revenue_operations_make_an_account_of_nobody(cast: Cast) -> None:
    account = make(cast)
    assert (account.owner, account.pod, account.segment, owners(account)) == (None, None, None, [])


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"website": "nonsense"}, "website"),
        ({"currency": "dollars"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"status": "friend"}, "status"),
        ({"employees": -1}, "employees"),
        ({"revenue_minor": 2**63}, "revenue_minor"),
    ],
)
def test_what_an_account_cannot_hold_is_refused_at_its_field(cast: Cast, fields: dict[str, Any], column: str) -> None:
    found = refusal(lambda: make(cast, **fields))
    assert isinstance(found, dict)
    assert list(found) == [column]


def test_fields_that_are_not_set_this_way_are_a_mistake(cast: Cast) -> None:
    account = make(cast)
    for call in (
        lambda: make(cast, source="x"),
        lambda: services.edit_account(actor=cast.actor("rita"), account_id=account.pk, at=NOW, owner=cast.ana),
        lambda: services.edit_account(actor=cast.actor("rita"), account_id=account.pk, at=NOW, match_name="x"),
    ):
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("who", ["finn", "elsa", "norm"])
def test_who_only_reads_changes_nothing(cast: Cast, who: str) -> None:
    account = make(cast)
    contact = services.create_contact(actor=cast.actor("rita"), account_id=account.pk, at=NOW, name="Bea")
    by = {"actor": cast.actor(who), "at": NOW}
    for call in (
        lambda: services.create_account(name="X", **by),
        lambda: services.edit_account(account_id=account.pk, name="X", **by),
        lambda: services.set_owner(account_id=account.pk, owner=None, **by),
        lambda: services.set_responsible(account_id=account.pk, function="csm", person=None, **by),
        lambda: services.create_contact(account_id=account.pk, name="X", **by),
        lambda: services.edit_contact(contact_id=contact.pk, name="X", **by),
        lambda: services.bulk_reassign(account_ids=[account.pk], owner=None, **by),
        lambda: services.plan_bulk_edit(account_ids=[account.pk], changes=AccountChanges(status="former"), **by),
        lambda: services.upsert_accounts(records=[services.AccountRecord(name="X")], source="s", **by),
        lambda: services.upsert_contacts(records=[], source="s", **by),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert Account.objects.get().name == "Acme Inc"
    assert Contact.objects.get().name == "Bea"


def test_a_rep_of_another_pod_finds_nothing_to_change(cast: Cast) -> None:
    account = make(cast, "ana")
    contact = services.create_contact(actor=cast.actor("ana"), account_id=account.pk, at=NOW, name="Bea")
    by = {"actor": cast.actor("alba"), "at": NOW}
    for call in (
        lambda: services.edit_account(account_id=account.pk, name="X", **by),
        lambda: services.set_owner(account_id=account.pk, owner=cast.alba, **by),
        lambda: services.create_contact(account_id=account.pk, name="X", **by),
        lambda: services.edit_contact(contact_id=contact.pk, name="X", **by),
    ):
        with pytest.raises(Http404):
            call()
    assert services.bulk_reassign(account_ids=[account.pk], owner=cast.alba, **by) == []
    account.refresh_from_db()
    assert (account.name, account.owner) == ("Acme Inc", cast.ana)
    assert Contact.objects.count() == 1


def test_an_edit_records_what_differs_and_only_then(cast: Cast) -> None:
    account = make(cast, city="Bonn")
    edit = {"actor": cast.actor("rita"), "account_id": account.pk, "at": NOW}
    services.edit_account(name="Acme GmbH", city="Bonn", segment=cast.smb, **edit)
    assert entry() == (
        "account.edited",
        {"name": "Acme Inc", "segment": None},
        {"name": "Acme GmbH", "segment": cast.smb.pk},
    )
    count = AuditEntry.objects.count()
    services.edit_account(name="Acme GmbH", city="Bonn", **edit)
    assert AuditEntry.objects.count() == count


def test_an_edit_over_a_newer_account_is_refused(cast: Cast) -> None:
    account = make(cast)
    seen = account.updated_at
    edit = {"actor": cast.actor("rita"), "account_id": account.pk, "at": NOW}
    services.edit_account(city="Bonn", **edit)
    with pytest.raises(ValidationError) as caught:
        services.edit_account(city="Köln", seen_at=seen, **edit)
    assert caught.value.code == "stale"
    account.refresh_from_db()
    assert account.city == "Bonn"
    services.edit_account(city="Köln", seen_at=account.updated_at, **edit)
    account.refresh_from_db()
    assert account.city == "Köln"


# --- Groups -------------------------------------------------------------------------------------------------------


def test_no_account_is_above_itself(cast: Cast) -> None:
    top = make(cast, name="Top")
    middle = make(cast, name="Middle", parent=top)
    bottom = make(cast, name="Bottom", parent=middle)
    by = {"actor": cast.actor("rita"), "at": NOW}
    words = ["That account belongs to this one, directly or through others."]
    for below in (middle, bottom):
        found = refusal(lambda below=below: services.edit_account(account_id=top.pk, parent=below, **by))
        assert found == {"parent": words}
    assert refusal(lambda: services.edit_account(account_id=top.pk, parent=top, **by)) != {}
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=top.pk).update(parent=top)
    services.edit_account(account_id=bottom.pk, parent=top, **by)
    assert [(row.account.name, row.level, row.is_here) for row in group_of(cast.actor("rita"), bottom)] == [
        ("Top", 0, False),
        ("Bottom", 1, True),
        ("Middle", 1, False),
    ]


def test_a_parent_must_be_the_actors_to_see(cast: Cast) -> None:
    theirs = make(cast, "alba", name="Theirs")
    assert refusal(lambda: make(cast, "ana", parent=theirs)) == {"parent": ["There is no such account."]}
    mine = make(cast, "ana", name="Mine")
    services.edit_account(actor=cast.actor("rita"), account_id=mine.pk, at=NOW, parent=theirs)
    mine.refresh_from_db()
    assert group_of(cast.actor("ana"), mine) == []
    assert [row.account.name for row in group_of(cast.actor("rita"), mine)] == ["Theirs", "Mine"]


def test_a_group_has_so_many_levels_and_no_more() -> None:
    above = {key: key + 1 if key < DEEPEST else None for key in range(1, DEEPEST + 1)}
    assert not closes_circle(99, 2, above)
    assert closes_circle(99, 1, above)
    assert closes_circle(5, 1, above)
    assert not closes_circle(5, None, above)


# --- Owners in time -----------------------------------------------------------------------------------------------


def test_the_owner_before_ends_on_the_day_on_which_the_next_begins(cast: Cast) -> None:
    account = make(cast, owner=cast.ana)
    AccountOwnership.objects.update(start_on=SINCE)
    services.set_owner(actor=cast.actor("rita"), account_id=account.pk, owner=cast.alba, at=NOW, reason="moved")
    account.refresh_from_db()
    assert (account.owner, account.pod) == (cast.alba, cast.south)
    assert owners(account) == [("Ana Alvarez", SINCE, TODAY), ("Alba Abe", TODAY, None)]
    assert entry() == (
        "account.reassigned",
        {"owner": cast.ana.pk, "pod": cast.north.pk},
        {"owner": cast.alba.pk, "pod": cast.south.pk},
    )
    assert AuditEntry.objects.latest("sequence").reason == "moved"


def test_an_owner_who_changes_twice_a_day_is_kept_once(cast: Cast) -> None:
    account = make(cast, owner=cast.ana)
    by = {"actor": cast.actor("rita"), "account_id": account.pk, "at": NOW}
    services.set_owner(owner=cast.alba, **by)
    assert owners(account) == [("Alba Abe", TODAY, None)]
    count = AuditEntry.objects.count()
    services.set_owner(owner=cast.alba, **by)
    assert AuditEntry.objects.count() == count
    services.set_owner(owner=None, **by)
    account.refresh_from_db()
    assert (account.owner, account.pod, owners(account)) == (None, cast.south, [])


def test_an_owner_may_be_set_as_of_a_past_day_but_not_before_the_present_one_began(cast: Cast) -> None:
    account = make(cast, owner=cast.ana)
    AccountOwnership.objects.update(start_on=YESTERDAY)
    by = {"actor": cast.actor("rita"), "account_id": account.pk, "at": LATER}
    services.set_owner(owner=cast.alba, day=TODAY, **by)
    assert owners(account) == [("Ana Alvarez", YESTERDAY, TODAY), ("Alba Abe", TODAY, None)]
    assert refusal(lambda: services.set_owner(owner=cast.sam, day=YESTERDAY, **by)) == {
        "day": ["Somebody else begins on 17 Jun 2026: choose that day or a later one."]
    }
    assert refusal(lambda: services.set_owner(owner=cast.sam, day=LATER.date() + timedelta(days=1), **by)) == {
        "day": ["Choose today or a day that is past."]
    }


def test_the_database_refuses_two_owners_at_a_time(cast: Cast) -> None:
    account = make(cast, owner=cast.ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        AccountOwnership.objects.create(account=account, person=cast.alba, function="ae", start_on=TODAY)
    AccountOwnership.objects.create(account=account, person=cast.carl, function="csm", start_on=TODAY)


def test_others_are_responsible_beside_the_owner(cast: Cast) -> None:
    account = make(cast, owner=cast.ana)
    by = {"actor": cast.actor("rita"), "account_id": account.pk, "at": NOW}
    services.set_responsible(function="csm", person=cast.carl, **by)
    count = AuditEntry.objects.count()
    services.set_responsible(function="csm", person=cast.carl, **by)
    assert AuditEntry.objects.count() == count
    services.set_responsible(function="csm", person=cast.cleo, **(by | {"at": LATER}))
    assert owners(account, "csm") == [("Carl Chen", TODAY, LATER.date()), ("Cleo Costa", LATER.date(), None)]
    assert owners(account) == [("Ana Alvarez", TODAY, None)]
    services.set_responsible(function="ae", person=cast.alba, **by)
    account.refresh_from_db()
    assert account.owner == cast.alba
    assert refusal(lambda: services.set_responsible(function="boss", person=cast.carl, **by)) == {
        "function": ["There is no function “boss”."]
    }


def test_work_is_given_only_to_whom_one_may_give_it(cast: Cast) -> None:
    account = make(cast, "ana")
    by = {"account_id": account.pk, "at": NOW}
    said = {"owner": ["You cannot give work to this person."]}
    assert refusal(lambda: services.set_owner(actor=cast.actor("ana"), owner=cast.alba, **by)) == said
    assert refusal(lambda: services.set_owner(actor=cast.actor("max"), owner=cast.alba, **by)) == said
    assert refusal(lambda: make(cast, "ana", owner=cast.alba)) == said
    assert refusal(lambda: make(cast, "ana", pod=cast.south)) == {"pod": ["You cannot give work to this pod."]}
    services.set_owner(actor=cast.actor("ana"), owner=cast.sam, **by)
    services.set_owner(actor=cast.actor("max"), owner=cast.carl, **by)
    account.refresh_from_db()
    assert account.owner == cast.carl
    cast.alba.left_on = TODAY
    cast.alba.save()
    assert refusal(lambda: services.set_owner(actor=cast.actor("rita"), owner=cast.alba, **by)) == said


# --- Many at once -------------------------------------------------------------------------------------------------


@pytest.fixture
def several(cast: Cast) -> list[Account]:
    """Four accounts: two of Ana, one of Alba, one of nobody."""
    found = [make(cast, name=name, owner=owner) for name, owner in (("A", cast.ana), ("B", cast.ana), ("C", cast.alba))]
    AccountOwnership.objects.update(start_on=SINCE)
    return [*found, make(cast, name="D")]


def test_the_preview_of_many_equals_what_happens(cast: Cast, several: list[Account]) -> None:
    keys = [account.pk for account in several]
    changes = AccountChanges(owner=cast.alba, status="former", segment=cast.smb)
    by = {"actor": cast.actor("rita"), "account_ids": [*keys, 99999], "changes": changes, "at": NOW}
    before = str(list(Account.objects.order_by("pk").values())), str(list(AccountOwnership.objects.values()))
    preview = services.plan_bulk_edit(**by)
    assert (str(list(Account.objects.order_by("pk").values())), str(list(AccountOwnership.objects.values()))) == before
    done = services.bulk_edit(reason="tidy", **by)
    assert done == preview
    assert [(row.label, row.before, row.after) for row in done] == [
        (
            name,
            {"owner": owner, "status": "Prospect", "segment": "", "pod": pod},
            {"owner": "Alba Abe", "status": "Former customer", "segment": "Small business", "pod": "South"},
        )
        for name, owner, pod in (("A", "Ana Alvarez", "North"), ("B", "Ana Alvarez", "North"))
    ] + [
        ("C", {"status": "Prospect", "segment": ""}, {"status": "Former customer", "segment": "Small business"}),
        (
            "D",
            {"owner": "", "status": "Prospect", "segment": "", "pod": ""},
            {"owner": "Alba Abe", "status": "Former customer", "segment": "Small business", "pod": "South"},
        ),
    ]
    assert set(Account.objects.values_list("owner", "pod", "status", "segment")) == {
        (cast.alba.pk, cast.south.pk, "former", cast.smb.pk)
    }
    assert owners(several[0]) == [("Ana Alvarez", SINCE, TODAY), ("Alba Abe", TODAY, None)]
    assert owners(several[2]) == [("Alba Abe", SINCE, None)]
    assert owners(several[3]) == [("Alba Abe", TODAY, None)]
    assert set(AuditEntry.objects.filter(reason="tidy").values_list("action", "subject_label")) == {
        ("account.edited", name) for name in "ABCD"
    }
    again = services.bulk_edit(**by)
    assert [row.is_changed for row in again] == [False] * 4
    assert AuditEntry.objects.filter(action="account.edited").count() == 4


def test_many_cost_as_many_queries_as_few(cast: Cast) -> None:
    def cost(count: int, owner: Any) -> int:
        keys = [make(cast, name=f"{count} {number}", owner=cast.sam).pk for number in range(count)]
        with CaptureQueriesContext(connection) as queries:
            services.bulk_reassign(actor=cast.actor("rita"), account_ids=keys, owner=owner, at=LATER)
        return len(queries)

    assert cost(3, cast.ana) == cost(30, cast.ana)


def test_one_that_cannot_be_given_stays_and_says_why(cast: Cast, several: list[Account]) -> None:
    AccountOwnership.objects.filter(account=several[0]).update(start_on=TODAY + timedelta(days=3))
    by = {"actor": cast.actor("rita"), "account_ids": [row.pk for row in several], "at": NOW}
    preview = services.plan_bulk_edit(changes=AccountChanges(owner=cast.sam), **by)
    done = services.bulk_reassign(owner=cast.sam, **by)
    assert done == preview
    assert [row.problem for row in done] == [
        "Somebody else begins on 20 Jun 2026: choose that day or a later one.", "", "", "",
    ]  # fmt: skip
    several[0].refresh_from_db()
    assert several[0].owner == cast.ana
    assert Account.objects.filter(owner=cast.sam).count() == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["Choose at least one thing to change."]),
        ({"status": "friend"}, {"status": ["There is no such status."]}),
        ({"industry": "x" * 81}, {"industry": ["At most 80 characters."]}),
    ],
)
def test_what_cannot_be_asked_of_many_is_refused(
    cast: Cast, several: list[Account], changes: dict[str, Any], said: Any
) -> None:
    by = {"actor": cast.actor("rita"), "account_ids": [several[0].pk], "at": NOW}
    assert refusal(lambda: services.bulk_edit(changes=AccountChanges(**changes), **by)) == said


# --- Contacts -----------------------------------------------------------------------------------------------------


def test_the_new_main_contact_takes_the_place_of_the_one_before(cast: Cast) -> None:
    account = make(cast)
    by = {"actor": cast.actor("rita"), "at": NOW}
    first = services.create_contact(account_id=account.pk, name=" Bea ", email="Bea@ACME.com ", is_primary=True, **by)
    assert (first.name, first.email) == ("Bea", "bea@acme.com")
    second = services.create_contact(account_id=account.pk, name="Cal", is_primary=True, **by)
    assert list(Contact.objects.order_by("name").values_list("name", "is_primary")) == [("Bea", False), ("Cal", True)]
    services.edit_contact(contact_id=first.pk, is_primary=True, **by)
    second.refresh_from_db()
    assert second.is_primary is False
    assert entry() == ("contact.edited", {"is_primary": False}, {"is_primary": True})


def test_a_contact_that_stands_for_another_keeps_the_stricter_word(cast: Cast) -> None:
    account = make(cast)
    by = {"actor": cast.actor("rita"), "at": NOW}
    words = ("given", "refused", "unknown")
    given, refused, unknown = (
        services.create_contact(account_id=account.pk, name=word, consent=word, **by) for word in words
    )
    merge_contacts(loser=unknown.pk, winner=given.pk, **by)
    assert Contact.objects.get(pk=given.pk).consent == "given"
    assert not AuditEntry.objects.filter(action="contact.edited").exists()
    merge_contacts(loser=refused.pk, winner=given.pk, **by)
    assert Contact.objects.get().consent == "refused"
    said = AuditEntry.objects.get(action="contact.edited")
    assert (said.before, said.after) == ({"consent": "given"}, {"consent": "refused"})


def test_a_contact_must_be_right(cast: Cast) -> None:
    account = make(cast)
    by = {"actor": cast.actor("rita"), "at": NOW}
    found = refusal(lambda: services.create_contact(account_id=account.pk, name="", email="x", **by))
    assert found == {"name": ["This field cannot be blank."], "email": ["Enter a valid email address."]}
    contact = services.create_contact(account_id=account.pk, name="Bea", **by)
    seen = contact.updated_at
    services.edit_contact(contact_id=contact.pk, title="CEO", **by)
    with pytest.raises(ValidationError) as caught:
        services.edit_contact(contact_id=contact.pk, title="CFO", seen_at=seen, **by)
    assert caught.value.code == "stale"
    with pytest.raises(ValueError):
        services.edit_contact(contact_id=contact.pk, account=account, **by)


def test_who_bought_is_a_customer(cast: Cast) -> None:
    account = make(cast)
    assert services.become_customer(actor=cast.actor("ana"), account_id=account.pk, at=NOW, reason="won") is True
    assert services.become_customer(actor=cast.actor("ana"), account_id=account.pk, at=NOW) is False
    account.refresh_from_db()
    assert account.status == "customer"
    assert entry() == ("account.edited", {"status": "prospect"}, {"status": "customer"})
