"""The hash chain: what is written, and that every kind of tampering is found and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesops.audit import selectors
from salesops.audit.models import AuditEntry, AuditHead
from salesops.audit.rules.chain import GENESIS, Check, Fault, Link, plain
from salesops.audit.services import BrokenChainError, Change, changed, record, record_many, state_of
from salesops.core.actor import Actor, system_actor
from salesops.people.choices import RoleChoice
from tests.cast import NOW, Cast

ANA = Actor(user_id=7, name="Ana Alvarez", request_id="r-1")


@contextmanager
def unguarded() -> Iterator[None]:
    """As somebody with the database's own password would write: without the triggers."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            yield
            cursor.execute("SET session_replication_role = DEFAULT")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit_%%'")
        triggers = cursor.fetchall()
        for name, _sql in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        yield
        for _name, sql in triggers:
            cursor.execute(sql)


def tamper(*statements: str) -> None:
    with unguarded(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def write(count: int) -> None:
    record_many(
        actor=ANA,
        changes=(
            Change("deal.edited", "deals.deal", n, f"Deal {n}", {"amount": n}, {"amount": n + 1})
            for n in range(1, count + 1)
        ),
        at=NOW,
    )


def found() -> list[tuple[int, str]]:
    return [(problem.sequence, problem.fault.value) for problem in selectors.verify()[1]]


def test_the_first_entry_follows_nothing_and_each_other_the_one_before(db: None) -> None:
    first = record(actor=ANA, action="deal.edited", before={"amount": 1}, after={"amount": 2}, reason="typo", at=NOW)
    second = record(actor=system_actor(), action="plan.approved", at=NOW)
    assert (first.sequence, first.previous_hash) == (1, GENESIS)
    assert (second.sequence, second.previous_hash) == (2, first.entry_hash)
    assert (first.actor_id, first.actor_name, first.request_id, first.reason) == (7, "Ana Alvarez", "r-1", "typo")
    assert (second.actor_id, second.actor_name) == (None, "Salesops")
    assert str(AuditHead.objects.get()) == f"2:{second.entry_hash}"


def test_the_hash_of_an_entry_is_fixed() -> None:
    """A change of how entries are written down would make every chain kept so far look forged."""
    link = Link(
        sequence=1,
        at=datetime(2026, 6, 17, 10, 0, tzinfo=UTC),
        actor_id=7,
        actor_name="Ana",
        action="deal.edited",
        subject_type="deals.deal",
        subject_id="3",
        subject_label="Größe",
        before={"b": None, "a": "1.50"},
        after={"a": "2"},
        reason="",
        request_id="r",
        previous_hash=GENESIS,
    )
    assert link.digest() == "de847b3c32f13eff6d877052e01c26c5719849d68e43344514ac1eeb29bd81f8"


def test_what_is_recorded_is_whole_after_a_round_trip(cast: Cast) -> None:
    record(
        actor=ANA,
        action="deal.edited",
        subject=cast.north,
        before={"share": Decimal("1E+2"), "on": date(2026, 1, 2), "role": RoleChoice.REP, "x": {1, 2}, "bad": "a\x00b"},
        after={"at": NOW, "float": 0.1, "list": [Decimal("0.10"), None, True], "big": 2**63, "id": UUID(int=5)},
        at=NOW,
    )
    entry = AuditEntry.objects.get()
    assert entry.before == {"share": "100", "on": "2026-01-02", "role": "rep", "x": [1, 2], "bad": "a\ufffdb"}
    assert entry.after == {
        "at": "2026-06-17T10:00:00.000000+00:00",
        "float": "0.1",
        "list": ["0.10", None, True],
        "big": 2**63,
        "id": "00000000-0000-0000-0000-000000000005",
    }
    assert (entry.subject_type, entry.subject_id, entry.subject_label) == ("pods.pod", str(cast.north.pk), "North")
    assert found() == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False) | st.floats() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(json_values)
def test_plain_values_stay_as_they_are(value: Any) -> None:
    once = plain(value)
    assert plain(once) == once


def test_changed_keeps_what_differs() -> None:
    assert changed({"a": 1, "b": Decimal("2"), "c": 3}, {"a": 1, "b": "2", "c": 4, "d": 5}) == (
        {"c": 3, "d": None},
        {"c": 4, "d": 5},
    )


def test_the_state_of_a_row_never_holds_its_password(cast: Cast) -> None:
    state = state_of(cast.ana)
    assert state["email"] == "ana@example.com"
    assert "password" not in state
    assert state_of(cast.ana, names=["name"]) == {"name": "Ana Alvarez"}


def test_a_moment_without_a_time_zone_is_refused(db: None) -> None:
    with pytest.raises(ValueError, match="time zone"):
        record(actor=ANA, action="deal.edited", at=NOW.replace(tzinfo=None))
    assert AuditEntry.objects.count() == 0


def test_an_entry_is_gone_when_its_change_is_rolled_back(db: None) -> None:
    write(2)
    with transaction.atomic():
        record(actor=ANA, action="deal.edited", at=NOW)
        transaction.set_rollback(True)
    write(1)
    assert list(AuditEntry.objects.order_by("sequence").values_list("sequence", flat=True)) == [1, 2, 3]
    assert found() == []


def test_many_are_written_in_bulk(db: None, django_assert_max_num_queries: Callable[..., Any]) -> None:
    with django_assert_max_num_queries(60):
        write(2000)
    assert AuditEntry.objects.count() == 2000
    assert selectors.verify() == (2000, [])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditentry SET actor_name = 'Nobody' WHERE sequence = 2",
        "DELETE FROM audit_auditentry WHERE sequence = 2",
        "DELETE FROM audit_auditentry",
        "DELETE FROM audit_audithead",
    ],
)
def test_the_database_refuses(db: None, statement: str) -> None:
    write(3)
    before = list(AuditEntry.objects.values_list("sequence", "actor_name", "entry_hash"))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(AuditEntry.objects.values_list("sequence", "actor_name", "entry_hash")) == before
    assert found() == []


def test_the_orm_cannot_either(db: None) -> None:
    write(3)
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.filter(sequence=2).update(reason="none")
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.all().delete()
    assert AuditEntry.objects.count() == 3


def test_a_fork_is_refused_by_the_database(db: None) -> None:
    write(2)
    first = AuditEntry.objects.get(sequence=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.create(sequence=3, at=NOW, action="x.y", previous_hash=first.entry_hash, entry_hash="0" * 64)


@pytest.mark.parametrize(
    "column",
    [
        "at = '2026-06-17 10:00:01+00:00'",
        "actor_id = 8",
        "actor_name = 'Bob'",
        "action = 'deal.kept'",
        "subject_type = 'leads.lead'",
        "subject_id = '99'",
        "subject_label = 'Other'",
        """before = '{"amount": 1000}'""",
        """after = '{"amount": 1000}'""",
        "reason = 'asked to'",
        "request_id = 'r-2'",
    ],
)
def test_an_edited_entry_is_found(db: None, column: str) -> None:
    write(5)
    tamper(f"UPDATE audit_auditentry SET {column} WHERE sequence = 3")
    assert found() == [(3, "edited")]


def test_an_entry_edited_together_with_its_hash_is_found(db: None) -> None:
    write(5)
    entry = AuditEntry.objects.get(sequence=3)
    entry.actor_name = "Bob"
    tamper(
        f"UPDATE audit_auditentry SET actor_name = 'Bob', entry_hash = '{entry.as_link().digest()}' WHERE sequence = 3"
    )
    assert found() == [(4, "inserted")]


def test_a_removed_entry_is_found(db: None) -> None:
    write(6)
    tamper("DELETE FROM audit_auditentry WHERE sequence IN (2, 4, 5)")
    assert found() == [(2, "removed"), (4, "removed")]
    details = [problem.detail for problem in selectors.verify()[1]]
    assert details == ["entry 2 is missing", "entries 4 to 5 are missing"]


def test_two_entries_that_changed_places_are_found(db: None) -> None:
    write(5)
    tamper(
        "UPDATE audit_auditentry SET sequence = 99 WHERE sequence = 2",
        "UPDATE audit_auditentry SET sequence = 2 WHERE sequence = 4",
        "UPDATE audit_auditentry SET sequence = 4 WHERE sequence = 99",
    )
    assert found() == [(2, "moved"), (4, "moved")]
    assert [problem.detail for problem in selectors.verify()[1]] == ["the entry stood at 4", "the entry stood at 2"]


def test_an_inserted_entry_is_found(db: None) -> None:
    write(4)
    forged = Link(
        3, NOW, 7, "Ana", "role.granted", "", "", "", {}, {}, "", "", AuditEntry.objects.get(sequence=2).entry_hash
    )
    tamper(
        "UPDATE audit_auditentry SET sequence = sequence + 100 WHERE sequence > 2",
        "UPDATE audit_auditentry SET sequence = sequence - 99 WHERE sequence > 100",
        "UPDATE audit_auditentry SET previous_hash = 'x' WHERE sequence = 4",
        "INSERT INTO audit_auditentry (sequence, at, actor_id, actor_name, action, subject_type, subject_id, subject_label,"
        " before, after, reason, request_id, previous_hash, entry_hash) VALUES (3, '2026-06-17 10:00:00+00:00', 7, 'Ana',"
        f" 'role.granted', '', '', '', '{{}}', '{{}}', '', '', '{forged.previous_hash}', '{forged.digest()}')",
    )
    assert set(found()) == {(4, "edited"), (5, "moved"), (5, "inserted")}


def test_a_tail_that_was_cut_off_is_found(db: None) -> None:
    write(5)
    tamper("DELETE FROM audit_auditentry WHERE sequence > 3")
    assert found() == [(4, "truncated")]
    assert selectors.verify()[1][0].detail == "entries 4 to 5 were cut off at the end"


def test_an_entry_added_behind_the_head_is_found(db: None) -> None:
    write(2)
    last = AuditEntry.objects.get(sequence=2)
    forged = Link(3, NOW, None, "", "x.y", "", "", "", {}, {}, "", "", last.entry_hash)
    tamper(
        "INSERT INTO audit_auditentry (sequence, at, actor_name, action, subject_type, subject_id, subject_label, before,"
        " after, reason, request_id, previous_hash, entry_hash) VALUES (3, '2026-06-17 10:00:00+00:00', '', 'x.y', '', '',"
        f" '', '{{}}', '{{}}', '', '', '{last.entry_hash}', '{forged.digest()}')"
    )
    assert found() == [(3, "inserted")]


def test_a_head_that_is_gone_is_found_and_nothing_more_is_recorded(db: None) -> None:
    write(2)
    tamper("DELETE FROM audit_audithead")
    assert found() == [(2, "no head")]
    with pytest.raises(BrokenChainError):
        record(actor=ANA, action="deal.edited", at=NOW)


def test_only_an_anchor_finds_a_tail_cut_together_with_its_head(db: None) -> None:
    write(5)
    anchor = str(selectors.head())
    third = AuditEntry.objects.get(sequence=3)
    tamper(
        "DELETE FROM audit_auditentry WHERE sequence > 3",
        f"UPDATE audit_audithead SET sequence = 3, entry_hash = '{third.entry_hash}'",
    )
    assert found() == []
    with pytest.raises(CommandError, match="1 problems in 3 entries"):
        call_command("verify_audit", anchor=[anchor], stdout=StringIO())


def test_only_an_anchor_finds_a_chain_rewritten_from_the_start(db: None) -> None:
    write(3)
    anchor = AuditEntry.objects.get(sequence=2).entry_hash
    tamper("DELETE FROM audit_auditentry", "DELETE FROM audit_audithead")
    record_many(actor=ANA, changes=[Change("deal.kept", "deals.deal", n) for n in range(3)], at=NOW)
    assert found() == []
    _seen, problems = selectors.verify(anchors={anchor})
    assert [problem.fault for problem in problems] == [Fault.ANCHOR_MISSING]


def test_the_command_says_what_is_wrong_and_fails(db: None) -> None:
    write(3)
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert out.getvalue().splitlines() == [
        "3 entries, nothing wrong.",
        f"Anchor to keep elsewhere: {selectors.head()}",
    ]
    call_command("verify_audit", anchor=[str(selectors.head())], stdout=StringIO())
    tamper("UPDATE audit_auditentry SET actor_name = 'Bob' WHERE sequence = 2")
    out = StringIO()
    with pytest.raises(CommandError, match="1 problems in 3 entries"):
        call_command("verify_audit", stdout=out)
    assert out.getvalue().splitlines() == ["2: edited: the entry is not what was recorded"]


def test_an_anchor_that_is_none_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="is not a hash"):
        call_command("verify_audit", anchor=["12:abc"])


def test_an_empty_audit_is_in_order(db: None) -> None:
    assert selectors.verify() == (0, [])


links = st.lists(st.text(max_size=5), min_size=2, max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(links, st.data())
def test_any_single_row_taken_out_or_put_elsewhere_is_found(reasons: list[str], data: st.DataObject) -> None:
    chain: list[Link] = []
    for number, reason in enumerate(reasons, start=1):
        previous = chain[-1].entry_hash if chain else GENESIS
        link = Link(number, NOW + timedelta(seconds=number), None, "", "a.b", "", "", "", {}, {}, reason, "", previous)
        chain.append(_with_hash(link))
    head = chain[-1]
    place = data.draw(st.integers(0, len(chain) - 1))
    broken = [link for index, link in enumerate(chain) if index != place]
    assert _check(chain, head) == []
    assert _check(broken, head) != []
    other = data.draw(st.integers(0, len(chain) - 1).filter(lambda index: index != place))
    swapped = list(chain)
    swapped[place], swapped[other] = (
        _at(chain[other], chain[place].sequence),
        _at(chain[place], chain[other].sequence),
    )
    assert len(_check(swapped, head)) >= 2


def _with_hash(link: Link) -> Link:
    return Link(**{**_facts(link), "entry_hash": link.digest()})


def _at(link: Link, sequence: int) -> Link:
    return Link(**{**_facts(link), "sequence": sequence})


def _facts(link: Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in Link.__slots__}


def _check(chain: list[Link], head: Link) -> list[Any]:
    check = Check()
    for link in chain:
        check.see(link)
    return check.finish(head.sequence, head.entry_hash)


@pytest.mark.django_db(transaction=True)
def test_eight_writers_at_a_time_make_one_chain(tmp_path: Path) -> None:
    """On SQLite in a file of its own: the tests' database in memory knows no waiting writers."""
    copy = tmp_path / "copy.sqlite3"
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(copy)])
    errors: list[BaseException] = []
    results: list[Any] = []

    def at_the_copy(work: Callable[[], None]) -> None:
        try:
            if connection.vendor == "sqlite":
                connection.settings_dict = {**connection.settings_dict, "NAME": str(copy)}
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    def write_many(number: int) -> None:
        for turn in range(25):
            with transaction.atomic():
                record(actor=ANA, action="deal.edited", reason=f"{number}-{turn}", at=NOW)

    def look() -> None:
        reasons = set(AuditEntry.objects.values_list("reason", flat=True))
        results.extend([AuditEntry.objects.count(), len(reasons), selectors.verify()])

    writers = [Thread(target=at_the_copy, args=(partial(write_many, number),)) for number in range(8)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    reader = Thread(target=at_the_copy, args=(look,))
    reader.start()
    reader.join()
    assert errors == []
    assert results == [200, 200, (200, [])]
