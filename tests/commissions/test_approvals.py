"""Who approves what, and what a lock freezes: in the services and in the database itself."""

from __future__ import annotations

import hashlib
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ProtectedError, Sum
from django.utils.translation import override

from salesops.audit.models import AuditEntry
from salesops.audit.services import record
from salesops.commissions.choices import PayrollFormat
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import (
    Approval,
    Credit,
    Earning,
    LedgerEntry,
    PayrollFile,
    PayrollItem,
    Period,
    PlanVersion,
    Statement,
)
from salesops.commissions.rules import verify
from salesops.commissions.services import payroll
from salesops.commissions.services.approvals import approve_statements, lock_period, return_statement
from salesops.commissions.services.payroll import release_payroll
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft
from salesops.deals.models import Deal
from tests.audit.test_chain import tamper
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, definition, plan_in_force, statement_of, won

pytestmark = pytest.mark.django_db


def keys(period: Period) -> list[int]:
    return list(period.statements.values_list("pk", flat=True))


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
    approve_statements(actor=cast.actor("finn"), statement_ids=keys(period), at=NOW)
    return lock_period(actor=cast.actor("finn"), period=period, at=NOW)


def test_the_lock_is_recorded_with_the_sum_of_each_currency(locked: Period) -> None:
    entry = AuditEntry.objects.get(action="period.locked")
    assert entry.after["earned_minor"] == {"USD": 240_00}


def test_finance_approves_and_the_digest_is_kept(cast: Cast, period: Period) -> None:
    result = approve_statements(actor=cast.actor("finn"), statement_ids=keys(period), at=NOW, note="checked")
    assert (result.decided, result.refused) == (3, {})
    statement = statement_of(cast, "ana")
    approval = Approval.objects.get(statement=statement)
    assert (approval.decided_by, approval.digest, approval.note) == (cast.finn, statement.digest, "checked")
    assert AuditEntry.objects.filter(action="statement.approved").count() == 3


def test_whoever_prepared_it_does_not_approve_it(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    period = calculated(cast, by="fay")
    result = approve_statements(actor=cast.actor("fay"), statement_ids=keys(period), at=NOW)
    assert result.decided == 0
    assert len(result.refused) == 3
    assert {row.state for row in Statement.objects.all()} == {"draft"}
    assert Approval.objects.count() == 0
    assert approve_statements(actor=cast.actor("finn"), statement_ids=keys(period), at=NOW).decided == 3
    with pytest.raises(PermissionDenied):
        lock_period(actor=cast.actor("fay"), period=period, at=NOW)
    assert Period.objects.get().state == "open"


def test_nobody_approves_their_own_pay(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("finn",))
    won(cast, "finn", 1_000_00)
    period = calculated(cast)
    assert approve_statements(actor=cast.actor("finn"), statement_ids=keys(period), at=NOW).decided == 0
    assert approve_statements(actor=cast.actor("fay"), statement_ids=keys(period), at=NOW).decided == 1


@pytest.mark.parametrize("person", ["ana", "max", "rita", "elsa", "ada", "norm"])
def test_others_neither_approve_nor_lock_nor_release(cast: Cast, period: Period, person: str) -> None:
    if person == "max":  # managers are asked by some plans; this one asks finance only
        assert approve_statements(actor=cast.actor(person), statement_ids=keys(period), at=NOW).decided == 0
    else:
        with pytest.raises(PermissionDenied):
            approve_statements(actor=cast.actor(person), statement_ids=keys(period), at=NOW)
    with pytest.raises(PermissionDenied):
        lock_period(actor=cast.actor(person), period=period, at=NOW)
    with pytest.raises(PermissionDenied):
        release_payroll(actor=cast.actor(person), period=period, payroll_format=PayrollFormat.GUSTO, at=NOW)
    assert {row.state for row in Statement.objects.all()} == {"draft"}
    assert Approval.objects.count() == PayrollFile.objects.count() == LedgerEntry.objects.count() == 0


def test_a_statement_goes_back_with_a_reason(cast: Cast, period: Period) -> None:
    statement = statement_of(cast, "ana")
    approve_statements(actor=cast.actor("finn"), statement_ids=[statement.pk], at=NOW)
    with pytest.raises(CommissionRefusedError):
        return_statement(actor=cast.actor("finn"), statement=statement, at=NOW, note="  ")
    return_statement(actor=cast.actor("finn"), statement=statement, at=NOW, note="The deal is Sam's.")
    statement.refresh_from_db()
    assert statement.state == "draft"
    assert [row.decision for row in statement.approvals.order_by("pk")] == ["approved", "returned"]


def test_a_period_with_an_open_statement_is_not_locked(cast: Cast, period: Period) -> None:
    approve_statements(actor=cast.actor("finn"), statement_ids=keys(period)[:2], at=NOW)
    with pytest.raises(CommissionRefusedError, match="1 statement is not approved"):
        lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    assert LedgerEntry.objects.count() == 0


def test_a_touched_line_stops_the_lock_and_is_named(cast: Cast, period: Period) -> None:
    approve_statements(actor=cast.actor("finn"), statement_ids=keys(period), at=NOW)
    Earning.objects.filter(person=cast.ana).update(amount_minor=80_01)
    with pytest.raises(CommissionRefusedError, match="Ana Alvarez"):
        lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    assert Period.objects.get(pk=period.pk).state == "open"


def test_the_ledger_owes_what_was_earned_and_each_posting_is_balanced(cast: Cast, locked: Period) -> None:
    owed = LedgerEntry.objects.filter(account="owed").values_list("person__name", "amount_minor")
    assert dict(owed) == {"Ana Alvarez": 80_00, "Alba Abe": 160_00}
    sums = LedgerEntry.objects.order_by().values("posting", "currency").annotate(total=Sum("amount_minor"))
    assert {row["total"] for row in sums} == {0}


def refused_by_the_database(act: Any) -> None:
    with pytest.raises((DatabaseError, ProtectedError)), transaction.atomic():
        act()


APPEND_ONLY = [Approval, LedgerEntry, PayrollFile, PayrollItem, Credit, Earning, AuditEntry]


@pytest.mark.parametrize("model", APPEND_ONLY, ids=lambda model: model.__name__)
def test_rows_about_money_refuse_update_and_delete(cast: Cast, locked: Period, model: Any) -> None:
    release_payroll(actor=cast.actor("finn"), period=locked, payroll_format=PayrollFormat.GUSTO, at=NOW)
    table, row = model._meta.db_table, model.objects.order_by("pk").first()
    column = {"Approval": "note", "PayrollFile": "name", "AuditEntry": "reason"}.get(model.__name__, "amount_minor")
    value = "x" if column in {"note", "name", "reason"} else 1
    before = list(model.objects.order_by("pk").values())

    def raw(sql: str, *parameters: Any) -> Any:
        def act() -> None:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)

        return act

    refused_by_the_database(raw(f"UPDATE {table} SET {column} = %s WHERE id = %s", value, row.pk))
    refused_by_the_database(raw(f"DELETE FROM {table} WHERE id = %s", row.pk))
    refused_by_the_database(lambda: model.objects.filter(pk=row.pk).update(**{column: value}))
    refused_by_the_database(lambda: model.objects.filter(pk=row.pk).delete())
    refused_by_the_database(row.delete)
    refused_by_the_database(lambda: model.objects.all()._raw_delete("default"))
    assert list(model.objects.order_by("pk").values()) == before


def test_nothing_is_lost_by_deleting_what_it_hangs_on(cast: Cast, locked: Period) -> None:
    refused_by_the_database(cast.ana.delete)
    refused_by_the_database(locked.delete)
    refused_by_the_database(lambda: Deal.objects.all().delete())
    assert Earning.objects.count() == 2


def test_a_locked_statement_keeps_its_word(cast: Cast, locked: Period) -> None:
    statement = statement_of(cast, "ana")
    for change in (
        {"earned_minor": 1},
        {"credited_minor": 1},
        {"digest": "0" * 64},
        {"bundle": {}},
        {"state": "draft"},
        {"locked_at": None},
        {"person": cast.sam},
    ):
        refused_by_the_database(lambda change=change: Statement.objects.filter(pk=statement.pk).update(**change))
    refused_by_the_database(lambda: Period.objects.filter(pk=locked.pk).update(state="open", locked_at=None))
    refused_by_the_database(
        lambda: Statement.objects.create(
            person=cast.sam,
            period=locked,
            plan_version=PlanVersion.objects.get(),
            calculation=statement.calculation,
            currency="EUR",
            prepared_at=NOW,
        )
    )
    refused_by_the_database(
        lambda: Credit.objects.create(
            statement=statement,
            transaction=statement.credits.first().transaction,
            person=cast.ana,
            rule="extra",
            share_bp=1,
            amount_minor=1,
            currency="USD",
            effective_on=date(2026, 5, 4),
        )
    )


def test_a_version_in_force_cannot_be_changed(cast: Cast, period: Period) -> None:
    version = PlanVersion.objects.get()
    other = definition({"shape": "flat", "rate": "50%"})
    with pytest.raises(CommissionRefusedError):
        save_draft(
            actor=cast.actor("rita"),
            plan=version.plan,
            version=version,
            definition=other,
            start_on=version.start_on,
            at=NOW,
        )
    refused_by_the_database(lambda: PlanVersion.objects.filter(pk=version.pk).update(definition=other))
    refused_by_the_database(lambda: PlanVersion.objects.filter(pk=version.pk).update(state="draft"))
    refused_by_the_database(version.delete)


def test_the_writer_of_a_plan_does_not_put_it_in_force(cast: Cast, period: Period) -> None:
    plan = PlanVersion.objects.get().plan
    draft = save_draft(
        actor=cast.actor("rita"), plan=plan, definition=definition(FLAT_8), start_on=date(2026, 7, 1), at=NOW
    )
    with pytest.raises(PermissionDenied):
        activate_version(actor=cast.actor("rita"), version=draft, at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        PlanVersion.objects.filter(pk=draft.pk).update(activated_by=cast.rita)
    draft.refresh_from_db()
    assert draft.state == "draft"
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    assert PlanVersion.objects.get(number=1).end_on == date(2026, 7, 1)


def test_the_bundle_of_a_locked_statement_verifies_after_its_deals_changed(cast: Cast, locked: Period) -> None:
    Deal.objects.update(amount_minor=1, owner=None)
    bundle = statement_of(cast, "ana").bundle
    assert verify.disagreements(bundle) == []
    bundle["result"]["lines"][0]["earned_minor"] += 1
    assert verify.disagreements(bundle) != []


def test_a_payroll_file_shows_that_the_audit_was_cut_behind_its_back(cast: Cast, locked: Period) -> None:
    (file,) = release_payroll(actor=cast.actor("finn"), period=locked, payroll_format=PayrollFormat.GUSTO, at=NOW).files
    out = StringIO()
    call_command("verify_audit", stdout=out)
    entries = AuditEntry.objects.count()
    assert out.getvalue().splitlines()[0] == f"{entries} entries, nothing wrong."
    anchored = AuditEntry.objects.get(entry_hash=file.audit_anchor)
    assert anchored.sequence == entries - 1
    last = AuditEntry.objects.get(sequence=anchored.sequence - 1)
    tamper(
        f"DELETE FROM audit_auditentry WHERE sequence > {last.sequence}",
        f"UPDATE audit_audithead SET sequence = {last.sequence}, entry_hash = '{last.entry_hash}'",
    )
    out = StringIO()
    with pytest.raises(CommandError, match=f"1 problems in {last.sequence} entries"):
        call_command("verify_audit", stdout=out)
    assert out.getvalue().splitlines() == [
        f"{last.sequence}: anchor missing: {file.name} keeps the hash {file.audit_anchor}, and no entry has it:"
        " the chain was cut or rewritten"
    ]
    with override("zh-hans"):
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("verify_audit", stdout=out)
    assert out.getvalue().splitlines() == [
        f"{last.sequence}：缺少锚点：{file.name} 保存的哈希 {file.audit_anchor} 不属于任何条目：审计链被截断或改写"
    ]


def test_the_gusto_file_is_frozen_and_no_statement_is_in_two(cast: Cast, locked: Period) -> None:
    with pytest.raises(CommissionRefusedError, match="still open"):
        release_payroll(actor=cast.actor("finn"), period=second_open(cast), payroll_format=PayrollFormat.GUSTO, at=NOW)
    (file,) = release_payroll(actor=cast.actor("finn"), period=locked, payroll_format=PayrollFormat.GUSTO, at=NOW).files
    rows = bytes(file.content).decode().split("\r\n")
    assert rows[0].startswith("last_name,first_name,title,gusto_employee_id,")
    assert [[*row.split(",")[:2], row.split(",")[10]] for row in rows[1:3]] == [
        ["Abe", "Alba", "160.00"],
        ["Alvarez", "Ana", "80.00"],
    ]
    assert rows[3:] == [""]
    assert (file.people, file.total_minor, file.sha256) == (2, 240_00, hashlib.sha256(bytes(file.content)).hexdigest())
    with pytest.raises(CommissionRefusedError, match="Nothing is left to pay"):
        release_payroll(actor=cast.actor("finn"), period=locked, payroll_format=PayrollFormat.GENERIC, at=NOW)
    assert PayrollFile.objects.count() == 1
    assert statement_of(cast, "ana").state == "paid"
    assert LedgerEntry.objects.filter(account="owed").aggregate(total=Sum("amount_minor"))["total"] == 0


def test_a_release_makes_all_of_its_files_or_none(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ana is paid in euro, Alba in dollars; the second file fails at its last step."""
    for name, person, currency in (("Euro", "ana", "EUR"), ("Dollar", "alba", "USD")):
        plan_in_force(cast, FLAT_8, people=(person,), name=name, currency=currency)
        won(cast, person, 1_000_00, currency=currency)
    period = calculated(cast)
    finn = cast.actor("finn")
    approve_statements(actor=finn, statement_ids=keys(period), at=NOW)
    lock_period(actor=finn, period=period, at=NOW)
    before = (LedgerEntry.objects.count(), AuditEntry.objects.count())
    made: list[str] = []

    def second_fails(**words: Any) -> Any:
        made.append(words["subject"].currency)
        if len(made) == 2:
            raise RuntimeError
        return record(**words)

    with monkeypatch.context() as broken:
        broken.setattr(payroll, "record", second_fails)
        with pytest.raises(RuntimeError):
            release_payroll(actor=finn, period=period, payroll_format=PayrollFormat.GENERIC, at=NOW)
    assert made == ["EUR", "USD"]
    assert (PayrollFile.objects.count(), PayrollItem.objects.count()) == (0, 0)
    assert (LedgerEntry.objects.count(), AuditEntry.objects.count()) == before
    assert set(Statement.objects.values_list("state", flat=True)) == {"locked"}
    files = release_payroll(actor=finn, period=period, payroll_format=PayrollFormat.GENERIC, at=NOW).files
    assert [(file.number, file.currency, file.total_minor) for file in files] == [(1, "EUR", 80_00), (2, "USD", 80_00)]


def second_open(cast: Cast) -> Period:
    """Another period that nobody locked."""
    return open_period(day=date(2026, 1, 1), kind="quarter", time_zone="UTC")


def test_a_negative_total_is_paid_by_nobody_and_goes_on_into_the_next_period(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", -1_000_00)
    won(cast, "alba", 1_000_00)
    period = calculated(cast)
    approve_statements(actor=cast.actor("finn"), statement_ids=keys(period), at=NOW)
    lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    release = release_payroll(actor=cast.actor("finn"), period=period, payroll_format=PayrollFormat.GUSTO, at=NOW)
    assert (release.held, release.files[0].people, release.files[0].total_minor) == ([], 1, 80_00)
    statement = statement_of(cast, "ana")
    assert (statement.state, statement.earned_minor, statement.payout_minor) == ("locked", -80_00, 0)
    assert statement.carried["after"]["brought_forward_minor"] == -80_00
    rows = LedgerEntry.objects.filter(person=cast.ana).order_by().values_list("account")
    assert dict(rows.annotate(total=Sum("amount_minor"))) == {"expense": 80_00, "owed": 0, "taken": -80_00}


def in_two_levels(cast: Cast) -> Period:
    """A calculated quarter of a plan whose statements the manager approves before finance does."""
    plan = create_plan(actor=cast.actor("rita"), name="Two levels", at=NOW)
    words = definition(FLAT_8) | {"approvals": ["manager", "finance"]}
    draft = save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=date(2026, 1, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    for person in ("ana", "alba"):
        assign_to_plan(
            actor=cast.actor("rita"),
            plan=plan,
            person_id=cast.people[person].pk,
            start_on=date(2026, 1, 1),
            currency="USD",
            at=NOW,
        )
    won(cast, "ana", 1_000_00)
    won(cast, "alba", 1_000_00)
    return calculated(cast)


def test_the_manager_approves_before_finance_where_a_plan_says_so(cast: Cast) -> None:
    period = in_two_levels(cast)
    ana, alba = statement_of(cast, "ana"), statement_of(cast, "alba")
    early = approve_statements(actor=cast.actor("finn"), statement_ids=[ana.pk], at=NOW)
    assert early.refused == {ana.pk: "It waits for the manager's approval first."}
    # Max stands above Ana, not above Alba: her statement does not exist for him.
    result = approve_statements(actor=cast.actor("max"), statement_ids=[ana.pk, alba.pk], at=NOW)
    assert (result.decided, result.refused) == (1, {})
    ana.refresh_from_db()
    assert ana.state == "draft"
    with pytest.raises(CommissionRefusedError, match="not approved yet"):
        lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    again = approve_statements(actor=cast.actor("max"), statement_ids=[ana.pk], at=NOW)
    assert again.refused == {ana.pk: "You approved it already: the next level is for somebody else."}
    approve_statements(actor=cast.actor("mia"), statement_ids=[alba.pk], at=NOW)
    approve_statements(actor=cast.actor("finn"), statement_ids=[ana.pk, alba.pk], at=NOW)
    lock_period(actor=cast.actor("finn"), period=period, at=NOW)
    assert [(row.level, str(row.decided_by)) for row in ana.approvals.order_by("pk")] == [
        ("manager", "Max Manager"),
        ("finance", "Finn Finance"),
    ]


def test_a_statement_that_changes_or_is_sent_back_starts_with_the_manager_again(cast: Cast) -> None:
    in_two_levels(cast)
    ana = statement_of(cast, "ana")
    approve_statements(actor=cast.actor("max"), statement_ids=[ana.pk], at=NOW)
    won(cast, "ana", 500_00)
    calculated(cast)
    ana.refresh_from_db()
    assert approve_statements(actor=cast.actor("finn"), statement_ids=[ana.pk], at=NOW).decided == 0
    approve_statements(actor=cast.actor("max"), statement_ids=[ana.pk], at=NOW)
    return_statement(actor=cast.actor("max"), statement=ana, at=NOW, note="The last deal is not signed.")
    assert approve_statements(actor=cast.actor("finn"), statement_ids=[ana.pk], at=NOW).decided == 0
    with pytest.raises(NotAllowedError):
        return_statement(actor=cast.actor("mia"), statement=ana, at=NOW, note="Not hers to send back.")


def test_managers_do_not_approve_where_the_plan_does_not_ask_them(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    calculated(cast)
    statement = statement_of(cast, "ana")
    result = approve_statements(actor=cast.actor("max"), statement_ids=[statement.pk], at=NOW)
    assert result.refused == {statement.pk: "It waits for finance."}
