"""Deals, leads, accounts and contacts that are gone in their source: in no list and no sum, but not lost; and back again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account, Contact, Subscription
from salesops.accounts.services.removal import (
    merge_accounts,
    remove_accounts,
    remove_contacts,
    restore_contacts,
)
from salesops.accounts.services.upserts import AccountRecord, ContactRecord, upsert_accounts, upsert_contacts
from salesops.activities.models import Activity
from salesops.audit.models import AuditEntry
from salesops.core.actor import system_actor
from salesops.core.upserts import Fate
from salesops.deals.models import Deal, DealSplit, Stage
from salesops.deals.services import DealRecord, upsert_deals
from salesops.deals.services.removal import merge_deals, remove_deals, restore_deals
from salesops.leads.choices import ClockEnding
from salesops.leads.models import Clock, Lead, LeadAssignment
from salesops.leads.services.removal import remove_leads
from salesops.leads.services.sweeps import run_clocks
from salesops.leads.services.upserts import LeadRecord, upsert_leads
from tests.cast import NOW, TODAY, Cast

LATER = NOW + timedelta(days=1)
MakeDeal = Callable[..., Deal]
LogIn = Callable[[str], Client]
SYSTEM = system_actor("HubSpot")
WHY = "Deleted in HubSpot."


def removed(*pks: int) -> list[Fate]:
    result = remove_deals(pks=pks, actor=SYSTEM, because=WHY, at=NOW)
    return [outcome.fate for outcome in result.outcomes]


@pytest.mark.parametrize("name", ["ana", "max", "rita"])
def test_a_removed_deal_is_in_no_list_count_board_or_search(
    name: str, client_of: LogIn, make_deal: MakeDeal, cast: Cast
) -> None:
    stays, goes = make_deal(name="Stays"), make_deal(name="Goes", source="hubspot", amount_minor=5)
    client = client_of(name)
    url = reverse("deals:deal_list")
    assert {row.name for row in client.get(url).context["page"].rows} == {"Stays", "Goes"}
    assert removed(goes.pk, goes.pk) == [Fate.CHANGED, Fate.UNCHANGED]
    assert [row.name for row in client.get(url).context["page"].rows] == ["Stays"]
    assert client.get(f"{url}?q=Goes").context["page"].rows == []
    assert b"Goes" not in client.get(reverse("deals:deal_board")).content
    answer = client.get("/api/v1/deals/").json()
    assert (answer["count"], [row["id"] for row in answer["results"]]) == (1, [stays.pk])
    for path in (f"deals/{goes.pk}/", f"deals/{goes.pk}/stage_changes/"):
        assert client.get(f"/api/v1/{path}").status_code == 404
    assert b"Goes" not in client.get(f"{reverse('activities:subject_options')}?find=Goes").content.replace(
        b"find=Goes", b""
    ).replace("“Goes”".encode(), b"")
    assert Deal.objects.visible_to(cast.actor(name)).count() == 1
    assert Deal.objects.count() == 1
    assert Deal.every.count() == 2


def test_its_own_page_opens_and_says_so_and_offers_nothing_to_change(
    client_of: LogIn, make_deal: MakeDeal, cast: Cast
) -> None:
    deal = make_deal(name="Goes", source="hubspot")
    removed(deal.pk)
    url = reverse("deals:deal_detail", args=[deal.pk])
    page = client_of("ana").get(url).content.decode()
    assert "Removed in hubspot on" in page
    assert WHY in page
    assert reverse("deals:deal_restore", args=[deal.pk]) not in page
    assert reverse("deals:deal_edit", args=[deal.pk]) not in page
    assert client_of("ana").get(reverse("deals:deal_edit", args=[deal.pk])).status_code == 404
    assert client_of("alba").get(url).status_code == 404
    assert client_of("ana").get(reverse("activities:timeline"), {"about": f"deal-{deal.pk}"}).status_code == 200


def test_revenue_operations_restore_by_hand_and_the_audit_knows(
    client_of: LogIn, make_deal: MakeDeal, cast: Cast
) -> None:
    deal = make_deal(name="Goes", source="hubspot")
    removed(deal.pk)
    url = reverse("deals:deal_restore", args=[deal.pk])
    assert client_of("ana").post(url).status_code == 403
    assert Deal.objects.count() == 0
    rita = client_of("rita")
    assert url in rita.get(reverse("deals:deal_detail", args=[deal.pk])).content.decode()
    assert rita.post(url).status_code == 302
    back = Deal.objects.get()
    assert (back.removed_at, back.removed_because, back.version) == (None, "", 3)
    entries = AuditEntry.objects.filter(subject_type="deals.deal", subject_id=str(deal.pk)).order_by("sequence")
    assert [(entry.action, entry.actor_name, entry.reason) for entry in entries] == [
        ("deal.removed", "HubSpot", WHY),
        ("deal.restored", "Rita Revops", ""),
    ]


def test_only_who_may_change_everything_removes(make_deal: MakeDeal, cast: Cast) -> None:
    deal = make_deal()
    with pytest.raises(PermissionDenied):
        remove_deals(pks=[deal.pk], actor=cast.actor("ana"), because=WHY, at=NOW)
    with pytest.raises(PermissionDenied):
        restore_deals(pks=[deal.pk], actor=cast.actor("max"), at=NOW)
    assert Deal.objects.count() == 1


def test_an_upsert_of_a_removed_row_restores_it_and_the_same_again_writes_nothing(
    make_deal: MakeDeal, gekko: Account, stages: dict[str, Stage], cast: Cast
) -> None:
    deal = make_deal(source="crm", external_id="1", account=gekko)
    contact = Contact.objects.create(account=gekko, name="Bud", source="crm", external_id="c", created_at=NOW)
    lead = Lead.objects.create(name="Lou", source="crm", external_id="l", created_at=NOW)
    Account.objects.filter(pk=gekko.pk).update(source="crm", external_id="a")
    removed(deal.pk)
    remove_contacts(pks=[contact.pk], actor=SYSTEM, because=WHY, at=NOW)
    remove_leads(pks=[lead.pk], actor=SYSTEM, because=WHY, at=NOW)
    remove_accounts(pks=[gekko.pk], actor=SYSTEM, because=WHY, at=NOW)
    for model in (Deal, Contact, Lead, Account):
        assert model.objects.count() == 0, model
    options: dict[str, Any] = {"actor": SYSTEM, "source": "crm", "at": LATER}
    upserts: list[tuple[Any, Any]] = [
        (upsert_accounts, AccountRecord(external_id="a")),
        (upsert_contacts, ContactRecord(external_id="c")),
        (upsert_leads, LeadRecord(external_id="l")),
        (upsert_deals, DealRecord(external_id="1")),
    ]
    for upsert, record in upserts:
        assert [one.fate for one in upsert(records=[record], **options).outcomes] == [Fate.CHANGED]
    for model in (Deal, Contact, Lead, Account):
        assert model.objects.count() == 1, model
    written = AuditEntry.objects.count()
    assert list(AuditEntry.objects.order_by("-sequence").values_list("action", flat=True)[:4]) == [
        "deal.restored", "lead.restored", "contact.restored", "account.restored",
    ]  # fmt: skip
    for upsert, record in upserts:
        assert [one.fate for one in upsert(records=[record], **options).outcomes] == [Fate.UNCHANGED]
    assert AuditEntry.objects.count() == written


def test_a_row_known_by_its_key_keeps_its_source_and_id(make_deal: MakeDeal, gekko: Account, cast: Cast) -> None:
    deal = make_deal(source="file", external_id="7")
    lead = Lead.objects.create(name="Lou", created_at=NOW)
    contact = Contact.objects.create(account=gekko, name="Bud", created_at=NOW)
    options: dict[str, Any] = {"actor": SYSTEM, "source": "hubspot", "at": LATER}
    upsert_deals(records=[DealRecord(external_id="99", pk=deal.pk, amount_minor=7)], **options)
    upsert_leads(records=[LeadRecord(external_id="99", pk=lead.pk, title="CFO")], **options)
    upsert_contacts(records=[ContactRecord(external_id="99", pk=contact.pk, title="CEO")], **options)
    upsert_accounts(records=[AccountRecord(external_id="99", pk=gekko.pk, city="Oslo", name="Gekko Group")], **options)
    found = [model.objects.get() for model in (Deal, Lead, Contact, Account)]
    assert [(row.source, row.external_id) for row in found] == [("file", "7"), ("", ""), ("", ""), ("", "")]
    assert (found[0].amount_minor, found[1].title, found[2].title, found[3].city, found[3].name) == (
        7,
        "CFO",
        "CEO",
        "Oslo",
        "Gekko Group",
    )
    for upsert, record in (
        (upsert_deals, DealRecord(pk=10**9)),
        (upsert_leads, LeadRecord(pk=10**9)),
        (upsert_contacts, ContactRecord(pk=10**9)),
        (upsert_accounts, AccountRecord(pk=10**9)),
    ):
        assert upsert(records=[record], **options).refused == 1  # type: ignore[operator]


def test_a_removed_row_is_not_taken_for_a_new_one_that_looks_alike(gekko: Account, cast: Cast) -> None:
    remove_accounts(pks=[gekko.pk], actor=SYSTEM, because=WHY, at=NOW)
    result = upsert_accounts(records=[AccountRecord(name="Gekko & Co")], actor=SYSTEM, source="crm", at=LATER)
    assert [one.fate for one in result.outcomes] == [Fate.CREATED]
    assert Account.every.count() == 2


def test_nobody_is_reminded_of_a_removed_lead(cast: Cast) -> None:
    lead = Lead.objects.create(name="Lou", owner=cast.ana, created_at=NOW)
    given = LeadAssignment.objects.create(lead=lead, person=cast.ana, assigned_at=NOW, method="rule")
    clock = Clock.objects.create(
        lead=lead, assignment=given, person=cast.ana, level="Gold", started_at=NOW, warn_at=NOW, next_at=NOW
    )
    remove_leads(pks=[lead.pk], actor=SYSTEM, because=WHY, at=LATER)
    clock.refresh_from_db()
    assert (clock.ended_at, clock.ending, clock.next_at) == (LATER, ClockEnding.CLOSED, None)
    assert run_clocks(actor=SYSTEM, at=LATER).seen == 0


def test_a_main_contact_that_comes_back_gives_way(gekko: Account, cast: Cast) -> None:
    first = Contact.objects.create(account=gekko, name="Bud", is_primary=True, created_at=NOW)
    remove_contacts(pks=[first.pk], actor=SYSTEM, because=WHY, at=NOW)
    second = Contact.objects.create(account=gekko, name="Lou", is_primary=True, created_at=NOW)
    restore_contacts(pks=[first.pk], actor=SYSTEM, at=LATER)
    assert list(Contact.objects.order_by("pk").values_list("pk", "is_primary")) == [
        (first.pk, False),
        (second.pk, True),
    ]


def test_a_merged_account_gives_all_that_names_it_to_the_other(
    gekko: Account, hooli: Account, make_deal: MakeDeal, cast: Cast, client_of: LogIn
) -> None:
    deal = make_deal(account=gekko)
    child = Account.objects.create(name="Child", match_name="child", parent=gekko, created_at=NOW)
    bud = Contact.objects.create(account=gekko, name="Bud", is_primary=True, created_at=NOW)
    Contact.objects.create(account=hooli, name="Gavin", is_primary=True, created_at=NOW)
    lead = Lead.objects.create(name="Lou", account=gekko, created_at=NOW)
    call = Activity.objects.create(
        kind="call", subject="Hi", person=cast.ana, account=gekko, happened_at=NOW, created_at=NOW
    )
    paid = Subscription.objects.create(account=gekko, name="Pro", start_on=TODAY, mrr_minor=5)
    result = merge_accounts(loser=gekko.pk, winner=hooli.pk, actor=SYSTEM, at=LATER)
    assert [(one.fate, one.pk) for one in result.outcomes] == [(Fate.CHANGED, hooli.pk)]
    for row in (deal, bud, lead, call, paid):
        row.refresh_from_db()
        assert row.account_id == hooli.pk, row
    child.refresh_from_db()
    assert child.parent_id == hooli.pk
    assert bud.is_primary is False
    lost = Account.every.get(pk=gekko.pk)
    assert (lost.removed_at, lost.merged_into, lost.removed_because) == (LATER, hooli, "Merged into “Hooli”.")
    assert deal.version == 2
    entry = AuditEntry.objects.get(action="account.took_over")
    assert entry.after == {
        "merged_from": gekko.pk,
        "moved": {
            "accounts.account.parent": 1,
            "accounts.contact.account": 1,
            "accounts.subscription.account": 1,
            "activities.activity.account": 1,
            "deals.deal.account": 1,
            "leads.lead.account": 1,
        },
    }
    again = merge_accounts(loser=gekko.pk, winner=hooli.pk, actor=SYSTEM, at=LATER)
    assert [one.fate for one in again.outcomes] == [Fate.UNCHANGED]
    page = client_of("rita").get(reverse("accounts:account_detail", args=[gekko.pk])).content.decode()
    assert reverse("accounts:account_detail", args=[hooli.pk]) in page
    for loser, winner in ((hooli.pk, hooli.pk), (hooli.pk, gekko.pk), (hooli.pk, 10**9)):
        with pytest.raises(ValidationError):
            merge_accounts(loser=loser, winner=winner, actor=SYSTEM, at=LATER)


def test_a_merged_deal_keeps_its_shares_and_gives_its_activities(make_deal: MakeDeal, cast: Cast) -> None:
    loser, winner = make_deal(name="Twice"), make_deal(name="Once")
    share = DealSplit.objects.create(deal=loser, person=cast.ana, share_bp=10_000)
    call = Activity.objects.create(
        kind="call", subject="Hi", person=cast.ana, deal=loser, happened_at=NOW, created_at=NOW
    )
    merge_deals(loser=loser.pk, winner=winner.pk, actor=SYSTEM, at=LATER)
    share.refresh_from_db()
    call.refresh_from_db()
    assert (share.deal_id, call.deal_id) == (loser.pk, winner.pk)
    assert list(Deal.objects.all()) == [winner]
