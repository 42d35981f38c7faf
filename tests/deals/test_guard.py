"""Deals held against the selling policy: refused, asked about, approved by somebody else, and every decision kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.http import Http404
from django.test import Client
from django.test.utils import CaptureQueriesContext

from salesops.accounts.models import Account, Subscription
from salesops.audit.models import AuditEntry
from salesops.commissions.models import Transaction
from salesops.core.models import ExchangeRate, FeatureSwitch
from salesops.core.upserts import Fate
from salesops.deals.models import (
    Deal,
    DealLine,
    GuardDecision,
    GuardEscalation,
    GuardPolicy,
    GuardRule,
    Product,
    Stage,
    StageChange,
)
from salesops.deals.rules.aftermath import After, compare
from salesops.deals.selectors.aftermath import guard_report_for
from salesops.deals.services import (
    BulkChanges,
    DealRecord,
    LineDraft,
    bulk_edit,
    create_deal,
    edit_deal,
    move_deal,
    plan_bulk_edit,
    set_lines,
    upsert_deals,
)
from salesops.deals.services.guard import GUARD, GuardRefusedError, answer_escalation
from salesops.deals.services.policies import (
    activate_policy,
    change_policy,
    discard_policy,
    draft_policy,
    drop_guard_rule,
    dry_run_policy,
    put_guard_rule,
)
from salesops.notices.models import Notice
from tests.cast import NOW, TODAY, Cast
from tests.deals.guarded import ASK_15, CAP_25, NO_REFUNDS, policy_of

LATER = NOW + timedelta(hours=2)
MakeDeal = Callable[..., Deal]


def offer(cast: Cast, deal: Deal, product: Product, discount_bp: int, who: str = "ana", **fields: Any) -> Deal:
    """Ten pieces at their list price less this discount."""
    deal.refresh_from_db()
    return set_lines(
        actor=cast.actor(who),
        deal_id=deal.pk,
        version=deal.version,
        lines=[LineDraft(product.pk, Decimal(10), 482_100, discount_bp, **fields)],
        at=LATER,
    )


def business() -> list[Any]:
    """Everything but what the guard keeps: equal before and after a refusal."""
    return [list(model.objects.order_by("pk").values()) for model in (Deal, DealLine, StageChange, AuditEntry)]


def said() -> list[tuple[str, str]]:
    return list(GuardDecision.objects.order_by("pk").values_list("occasion", "outcome"))


def states(deal: Deal) -> list[str]:
    return list(GuardEscalation.objects.filter(deal=deal).order_by("pk").values_list("state", flat=True))


def error_codes(error: ValidationError) -> list[str | None]:
    return [one.code for one in error.error_list]


# --- Refused ---------------------------------------------------------------------------------------------------------


def test_a_discount_beyond_the_cap_is_refused_with_the_rule_named(
    cast: Cast, make_deal: MakeDeal, gtx: Product
) -> None:
    policy = policy_of(cast, CAP_25)
    deal = make_deal()
    before = business()
    with pytest.raises(GuardRefusedError) as refused:
        offer(cast, deal, gtx, 3_500)
    assert refused.value.messages == [
        "Line 1: Discount of 35% exceeds max_discount_by_tier['standard'] = 25%. Take at most 25% off."
    ]
    assert business() == before
    decision = GuardDecision.objects.get()
    assert (
        decision.deal,
        decision.policy,
        decision.occasion,
        decision.outcome,
        decision.actor,
        decision.decided_at,
    ) == (
        deal,
        policy,
        "lines",
        "block",
        cast.ana,
        LATER,
    )
    assert decision.facts["lines"] == [
        {
            "product": gtx.pk,
            "tier": "standard",
            "quantity": "10",
            "list_minor": 482_100,
            "unit_minor": 482_100,
            "discount_bp": 3_500,
            "amount_minor": 3_133_650,
        }
    ]
    assert [(each["rule"], each["effect"], each["excess"]) for each in decision.reasons] == [
        ("Never above 25 %", "block", 3_500)
    ]


def test_what_the_policy_allows_is_saved_and_kept_as_allowed(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    policy_of(cast, CAP_25)
    deal = offer(cast, make_deal(), gtx, 2_500)
    assert (deal.amount_minor, said(), states(deal)) == (3_615_750, [("lines", "allow")], [])


def test_without_a_policy_or_switched_off_nothing_is_asked(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    deal = make_deal()
    offer(cast, deal, gtx, 9_000)
    policy_of(cast, CAP_25)
    FeatureSwitch.objects.update_or_create(code=GUARD, defaults={"is_on": False})
    offer(cast, deal, gtx, 9_500)
    assert said() == []


def test_promises_are_looked_for_in_notes_lines_and_next_steps(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    policy_of(cast, NO_REFUNDS)
    deal = make_deal()
    ana = cast.actor("ana")
    for changes, place in (({"note": "We agreed a Full Réfund."}, "Note"), ({"next_step": "MONEY BACK?"}, "Next step")):
        before = business()
        with pytest.raises(GuardRefusedError) as refused:
            edit_deal(actor=ana, deal_id=deal.pk, version=deal.version, at=LATER, changes=changes)
        assert refused.value.messages[0].startswith(f"{place}: “")
        assert business() == before
    with pytest.raises(GuardRefusedError) as refused:
        offer(cast, deal, gtx, 0, note="money-back")
    assert refused.value.messages == ["Line 1: “money-back” is one of forbidden_promises."]
    edit_deal(actor=ana, deal_id=deal.pk, version=deal.version, at=LATER, changes={"note": "No money, no refund."})


def test_a_product_is_refused_to_the_customers_for_whom_it_is_wrong(
    cast: Cast, make_deal: MakeDeal, gtx: Product, gekko: Account
) -> None:
    policy_of(cast, {"kind": "product", "name": "Big", "effect": "block", "product": gtx, "employees_to": 50})
    gekko.employees = 50
    gekko.save()
    deal = make_deal(account=gekko)
    with pytest.raises(GuardRefusedError) as refused:
        offer(cast, deal, gtx, 0)
    assert refused.value.messages == ["GTX Pro is not for this customer (employees = 50): wrong_product['GTX Pro']."]
    Account.objects.update(employees=51)
    offer(cast, deal, gtx, 0)


def test_a_deal_refused_before_it_came_to_be_leaves_its_name(cast: Cast, stages: dict[str, Stage]) -> None:
    policy_of(cast, NO_REFUNDS)
    with pytest.raises(GuardRefusedError):
        create_deal(actor=cast.actor("ana"), at=NOW, name="Pilot", note="full refund")
    decision = GuardDecision.objects.get()
    assert (Deal.objects.count(), decision.deal, decision.facts["name"], decision.outcome) == (
        0,
        None,
        "Pilot",
        "block",
    )


def test_only_stages_from_proposal_on_ask(
    cast: Cast, make_deal: MakeDeal, gtx: Product, stages: dict[str, Stage]
) -> None:
    deal = offer(cast, make_deal(), gtx, 3_500)
    policy_of(cast, CAP_25)
    ana = cast.actor("ana")
    move_deal(actor=ana, deal_id=deal.pk, stage=stages["engaging"], at=LATER)
    assert said() == []
    before = business()
    for code in ("proposal", "won"):
        with pytest.raises(GuardRefusedError):
            move_deal(actor=ana, deal_id=deal.pk, stage=stages[code], at=LATER)
    assert (business(), said()) == (before, [("moved", "block"), ("moved", "block")])
    move_deal(actor=ana, deal_id=deal.pk, stage=stages["lost"], at=LATER, lost_because="Too dear")


# --- Asked about -----------------------------------------------------------------------------------------------------


def test_what_must_be_approved_is_saved_and_not_won(
    cast: Cast, make_deal: MakeDeal, gtx: Product, stages: dict[str, Stage]
) -> None:
    policy_of(cast, ASK_15, CAP_25)
    deal = offer(cast, make_deal(stage="proposal"), gtx, 2_000)
    assert (deal.amount_minor, said(), states(deal)) == (3_856_800, [("lines", "escalate")], ["open"])
    row = GuardEscalation.objects.get()
    assert (row.asked_by, row.owner, row.asked_at) == (cast.ana, cast.ana, LATER)
    told = Notice.objects.filter(key=f"deal-approval:{row.pk}").order_by("person__name")
    assert [(notice.person.name, notice.url) for notice in told] == [
        ("Max Manager", f"/deals/guard/{row.pk}/answer/"),
        ("Rita Revops", f"/deals/guard/{row.pk}/answer/"),
    ]
    before = business()
    with pytest.raises(GuardRefusedError) as refused:
        move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stages["won"], at=LATER)
    assert (error_codes(refused.value), business()) == (["guard-open"], before)
    assert refused.value.messages == [
        "Line 1: Discount of 20% exceeds max_discount = 15%. Offer a longer term instead. This waits for the approval of "
        "a manager or revenue operations, who were told."
    ]
    answer_escalation(actor=cast.actor("max"), escalation_id=row.pk, is_approved=True, at=LATER)
    won = move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stages["won"], at=LATER)
    assert (won.kind, states(deal)) == ("won", ["approved"])


@pytest.mark.parametrize(
    ("who", "error"),
    [
        ("ana", ValidationError),  # asked, and owns it
        ("sam", ValidationError),  # a rep
        ("finn", ValidationError),
        ("ada", ValidationError),
        ("mia", Http404),  # another tree
        ("alba", Http404),
    ],
)
def test_nobody_answers_but_a_manager_or_revenue_operations(
    who: str, error: type[Exception], cast: Cast, make_deal: MakeDeal, gtx: Product
) -> None:
    policy_of(cast, ASK_15)
    deal = offer(cast, make_deal(), gtx, 2_000)
    with pytest.raises(error):
        answer_escalation(actor=cast.actor(who), escalation_id=deal.escalations.get().pk, is_approved=True, at=LATER)
    assert states(deal) == ["open"]


def test_who_asked_and_who_owns_it_do_not_answer_even_as_managers(
    cast: Cast, make_deal: MakeDeal, gtx: Product
) -> None:
    policy_of(cast, ASK_15)
    asked = offer(cast, make_deal(), gtx, 2_000, who="max")
    owned = offer(cast, make_deal(owner=cast.max), gtx, 2_000, who="ana")
    for deal in (asked, owned):
        with pytest.raises(ValidationError) as refused:
            answer_escalation(
                actor=cast.actor("max"), escalation_id=deal.escalations.get().pk, is_approved=True, at=LATER
            )
        assert error_codes(refused.value) == ["own"]
    given = make_deal()
    offer(cast, given, gtx, 2_000)
    Deal.objects.filter(pk=given.pk).update(owner=cast.max)
    with pytest.raises(ValidationError):
        answer_escalation(actor=cast.actor("max"), escalation_id=given.escalations.get().pk, is_approved=True, at=LATER)
    for deal in (asked, owned, given):
        assert states(deal) == ["open"]
        answer_escalation(actor=cast.actor("rita"), escalation_id=deal.escalations.get().pk, is_approved=True, at=LATER)


def test_the_database_itself_lets_nobody_approve_their_own(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    policy_of(cast, ASK_15)
    row = offer(cast, make_deal(owner=cast.sam), gtx, 2_000).escalations.get()
    for person in (cast.ana, cast.sam):
        with pytest.raises(IntegrityError, match="answered_by_another"), transaction.atomic():
            GuardEscalation.objects.filter(pk=row.pk).update(state="approved", answered_by=person, answered_at=NOW)
    with pytest.raises(IntegrityError, match=r"(one_open|UNIQUE)"), transaction.atomic():
        GuardEscalation.objects.create(deal=row.deal, decision=row.decision, asked_at=NOW)


def test_what_was_answered_stays(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    policy_of(cast, ASK_15)
    row = offer(cast, make_deal(), gtx, 2_000).escalations.get()
    answer_escalation(actor=cast.actor("max"), escalation_id=row.pk, is_approved=True, at=LATER)
    with pytest.raises(ValidationError) as refused:
        answer_escalation(actor=cast.actor("rita"), escalation_id=row.pk, is_approved=False, answer="No", at=LATER)
    assert error_codes(refused.value) == ["answered"]
    for change in ({"state": "refused"}, {"answer": "never mind"}):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            GuardEscalation.objects.filter(pk=row.pk).update(**change)


def test_a_refusal_needs_a_reason_and_is_told(
    cast: Cast, make_deal: MakeDeal, gtx: Product, stages: dict[str, Stage]
) -> None:
    policy_of(cast, ASK_15)
    deal = offer(cast, make_deal(), gtx, 2_000)
    row = deal.escalations.get()
    with pytest.raises(ValidationError) as refused:
        answer_escalation(actor=cast.actor("max"), escalation_id=row.pk, is_approved=False, at=LATER, answer="  ")
    assert (list(refused.value.error_dict), states(deal)) == (["answer"], ["open"])
    answer_escalation(actor=cast.actor("max"), escalation_id=row.pk, is_approved=False, at=LATER, answer="Too low")
    assert Notice.objects.get(key=f"deal-approval-answer:{row.pk}").person == cast.ana
    offer(cast, deal, gtx, 2_000, note="still the same")
    assert states(deal) == ["refused"]
    with pytest.raises(GuardRefusedError) as barred:
        move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stages["won"], at=LATER)
    assert barred.value.messages[0].endswith("Max Manager refused it: Too low. Change the offer, then try again.")
    offer(cast, deal, gtx, 1_500)
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stages["won"], at=LATER)


def test_an_approval_covers_the_same_and_less_and_never_more(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    policy_of(cast, ASK_15)
    deal = offer(cast, make_deal(), gtx, 3_000)
    answer_escalation(actor=cast.actor("max"), escalation_id=deal.escalations.get().pk, is_approved=True, at=LATER)
    offer(cast, deal, gtx, 2_000)
    assert states(deal) == ["approved"]
    offer(cast, deal, gtx, 3_100)
    assert states(deal) == ["approved", "open"]
    offer(cast, deal, gtx, 3_200)
    assert states(deal) == ["approved", "withdrawn", "open"]
    offer(cast, deal, gtx, 0)
    assert states(deal) == ["approved", "withdrawn", "withdrawn"]


def test_winning_straight_away_asks_for_the_approval(
    cast: Cast, make_deal: MakeDeal, gtx: Product, stages: dict[str, Stage]
) -> None:
    deal = offer(cast, make_deal(), gtx, 2_000)
    policy_of(cast, ASK_15)
    with pytest.raises(GuardRefusedError):
        move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stages["won"], at=LATER)
    deal.refresh_from_db()
    assert (deal.kind, states(deal), said()) == ("open", ["open"], [("moved", "escalate")])
    assert Notice.objects.filter(key__startswith="deal-approval:").count() == 2
    with pytest.raises(GuardRefusedError):
        move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stages["won"], at=LATER)
    assert states(deal) == ["open"]
    policy_of(cast, {"kind": "offer", "name": "Least", "effect": "escalate", "least_minor": 2, "currency": "EUR"})
    with pytest.raises(GuardRefusedError) as refused:
        create_deal(
            actor=cast.actor("ana"), at=NOW, name="Full", stage=stages["won"], amount_minor=1, currency="EUR", note="x"
        )
    assert refused.value.messages[0].endswith(
        "Add it in an open stage first: that asks a manager or revenue operations to approve."
    )


def test_a_refusal_in_a_larger_transaction_is_kept_by_whoever_answers(
    cast: Cast, make_deal: MakeDeal, gtx: Product, client_of: Callable[[str], Client], stages: dict[str, Stage]
) -> None:
    """A page saves within the transaction of its form's key, which is undone as well."""
    deal = offer(cast, make_deal(), gtx, 2_000)
    policy_of(cast, ASK_15, NO_REFUNDS)
    ana = client_of("ana")
    answer = ana.post(f"/deals/{deal.pk}/move/", {"stage": stages["won"].pk, "version": deal.version, "form_key": ""})
    assert (answer.status_code, states(deal), said()) == (422, ["open"], [("moved", "escalate")])
    assert "waits for the approval" in answer.content.decode()
    answer = ana.post(
        "/deals/new/", {"name": "Pilot", "currency": "USD", "stage": deal.stage_id, "note": "full refund"}
    )
    assert (answer.status_code, said()[-1]) == (422, ("created", "block"))
    answer = ana.post(f"/api/v1/deals/{deal.pk}/move/", {"stage": stages["won"].pk}, content_type="application/json")
    assert (answer.status_code, said()[-1], states(deal)) == (400, ("moved", "escalate"), ["open"])


# --- Many at once, and imports ---------------------------------------------------------------------------------------


def test_many_at_once_are_refused_one_by_one(
    cast: Cast, make_deal: MakeDeal, gtx: Product, stages: dict[str, Stage]
) -> None:
    bad, dear, good = (make_deal(name=name, stage="engaging") for name in ("Bad", "Dear", "Good"))
    for deal, discount in ((bad, 3_500), (dear, 2_000), (good, 0)):
        offer(cast, deal, gtx, discount)
    policy_of(cast, ASK_15, CAP_25)
    asked = {"actor": cast.actor("rita"), "deal_ids": [bad.pk, dear.pk, good.pk], "at": LATER}
    to_won = BulkChanges(stage=stages["won"])
    plan = plan_bulk_edit(changes=to_won, **asked)
    assert (plan.changed, plan.refused, said(), GuardEscalation.objects.count()) == (1, 2, [], 0)
    assert [row.problems[0].text().split(" exceeds ")[0] for row in plan.refused_rows] == [
        "Line 1: Discount of 35%",
        "Line 1: Discount of 20%",
    ]
    done = bulk_edit(changes=to_won, **asked)
    assert (done.changed, done.refused) == (1, 2)
    assert sorted(Deal.objects.values_list("name", "kind")) == [("Bad", "open"), ("Dear", "open"), ("Good", "won")]
    assert (said(), states(bad), states(dear)) == (
        [("moved", "block"), ("moved", "escalate"), ("moved", "allow")],
        [],
        ["open"],
    )
    bulk_edit(changes=BulkChanges(stage=stages["proposal"]), **asked)
    assert sorted(Deal.objects.values_list("name", "stage__code")) == [
        ("Bad", "engaging"),
        ("Dear", "proposal"),
        ("Good", "proposal"),
    ]


def test_imports_are_flagged_and_never_refused(cast: Cast, stages: dict[str, Stage]) -> None:
    policy_of(cast, NO_REFUNDS)
    records = [
        DealRecord("1", name="Open", owner_id=cast.ana.pk, note="full refund"),
        DealRecord("2", name="Won", stage_id=stages["won"].pk, closed_on=TODAY, note="money back"),
        DealRecord("3", name="Lost", stage_id=stages["lost"].pk, closed_on=TODAY, note="money back"),
        DealRecord("4", name="Fine", note="nothing"),
    ]
    once: dict[str, Any] = {"actor": cast.actor("rita"), "source": "crm", "at": LATER}
    preview = upsert_deals(records=records, preview=True, **once)
    assert ([row.fate for row in preview.outcomes], said()) == ([Fate.CREATED] * 4, [])
    result = upsert_deals(records=records, **once)
    assert [row.fate for row in result.outcomes] == [Fate.CREATED] * 4
    flags = GuardDecision.objects.order_by("pk").values_list("deal__name", "occasion", "outcome")
    assert list(flags) == [("Open", "import", "block"), ("Won", "import", "block")]
    assert GuardEscalation.objects.count() == 0
    assert not Notice.objects.filter(key__startswith="deal-approval").exists()
    upsert_deals(records=[DealRecord("1", next_step="Call")], **once)
    assert len(said()) == 2


def test_a_list_price_in_another_currency_is_exchanged_or_asked_about(
    cast: Cast, make_deal: MakeDeal, gtx: Product
) -> None:
    policy_of(cast, CAP_25)
    deal = make_deal(currency="EUR")
    euros = {"actor": cast.actor("ana"), "deal_id": deal.pk, "version": deal.version, "at": LATER}
    half = [LineDraft(gtx.pk, Decimal(10), 241_050)]
    deal = set_lines(lines=half, **euros)
    assert (said(), states(deal)) == ([("lines", "escalate")], ["open"])
    ExchangeRate.objects.create(base="USD", quote="EUR", on=LATER.date(), rate=Decimal(1), source="ecb")
    with pytest.raises(GuardRefusedError) as refused:
        set_lines(lines=half * 2, **(euros | {"version": deal.version}))
    assert "Discount of 50% exceeds" in refused.value.messages[0]


def dear_deals(cast: Cast, make_deal: MakeDeal, product: Product, count: int) -> list[int]:
    """So many deals for a small customer, whose product must then be approved."""
    account = Account.objects.create(name=f"A{count}", match_name=f"a{count}", pod=cast.north, created_at=NOW)
    Account.objects.update(employees=5)
    return [make_deal(name=f"Deal {number}", account=account).pk for number in range(count)]


def test_the_guard_costs_the_same_for_few_and_many_and_tells_everybody_once(
    cast: Cast, make_deal: MakeDeal, gtx: Product, stages: dict[str, Stage]
) -> None:
    policy_of(cast, {"kind": "product", "name": "Big", "effect": "escalate", "product": gtx, "employees_to": 50})

    def cost(count: int) -> list[int]:
        ids = dear_deals(cast, make_deal, gtx, count)
        found = []
        for changes in (BulkChanges(product=gtx), BulkChanges(stage=stages["won"]), BulkChanges(product=None)):
            with CaptureQueriesContext(connection) as queries:
                plan = bulk_edit(actor=cast.actor("ana"), deal_ids=ids, changes=changes, at=LATER)
            found.append(len(queries))
            assert (plan.changed, plan.refused) == ((0, count) if changes.stage == stages["won"] else (count, 0))
        assert GuardDecision.objects.filter(deal__in=ids).count() == 3 * count
        rows = GuardEscalation.objects.filter(deal__in=ids)
        assert set(rows.values_list("state", flat=True)) == {"withdrawn"}
        assert rows.count() == count
        return found

    assert cost(2) == cost(30)  # beyond, SQLite writes the deals in pieces
    told = Notice.objects.order_by("pk").values_list("person__name", "title", "url")
    assert sorted(told) == sorted(
        (name, f"{count} deals need your approval", "/deals/guard/?state=open")
        for name in ("Max Manager", "Rita Revops")
        for count in (2, 30)
    )
    assert Notice.objects.latest("pk").body == "Deal 0, Deal 1, Deal 2, Deal 3, Deal 4, …"


def test_an_import_costs_the_same_for_few_and_many(cast: Cast, stages: dict[str, Stage]) -> None:
    policy_of(cast, {"kind": "promise", "name": "No", "effect": "escalate", "phrases": "refund"})

    def cost(count: int) -> list[int]:
        found = []
        for note in ("refund", "nothing"):
            records = [DealRecord(f"{count}-{number}", name="Deal", note=note) for number in range(count)]
            with CaptureQueriesContext(connection) as queries:
                upsert_deals(actor=cast.actor("rita"), records=records, source="crm", at=LATER)
            found.append(len(queries))
        return found

    assert cost(3) == cost(30)
    assert set(GuardEscalation.objects.values_list("state", flat=True)) == {"withdrawn"}


@pytest.mark.parametrize("way", ["by hand", "bulk", "import", "board", "api"])
def test_a_lost_deal_needs_no_approval_any_more(
    way: str,
    cast: Cast,
    make_deal: MakeDeal,
    gtx: Product,
    stages: dict[str, Stage],
    client_of: Callable[[str], Client],
) -> None:
    policy_of(cast, ASK_15)
    deal = offer(cast, make_deal(source="crm", external_id="1"), gtx, 2_000)
    still = offer(cast, make_deal(), gtx, 2_000)
    lost, actor = stages["lost"], cast.actor("rita")
    if way == "by hand":
        move_deal(actor=actor, deal_id=deal.pk, stage=lost, at=LATER, lost_because="No")
    elif way == "bulk":
        bulk_edit(actor=actor, deal_ids=[deal.pk], changes=BulkChanges(stage=lost, lost_because="No"), at=LATER)
    elif way == "import":
        upsert_deals(actor=actor, records=[DealRecord("1", stage_id=lost.pk, closed_on=TODAY)], source="crm", at=LATER)
    elif way == "board":
        page = {"stage": lost.pk, "version": deal.version, "lost_because": "No", "form_key": ""}
        assert client_of("ana").post(f"/deals/{deal.pk}/move/", page).status_code == 302
    else:
        body = {"stage": lost.pk, "lost_because": "No"}
        answer = client_of("ana").post(f"/api/v1/deals/{deal.pk}/move/", body, content_type="application/json")
        assert answer.status_code == 200
    deal.refresh_from_db()
    assert (deal.kind, states(deal), states(still)) == ("lost", ["withdrawn"], ["open"])


def test_an_import_withdraws_what_it_repairs_and_asks_for_no_approval_of_what_is_forbidden(
    cast: Cast, stages: dict[str, Stage]
) -> None:
    policy_of(cast, NO_REFUNDS, {"kind": "promise", "name": "Ask", "effect": "escalate", "phrases": "for ever"})
    once: dict[str, Any] = {"actor": cast.actor("rita"), "source": "crm", "at": LATER}
    for note, expected in (
        ("full refund", []),
        ("for ever and a full refund", ["open"]),
        ("fine", ["withdrawn"]),
        ("for ever and a full refund", ["withdrawn", "open"]),
    ):
        upsert_deals(records=[DealRecord("1", name="Deal", note=note)], **once)
        deal = Deal.objects.get()
        assert states(deal) == expected
    assert [each["rule"] for each in deal.escalations.all()[0].reasons] == ["Ask"]


# --- Won deals, and what stood before --------------------------------------------------------------------------------


def test_what_was_sold_in_a_won_deal_changes_only_once_it_is_approved(
    cast: Cast, make_deal: MakeDeal, gtx: Product, stages: dict[str, Stage]
) -> None:
    policy_of(cast, ASK_15, CAP_25)
    deal = offer(cast, make_deal(stage="proposal"), gtx, 0)
    move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stages["won"], at=LATER)
    before = business()
    with pytest.raises(GuardRefusedError) as refused:
        offer(cast, deal, gtx, 2_000, who="max")
    assert refused.value.messages[0].endswith("revenue operations, who were told.")
    with pytest.raises(GuardRefusedError):
        offer(cast, deal, gtx, 3_000, who="max")
    assert (business()[:3], states(deal)) == (before[:3], ["open"])
    deal.refresh_from_db()
    edit_deal(actor=cast.actor("max"), deal_id=deal.pk, version=deal.version, at=LATER, changes={"note": "Call"})
    assert states(deal) == ["open"]
    answer_escalation(actor=cast.actor("rita"), escalation_id=deal.escalations.get().pk, is_approved=True, at=LATER)
    assert offer(cast, deal, gtx, 2_000, who="max").amount_minor == 3_856_800


@pytest.mark.parametrize("changes", [{"amount_minor": 50}, {"term_months": 6}, {"currency": "EUR"}])
def test_fields_of_a_won_deal_are_held_as_if_it_were_won_now(
    changes: dict[str, Any], cast: Cast, make_deal: MakeDeal
) -> None:
    limits = {"least_minor": 100, "least_months": 12, "currency": "USD"}
    policy_of(cast, {"kind": "offer", "name": "Least", "effect": "escalate", **limits})
    deal = make_deal(stage="won", term_months=12)
    before = business()
    with pytest.raises(GuardRefusedError):
        edit_deal(actor=cast.actor("max"), deal_id=deal.pk, version=deal.version, at=LATER, changes=changes)
    assert (business()[:3], states(deal)) == (before[:3], ["open"])


def test_the_product_of_won_deals_is_not_changed_in_bulk_without_approval(
    cast: Cast, make_deal: MakeDeal, gtx: Product, gekko: Account
) -> None:
    policy_of(cast, {"kind": "product", "name": "Big", "effect": "escalate", "product": gtx, "employees_to": 50})
    Account.objects.update(employees=5)
    won, still_open = make_deal(stage="won", account=gekko), make_deal(account=gekko)
    done = bulk_edit(
        actor=cast.actor("max"), deal_ids=[won.pk, still_open.pk], changes=BulkChanges(product=gtx), at=LATER
    )
    assert (done.changed, done.refused, [row.deal_id for row in done.refused_rows]) == (1, 1, [won.pk])
    won.refresh_from_db()
    assert (won.product, states(won), states(still_open)) == (None, ["open"], ["open"])


def test_what_stood_before_a_change_does_not_hold_it_up(cast: Cast, make_deal: MakeDeal, gtx: Product) -> None:
    """A note with a forbidden phrase and a line beyond the cap, both older than the policy: each can be mended alone."""
    deal = offer(cast, make_deal(note="full refund"), gtx, 3_500)
    policy_of(cast, CAP_25, NO_REFUNDS)
    with pytest.raises(GuardRefusedError) as refused:
        offer(cast, deal, gtx, 3_600)
    assert refused.value.messages == [
        "Line 1: Discount of 36% exceeds max_discount_by_tier['standard'] = 25%. Take at most 25% off."
    ]
    offer(cast, deal, gtx, 3_000)
    deal.refresh_from_db()
    edit_deal(actor=cast.actor("ana"), deal_id=deal.pk, version=deal.version, at=LATER, changes={"note": "Nothing"})
    offer(cast, deal, gtx, 2_500)
    assert said() == [("lines", "block"), ("lines", "block"), ("edited", "block"), ("lines", "allow")]
    won = make_deal(stage="won", note="full refund")
    edit_deal(actor=cast.actor("ana"), deal_id=won.pk, version=won.version, at=LATER, changes={"note": "A full refund"})


def test_a_word_in_a_note_asks_for_no_approval_of_what_stood_before(
    cast: Cast, make_deal: MakeDeal, gtx: Product
) -> None:
    deal = offer(cast, make_deal(), gtx, 2_000)
    policy_of(cast, ASK_15)
    deal = edit_deal(actor=cast.actor("ana"), deal_id=deal.pk, version=deal.version, at=LATER, changes={"note": "Typo"})
    bulk_edit(actor=cast.actor("ana"), deal_ids=[deal.pk], changes=BulkChanges(next_step="Call"), at=LATER)
    assert (said(), states(deal)) == ([("edited", "escalate"), ("edited", "escalate")], [])
    offer(cast, deal, gtx, 2_100)
    assert states(deal) == ["open"]


def test_a_refusal_before_it_came_to_be_never_lands_on_another_deal(
    cast: Cast, make_deal: MakeDeal, stages: dict[str, Stage]
) -> None:
    """The number of a deal that was undone may be given to the next one."""
    policy_of(cast, NO_REFUNDS, {"kind": "offer", "name": "Least", "effect": "escalate", "least_minor": 2})
    with pytest.raises(GuardRefusedError) as refused, transaction.atomic():
        create_deal(actor=cast.actor("ana"), at=NOW, name="Pilot", note="full refund", amount_minor=5)
    with pytest.raises(GuardRefusedError) as waits, transaction.atomic():
        create_deal(actor=cast.actor("ana"), at=NOW, name="Pilot", stage=stages["won"])
    assert said() == []
    assert [each.value.decision.deal_id for each in (refused, waits)] == [None, None]
    other = make_deal(owner=cast.alba, pod=cast.south)
    for each in (refused, waits):
        each.value.after()
    assert list(GuardDecision.objects.values_list("deal", flat=True)) == [None, None]
    assert states(other) == []


def test_a_move_in_bulk_does_not_hide_its_other_changes(
    cast: Cast, make_deal: MakeDeal, stages: dict[str, Stage]
) -> None:
    policy_of(cast, NO_REFUNDS)
    deal = make_deal()
    changes = BulkChanges(stage=stages["engaging"], next_step="Promise a full refund")
    done = bulk_edit(actor=cast.actor("ana"), deal_ids=[deal.pk], changes=changes, at=LATER)
    assert (done.refused, said()) == (1, [("edited", "block")])
    deal.refresh_from_db()
    assert (deal.stage.code, deal.next_step) == ("prospecting", "")
    lost = BulkChanges(stage=stages["lost"], lost_because="No", next_step="full refund")
    assert bulk_edit(actor=cast.actor("ana"), deal_ids=[deal.pk], changes=lost, at=LATER).changed == 1


# --- Policies --------------------------------------------------------------------------------------------------------


def test_only_drafts_change_and_one_policy_is_in_force(cast: Cast) -> None:
    first = policy_of(cast, CAP_25)
    rita = cast.actor("rita")
    second = draft_policy(actor=rita, at=LATER, note="Less")
    assert [(rule.name, rule.max_discount_bp) for rule in second.rules.all()] == [("Never above 25 %", 2_500)]
    with pytest.raises(ValidationError, match="a draft already"):
        draft_policy(actor=rita, at=LATER)
    rule = second.rules.get()
    changed = put_guard_rule(
        actor=rita, policy_id=second.pk, rule_id=rule.pk, at=LATER, **(CAP_25 | {"max_discount_bp": 2_000})
    )
    assert (changed.pk, changed.position, changed.max_discount_bp) == (rule.pk, 1, 2_000)
    before = list(GuardRule.objects.filter(policy=first).values())
    for call in (
        lambda: put_guard_rule(actor=rita, policy_id=first.pk, at=LATER, **CAP_25),
        lambda: drop_guard_rule(actor=rita, policy_id=first.pk, rule_id=first.rules.get().pk, at=LATER),
        lambda: change_policy(actor=rita, policy_id=first.pk, note="x", at=LATER),
        lambda: discard_policy(actor=rita, policy_id=first.pk, at=LATER),
        lambda: activate_policy(actor=rita, policy_id=first.pk, at=LATER),
    ):
        with pytest.raises(ValidationError) as refused:
            call()
        assert error_codes(refused.value) == ["no-draft"]
    assert list(GuardRule.objects.filter(policy=first).values()) == before
    activate_policy(actor=rita, policy_id=second.pk, at=LATER)
    assert list(GuardPolicy.objects.order_by("number").values_list("number", "state")) == [
        (1, "retired"),
        (2, "active"),
    ]


@pytest.mark.parametrize("who", ["ana", "max", "finn", "elsa"])
def test_others_write_no_policy(who: str, cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        draft_policy(actor=cast.actor(who), at=NOW)
    assert GuardPolicy.objects.count() == 0


def test_rules_that_say_nothing_are_refused_at_their_field(cast: Cast) -> None:
    rita = cast.actor("rita")
    draft = draft_policy(actor=rita, at=NOW)
    with pytest.raises(ValidationError, match="no rule in it"):
        activate_policy(actor=rita, policy_id=draft.pk, at=NOW)
    for fields, where in (
        ({"kind": "discount", "effect": "block"}, "max_discount_bp"),
        ({"kind": "promise", "effect": "block", "phrases": " \n"}, "phrases"),
        ({"kind": "product", "effect": "block"}, "product"),
        ({"kind": "nonsense", "effect": "block"}, "kind"),
        ({"kind": "discount", "effect": "allow", "max_discount_bp": 1}, "effect"),
        ({"kind": "offer", "effect": "block", "least_minor": 1, "currency": "XAU"}, "currency"),
    ):
        with pytest.raises(ValidationError) as refused:
            put_guard_rule(actor=rita, policy_id=draft.pk, name="Rule", at=NOW, **fields)  # type: ignore[arg-type]
        assert where in refused.value.error_dict
    assert GuardRule.objects.count() == 0


def test_a_dry_run_counts_the_deals_of_a_quarter_and_writes_nothing(
    cast: Cast, make_deal: MakeDeal, gtx: Product
) -> None:
    fine, dear, bad = (make_deal(name=name) for name in ("Fine", "Dear", "Bad"))
    for deal, discount in ((fine, 0), (dear, 2_000), (bad, 3_500)):
        offer(cast, deal, gtx, discount)
    make_deal(name="Lost", stage="lost", note="x")
    make_deal(name="Old", created_at=NOW - timedelta(days=93))
    make_deal(name="Won now", stage="won", created_at=NOW - timedelta(days=300))
    policy = policy_of(cast, ASK_15, CAP_25)
    before = business()
    run = dry_run_policy(actor=cast.actor("rita"), policy=policy, at=NOW)
    assert (run.count, dict(run.outcomes)) == (4, {"allow": 2, "escalate": 1, "block": 1})
    assert dict(run.by_rule) == {"Ask above 15 %": 2, "Never above 25 %": 1}
    assert (sorted(each.deal.name for each in run.flagged), business(), said()) == (["Bad", "Dear"], before, [])
    with pytest.raises(PermissionDenied):
        dry_run_policy(actor=cast.actor("max"), policy=policy, at=NOW)


# --- What became of them ---------------------------------------------------------------------------------------------


def test_groups_too_small_say_nothing() -> None:
    deals = [After(pk, 1, True, pk == 1, False) for pk in range(4)]
    few = compare(deals)
    assert (few.flagged.count, few.flagged.either_bp, few.difference_bp) == (4, None, None)
    enough = compare(
        [*deals, After(9, 1, True, False, True), *(After(20 + pk, 2, False, False, False) for pk in range(5))]
    )
    assert (enough.flagged.churned_bp, enough.flagged.paid_back_bp, enough.flagged.either_bp) == (2_000, 2_000, 4_000)
    assert (enough.others.either_bp, enough.difference_bp) == (0, 4_000)


def test_flagged_deals_are_compared_with_churn_and_refunds(cast: Cast, make_deal: MakeDeal) -> None:
    policy = policy_of(cast, CAP_25)
    closed = TODAY - timedelta(days=100)
    deals = []
    for number in range(10):
        account = Account.objects.create(name=f"A{number}", match_name=f"a{number}", pod=cast.north, created_at=NOW)
        deal = make_deal(name=f"D{number}", stage="won", closed_on=closed, account=account)
        outcome = "escalate" if number < 5 else "allow"
        GuardDecision.objects.create(deal=deal, policy=policy, occasion="lines", outcome=outcome, decided_at=NOW)
        deals.append(deal)
    left, paid, stays = deals[0], deals[1], deals[2]
    for deal, end in ((left, TODAY - timedelta(days=1)), (stays, TODAY - timedelta(days=1))):
        Subscription.objects.create(account=deal.account, name="S", mrr_minor=1, start_on=closed, end_on=end)
    Subscription.objects.create(account=stays.account, name="S2", mrr_minor=1, start_on=TODAY)
    for number, (deal, kind, is_void) in enumerate(
        [(paid, "credit_note", False), (deals[3], "refund", True), (deals[4], "booking", False)]
    ):
        Transaction.objects.create(
            source_key=f"T{number}",
            kind=kind,
            deal=deal,
            effective_on=TODAY,
            amount_minor=-1,
            currency="USD",
            is_void=is_void,
            recorded_at=NOW,
        )
    make_deal(name="Never asked", stage="won")
    report = guard_report_for(cast.actor("max"), day=TODAY)
    flagged, others = report.compared.flagged, report.compared.others
    assert (flagged.count, flagged.churned, flagged.paid_back, flagged.either_bp) == (5, 1, 1, 4_000)
    assert (others.count, others.either_bp, report.unasked) == (5, 0, 1)
    assert [(row.name, row.compared) for row in report.pods] == [("North", report.compared)]
    assert guard_report_for(cast.actor("mia"), day=TODAY).compared.flagged.count == 0


# --- Pages and programs ----------------------------------------------------------------------------------------------


def test_a_policy_is_written_tried_and_put_in_force_on_its_pages(
    cast: Cast, make_deal: MakeDeal, gtx: Product, client_of: Callable[[str], Client]
) -> None:
    deal = offer(cast, make_deal(), gtx, 3_500)
    rita = client_of("rita")
    made = rita.post("/deals/guard/policies/new/", {"note": "First"})
    policy = GuardPolicy.objects.get()
    page = f"/deals/guard/policies/{policy.pk}/"
    assert (made.status_code, made.headers["Location"]) == (302, page)
    assert rita.post(f"{page}activate/", {}).status_code == 422
    asked = rita.get(f"{page}rules/new/?kind=discount").content.decode()
    assert 'name="max_discount_bp"' in asked
    assert 'name="phrases"' not in asked
    rule = {"name": "Cap", "max_discount_bp": "25", "tier": "standard", "effect": "block", "message": "Ask Max."}
    assert rita.post(f"{page}rules/new/?kind=discount", rule | {"max_discount_bp": ""}).status_code == 422
    assert rita.post(f"{page}rules/new/?kind=discount", rule).status_code == 302
    assert (
        rita.post(
            f"{page}rules/new/?kind=offer",
            {"name": "Size", "least_minor": "1,000.50", "currency": "USD", "effect": "escalate"},
        ).status_code
        == 302
    )
    assert list(policy.rules.values_list("kind", "max_discount_bp", "least_minor")) == [
        ("discount", 2_500, None),
        ("offer", None, 100_050),
    ]
    shown = rita.get(page).content.decode()
    assert "At most 25" in shown
    assert "$1,000.50" in shown
    tried = rita.get(f"{page}try/?deal={deal.pk}").content.decode()
    assert "Discount of 35% exceeds max_discount_by_tier[&#x27;standard&#x27;] = 25%. Ask Max." in tried
    assert "Discount of 35%" in rita.get(f"{page}dry-run/").content.decode()
    assert rita.post(f"{page}activate/", {}).status_code == 302
    policy.refresh_from_db()
    assert (policy.state, said()) == ("active", [])
    assert rita.post(f"{page}rules/new/?kind=discount", rule).status_code == 422


def test_a_manager_answers_from_the_deals_page(
    cast: Cast, make_deal: MakeDeal, gtx: Product, client_of: Callable[[str], Client]
) -> None:
    policy_of(cast, ASK_15)
    deal = offer(cast, make_deal(), gtx, 2_000)
    row = deal.escalations.get()
    address = f"/deals/guard/{row.pk}/answer/"
    ana, max_ = client_of("ana"), client_of("max")
    own = ana.get(f"/deals/{deal.pk}/").content.decode()
    assert "Discount of 20% exceeds max_discount = 15%." in own
    assert address not in own
    assert address in max_.get(f"/deals/{deal.pk}/").content.decode()
    assert ana.post(address, {"is_approved": "yes"}).status_code == 403
    assert max_.post(address, {"is_approved": "no"}).status_code == 422
    assert states(deal) == ["open"]
    assert max_.post(address, {"is_approved": "yes", "answer": "Good margin"}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.answer, row.answered_by) == ("approved", "Good margin", cast.max)
    seen = ana.get(f"/deals/{deal.pk}/").content.decode()
    assert "Good margin" in seen
    assert "Approved" in seen
    assert "Good margin" in max_.get("/deals/guard/").content.decode()
    log = max_.get("/deals/guard/log/?outcome=escalate").content.decode()
    assert "Discount of 20%" in log


def test_programs_read_decisions_and_answer(
    cast: Cast, make_deal: MakeDeal, gtx: Product, client_of: Callable[[str], Client]
) -> None:
    policy_of(cast, ASK_15)
    deal = offer(cast, make_deal(), gtx, 2_000)
    row, as_json = deal.escalations.get(), "application/json"
    (decision,) = client_of("ana").get("/api/v1/guard-decisions/").json()["results"]
    assert (decision["outcome"], decision["reasons"][0]["rule"]) == ("escalate", "Ask above 15 %")
    address = f"/api/v1/approvals/{row.pk}/answer/"
    assert client_of("ana").post(address, {"is_approved": True}, content_type=as_json).status_code == 400
    assert client_of("alba").post(address, {"is_approved": True}, content_type=as_json).status_code == 404
    assert states(deal) == ["open"]
    answer = client_of("max").post(address, {"is_approved": True}, content_type=as_json)
    assert (answer.status_code, answer.json()["state"]) == (200, "approved")


def test_a_card_tells_how_long_it_stands(
    cast: Cast, make_deal: MakeDeal, client_of: Callable[[str], Client], stages: dict[str, Stage]
) -> None:
    Stage.objects.filter(code="engaging").update(expected_days=14)
    for name, days in (("Fresh", 5), ("Slow", 15), ("Stuck", 22)):
        make_deal(name=name, stage="engaging", stage_entered_at=NOW - timedelta(days=days))
    make_deal(name="Done", stage="won", stage_entered_at=NOW - timedelta(days=400))
    board = client_of("ana").get("/deals/board/").content.decode()
    assert (board.count("board-age is-yellow"), board.count("board-age is-red")) == (1, 1)
    assert "15 days here, 14 expected" in board
    assert "22 days here, 14 expected" in board
