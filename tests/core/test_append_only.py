"""Rows about money and what was done stay as they were written, by whatever road somebody tries to change them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import DatabaseError, connection, models, transaction
from django.db.models import ProtectedError
from django.test import Client

from salesops.commissions.choices import PayrollFormat
from salesops.commissions.services.adjustments import approve_adjustments, prepare_adjustment
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.contests import NewContest, activate_contest, save_contest
from salesops.commissions.services.disputes import open_dispute
from salesops.commissions.services.payroll import release_payroll
from salesops.commissions.services.plans import acknowledge_version
from salesops.core.guards import AppendOnly, declared_guards
from salesops.deals.models import Deal, Stage
from salesops.deals.services.deals import create_deal
from salesops.deals.services.guard import answer_escalation
from salesops.effort.choices import LookedAt
from salesops.effort.services.contests import contest, decide_contest
from salesops.effort.services.looks import note_looks
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.services.pools import keep_setups
from salesops.leads.services.scores import note_signal
from salesops.reorganisations.models import ReorganisationChange
from salesops.reorganisations.services import create_reorganisation
from salesops.values.money import plain
from tests.cast import NOW, TODAY, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, second_quarter, statement_of, won
from tests.deals.guarded import policy_of
from tests.effort.world import entity_on
from tests.leads.routed import arrives, in_force, make_pool

pytestmark = pytest.mark.django_db

IS_SQLITE = connection.vendor == "sqlite"
#: Every table that refuses UPDATE and DELETE, for all of its rows or for those that are locked.
TABLES = sorted(
    {guard.table for guard in declared_guards() if isinstance(guard, AppendOnly) and not guard.deletes_only}
)
#: A column whose change would hurt, and what somebody would like to see there.
CHANGES: dict[str, tuple[str, Any]] = {
    "audit_auditentry": ("reason", "never mind"),
    "commissions_acknowledgement": ("digest", "never mind"),
    "commissions_adjustment": ("amount_minor", 1),
    "commissions_approval": ("note", "never mind"),
    "commissions_credit": ("amount_minor", 1),
    "commissions_disputemessage": ("text", "never mind"),
    "commissions_earning": ("amount_minor", 1),
    "commissions_ledgerentry": ("amount_minor", 1),
    "commissions_payrollfile": ("name", "other.csv"),
    "commissions_payrollitem": ("amount_minor", 1),
    "commissions_period": ("label", "2031Q1"),
    "commissions_settlementline": ("amount_minor", 1),
    "commissions_statementchange": ("payout_after_minor", 1),
    "deals_guarddecision": ("outcome", "allow"),
    "deals_guardescalation": ("answer", "never mind"),
    "deals_stagechange": ("amount_minor", 1),
    "effort_effortcontest": ("reason", "never mind"),
    "effort_effortlook": ("what", "list"),
    "leads_leadassignment": ("reason", "never mind"),
    "leads_leadsignal": ("kind", "met"),
    "leads_poolversion": ("number", 99),
    "leads_turn": ("kind", "returned"),
    "reorganisations_reorganisationchange": ("said_after", "never mind"),
}


@pytest.fixture
def paid(cast: Cast) -> None:
    """A quarter that was calculated, adjusted, approved, locked, paid and doubted; a deal that was made and had to be
    approved; a lead that was given away, and one that took its turn and sent a form; effort that was looked at and doubted.
    """
    plan = plan_in_force(cast, FLAT_8)
    acknowledge_version(actor=cast.actor("ana"), version=plan.versions.get(), at=NOW)
    won(cast, "ana", 1_000_00)
    calculated(cast)
    won(cast, "alba", 2_000_00)
    finn = cast.actor("finn")
    adjustment = prepare_adjustment(
        actor=cast.actor("rita"),
        person_id=cast.ana.pk,
        plan=plan,
        period=second_quarter(),
        amount_minor=10_00,
        reason="For the fair in May.",
        at=NOW,
    )
    approve_adjustments(actor=finn, adjustment_ids=[adjustment.pk], at=NOW, looked_again=True)
    period = calculated(cast)
    approve_statements(actor=finn, statement_ids=list(period.statements.values_list("pk", flat=True)), at=NOW)
    period = lock_period(actor=finn, period=period, at=NOW)
    release_payroll(actor=finn, period=period, payroll_format=PayrollFormat.GUSTO, at=NOW)
    open_dispute(
        actor=cast.actor("ana"),
        statement=statement_of(cast, "ana"),
        line="",
        subject="Too little",
        message="Where is the deal of May?",
        at=NOW,
    )
    july = NewContest("july", "July", plan, date(2026, 7, 1), date(2026, 8, 1), plans=(plan,), prizes_minor=(100_00,))
    activate_contest(actor=finn, contest=save_contest(actor=cast.actor("rita"), new=july, at=NOW), at=NOW)
    stage = Stage.objects.filter(kind="open")[0]
    policy_of(cast, {"kind": "promise", "name": "No", "effect": "escalate", "phrases": "refund"})
    deal = create_deal(
        actor=cast.actor("ana"), name="Made", stage=stage, amount_minor=500, currency="USD", note="Refund", at=NOW
    )
    answer_escalation(actor=cast.actor("rita"), escalation_id=deal.escalations.get().pk, is_approved=True, at=NOW)
    lead = Lead.objects.create(name="Lead", owner=cast.ana, created_at=NOW)
    LeadAssignment.objects.create(lead=lead, person=cast.ana, assigned_at=NOW, method="manual", reason="")
    pool = make_pool(cast, "Everybody", "ana")
    keep_setups(pools=[pool.pk], actor=cast.actor("rita"), at=NOW)
    in_force({"pool": pool})
    routed = arrives(cast)
    move = create_reorganisation(actor=cast.actor("rita"), at=NOW, values={"name": "Summer", "effective_on": TODAY})
    ReorganisationChange.objects.create(
        reorganisation=move, kind="leads.lead", object_id=lead.pk, label="Lead", after={"owner_id": cast.ana.pk}
    )
    note_signal(lead_id=routed.pk, kind="form", happened_at=NOW, key="form:1", at=NOW)
    note_looks(actor=cast.actor("max"), person_ids=[cast.ana.pk], what=LookedAt.PAGE, at=NOW)
    entity_on(cast, "ana")
    doubt = contest(actor=cast.actor("ana"), on=NOW.date() - timedelta(days=1), reason="A fair", at=NOW)
    decide_contest(actor=cast.actor("max"), contest_id=doubt.pk, is_accepted=False, because="It was in May", at=NOW)


def model_of(table: str) -> type[models.Model]:
    """The model of a table."""
    (model,) = [model for model in apps.get_models() if model._meta.db_table == table]
    return model


def first_of(table: str) -> models.Model:
    """A row that the guard protects."""
    row = model_of(table)._base_manager.order_by("pk").first()
    assert row is not None, f"nothing in {table} to protect"
    return row


def key(table: str) -> str:
    """The column of the primary key."""
    field = model_of(table)._meta.pk
    assert field is not None
    return str(field.column)


def run(sql: str, *values: Any) -> None:
    """Past the ORM."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _changed(table: str) -> models.Model:
    row = first_of(table)
    name, value = CHANGES[table]
    setattr(row, name, value)
    return row


def _columns(table: str) -> str:
    return ", ".join(f'"{field.column}"' for field in model_of(table)._meta.concrete_fields)


def _copied(table: str) -> str:
    """All columns of the row, with the change in its place."""
    name, _value = CHANGES[table]
    return _columns(table).replace(f'"{name}"', "%s")


def _raw_update(table: str) -> None:
    name, value = CHANGES[table]
    run(f"UPDATE {table} SET {name} = %s WHERE {key(table)} = %s", value, first_of(table).pk)


def _update(table: str) -> None:
    name, value = CHANGES[table]
    model_of(table)._base_manager.filter(pk=first_of(table).pk).update(**{name: value})


def _bulk_update(table: str) -> None:
    model_of(table)._base_manager.bulk_update([_changed(table)], [CHANGES[table][0]])


def _upsert(table: str) -> None:
    model_of(table)._base_manager.bulk_create(
        [_changed(table)], update_conflicts=True, update_fields=[CHANGES[table][0]], unique_fields=["pk"]
    )


def _raw_upsert(table: str) -> None:
    name, value = CHANGES[table]
    run(
        f"INSERT INTO {table} ({_columns(table)}) SELECT {_columns(table)} FROM {table} WHERE {key(table)} = %s "
        f"ON CONFLICT ({key(table)}) DO UPDATE SET {name} = %s",
        first_of(table).pk,
        value,
    )


def _replace(table: str) -> None:
    run(
        f"REPLACE INTO {table} ({_columns(table)}) SELECT {_copied(table)} FROM {table} WHERE {key(table)} = %s",
        CHANGES[table][1],
        first_of(table).pk,
    )


def _update_or_replace(table: str) -> None:
    name, value = CHANGES[table]
    run(f"UPDATE OR REPLACE {table} SET {name} = %s WHERE {key(table)} = %s", value, first_of(table).pk)


def _raw_delete(table: str) -> None:
    run(f"DELETE FROM {table} WHERE {key(table)} = %s", first_of(table).pk)


def _delete_all_past_the_collector(table: str) -> None:
    rows: Any = model_of(table)._base_manager.filter(pk=first_of(table).pk)
    rows._raw_delete("default")


def _truncate(table: str) -> None:
    run("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the end of the transaction would refuse it first
    run(f"TRUNCATE {table} CASCADE")


ROADS: list[Callable[[str], None]] = [
    _raw_update,
    _update,
    _bulk_update,
    _upsert,
    _raw_upsert,
    _raw_delete,
    _delete_all_past_the_collector,
    *([_replace, _update_or_replace] if IS_SQLITE else [_truncate]),
]


def stored(table: str) -> list[dict[str, Any]]:
    """All rows."""
    return list(model_of(table)._base_manager.order_by("pk").values())


def test_every_append_only_table_is_tried() -> None:
    assert sorted(CHANGES) == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_no_road_leads_to_another_row(paid: None, table: str) -> None:
    before = stored(table)
    came_through = []
    for road in ROADS:
        try:
            with transaction.atomic():
                road(table)
            came_through.append(road.__name__)
        except DatabaseError as error:
            assert "append-only" in str(error) or "locked" in str(error), (road.__name__, str(error))  # noqa: PT017
    assert came_through == []
    assert stored(table) == before


def test_what_may_change_but_not_go_is_not_deleted(paid: None) -> None:
    """Locked statements, plan versions and contests in force, the end of the audit; whatever else hangs on them, the guard is the first to refuse."""
    kept = {
        "audit_audithead": "1 = 1",
        "commissions_contest": "state <> 'draft'",
        "commissions_planversion": "state <> 'draft'",
        "commissions_statement": "locked_at IS NOT NULL",
    }
    assert sorted(kept) == sorted({g.table for g in declared_guards() if isinstance(g, AppendOnly) and g.deletes_only})
    for table, which in kept.items():
        before = stored(table)
        assert before
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            run(f"DELETE FROM {table} WHERE {which}")
        assert stored(table) == before


#: What may still become otherwise: a locked statement is paid, a version in force ends, a contest is cancelled for a
#: reason, and reckoned anew.
STILL_CHANGING = {
    "commissions_statement": {"state"},
    "commissions_planversion": {"state", "end_on"},
    "commissions_contest": {"cancelled_by", "cancelled_at", "cancel_reason", "reckoned_at", "problems"},
}


@pytest.mark.parametrize("table", STILL_CHANGING)
def test_every_column_of_what_may_still_change_stays_as_it_is(paid: None, table: str) -> None:
    """Column by column, past the ORM: of a statement that was locked, and of a version or a contest in force."""
    which = "locked_at IS NOT NULL" if table == "commissions_statement" else "state <> 'draft'"
    before, came_through = stored(table), []
    for field in model_of(table)._meta.concrete_fields:
        if field.primary_key:
            continue
        other = "'{\"other\": 1}'" if isinstance(field, models.JSONField) else "'2031-01-01'"
        if isinstance(
            field, models.BigIntegerField | models.ForeignKey | models.PositiveIntegerField | models.DecimalField
        ):
            other = f"COALESCE({field.column}, 0) + 1"
        elif isinstance(field, models.BooleanField):
            other = f'NOT "{field.column}"'
        elif isinstance(field, models.CharField):
            other = "'xyz'"
        try:
            with transaction.atomic():
                run(f'UPDATE {table} SET "{field.column}" = {other} WHERE {which}')
                transaction.set_rollback(True)
            came_through.append(field.name)
        except DatabaseError as error:
            assert "cannot be changed" in str(error) or "approved, then locked" in str(error), (field.name, str(error))  # noqa: PT017
    assert set(came_through) <= STILL_CHANGING[table]
    assert stored(table) == before


@pytest.mark.skipif(not IS_SQLITE, reason="REPLACE is SQLite's")
@pytest.mark.parametrize(
    "table", ["audit_auditentry", "commissions_payrollfile", "commissions_ledgerentry", "commissions_period"]
)
def test_a_replacement_under_another_key_is_refused_as_well(paid: None, table: str) -> None:
    """What must be unique besides the key stands in its way, and would be deleted."""
    before = stored(table)
    another = f"(SELECT MAX({key(table)}) + 1 FROM {table})"
    values = _columns(table).replace(f'"{key(table)}"', another)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(f"REPLACE INTO {table} ({_columns(table)}) SELECT {values} FROM {table} ORDER BY {key(table)} LIMIT 1")
    assert stored(table) == before


@pytest.mark.skipif(not IS_SQLITE, reason="REPLACE is SQLite's")
def test_a_replacement_is_refused_to_connections_that_are_not_the_portals_own(paid: None) -> None:
    """Another program's connection does not tell the guard of deletions about a row that is replaced."""
    run("PRAGMA recursive_triggers = OFF")
    try:
        for table in TABLES:
            before = stored(table)
            with pytest.raises(DatabaseError), transaction.atomic():  # where several guards refuse, any of them
                _replace(table)
            assert stored(table) == before
    finally:
        run("PRAGMA recursive_triggers = ON")


@pytest.mark.parametrize("table", TABLES)
def test_without_the_guards_every_road_of_change_is_open(paid: None, table: str) -> None:
    """What refuses is the guard and nothing else: this is the test of the test above."""
    if IS_SQLITE:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f"DROP TRIGGER {name}")
    else:
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    name, value = CHANGES[table]
    for road in ROADS:
        if "delete" in road.__name__ or "truncate" in road.__name__:
            continue  # a foreign key may refuse these as well
        with transaction.atomic():
            road(table)
            assert getattr(first_of(table), name) == value, road.__name__
            transaction.set_rollback(True)


def _act_and_check(act: Callable[[], Any]) -> None:
    """Do it, and ask the database at once what it would ask at the end of the transaction."""
    with transaction.atomic():
        act()
        connection.check_constraints()
        if not IS_SQLITE:
            run("SET CONSTRAINTS ALL IMMEDIATE")


def test_what_the_rows_hang_on_cannot_be_deleted_either(paid: None, cast: Cast) -> None:
    """Through the ORM, which would cascade, and past it, where the foreign keys of the database hold."""
    before = {table: stored(table) for table in TABLES}
    for act in (
        cast.ana.delete,
        Deal.objects.all().delete,
        Lead.objects.all().delete,
        Stage.objects.all().delete,
        model_of("commissions_statement")._base_manager.all().delete,
        model_of("commissions_transaction")._base_manager.all().delete,
        lambda: run("DELETE FROM people_user WHERE id = %s", cast.ana.pk),
        lambda: run("DELETE FROM deals_deal"),
        lambda: run("DELETE FROM leads_lead"),
        lambda: run("DELETE FROM commissions_transaction"),
    ):
        with pytest.raises((DatabaseError, ProtectedError)):
            _act_and_check(act)
    assert {table: stored(table) for table in TABLES} == before


@pytest.mark.parametrize("table", [table for table in TABLES if admin.site.is_registered(model_of(table))])
def test_the_admin_site_neither_changes_nor_deletes_them(
    paid: None, client_of: Callable[[str], Client], table: str
) -> None:
    """For every such model that the admin site shows."""
    model = model_of(table)
    before, row, ada = stored(table), first_of(table), client_of("ada")
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    name, value = CHANGES[table]
    for address, posted in (
        (f"{base}{row.pk}/delete/", {"post": "yes"}),
        (f"{base}{row.pk}/change/", {name: value}),
        (base, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}),
    ):
        ada.post(address, posted)
    assert stored(table) == before


def test_many_small_amounts_sum_to_the_cent_in_the_database(cast: Cast) -> None:
    """100,001 times ten cents, summed by the database and not by Python."""
    stage = Stage.objects.filter(kind="open")[0]
    Deal.objects.create(name="Ten cents", owner=cast.ana, stage=stage, amount_minor=10, currency="USD", created_at=NOW)
    columns = _columns("deals_deal").replace('"id", ', "")
    run(
        f"INSERT INTO deals_deal ({columns}) WITH RECURSIVE numbers (n) AS "
        "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000) "
        f"SELECT {columns} FROM deals_deal CROSS JOIN numbers"
    )
    assert Deal.objects.count() == 100_001
    total = Deal.objects.aggregate(total=models.Sum("amount_minor"))["total"]
    assert (total, type(total)) == (1_000_010, int)
    assert plain(total, "USD") == "10000.10"
