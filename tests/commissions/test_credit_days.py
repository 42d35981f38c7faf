"""A plan says as of which day somebody is credited: of the transaction, of opening, of a stage, or by days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account, AccountOwnership
from salesops.commissions.choices import TransactionKind
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Credit, Earning, Plan, PlanVersion, Statement
from salesops.commissions.rules.ownership import Owned, Part, by_days, owner_on
from salesops.commissions.rules.plans import plan_from_plain
from salesops.commissions.rules.verify import disagreements
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.facts import facts_of
from salesops.commissions.services.plan_files import calculate_files
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft
from salesops.commissions.services.recording import NewTransaction, record_transaction
from salesops.commissions.services.touched import touched_since
from salesops.core.models import ExchangeRate
from salesops.deals.models import Deal, DealOwnership, Stage
from salesops.deals.services import DealRecord, bulk_reassign, create_deal, move_deal, reassign, upsert_deals
from salesops.pods.models import PodMembership
from tests.cast import NOW, SINCE, Cast
from tests.commissions.pay import FLAT_8, calculated, definition, second_quarter

pytestmark = pytest.mark.django_db


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 10, tzinfo=UTC)


@pytest.fixture
def deal(cast: Cast) -> Deal:
    """10,000.00, Ana's from 1 March, Sam's from 1 April, Alba's from 1 May; at Proposal on 10 April, won on 5 May."""
    rita = cast.actor("rita")
    Stage.objects.filter(code="proposal").update(decides_credit=True)
    deal = create_deal(actor=rita, at=at(3, 1), name="Globex", owner=cast.ana, amount_minor=10_000_00)
    reassign(actor=rita, deal_id=deal.pk, at=at(4, 1), owner=cast.sam)
    move_deal(actor=rita, deal_id=deal.pk, stage=Stage.objects.get(code="proposal"), at=at(4, 10))
    reassign(actor=rita, deal_id=deal.pk, at=at(5, 1), owner=cast.alba)
    return move_deal(actor=rita, deal_id=deal.pk, stage=Stage.objects.get(kind="won"), at=at(5, 5))


def in_force(cast: Cast, *crediting: str, credit_day: str, name: str = "Field") -> None:
    """A plan of 8 %, everybody who sells or leads on it."""
    rita, words = cast.actor("rita"), definition(FLAT_8, credit_day=credit_day)
    words["components"][0]["crediting"] = list(crediting)
    plan = create_plan(actor=rita, name=name, at=NOW)
    draft = save_draft(actor=rita, plan=plan, definition=words, start_on=date(2026, 1, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    for who in ("ana", "sam", "alba", "carl", "cleo", "max", "mia"):
        person = cast.people[who].pk
        assign_to_plan(actor=rita, plan=plan, person_id=person, start_on=date(2026, 1, 1), currency="USD", at=NOW)


def credited(cast: Cast, plan: str = "Field") -> dict[str, list[tuple[str, int, int]]]:
    """By person: rule, basis points, amount."""
    names = {user.pk: key for key, user in cast.people.items()}
    found: dict[str, list[tuple[str, int, int]]] = {}
    for row in Credit.objects.filter(statement__plan_version__plan__name=plan).order_by("rule", "person"):
        found.setdefault(names[row.person_id], []).append((row.rule, row.share_bp, row.amount_minor))
    return found


ALL = 10_000_00


@pytest.mark.parametrize(
    ("credit_day", "expected"),
    [
        ("transaction_day", {"alba": [("owner", 10_000, ALL)], "mia": [("roll_up", 10_000, ALL)]}),
        ("creation", {"ana": [("owner", 10_000, ALL)], "max": [("roll_up", 10_000, ALL)]}),
        ("stage", {"sam": [("owner", 10_000, ALL)], "max": [("roll_up", 10_000, ALL)]}),
        (
            "by_days",  # 31, 30 and 5 of 66 days, closing included
            {
                "ana": [("owner", 4_697, 4_697_00)],
                "sam": [("owner", 4_545, 4_545_00)],
                "alba": [("owner", 758, 758_00)],
                "max": [("roll_up", 9_242, 9_242_00)],
                "mia": [("roll_up", 758, 758_00)],
            },
        ),
    ],
)
def test_a_plan_says_as_of_which_day_the_owner_is_credited(
    cast: Cast, deal: Deal, credit_day: str, expected: dict[str, Any]
) -> None:
    in_force(cast, "split", "owner", "holder", "roll_up", credit_day=credit_day)
    calculated(cast)
    assert credited(cast) == expected
    for statement in Statement.objects.filter(credited_minor__gt=0):
        assert statement.earned_minor == statement.credited_minor * 8 // 100


@pytest.mark.parametrize(
    ("credit_day", "pod", "basis_points"),
    [("transaction_day", "south", 10_000), ("creation", "north", 10_000), ("by_days", "north", 9_242)],
)
def test_the_pod_is_credited_as_of_the_same_day(
    cast: Cast, deal: Deal, credit_day: str, pod: str, basis_points: int
) -> None:
    """Ana leaves the pod in June: it was hers when the deal was."""
    PodMembership.objects.filter(person=cast.ana).update(end_on=date(2026, 6, 1))
    in_force(cast, "owner", "pod", credit_day=credit_day)
    calculated(cast)
    mate = {"north": "carl", "south": "cleo"}[pod]
    assert credited(cast)[mate] == [("pod", basis_points, basis_points * 100)]


def test_each_has_the_pod_of_the_last_day_on_which_the_deal_was_theirs(cast: Cast, deal: Deal) -> None:
    """Ana was in South until the middle of March, and is again since the middle of April."""
    PodMembership.objects.filter(person=cast.ana).delete()
    came, went = date(2026, 3, 15), date(2026, 4, 15)
    for pod, start, end in ((cast.south, SINCE, came), (cast.north, came, went), (cast.south, went, None)):
        PodMembership.objects.create(pod=pod, person=cast.ana, function="ae", start_on=start, end_on=end)
    in_force(cast, "owner", "pod", credit_day="by_days")
    in_force(cast, "owner", "pod", credit_day="creation", name="Opened")
    calculated(cast)
    assert credited(cast)["carl"] == [("pod", 9_242, 9_242_00)]
    assert credited(cast, "Opened")["cleo"] == [("pod", 10_000, ALL)]
    assert "carl" not in credited(cast, "Opened")


def test_agreed_shares_come_first(cast: Cast, deal: Deal) -> None:
    deal.splits.create(person=cast.carl, share_bp=10_000)
    in_force(cast, "split", "owner", credit_day="by_days")
    calculated(cast)
    assert credited(cast) == {"carl": [("split", 10_000, ALL)]}


def test_a_plan_by_stage_needs_a_stage_that_decides(cast: Cast, deal: Deal, client: Client) -> None:
    Stage.objects.update(decides_credit=False)
    said = "no stage is marked so"
    with pytest.raises(CommissionRefusedError, match=said):
        in_force(cast, "owner", credit_day="stage")
    client.force_login(cast.people["rita"])
    page = reverse("commissions:version_edit", args=[PlanVersion.objects.get().pk])
    assert said in client.get(page).content.decode()
    Stage.objects.filter(code="proposal").update(decides_credit=True)
    assert said not in client.get(page).content.decode()


def test_without_a_stage_that_decides_any_more_the_day_of_the_transaction_does(cast: Cast, deal: Deal) -> None:
    in_force(cast, "owner", credit_day="stage")
    Stage.objects.update(decides_credit=False)
    calculated(cast)
    assert credited(cast) == {"alba": [("owner", 10_000, ALL)]}


def test_a_stage_that_was_skipped_is_reached_with_one_beyond_it(cast: Cast, deal: Deal) -> None:
    Stage.objects.update(decides_credit=False)
    _first, second = Stage.objects.filter(kind="open", position__lt=deal.stage.position).order_by("position")[:2]
    assert not deal.stage_changes.filter(to_stage=second).exists()
    Stage.objects.filter(pk=second.pk).update(decides_credit=True)
    in_force(cast, "owner", credit_day="stage")
    calculated(cast)
    assert credited(cast) == {"sam": [("owner", 10_000, ALL)]}


def test_parts_by_days_in_another_currency_add_up_and_are_verified(cast: Cast, deal: Deal) -> None:
    """The second reckoning derives the statement from what is kept with it."""
    Deal.objects.filter(pk=deal.pk).update(amount_minor=10_000_01, currency="EUR")
    ExchangeRate.objects.create(base="EUR", quote="USD", on=date(2026, 5, 5), rate=Decimal("1.11111"), source="ecb")
    in_force(cast, "owner", credit_day="by_days")
    calculated(cast)
    assert sorted(row.amount_minor for row in Credit.objects.all()) == [842_22, 5_050_00, 5_218_89]
    for statement in Statement.objects.filter(credited_minor__gt=0):
        assert disagreements(bundle_of(statement)) == []
    why = Earning.objects.filter(statement__person=cast.ana).get().credit.why
    assert why["shares"] == [[cast.sam.pk, 4_545], [cast.ana.pk, 4_697], [cast.alba.pk, 758]]


def test_a_change_of_the_deal_touches_whoever_owned_it(cast: Cast, deal: Deal) -> None:
    in_force(cast, "owner", credit_day="by_days")
    period = calculated(cast)
    for day, who in ((17, cast.carl), (18, cast.cleo)):
        reassign(actor=cast.actor("rita"), deal_id=deal.pk, at=at(6, day), owner=who)
    touched = touched_since(second_quarter(), period.calculations.latest("number"))
    assert touched == {cast.people[who].pk for who in ("ana", "sam", "alba", "carl", "cleo")}


def test_who_left_the_pod_before_the_period_was_in_it_on_the_day(cast: Cast, deal: Deal) -> None:
    PodMembership.objects.filter(person=cast.carl).update(end_on=date(2026, 3, 20))
    in_force(cast, "owner", "pod", credit_day="creation")
    calculated(cast)
    assert credited(cast)["carl"] == [("pod", 10_000, ALL)]


def test_who_owned_it_once_is_calculated_alone_with_it(cast: Cast, deal: Deal) -> None:
    in_force(cast, "owner", credit_day="by_days")
    calculated(cast)
    assert len(facts_of(second_quarter(), people={cast.ana.pk}).ids) == 1
    assert len(facts_of(second_quarter(), people={cast.cleo.pk}).ids) == 0


def test_another_day_is_tried_on_what_happened(cast: Cast, deal: Deal) -> None:
    """A scenario compares plans on the same transactions; who owned them is read for the ways that they ask for."""
    in_force(cast, "owner", credit_day="transaction_day")
    calculated(cast)
    base, plan = facts_of(second_quarter()), Plan.objects.get()
    tried = plan_from_plain(definition(FLAT_8, credit_day="by_days")).unwrap()
    assert len(base.engine.owners["person"]) == 0
    found = facts_of(second_quarter(), instead={plan.pk: tried}, like=base)
    assert sorted(found.engine.owners["basis_points"]) == [758, 4_545, 4_697]
    again = facts_of(second_quarter(), instead={plan.pk: tried}, like=found)
    assert again.parted == found.parted
    assert again.ids is found.ids


@pytest.mark.parametrize("owners", ["Ana", "Ana 2026-13-01", "Ana 2026-03-01; Ben 2026-03-01", " 2026-03-01"])
def test_owners_in_a_table_that_cannot_be_read_are_named(owners: str) -> None:
    plan = plan_from_plain(definition(FLAT_8, credit_day="by_days")).unwrap()
    rows = [{"key": "D-1", "date": "2026-05-05", "amount": "100", "person": "Cem", "owners": owners}]
    result = calculate_files([("Field", "", plan)], rows)
    assert [problem["code"] for problem in result["problems"]] == ["cell-unreadable"]


# --- Whose a deal was


def held(deal: Deal) -> list[tuple[str, date, date | None]]:
    rows = DealOwnership.objects.filter(deal=deal).order_by("start_on")
    return [(row.person.name.split()[0], row.start_on, row.end_on) for row in rows]


def test_owners_are_kept_in_time(cast: Cast, deal: Deal) -> None:
    assert held(deal) == [
        ("Ana", date(2026, 3, 1), date(2026, 4, 1)),
        ("Sam", date(2026, 4, 1), date(2026, 5, 1)),
        ("Alba", date(2026, 5, 1), None),
    ]
    # The last word of a day counts.
    for who in (cast.ana, cast.carl):
        reassign(actor=cast.actor("rita"), deal_id=deal.pk, at=NOW, owner=who)
    reassign(actor=cast.actor("rita"), deal_id=deal.pk, at=at(6, 20), owner=None)
    assert held(deal)[2:] == [
        ("Alba", date(2026, 5, 1), date(2026, 6, 17)),
        ("Carl", date(2026, 6, 17), date(2026, 6, 20)),
    ]


def test_owners_given_in_bulk_and_by_imports_are_kept(cast: Cast, deal: Deal) -> None:
    rita = cast.actor("rita")
    bulk_reassign(actor=rita, deal_ids=[deal.pk], owner=cast.carl, at=at(6, 1))
    assert held(deal)[2:] == [("Alba", date(2026, 5, 1), date(2026, 6, 1)), ("Carl", date(2026, 6, 1), None)]
    record = DealRecord(external_id="D-9", name="Told", owner_id=cast.ana.pk, opened_on=date(2026, 2, 1))
    upsert_deals(actor=rita, records=[record], source="crm", at=at(4, 1))
    upsert_deals(actor=rita, records=[replace(record, owner_id=cast.sam.pk)], source="crm", at=at(4, 9))
    upsert_deals(actor=rita, records=[replace(record, name="Told again")], source="crm", at=at(4, 10), preview=True)
    told = Deal.objects.get(external_id="D-9")
    assert held(told) == [("Ana", date(2026, 2, 1), date(2026, 4, 9)), ("Sam", date(2026, 4, 9), None)]


def test_a_deal_from_before_was_its_owners_since_it_was_opened(cast: Cast) -> None:
    deal = Deal.objects.create(
        name="Old", owner=cast.ana, stage=Stage.objects.get(code="proposal"), created_at=at(2, 3)
    )
    reassign(actor=cast.actor("rita"), deal_id=deal.pk, at=at(4, 1), owner=cast.sam)
    assert held(deal) == [("Ana", date(2026, 2, 3), date(2026, 4, 1)), ("Sam", date(2026, 4, 1), None)]


def test_one_owner_at_a_time_and_one_deciding_stage(cast: Cast, deal: Deal) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        DealOwnership.objects.create(deal=deal, person=cast.sam, start_on=date(2026, 6, 1))
    other = Stage.objects.exclude(code="proposal").first()
    assert other is not None
    other.decides_credit = True
    with pytest.raises(ValidationError, match="Another stage decides the credit already"):
        other.full_clean()


OWNED = (Owned(1, 10, 20), Owned(2, 25, 40), Owned(1, 40, 41))


@pytest.mark.parametrize(("day", "person"), [(5, 1), (10, 1), (19, 1), (20, 2), (25, 2), (40, 1), (41, None)])
def test_whose_it_was_on_a_day(day: int, person: int | None) -> None:
    assert owner_on(OWNED, day) == person


def test_parts_by_days() -> None:
    assert by_days(OWNED, 15, 41) == (Part(1, 2_857, 40), Part(2, 7_143, 39))
    assert by_days(OWNED, 20, 25) == ()
    assert by_days((Owned(1, 0, 100_000), Owned(2, 100_000, 100_001)), 0, 100_001) == (Part(1, 10_000, 99_999),)


# --- Who holds an account that several people look after


@pytest.fixture
def renewal(cast: Cast) -> None:
    """1,000.00 of an account that Ana owns, Carl looks after as CSM and Sam prospects as an SDR."""
    account = Account.objects.create(name="Globex", owner=cast.ana, created_at=NOW)
    for who, function in ((cast.carl, "csm"), (cast.ana, "ae"), (cast.sam, "sdr")):
        AccountOwnership.objects.create(account=account, person=who, function=function, start_on=date(2026, 1, 1))
    new = NewTransaction(TransactionKind.RENEWAL, date(2026, 5, 4), 1_000_00, "USD", account_id=account.pk)
    record_transaction(actor=cast.actor("rita"), new=new, at=NOW)


def held_plan(cast: Cast, name: str, *people: str) -> None:
    rita, words = cast.actor("rita"), definition(FLAT_8)
    words["components"][0] |= {"crediting": ["holder"], "counts": ["renewal"]}
    plan = create_plan(actor=rita, name=name, at=NOW)
    draft = save_draft(actor=rita, plan=plan, definition=words, start_on=date(2026, 1, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    for who in people:
        person = cast.people[who].pk
        assign_to_plan(actor=rita, plan=plan, person_id=person, start_on=date(2026, 1, 1), currency="USD", at=NOW)


def problems(plan: str) -> set[str]:
    rows = Statement.objects.filter(plan_version__plan__name=plan)
    last = second_quarter().calculations.latest("number")
    return {each["code"] for each in [*last.problems, *(problem for row in rows for problem in row.problems)]}


def test_each_plan_credits_the_holder_who_is_on_it(cast: Cast, renewal: None) -> None:
    held_plan(cast, "AE", "ana", "alba")
    held_plan(cast, "CSM", "carl", "cleo")
    calculated(cast)
    assert credited(cast, "AE") == {"ana": [("holder", 10_000, 1_000_00)]}
    assert credited(cast, "CSM") == {"carl": [("holder", 10_000, 1_000_00)]}
    assert "two-holders" not in problems("CSM")


def test_the_owner_comes_before_the_others_of_the_account_s_team(cast: Cast, renewal: None) -> None:
    held_plan(cast, "Everybody", "ana", "carl", "sam")
    calculated(cast)
    assert credited(cast, "Everybody") == {"ana": [("holder", 10_000, 1_000_00)]}


def test_two_of_a_team_on_one_plan_are_a_problem_and_not_a_choice(cast: Cast, renewal: None) -> None:
    held_plan(cast, "Others", "carl", "sam")
    calculated(cast)
    assert credited(cast, "Others") == {}
    assert "two-holders" in problems("Others")
