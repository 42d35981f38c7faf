"""Contests from the first draft to what is paid: who is in, who stands where, who wins what, and what comes late."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from salesops.commissions.models import (
    Contest,
    ContestStanding,
    Period,
    Plan,
    SettlementLine,
    Statement,
)
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.rules.plans import digest_of
from salesops.commissions.rules.verify import disagreements as bundle_disagreements
from salesops.commissions.rules.verify import read
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.totals import disagreements
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.contests import (
    NewContest,
    activate_contest,
    save_contest,
)
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, plan_in_force, second_quarter, statement_of, won

pytestmark = pytest.mark.django_db

#: After the second quarter.
JULY = datetime(2026, 7, 6, 9, 0, tzinfo=UTC)


def may(cast: Cast, plan: Plan, **words: Any) -> Contest:
    """The three who sell most in May, in force: Rita writes it, Finn puts it in force."""
    new = NewContest(
        **{
            "key": "may",
            "name": "May",
            "plan": plan,
            "plans": (plan,),
            "start": date(2026, 5, 1),
            "end": date(2026, 6, 1),
            "prizes_minor": (100_000, 50_000, 25_000),
        }
        | words
    )
    contest = save_contest(actor=cast.actor("rita"), new=new, at=NOW)
    return activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)


def calculated(cast: Cast, period: Period | None = None, at: datetime = NOW) -> Period:
    """Calculate; totals agree with their lines, and every bundle derives again."""
    period = period or second_quarter()
    calculate_period(actor=cast.actor("rita"), period=period, at=at)
    assert disagreements(period) == []
    for statement in Statement.objects.filter(period=period).select_related("plan_version__plan", "person", "period"):
        assert bundle_disagreements(read(bundle_bytes(bundle_of(statement)))) == []
    return period


def locked(cast: Cast, period: Period | None = None, at: datetime = NOW) -> Period:
    """Calculate, approve and lock."""
    period = calculated(cast, period, at)
    rows = Statement.objects.filter(period=period).values_list("pk", flat=True)
    approve_statements(actor=cast.actor("finn"), statement_ids=list(rows), at=at)
    lock_period(actor=cast.actor("fay"), period=period, at=at)
    return Period.objects.get(pk=period.pk)


def prizes(period: Period) -> dict[str, int]:
    """What contests pay in a period, by first name."""
    rows = SettlementLine.objects.filter(statement__period=period, component__startswith="contest:")
    return {row.person.name.split()[0]: row.amount_minor for row in rows.select_related("person")}


def stood(contest: Contest) -> list[tuple[str, int, int, int]]:
    """First name, total, rank and prize of everybody who is in."""
    rows = ContestStanding.objects.filter(contest=contest).select_related("person").order_by("-total_minor", "person")
    return [(row.person.name.split()[0], row.total_minor, row.rank, row.prize_minor) for row in rows]


# --- Who wins what ------------------------------------------------------------------------------------------------


def test_those_who_sold_most_are_paid_with_the_period_in_which_it_ends(cast: Cast) -> None:
    """Ana 9,000.00 · Alba 4,000.00 · Sam nothing in May, who takes no part, whatever he sold in June."""
    plan = plan_in_force(cast, FLAT_8)
    for person, amount, day in (
        ("ana", 900_000, date(2026, 5, 4)),
        ("alba", 400_000, date(2026, 5, 31)),
        ("sam", 5_000_000, date(2026, 6, 1)),
        ("alba", 5_000_000, date(2026, 4, 30)),
    ):
        won(cast, person, amount, day)
    contest = may(cast, plan)
    assert stood(contest) == [("Ana", 900_000, 1, 100_000), ("Alba", 400_000, 2, 50_000), ("Sam", 0, 0, 0)]
    period = calculated(cast)
    assert prizes(period) == {"Ana": 100_000, "Alba": 50_000}
    ana = statement_of(cast, "ana")
    assert (ana.earned_minor, ana.payout_minor) == (72_000, 172_000)
    line = SettlementLine.objects.get(statement=ana)
    assert (line.kind, line.component, line.reference, line.reason, line.params) == (
        "bonus",
        "contest:may",
        "contest may",
        "contest-prize",
        {"contest": "May", "rank": "1", "count": "2"},
    )
    assert ana.carried is not None
    kept = ana.carried["given"]["occurrences"][0]["prize"]
    assert kept == {
        "words": contest.definition,
        "digest": contest.digest,
        "total_minor": 900_000,
        "rank": 1,
        "taking_part": 2,
        "tied": 1,
        "turn": 1,
        "totals_digest": digest_of([900_000, 400_000]),
        "amount_minor": 100_000,
    }
