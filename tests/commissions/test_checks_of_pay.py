"""What docs/checks-of-pay.md promises and no other test proves. Each of these fails when its guard is taken out."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from pathlib import Path
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import F, ProtectedError, Sum
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from salesops.accounts.models import Account
from salesops.commissions.choices import PayrollFormat
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import (
    Adjustment,
    Approval,
    Calculation,
    Credit,
    Earning,
    LedgerEntry,
    PayrollFile,
    Period,
    PlanAssignment,
    PlanVersion,
    SettlementLine,
    Statement,
    Transaction,
)
from salesops.commissions.rules import verify
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.rules.columns import convert_columns
from salesops.commissions.rules.plans import digest_of
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.known import known_on
from salesops.commissions.selectors.periods import standings
from salesops.commissions.selectors.statements import why_of
from salesops.commissions.selectors.totals import all_disagreements, disagreements
from salesops.commissions.services import calculate, drafting
from salesops.commissions.services.adjustments import approve_adjustments, prepare_adjustment
from salesops.commissions.services.approvals import approve_statements, lock_period, return_statement
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.payroll import release_payroll
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import activate_version, assign_to_plan, save_draft
from salesops.commissions.services.transaction_imports import TransactionRecord, upsert_transactions
from salesops.connectors.models import Source
from salesops.core.models import ExchangeRate
from salesops.deals.models import Deal, DealSplit, Stage
from salesops.deals.services.deals import move_deal
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job
from salesops.jobs.registry import declared_schedules
from salesops.jobs.services import enqueue
from salesops.jobs.testing import run_due
from salesops.notices.models import Notice
from salesops.people.models import RoleGrant
from salesops.pods.models import PodMembership
from salesops.values.money import MAX_MINOR, MoneyError, plain, round_half_up, to_minor
from tests.cast import NOW, SINCE, Cast
from tests.commissions.pay import (
    FIVE_THEN_TEN,
    FLAT_8,
    calculated,
    definition,
    plan_in_force,
    quota,
    second_quarter,
    statement_of,
    won,
)
from tests.commissions.shuffled_world import digest_of_the_worlds
from tests.commissions.test_settled_periods import happened, in_force, quarter
from tests.elsewhere import Elsewhere
from tests.journeys.bringing import Importer

pytestmark = pytest.mark.django_db

IS_SQLITE = connection.vendor == "sqlite"


def keys(period: Period) -> list[int]:
    """The statements of a period."""
    return list(period.statements.order_by("pk").values_list("pk", flat=True))


def close(cast: Cast, period: Period) -> Period:
    """Approve and lock a calculated period."""
    finn = cast.actor("finn")
    approve_statements(actor=finn, statement_ids=keys(period), at=NOW, note="Looked at.")
    return lock_period(actor=finn, period=period, at=NOW)


@pytest.fixture
def period(cast: Cast) -> Period:
    """The second quarter, calculated by Rita: Ana earned 80.00, Alba 160.00, Sam nothing."""
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    won(cast, "alba", 2_000_00)
    return calculated(cast)


@pytest.fixture
def locked(cast: Cast, period: Period) -> Period:
    """The same, approved and locked by Finn."""
    return close(cast, period)


def release(cast: Cast, period: Period, by: str = "finn") -> PayrollFile:
    """The payroll file of a locked period."""
    (file,) = release_payroll(actor=cast.actor(by), period=period, payroll_format=PayrollFormat.GENERIC, at=NOW).files
    return file


def sql(text: str, *values: Any) -> None:
    """Past the ORM."""
    with connection.cursor() as cursor:
        cursor.execute(text, values)


@contextmanager
def unguarded() -> Iterator[None]:
    """As somebody with the database's own password would write: without the guards."""
    if not IS_SQLITE:
        sql("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the end of the transaction is looked at as it was
        sql("SET CONSTRAINTS ALL DEFERRED")
        sql("SET session_replication_role = replica")
        yield
        sql("SET session_replication_role = DEFAULT")
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
    for name, _text in triggers:
        sql(f"DROP TRIGGER {name}")
    yield
    for _name, text in triggers:
        sql(text)


def refused_by_the_database(act: Callable[[], Any], match: str) -> None:
    """The database says no."""

    def act_and_end() -> None:
        act()
        if not IS_SQLITE:
            sql("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises((DatabaseError, ProtectedError), match=match), transaction.atomic():
        act_and_end()


# --- Money: rounding, order, totals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("92233720368547758.07", "USD"),
        ("-92233720368547758.07", "USD"),
        ("90071992547409.93", "USD"),  # one more than a float can hold
        ("12345678901234.5678", "CLF"),  # in Chile's unit of account, which has four decimals
        ("-0.01", "USD"),
        ("-0.0001", "CLF"),
        ("9999999999999999", "JPY"),
    ],
)
def test_amounts_at_the_edge_come_back_as_they_were_stored(cast: Cast, amount: str, currency: str) -> None:
    deal = Deal.objects.create(
        name="Edge",
        owner=cast.ana,
        stage=Stage.objects.filter(kind="open")[0],
        kind="open",
        currency=currency,
        amount_minor=to_minor(amount, currency),
        created_at=NOW,
    )
    assert plain(Deal.objects.get(pk=deal.pk).amount_minor, currency) == amount
    assert plain(Deal.objects.filter(pk=deal.pk).aggregate(sum=Sum("amount_minor"))["sum"], currency) == amount


def test_an_amount_that_cannot_be_kept_exactly_is_refused_and_never_made_smaller(cast: Cast) -> None:
    for currency in ("CLF", "USD"):
        with pytest.raises(MoneyError):
            to_minor("9999999999999999.9999", currency)


def test_ten_thousand_rates_times_amounts_are_rounded_alike_everywhere(cast: Cast) -> None:
    """The portal's own rule, the calculator's, and the exact arithmetic of the database; many of them ties."""
    chance = random.Random(20_260_401)
    rows = []
    for number in range(10_000):
        digits = chance.randint(1, 4)
        amount, rate = chance.randint(-(10**9), 10**9), chance.randint(0, 10**digits)
        if number % 2:  # amount × rate ends in exactly one half
            digits, rate = 1, 5
            amount = 2 * (amount // 2) + 1
        rows.append((amount, rate, 10**digits))
    expected = [round_half_up(Fraction(amount * rate, scale)) for amount, rate, scale in rows]
    assert sum(abs(amount * rate) * 2 % (2 * scale) == scale for amount, rate, scale in rows) > 5_000
    columns = [np.array([row[place] for row in rows], dtype=np.int64) for place in range(3)]
    assert convert_columns(*columns).tolist() == expected
    found: list[int] = []
    half = (
        "CASE WHEN a * r >= 0 THEN (2 * a * r + s) / (2 * s) ELSE -((-2 * a * r + s) / (2 * s)) END"
        if IS_SQLITE
        else "round(a::numeric * r / s)::bigint"
    )
    with connection.cursor() as cursor:
        for start in range(0, len(rows), 200):
            part = rows[start : start + 200]
            values = ", ".join(f"({start + place}, {a}, {r}, {s})" for place, (a, r, s) in enumerate(part))
            cursor.execute(f"WITH x(n, a, r, s) AS (VALUES {values}) SELECT {half} FROM x ORDER BY n")
            found.extend(int(value) for (value,) in cursor.fetchall())
    assert found == expected
    # What is stored is what was rounded: the engine's lines through the database and back.
    in_force(cast, definition({"shape": "flat", "rate": "12.5%"}) | {"conventions": {"rounding": "per_line"}})
    amounts = [chance.randrange(4, 10**7, 8) for _deal in range(300)]  # ⅛ of each ends in one half
    Transaction.objects.bulk_create(
        Transaction(
            source_key=f"tie {number:03}",
            kind="booking",
            effective_on=date(2026, 5, 4),
            amount_minor=amount,
            currency="USD",
            credited_to=cast.ana,
            recorded_at=NOW,
        )
        for number, amount in enumerate(amounts)
    )
    calculate_period(actor=cast.actor("rita"), period=second_quarter(), at=NOW)
    lines = Earning.objects.order_by("position").values_list("amount_minor", flat=True)
    assert list(lines) == [(amount + 4) // 8 for amount in amounts]


#: How many processes have a hash seed and a time zone of their own. SALESOPS_SEEDS=20 for the long run.
SEEDS = int(os.environ.get("SALESOPS_SEEDS", "5"))
THREADS = (1, 4, 2)
ZONES = ("UTC", "America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12")


def test_twenty_orders_hash_seeds_time_zones_and_numbers_of_threads_give_the_same_bytes() -> None:
    def run(seed: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.commissions.shuffled_world", str(seed), str(THREADS[seed % len(THREADS)])],
            env={
                **os.environ,
                "PYTHONHASHSEED": str(seed),
                "TZ": ZONES[seed % len(ZONES)],
            },
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout.strip()

    with ThreadPoolExecutor(2) as pool:
        found = set(pool.map(run, range(SEEDS)))
    assert found == {digest_of_the_worlds(0)}


def test_the_order_in_which_rows_were_written_changes_no_byte(cast: Cast) -> None:
    in_force(cast, definition(FIVE_THEN_TEN), ("ana", "sam"))
    for person in ("ana", "sam"):
        quota(cast, person, "2026Q2", 5_000_00)
    rows = [
        (f"t{number:02}", person, date(2026, 4, 1 + number % 5), 333_33 * (number + 1))
        for number in range(12)
        for person in ("ana", "sam")
    ]
    found = set()
    for seed in range(6):
        save = transaction.savepoint()
        for key, person, day, amount in random.Random(seed).sample(rows, len(rows)):
            happened("booking", f"{key} {person}", cast.people[person], day, amount)
        calculate_period(actor=cast.actor("rita"), period=second_quarter(), at=NOW)
        parts = []
        for person in ("ana", "sam"):
            bundle = bundle_of(statement_of(cast, person))
            bundle["statement"]["reference"] = ""
            parts.append(digest_of({name: part for name, part in bundle.items() if name != "digests"}))
        found.add(tuple(parts))
        transaction.savepoint_rollback(save)
    assert len(found) == 1


@pytest.mark.django_db(transaction=True)
def test_two_calculations_at_once_give_one_result(cast: Cast, tmp_path: Path) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    won(cast, "alba", 2_000_00)
    period, rita = second_quarter(), cast.actor("rita")
    together = Barrier(2)
    found: list[Any] = []

    def press() -> None:
        together.wait(timeout=60)
        calculate_period(actor=rita, period=period, at=NOW)

    def look() -> None:
        found.extend(
            [
                sorted(Statement.objects.values_list("person__name", "payout_minor")),
                Earning.objects.count(),
                sorted(each.totals["written"] for each in Calculation.objects.all()),
            ]
        )

    place = Elsewhere(tmp_path)
    place.run(press, press)
    place.run(look)
    assert found == [[("Alba Abe", 160_00), ("Ana Alvarez", 80_00), ("Sam Sorensen", 0)], 2, [0, 3]]


# --- Postings and totals ------------------------------------------------------------------------------------------


def post(period: Period, person: Any, account: str, amount: int, **more: Any) -> None:
    """An entry, past the ORM."""
    row = {
        "posting": "by hand", "account": account, "kind": "earning", "person_id": person.pk, "period_id": period.pk,
        "amount_minor": amount, "currency": "USD", "reason": "", "posted_at": NOW,
    } | more  # fmt: skip
    if IS_SQLITE:
        row["posted_at"] = connection.ops.adapt_datetimefield_value(row["posted_at"])
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    sql(f"INSERT INTO commissions_ledgerentry ({names}) VALUES ({marks})", *row.values())


def test_a_posting_out_of_balance_is_refused_or_stops_everything(cast: Cast, period: Period) -> None:
    """PostgreSQL refuses it when the transaction ends; on SQLite nothing is locked or released until it is mended."""
    with transaction.atomic():
        post(period, cast.ana, "owed", 5_00)
        post(period, cast.ana, "expense", -5_00)
    assert disagreements(period) == []
    if not IS_SQLITE:
        for second in ({}, {"currency": "EUR"}):

            def act(second: dict[str, str] = second) -> None:
                post(period, cast.ana, "owed", 5_00, posting="alone")
                if second:
                    post(period, cast.ana, "expense", -5_00, posting="alone", **second)

            refused_by_the_database(act, "out of balance")
        assert LedgerEntry.objects.count() == 2
        return
    post(period, cast.ana, "owed", 5_00, posting="alone")
    assert disagreements(period) == ["alone (USD): 500 ≠ 0"]
    with pytest.raises(CommissionRefusedError, match=r"alone \(USD\): 500 ≠ 0"):
        close(cast, period)


def test_every_scope_comes_to_the_same_total(cast: Cast, locked: Period) -> None:
    file = release(cast, locked)
    (standing,) = standings([locked])
    by_person = dict(Statement.objects.order_by().values_list("person_id").annotate(total=Sum("payout_minor")))
    by_pod = {
        pod: sum(by_person.get(person, 0) for person in members)
        for pod, members in (
            (pod.name, set(PodMembership.objects.filter(pod=pod).values_list("person_id", flat=True)))
            for pod in (cast.north, cast.south)
        )
    }
    assert by_pod == {"North": 80_00, "South": 160_00}
    lines = Earning.objects.aggregate(total=Sum("amount_minor"))["total"]
    entries = LedgerEntry.objects.filter(account="paid").aggregate(total=Sum("amount_minor"))["total"]
    in_file = [row.split(",") for row in bytes(file.content).decode("utf-8-sig").splitlines()]
    place = next(index for index, name in enumerate(in_file[0]) if name in ("commission", "amount"))
    totals = {
        "lines": lines,
        "entries": entries,
        "people": sum(by_person.values()),
        "pods": sum(by_pod.values()),
        "company": standing.payout["USD"],
        "items": file.items.aggregate(total=Sum("amount_minor"))["total"],
        "file": file.total_minor,
        "bytes": sum(round(Fraction(row[place]) * 100) for row in in_file[1:]),
    }
    assert set(totals.values()) == {240_00}, totals
    assert all_disagreements() == {}
    out = StringIO()
    call_command("check_pay", stdout=out)
    assert out.getvalue() == "1 periods, nothing disagrees.\n"


#: What somebody could write with the database's password, and the words by which it is found.
CORRUPTIONS = {
    "line": ("UPDATE commissions_earning SET amount_minor = amount_minor + 1 WHERE person_id = {ana}", "Ana Alvarez"),
    "credit": ("UPDATE commissions_credit SET amount_minor = amount_minor - 1 WHERE person_id = {ana}", "Ana Alvarez"),
    "earned": ("UPDATE commissions_statement SET earned_minor = 1 WHERE person_id = {ana}", "Ana Alvarez"),
    "payout": ("UPDATE commissions_statement SET payout_minor = 1 WHERE person_id = {ana}", "Ana Alvarez"),
    "height": (
        "UPDATE commissions_earning SET height_to_minor = height_to_minor + 1 WHERE person_id = {ana}",
        "/commission/1: 0…8001 ≠ 8000",
    ),
    "entry": ("UPDATE commissions_ledgerentry SET amount_minor = 1 WHERE person_id = {ana}", "Ana Alvarez"),
    "entry lost": ("DELETE FROM commissions_ledgerentry WHERE person_id = {ana}", "Ana Alvarez"),
    "posting": (
        "UPDATE commissions_ledgerentry SET amount_minor = 1 WHERE account = 'expense' AND person_id = {ana}",
        ":earning (USD): ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupted_row_blocks_the_release_and_is_named(
    cast: Cast, locked: Period, client_of: Callable[[str], Client], name: str
) -> None:
    text, named = CORRUPTIONS[name]
    with unguarded():
        sql(text.format(ana=cast.ana.pk))
    answer = client_of("fay").post(
        reverse("commissions:payroll_release", kwargs={"pk": locked.pk}), {"payroll_format": "generic"}
    )
    assert answer.status_code == 422
    assert named in answer.content.decode().replace("&amp;", "&")
    assert PayrollFile.objects.count() == 0
    assert any(named in line for line in disagreements(locked))


def test_a_line_that_does_not_begin_where_the_one_before_ended_is_named(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    won(cast, "ana", 2_000_00, date(2026, 5, 5))
    period = calculated(cast)
    assert disagreements(period) == []
    moved = {name: F(name) + 1 for name in ("from_minor", "height_from_minor", "height_to_minor")}
    assert Earning.objects.filter(person=cast.ana, position=2).update(**moved) == 1
    (wrong,) = disagreements(period)
    assert "/commission/2: " in wrong


FILE_CORRUPTIONS = {
    "bytes": "UPDATE commissions_payrollfile SET content = %s",
    "total": "UPDATE commissions_payrollfile SET total_minor = total_minor + 1",
    "people": "UPDATE commissions_payrollfile SET people = 3",
    "item": "UPDATE commissions_payrollitem SET amount_minor = amount_minor + 1",
    "item lost": "DELETE FROM commissions_payrollitem",
    "payment": "DELETE FROM commissions_ledgerentry WHERE kind = 'payment'",
    "bundle": "UPDATE commissions_statement SET bundle = %s",
}  # fmt: skip


@pytest.mark.parametrize("name", FILE_CORRUPTIONS)
def test_each_night_finds_what_was_changed_behind_the_portals_back(cast: Cast, locked: Period, name: str) -> None:
    """Finance is told what, administrators, who see nobody's pay, in which period; once."""
    release(cast, locked)
    bundle = json.loads(json.dumps(statement_of(cast, "ana").bundle))
    bundle["result"]["payout_minor"] += 1
    values: dict[str, Any] = {"bytes": b"x", "bundle": json.dumps(bundle)}
    with unguarded():
        sql(FILE_CORRUPTIONS[name], *([values[name]] if name in values else []))
    schedule = next(each for each in declared_schedules() if each.code == "commissions.check_pay")
    for night in range(2):
        at = NOW + timedelta(days=night)
        with transaction.atomic():
            enqueue(kind=schedule.kind, key=f"night {night}", payload={}, actor=cast.actor("ada"), at=at, title="Check")
        run_due(at=at)
    jobs = Job.objects.filter(kind="commissions.check_pay").values_list("state", flat=True)
    assert set(jobs) == {JobState.FAILED}
    told = dict(Notice.objects.filter(key__startswith="commissions.check_pay").values_list("person__name", "body"))
    assert sorted(told) == ["Ada Admin", "Fay Finance", "Finn Finance"]
    assert told["Finn Finance"]
    assert "manage.py check_pay" in told["Ada Admin"]
    assert Notice.objects.filter(key__startswith="commissions.check_pay").count() == 3
    with pytest.raises(CommandError, match="disagreements in 1 periods"):
        call_command("check_pay", stdout=StringIO())


def test_a_night_in_which_everything_agrees_tells_nobody(cast: Cast, locked: Period) -> None:
    release(cast, locked)
    with transaction.atomic():
        enqueue(kind="commissions.check_pay", key="night", payload={}, actor=cast.actor("ada"), at=NOW, title="Check")
    run_due(at=NOW)
    assert Job.objects.get(kind="commissions.check_pay").state == JobState.DONE
    assert not Notice.objects.filter(key__startswith="commissions.check_pay").exists()


# --- What was closed stays, and can be derived again --------------------------------------------------------------


def test_what_was_approved_since_the_last_calculation_waits_for_the_next(cast: Cast) -> None:
    """It is no disagreement of the night, and nothing is locked without it; once calculated, it is looked at like all."""
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    period = calculated(cast)
    minute = timedelta(minutes=1)
    adjustment = prepare_adjustment(
        actor=cast.actor("rita"),
        person_id=cast.ana.pk,
        plan=plan,
        period=period,
        amount_minor=-2_22,
        reason="It was forgotten",
        at=NOW,
    )
    approve_adjustments(actor=cast.actor("finn"), adjustment_ids=[adjustment.pk], at=NOW + minute, looked_again=True)
    assert all_disagreements() == {}
    assert disagreements(period) == ["Ana Alvarez: -222 ≠ 0"]
    calculate_period(actor=cast.actor("rita"), period=period, at=NOW + 2 * minute)
    assert (all_disagreements(), disagreements(period)) == ({}, [])
    SettlementLine.objects.filter(statement__period=period, kind="adjustment").update(amount_minor=-1_22)
    assert any("-222 ≠ -122" in each for each in all_disagreements()[period])


def test_a_closed_statement_is_derived_again_after_everything_behind_it_changed(cast: Cast) -> None:
    plan = plan_in_force(cast, FIVE_THEN_TEN)
    for person in ("ana", "sam", "alba"):
        quota(cast, person, "2026Q2", 1_500_00)
    old, new = (Account.objects.create(name=name, created_at=NOW) for name in ("Old", "New"))
    deal, other = won(cast, "ana", 1_000_00), won(cast, "ana", 2_000_00, date(2026, 5, 5))
    Deal.objects.update(account=old)
    DealSplit.objects.create(deal=deal, person=cast.ana, share_bp=6_000)
    DealSplit.objects.create(deal=deal, person=cast.sam, share_bp=4_000)
    period = close(cast, calculated(cast))
    before = {row.pk: bundle_bytes(bundle_of(row)) for row in Statement.objects.all()}
    # Accounts are merged, the deals edited and taken away, people and quotas are changed.
    Deal.objects.update(account=new)
    Transaction.objects.update(account=new)
    old.delete()
    Deal.objects.filter(pk=deal.pk).update(amount_minor=7, closed_on=date(2026, 8, 1), owner=cast.alba)
    DealSplit.objects.all().delete()
    with pytest.raises(ProtectedError):
        other.delete()  # what was paid keeps its deal
    Deal.objects.filter(pk=other.pk).update(kind="lost")
    quota(cast, "ana", "2026Q2", 99_00)
    PlanAssignment.objects.filter(plan=plan, person=cast.ana).update(end_on=date(2026, 2, 1))
    cast.ana.name = "Ana Married"
    cast.ana.save()
    calculate_period(actor=cast.actor("rita"), period=quarter(3), at=NOW)
    assert {row.pk: bundle_bytes(bundle_of(row)) for row in Statement.objects.filter(period=period)} == before
    assert disagreements(period) == []
    for data in before.values():
        assert verify.disagreements(verify.read(data)) == []
    # One digit is enough to be found, wherever in the result it stands.
    data = next(data for data in before.values() if b'"earned_minor":0' not in data)
    start = data.index(b'"result"')
    places = [place for place in range(start, len(data)) if data[place : place + 1].isdigit()]
    for place in places[:: max(1, len(places) // 40)]:
        flipped = bytearray(data)
        flipped[place] = ord("1") if flipped[place] != ord("1") else ord("2")
        assert verify.disagreements(verify.read(bytes(flipped))) != [], bytes(flipped[place - 30 : place + 10])


def test_a_newer_engine_changes_no_closed_statement(
    cast: Cast, locked: Period, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said which one calculated; nothing comes as a late change because of it."""
    before = {row.pk: bundle_bytes(bundle_of(row)) for row in Statement.objects.all()}
    was = Calculation.objects.get().engine_version
    for module in (calculate, drafting):
        monkeypatch.setattr(module, "ENGINE_VERSION", "another")
    later = calculate_period(actor=cast.actor("rita"), period=quarter(3), at=NOW)
    assert (later.engine_version, Adjustment.objects.count()) == ("another", 0)
    assert {row.pk: bundle_bytes(bundle_of(row)) for row in Statement.objects.filter(period=locked)} == before
    assert {bundle_of(row)["engine_version"] for row in Statement.objects.filter(period=locked)} == {was}
    assert disagreements(locked) == []


def test_rates_of_exchange_are_pinned(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00, date(2026, 5, 8), currency="EUR")
    won(cast, "ana", 1_000_00, date(2026, 5, 8), currency="GBP")
    rate = ExchangeRate.objects.create(
        on=date(2026, 5, 8), base="EUR", quote="USD", rate=Decimal("1.0842"), source="ecb"
    )
    period = calculated(cast)
    statement = statement_of(cast, "ana")
    # A missing rate holds the statement. It is never taken as one.
    assert [problem["code"] for problem in statement.problems] == ["rate-missing"]
    assert (statement.credited_minor, statement.earned_minor) == (1_084_20, 86_74)
    assert approve_statements(actor=cast.actor("finn"), statement_ids=[statement.pk], at=NOW).decided == 0
    Deal.objects.filter(currency="GBP").update(currency="USD")
    period = close(cast, calculated(cast, period=period))
    statement.refresh_from_db()
    before = bundle_bytes(bundle_of(statement))
    pinned = Credit.objects.get(why__currency="EUR").why
    assert pinned["rate_legs"] == [["2026-05-08", "EUR", "USD", "1.0842", "ecb"]]
    rate.rate = Decimal("2")
    rate.save()
    assert (bundle_bytes(bundle_of(statement)), disagreements(period)) == (before, [])
    ExchangeRate.objects.all().delete()
    statement.refresh_from_db()
    assert (bundle_bytes(bundle_of(statement)), disagreements(period)) == (before, [])
    assert verify.disagreements(verify.read(before)) == []
    assert why_of(Earning.objects.get(credit__why__currency="EUR"))["exchange"]["legs"][0]["rate"] == "1.0842"


def test_what_was_known_on_a_day(cast: Cast, locked: Period) -> None:
    """A statement is known from its lock on, as it was locked; what came later is not in it."""
    Deal.objects.filter(owner=cast.ana).update(amount_minor=2_000_00)
    later = NOW + timedelta(days=120)
    third = quarter(3)
    calculate_period(actor=cast.actor("rita"), period=third, at=later)
    finn = cast.actor("finn")
    assert [row.person for row in known_on(finn, NOW - timedelta(seconds=1))] == []
    (alba, ana, sam) = known_on(finn, NOW)
    assert (ana.person, ana.payout_minor, ana.corrected_minor) == ("Ana Alvarez", 80_00, 0)
    assert (alba.payout_minor, sam.payout_minor) == (160_00, 0)
    assert ana.bundle == statement_of(cast, "ana", locked).bundle
    approve_statements(actor=finn, statement_ids=keys(third), at=later, note="Looked at.")
    lock_period(actor=finn, period=third, at=later)
    assert [row.corrected_minor for row in known_on(finn, NOW) if row.person == "Ana Alvarez"] == [0]
    rows = [(row.period, row.payout_minor, row.corrected_minor) for row in known_on(finn, later) if "Ana" in row.person]
    assert rows == [("2026Q2", 80_00, 80_00), ("2026Q3", 80_00, 0)]
    assert [row.person for row in known_on(cast.actor("alba"), NOW)] == ["Alba Abe"]
    out = StringIO()
    call_command("pay_as_known", NOW.isoformat(), stdout=out)
    assert "2026Q2\tAna Alvarez\t80.00 USD\t0.00 USD" in out.getvalue()


# --- Steps, and who takes them ------------------------------------------------------------------------------------

STEPS = ("draft", "approved", "locked", "paid")
#: From what a statement may become what, and by which act.
ALLOWED = {
    ("draft", "approved"): "approve",
    ("approved", "draft"): "return or calculate",
    ("approved", "locked"): "lock",
    ("locked", "paid"): "release",
}  # fmt: skip
people = st.sampled_from(["ana", "sam", "alba"])


class StepMachine(RuleBasedStateMachine):
    """Three statements; everybody presses everything, and somebody writes into the table."""

    cast: Cast

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.states: dict[int, str] = {}
        self.act = ""

    def teardown(self) -> None:
        """Forget it."""
        transaction.savepoint_rollback(self.savepoint)

    @initialize()
    def begin(self) -> None:
        """A calculated quarter."""
        plan_in_force(self.cast, FLAT_8)
        for person in ("ana", "sam", "alba"):
            won(self.cast, person, 1_000_00)
        self.period = calculated(self.cast)
        self.states = self.now()

    def now(self) -> dict[int, str]:
        """The states of all statements."""
        return dict(Statement.objects.order_by("pk").values_list("pk", "state"))

    def press(self, act: str, work: Callable[[], Any]) -> None:
        """Do it if it can be done."""
        self.act = act
        try:
            with transaction.atomic():
                work()
        except (CommissionRefusedError, NotAllowedError):
            pass

    @rule(person=people, by=st.sampled_from(["finn", "fay", "rita", "max"]))
    def approve(self, person: str, by: str) -> None:
        """One of them."""
        rows = [statement_of(self.cast, person).pk]
        self.press("approve", lambda: approve_statements(actor=self.cast.actor(by), statement_ids=rows, at=NOW))

    @rule(by=st.sampled_from(["finn", "fay"]))
    def approve_all(self, by: str) -> None:
        """All of them."""
        rows = keys(self.period)
        self.press("approve", lambda: approve_statements(actor=self.cast.actor(by), statement_ids=rows, at=NOW))

    @rule(person=people)
    def send_back(self, person: str) -> None:
        """One of them."""
        row = statement_of(self.cast, person)
        self.press(
            "return or calculate",
            lambda: return_statement(actor=self.cast.actor("finn"), statement=row, at=NOW, note="No."),
        )

    @rule(person=people, amount=st.integers(1, 10**6))
    def edit_and_calculate(self, person: str, amount: int) -> None:
        """A deal changes."""
        Deal.objects.filter(owner=self.cast.people[person]).update(amount_minor=amount)
        self.press(
            "return or calculate",
            lambda: calculate_period(actor=self.cast.actor("rita"), period=self.period, at=NOW),
        )

    @rule(by=st.sampled_from(["finn", "fay", "rita"]))
    def lock(self, by: str) -> None:
        """The quarter."""
        self.press("lock", lambda: lock_period(actor=self.cast.actor(by), period=self.period, at=NOW))
        if "locked" in self.now().values():
            assert set(self.now().values()) <= {"locked", "paid"}, "locked with a statement left out"

    @rule(by=st.sampled_from(["finn", "fay", "rita"]))
    def release(self, by: str) -> None:
        """The payroll file."""
        self.press("release", lambda: release(self.cast, self.period, by))

    @rule(person=people, state=st.sampled_from(STEPS))
    def write_into_the_table(self, person: str, state: str) -> None:
        """Only the step before or, until the lock, after is open; the others are the database's to refuse."""
        row = statement_of(self.cast, person)
        save = transaction.savepoint()
        try:
            with transaction.atomic():
                sql("UPDATE commissions_statement SET state = %s WHERE id = %s", state, row.pk)
            assert (row.state, state) in {**ALLOWED, **{(step, step): "" for step in STEPS}}, (row.state, state)
            assert state in ("draft", "approved") or row.locked_at is not None
        except DatabaseError:
            assert row.state != state
        finally:
            transaction.savepoint_rollback(save)

    @invariant()
    def no_step_is_left_out_or_taken_back(self) -> None:
        """Every change is one that the act may bring."""
        if not self.states:
            return
        now = self.now()
        for pk, state in now.items():
            before = self.states[pk]
            assert before == state or ALLOWED.get((before, state)) == self.act, (self.act, before, state)
        self.states = now


def test_whoever_presses_what_no_step_is_left_out_or_taken_back(cast: Cast) -> None:
    StepMachine.cast = cast
    run_state_machine_as_test(
        StepMachine,
        settings=settings(
            max_examples=int(os.environ.get("SALESOPS_STEP_EXAMPLES", "4")),
            stateful_step_count=14,
            deadline=None,
            phases=[Phase.reuse, Phase.generate],  # making a failure smaller takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_database_refuses_steps_out_of_turn(cast: Cast, period: Period) -> None:
    row = statement_of(cast, "ana")
    for state in ("locked", "paid"):
        refused_by_the_database(
            lambda state=state: Statement.objects.filter(pk=row.pk).update(state=state, locked_at=NOW),  # type: ignore[misc]
            "approved, then locked, then paid",
        )
    Statement.objects.filter(pk=row.pk).update(state="approved")
    for change in ({"state": "locked"}, {"locked_at": NOW}, {"state": "paid", "locked_at": NOW}):
        refused_by_the_database(
            lambda change=change: Statement.objects.filter(pk=row.pk).update(**change),  # type: ignore[misc]
            "approved, then locked, then paid",
        )


def test_the_database_takes_no_step_back(cast: Cast, locked: Period) -> None:
    """Neither of a locked statement nor of one that was paid, with or without its moment."""
    row = statement_of(cast, "ana")
    for state, backwards in (("locked", ("draft", "approved")), ("paid", ("draft", "approved", "locked"))):
        assert Statement.objects.get(pk=row.pk).state == state
        for before in backwards:
            for change in ({"state": before}, {"state": before, "locked_at": None}):
                refused_by_the_database(
                    lambda change=change: Statement.objects.filter(pk=row.pk).update(**change),  # type: ignore[misc]
                    "locked statement cannot be changed|approved, then locked, then paid",
                )
        if state == "locked":
            release(cast, locked)


@pytest.mark.django_db(transaction=True)
def test_two_who_approve_at_once_one_wins(cast: Cast, tmp_path: Path) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    period = calculated(cast)
    rows = keys(period)
    together = Barrier(2)
    decided: list[int] = []
    refused: list[str] = []

    def press(actor: Any) -> None:
        together.wait(timeout=60)
        result = approve_statements(actor=actor, statement_ids=rows, at=NOW)
        decided.append(result.decided)
        refused.extend(result.refused.values())

    finn, fay = cast.actor("finn"), cast.actor("fay")
    place = Elsewhere(tmp_path)
    place.run(lambda: press(finn), lambda: press(fay))
    found: list[Any] = []
    place.run(lambda: found.append((Approval.objects.count(), {row.state for row in Statement.objects.all()})))
    assert sorted(decided) == [0, 3]
    assert refused == ["It is Approved already."] * 3
    assert found == [(3, {"approved"})]


@pytest.fixture
def mighty(cast: Cast) -> Cast:
    """Rita, who calculates, may now do everything that anybody may: every role, and the flags of a superuser."""
    for role in ("finance", "admin", "manager", "executive"):
        RoleGrant.objects.create(person=cast.rita, role=role, start_on=SINCE)
    cast.rita.is_superuser = cast.rita.is_staff = True
    cast.rita.save()
    return cast


def test_who_prepared_approves_locks_and_releases_by_no_road(mighty: Cast, client_of: Callable[[str], Client]) -> None:
    cast = mighty
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    period = calculated(cast)
    rita, browser, row = cast.actor("rita"), client_of("rita"), statement_of(cast, "ana")
    # By the service, one or many, and from the page.
    result = approve_statements(actor=rita, statement_ids=keys(period), at=NOW, note="Good.")
    assert (result.decided, set(result.refused.values())) == (0, {"You prepared it: somebody else must approve it."})
    bulk = reverse("commissions:statement_approve")
    for data in ({"ids": keys(period)}, {"ids": keys(period), "confirm": "1"}, {"pk": keys(period), "confirm": "yes"}):
        browser.post(bulk, data)
    assert {each.state for each in Statement.objects.all()} == {"draft"}
    approve_statements(actor=cast.actor("finn"), statement_ids=keys(period), at=NOW)
    with pytest.raises(NotAllowedError, match="You ran the calculation"):
        lock_period(actor=rita, period=period, at=NOW)
    browser.post(reverse("commissions:period_lock", kwargs={"pk": period.pk}))
    assert Period.objects.get(pk=period.pk).state == "open"
    lock_period(actor=cast.actor("fay"), period=period, at=NOW)
    with pytest.raises(NotAllowedError, match="You ran the calculation"):
        release(cast, period, "rita")
    address = reverse("commissions:payroll_release", kwargs={"pk": period.pk})
    browser.post(address, {"payroll_format": "generic"})
    assert PayrollFile.objects.count() == 0
    # Her own plan.
    draft = save_draft(actor=rita, plan=plan, definition=definition(FIVE_THEN_TEN), start_on=date(2026, 7, 1), at=NOW)
    with pytest.raises(NotAllowedError):
        activate_version(actor=rita, version=draft, at=NOW)
    refused_by_the_database(
        lambda: PlanVersion.objects.filter(pk=draft.pk).update(activated_by=cast.rita), "maker_is_not_checker"
    )
    # Neither the administration nor programs have a way to approve, lock or release.
    for model in (Statement, Approval, Adjustment, PayrollFile, LedgerEntry, Earning, Credit, SettlementLine):
        assert model not in admin.site._registry
    assert browser.post(f"/admin/commissions/statement/{row.pk}/change/", {"state": "paid"}).status_code == 404
    words = ("approve", "lock", "release", "activate")
    routes = [str(name) for name in _routes(get_resolver().url_patterns) if str(name).startswith("api/")]
    assert routes
    assert [name for name in routes if any(word in name for word in words)] == []


def _routes(patterns: Any, before: str = "") -> Iterator[str]:
    for each in patterns:
        path = before + str(each.pattern)
        if hasattr(each, "url_patterns"):
            yield from _routes(each.url_patterns, path)
        else:
            yield path


def test_who_prepared_approves_locks_and_releases_not_in_the_database_either(cast: Cast, period: Period) -> None:
    row = statement_of(cast, "ana")

    def says(person: Any) -> Callable[[], Any]:
        return lambda: Approval.objects.create(
            statement=row, decision="approved", decided_by=person, decided_at=NOW, digest=row.digest
        )

    for person in (cast.rita, cast.ana):
        refused_by_the_database(says(person), "does not approve")
    refused_by_the_database(
        lambda: Period.objects.filter(pk=period.pk).update(state="locked", locked_at=NOW, locked_by=cast.rita),
        "does not lock",
    )
    locked = close(cast, period)
    file = PayrollFile(
        number=1, period=locked, format="generic", name="by hand.csv", content=b"", sha256="", people=1,
        total_minor=80_00, currency="USD", released_by=cast.rita, released_at=NOW,
    )  # fmt: skip
    file.save()
    refused_by_the_database(
        lambda: file.items.create(statement=statement_of(cast, "ana"), amount_minor=80_00, currency="USD"),
        "does not release",
    )


# --- Payroll files, bounds, explanations --------------------------------------------------------------------------


def test_a_payroll_file_is_downloaded_as_the_same_bytes_for_ever(
    cast: Cast, locked: Period, client_of: Callable[[str], Client]
) -> None:
    file = release(cast, locked)
    address = reverse("commissions:payrollfile_download", kwargs={"pk": file.pk})
    first = client_of("finn").get(address)
    Deal.objects.update(amount_minor=1)
    cast.ana.name, cast.ana.payroll_number = "Ana Married", "999"
    cast.ana.save()
    second = client_of("fay").get(address)
    assert first.content == second.content == bytes(file.content)
    assert second.headers["Digest"] == f"sha-256={hashlib.sha256(second.content).hexdigest()}"
    people = Statement.objects.filter(payout_minor__gt=0).values("person").distinct().count()
    assert len(second.content.decode().splitlines()) - 1 == file.people == people == 2
    with pytest.raises(CommissionRefusedError, match="Nothing is left to pay"):
        release(cast, locked)
    assert PayrollFile.objects.count() == 1


def test_a_payroll_item_is_what_a_locked_statement_pays(cast: Cast, period: Period) -> None:
    def paid(amount: int, currency: str = "USD") -> Callable[[], Any]:
        def act() -> None:
            file = PayrollFile.objects.create(
                number=1, period=period, format="generic", name="x.csv", content=b"", sha256="", people=1,
                total_minor=amount, currency=currency, released_by=cast.finn, released_at=NOW,
            )  # fmt: skip
            file.items.create(statement=statement_of(cast, "ana"), amount_minor=amount, currency=currency)

        return act

    refused_by_the_database(paid(80_00), "what a locked statement says")  # it is not locked yet
    close(cast, period)
    for wrong in (paid(80_01), paid(79_99), paid(80_00, "EUR")):
        refused_by_the_database(wrong, "what a locked statement says")
    paid(80_00)()


def test_more_than_a_number_holds_is_refused_and_never_wrapped(cast: Cast) -> None:
    plan_in_force(cast, {"shape": "flat", "rate": "100%"}, people=("ana",))
    won(cast, "ana", MAX_MINOR)
    calculated(cast)
    assert statement_of(cast, "ana").earned_minor == MAX_MINOR
    won(cast, "ana", 1, date(2026, 5, 5))
    with pytest.raises((ValueError, ArithmeticError), match="64-bit"), transaction.atomic():
        calculated(cast)
    assert statement_of(cast, "ana").earned_minor == MAX_MINOR


@pytest.mark.parametrize("rate", ["1001%", "-1%"])
def test_absurd_and_negative_rates_are_not_put_in_force(cast: Cast, rate: str) -> None:
    with pytest.raises(CommissionRefusedError):
        plan_in_force(cast, {"shape": "flat", "rate": rate})
    assert not PlanVersion.objects.filter(state="active").exists()


@pytest.mark.parametrize(
    ("word", "reached", "earned"), [("by_days", 1_000_00, 52_00), ("latest", 1_200_00, 51_00), ("first", 900_00, 57_00)]
)
def test_a_quota_that_changes_within_the_period_counts_as_the_plan_says(
    cast: Cast, word: str, reached: int, earned: int
) -> None:
    """Three months of a quarter add up, or the last or the first of them counts for all three."""
    plan_in_force(cast, FIVE_THEN_TEN, quota_change=word)
    for label, amount in (("2026-04", 300_00), ("2026-05", 300_00), ("2026-06", 400_00)):
        quota(cast, "ana", label, amount)
    won(cast, "ana", 1_020_00)
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert statement.quota_minor == reached
    assert statement.earned_minor == earned


@pytest.mark.parametrize("shares", [(5_000, 4_999), (5_000, 5_001), (15_000, -5_000)])
def test_shares_that_are_not_the_whole_hold_the_deal(cast: Cast, shares: tuple[int, int]) -> None:
    """Past the forms, which refuse them: nobody is credited, and it is said."""
    plan_in_force(cast, FLAT_8)
    deal = won(cast, "ana", 1_000_00)
    try:
        with transaction.atomic():
            for person, share in zip((cast.ana, cast.sam), shares, strict=True):
                DealSplit.objects.create(deal=deal, person=person, function="ae", share_bp=share)
    except DatabaseError:
        assert min(shares) < 0 or max(shares) > 10_000  # the database refuses these at once
        return
    calculated(cast)
    assert Credit.objects.count() == 0
    (problem,) = Calculation.objects.get().problems
    assert problem["where"] == f"deal:{deal.pk}:booking"


def test_two_hundred_explanations_lead_to_what_is_paid(cast: Cast) -> None:
    """Each is calculated again from its own words alone: from, to, and rate of each piece."""
    in_force(cast, definition(FIVE_THEN_TEN), ("ana", "sam", "alba"))
    chance = random.Random(7)
    for person in ("ana", "sam", "alba"):
        quota(cast, person, "2026Q2", chance.randint(10_000_00, 50_000_00))
        Transaction.objects.bulk_create(
            Transaction(
                source_key=f"{person} {number}", kind="booking", effective_on=date(2026, 4, chance.randint(1, 30)),
                amount_minor=chance.randint(1, 2_000_00), currency="USD", credited_to=cast.people[person],
                recorded_at=NOW,
            )
            for number in range(80)
        )  # fmt: skip
    calculate_period(actor=cast.actor("rita"), period=second_quarter(), at=NOW)
    lines = list(Earning.objects.select_related("statement__plan_version", "credit__transaction").order_by("pk"))
    across = 0
    for line in chance.sample(lines, 200):
        why = why_of(line)
        exact = Fraction(0)
        for piece in why["pieces"]:
            worth = (Fraction(piece["to"]) - Fraction(piece["from"])) * Fraction(piece["rate_percent"]) / 100
            assert worth == Fraction(piece["exact"])
            exact += worth
        before = Fraction(why["rounding"]["height_before"])
        assert round_half_up(before + exact) - round_half_up(before) == line.amount_minor == why["earned_minor"]
        assert (why["transaction"]["key"], why["agrees"]) == (line.credit.transaction.source_key, True)
        across += len(why["pieces"]) > 1
    assert across > 0
    line.amount_minor += 1
    assert why_of(line)["agrees"] is False


# --- Periods, days, organisation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("America/Los_Angeles", "2026-04-01T03:30:00", date(2026, 3, 31)),
        ("UTC", "2026-04-01T03:30:00", date(2026, 4, 1)),
        ("UTC", "2026-03-31T23:59:59.999999", date(2026, 3, 31)),
        ("UTC", "2026-04-01T00:00:00", date(2026, 4, 1)),
        ("America/New_York", "2026-03-08T06:59:59", date(2026, 3, 8)),
        ("America/New_York", "2026-11-01T05:30:00", date(2026, 11, 1)),
        ("America/New_York", "2026-11-02T04:59:59", date(2026, 11, 1)),
        ("Europe/Berlin", "2026-03-28T23:00:00", date(2026, 3, 29)),
        ("Europe/Berlin", "2026-10-25T00:30:00", date(2026, 10, 25)),  # half past two, the first time
        ("Europe/Berlin", "2026-10-25T22:59:59.999999", date(2026, 10, 25)),
        ("Europe/Berlin", "2026-10-25T23:00:00", date(2026, 10, 26)),
        ("America/Los_Angeles", "2026-03-08T10:00:00", date(2026, 3, 8)),  # two o'clock does not exist
        ("America/Los_Angeles", "2026-11-01T09:30:00", date(2026, 11, 1)),  # half past one, the second time
        ("Pacific/Kiritimati", "2026-03-31T09:59:59.999999", date(2026, 3, 31)),
        ("Pacific/Kiritimati", "2026-03-31T10:00:00", date(2026, 4, 1)),
        ("Etc/GMT+12", "2026-04-01T12:00:00", date(2026, 4, 1)),
        ("Etc/GMT+12", "2026-04-01T11:59:59", date(2026, 3, 31)),
        ("UTC", "2024-02-29T23:59:59", date(2024, 2, 29)),
        ("Asia/Tokyo", "2025-12-31T15:00:00", date(2026, 1, 1)),
    ],
)
def test_a_moment_is_the_companys_day_for_every_viewer(
    cast: Cast, settings: Any, zone: str, moment: str, day: date
) -> None:
    """The day is kept when the deal is won; afterwards no zone of anybody moves it."""
    settings.COMPANY_TIME_ZONE = zone
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    words = definition(FLAT_8) | {"period_kind": "month", "time_zone": zone}
    in_force(cast, words)
    PlanAssignment.objects.update(start_on=date(2024, 1, 1))
    stage = Stage.objects.get(code="won")
    found = set()
    for viewer in ("Pacific/Kiritimati", "Etc/GMT+12", "UTC"):
        with timezone.override(ZoneInfo(viewer)):
            deal = Deal.objects.create(
                name="At the edge", owner=cast.ana, pod=cast.north, stage=Stage.objects.filter(kind="open")[0],
                kind="open", amount_minor=1_000_00, currency="USD", created_at=at - timedelta(days=1),
            )  # fmt: skip
            move_deal(actor=cast.actor("ana"), deal_id=deal.pk, stage=stage, at=at)
            found.add(Deal.objects.get(pk=deal.pk).closed_on)
    assert found == {day}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "America/Los_Angeles", "UTC"])
@pytest.mark.parametrize("day", ["2026-03-31", "2026-03-08", "2026-11-01", "2028-02-29", "2025-12-31"])
def test_a_day_without_a_time_is_never_moved(
    cast: Cast, settings: Any, client_of: Callable[[str], Client], zone: str, day: str
) -> None:
    """From a file and from a program, whatever the zone of the company and of whoever brings it."""
    settings.COMPANY_TIME_ZONE = zone
    cast.rita.time_zone = zone
    cast.rita.save()
    file = f"transaction id,type,date,amount,currency,credited to\nF,Invoice,{day},1.00,USD,Ana Alvarez\n"
    rita = Importer(cast.actor("rita"), Source.objects.create(code="erp", name="Our ERP"))
    with timezone.override(ZoneInfo(zone)):
        rita.run(rita.check(rita.answer(rita.upload("transactions.csv", file.encode(), "transactions"))))
    body = {"kind": "renewal", "effective_on": day, "amount_minor": 1_00, "currency": "USD", "credited_to": cast.ana.pk}
    answer = client_of("rita").post(
        "/api/v1/transactions/",
        {**body, "source_key": "P"},
        content_type="application/json",
        headers={"Idempotency-Key": "once"},
    )
    assert (answer.status_code, answer.json()["effective_on"]) == (201, day)
    found = dict(Transaction.objects.values_list("source_key", "effective_on"))
    assert found == {"F": date.fromisoformat(day), "P": date.fromisoformat(day)}


def test_a_day_is_in_exactly_one_period_whoever_looks(cast: Cast) -> None:
    """First and last days, the leap day, and the days on which clocks change; for three viewers."""
    in_force(cast, definition(FLAT_8) | {"period_kind": "month", "time_zone": "America/Los_Angeles"})
    days = [
        date(2026, 2, 28),
        date(2026, 3, 1),
        date(2026, 3, 8),
        date(2026, 3, 29),
        date(2026, 3, 31),
        date(2026, 4, 1),
    ]
    for day in days:
        won(cast, "ana", 1_000_00, day, name=day.isoformat())
    found = []
    for viewer in ("Pacific/Kiritimati", "Etc/GMT+12", "America/Los_Angeles"):
        save = transaction.savepoint()
        with timezone.override(ZoneInfo(viewer)):
            for month in (2, 3, 4):
                period = open_period(day=date(2026, month, 1), kind="month", time_zone="America/Los_Angeles")
                calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
            rows = Credit.objects.order_by("effective_on").values_list(
                "transaction__deal__name", "effective_on", "statement__period__label"
            )
            found.append([(name, day.isoformat(), label) for name, day, label in rows])
        transaction.savepoint_rollback(save)
    assert found[0] == found[1] == found[2]
    assert [(name == day, day[:7] == label) for name, day, label in found[0]] == [(True, True)] * len(days)


def test_nothing_is_dated_into_a_locked_period(cast: Cast, locked: Period, client_of: Callable[[str], Client]) -> None:
    """By raw SQL, by the ORM, by the admin site and by a file; the portal's own payments still come in."""
    row, later = statement_of(cast, "ana"), NOW + timedelta(days=1)
    refused_by_the_database(lambda: post(locked, cast.ana, "owed", 0, posted_at=later), "period is locked")
    refused_by_the_database(
        lambda: LedgerEntry.objects.create(
            posting="by hand", account="owed", kind="payment", person=cast.ana, period=locked, amount_minor=0,
            currency="USD", posted_at=later,
        ),
        "period is locked",
    )  # fmt: skip
    credit = row.credits.get()
    line = {"statement": row, "person": cast.ana, "currency": "USD", "amount_minor": 1}
    for act in (
        lambda: Earning.objects.create(
            **line, credit=credit, component="more", position=9, from_minor=0, to_minor=1, height_from_minor=0,
            height_to_minor=1,
        ),
        lambda: Credit.objects.create(
            **line, transaction=credit.transaction, rule="extra", share_bp=1, effective_on=date(2026, 5, 4)
        ),
        lambda: SettlementLine.objects.create(**line, position=9, kind="bonus", reason="bonus"),
    ):  # fmt: skip
        refused_by_the_database(act, "statement is locked")
    refused_by_the_database(
        lambda: Adjustment.objects.create(
            person=cast.ana, plan=row.plan_version.plan, period=locked, amount_minor=1, currency="USD", reason="More",
            prepared_by=cast.rita, prepared_at=NOW,
        ),
        "period is locked",
    )  # fmt: skip
    refused_by_the_database(
        lambda: Statement.objects.create(
            person=cast.carl, period=locked, plan_version=row.plan_version, calculation=row.calculation, currency="USD",
            prepared_at=NOW,
        ),
        "period is locked",
    )  # fmt: skip
    # The same past the ORM: a copy of each row that stands there, as somebody with the database's password would write it.
    added = {"position": 9, "rule": "extra", "component": "more"}  # so that nothing else stands in the way
    for model in (Statement, Credit, Earning, SettlementLine, Adjustment, LedgerEntry):
        for found in model._default_manager.all()[:1]:
            values = {
                field.column: field.get_db_prep_save(getattr(found, field.attname), connection)
                for field in model._meta.concrete_fields
                if not field.primary_key
            }
            values |= {name: value for name, value in added.items() if name in values}
            if model is Statement:
                values["person_id"] = cast.carl.pk
            if model is LedgerEntry:
                values |= {"posting": "by hand", "posted_at": connection.ops.adapt_datetimefield_value(later)}
            names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
            refused_by_the_database(
                lambda: sql(f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({marks})", *values.values()),  # noqa: B023
                "is locked",
            )
    ada = client_of("ada")
    for model in (Statement, Credit, Earning, SettlementLine, Adjustment, LedgerEntry, Period):
        address = f"/admin/commissions/{model._meta.model_name}/add/"
        assert ada.post(address, {"period": locked.pk, "person": cast.ana.pk, "amount_minor": 1}).status_code in (
            403,
            404,
        )
    before = {row.pk: bundle_bytes(bundle_of(row)) for row in Statement.objects.filter(period=locked)}
    record = TransactionRecord("late", "booking", date(2026, 5, 20), 500_00, "USD", credited_to_id=cast.ana.pk)
    upsert_transactions(records=[record], actor=cast.actor("rita"), source="erp", at=later)
    calculate_period(actor=cast.actor("rita"), period=quarter(3), at=later)
    assert list(Adjustment.objects.values_list("period__label", "about_period__label", "cause", "amount_minor")) == [
        ("2026Q3", "2026Q2", "deal_late", 40_00)
    ]
    assert {row.pk: bundle_bytes(bundle_of(row)) for row in Statement.objects.filter(period=locked)} == before
    release(cast, locked)
    assert disagreements(locked) == []


def test_the_organisation_of_the_day_counts_and_the_past_stays(cast: Cast) -> None:
    """Somebody leaves and comes back, changes the pod, and a new version of the plan begins within the quarters."""
    plan = plan_in_force(cast, FLAT_8, people=())
    for start, end in ((date(2026, 1, 1), date(2026, 4, 15)), (date(2026, 6, 1), None)):
        assign_to_plan(
            actor=cast.actor("rita"), plan=plan, person_id=cast.ana.pk, start_on=start, end_on=end, currency="USD",
            at=NOW,
        )  # fmt: skip
    won(cast, "ana", 100_00, date(2026, 3, 31), name="first quarter")
    first = close(cast, calculated(cast, period=quarter(1)))
    before = bundle_bytes(bundle_of(statement_of(cast, "ana", first)))
    draft = save_draft(
        actor=cast.actor("rita"), plan=plan, definition=definition({"shape": "flat", "rate": "10%"}),
        start_on=date(2026, 6, 15), at=NOW,
    )  # fmt: skip
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    for name, day in (
        ("before", date(2026, 4, 14)), ("gone", date(2026, 4, 15)), ("away", date(2026, 5, 31)),
        ("back", date(2026, 6, 1)), ("last of the old", date(2026, 6, 14)), ("new version", date(2026, 6, 15)),
    ):  # fmt: skip
        won(cast, "ana", 100_00, day, name=name)
    membership = PodMembership.objects.get(person=cast.ana)
    membership.end_on = date(2026, 5, 1)
    membership.save()
    PodMembership.objects.create(person=cast.ana, pod=cast.south, function="ae", start_on=date(2026, 5, 1))
    calculated(cast)
    rows = Earning.objects.filter(statement__period=second_quarter()).order_by("credit__effective_on")
    found = rows.values_list("credit__transaction__deal__name", "statement__plan_version__number", "amount_minor")
    assert list(found) == [
        ("before", 1, 8_00),
        ("back", 1, 8_00),
        ("last of the old", 1, 8_00),
        ("new version", 2, 10_00),
    ]
    assert Adjustment.objects.count() == 0
    assert bundle_bytes(bundle_of(statement_of(cast, "ana", first))) == before
    for model, row in ((PlanAssignment, plan.assignments.order_by("pk")[0]), (PodMembership, membership)):
        row.pk, row.start_on, row.end_on = None, date(2026, 1, 10), date(2026, 1, 20)
        refused_by_the_database(lambda row=row: row.save(force_insert=True), "overlap")  # type: ignore[misc]
        assert model._default_manager.count() == 2 if model is PlanAssignment else True
