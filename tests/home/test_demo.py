"""The demo company is believable, obeys the models' rules, and is the same for the same seed and day."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.core.management.color import no_style
from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from salesops.activities.models import Activity
from salesops.deals.models import Deal, StageChange
from salesops.home.demo.bulk import made_ahead, put_aside
from salesops.home.demo.company import make_company
from salesops.home.demo.rows import Rows, day_number, day_of
from salesops.home.demo.services import DemoRefusedError, make_demo
from salesops.home.demo.size import MOST, Size
from salesops.home.demo.writer import TableWriter
from salesops.leads.models import Lead, LeadAssignment
from salesops.people.models import User
from salesops.pods.models import Pod, PodMembership, Segment, Territory

ROOT = Path(__file__).resolve().parent.parent.parent
TODAY = date(2026, 6, 17)
NOW = datetime(2026, 6, 17, tzinfo=UTC)
SMALL = Size(leads=300, deals=120)


def dump() -> dict[str, list[list[Any]]]:
    """Every row of every table of the portal, in canonical order."""
    tables = {}
    for model in sorted(apps.get_models(), key=lambda model: model._meta.label):
        if model._meta.label.startswith(("sessions.", "contenttypes.", "auth.Permission")):
            continue
        columns = [field.attname for field in model._meta.local_concrete_fields]
        rows = model._default_manager.order_by("pk").values_list(*columns)
        tables[model._meta.label] = [[str(value) for value in row] for row in rows]
    return tables


def digest_of_dump() -> str:
    text = json.dumps(dump(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# --- The same bytes -----------------------------------------------------------------------------------------------


def undone(**options: Any) -> str:
    """Make a company, take the digest of every table, and undo it."""
    # PostgreSQL does not take back the numbers it has given out.
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)
    with transaction.atomic():
        make_demo(**{"seed": 7, "size": SMALL, "today": TODAY, **options})
        digest = digest_of_dump()
        transaction.set_rollback(True)
    return digest


@pytest.mark.django_db
def test_same_seed_and_day_give_the_same_bytes_in_every_table() -> None:
    with_pay = Size(leads=200, deals=1_000)
    assert undone(size=with_pay) == undone(size=with_pay)
    first = undone()
    assert undone(seed=8) != first
    assert undone(today=TODAY + timedelta(days=1)) != first
    assert undone(size=Size(leads=301, deals=120)) != first


PURE = """
import sys
from datetime import date
from salesops.home.demo.company import make_company
from salesops.home.demo.ground import Ground, Numbers, Stages
from salesops.home.demo.history import History
from salesops.home.demo.rows import day_number
from salesops.home.demo.size import Size
from salesops.home.demo.staff import Staff

company = make_company(seed=7, today=day_number(date(2026, 6, 17)), currency="USD")
ground = Ground(company, Numbers(Stages((1,), 2, 3), (1, 2, 3), {}), company_zone="Europe/Berlin")
print(sum(len(rows) for rows in Staff(ground, password="!").rows()) > 500)
print(sum(len(rows) for batch in History(ground, Size(20, 20)).batches() for rows in batch) > 100)
print("django" in sys.modules)
"""


def test_generators_are_plain_python() -> None:
    said = subprocess.run([sys.executable, "-c", PURE], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert said.split() == ["True", "True", "False"]


def bytes_of(path: Path) -> str:
    """The SHA-256 of every row of every table of a SQLite file, in canonical JSON."""
    total = hashlib.sha256()
    with sqlite3.connect(path) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        assert "deals_deal" in tables
        assert "audit_auditentry" in tables
        for table in tables:
            rows = file.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
            total.update(json.dumps([table, rows], ensure_ascii=False, default=bytes.hex).encode())
    return total.hexdigest()


def test_order_of_hashes_and_zone_of_the_machine_do_not_matter(tmp_path: Path) -> None:
    def manage(*words: str, data: Path, seed: str = "0", zone: str = "UTC") -> None:
        env = {"PATH": os.environ["PATH"], "SALESOPS_DATA": str(data), "PYTHONHASHSEED": seed, "TZ": zone}
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env, check=True, capture_output=True)

    first, second = tmp_path / "first", tmp_path / "second"
    manage("migrate", "--verbosity", "0", data=first)
    second.mkdir()
    shutil.copy(first / "salesops.sqlite3", second)
    empty = bytes_of(first / "salesops.sqlite3")
    words = ("demo", "--leads", "5100", "--deals", "1000", "--today", "2026-06-17")
    manage(*words, data=first, seed="1", zone="Asia/Tokyo")
    manage(*words, data=second, seed="4711", zone="America/Los_Angeles")
    made = bytes_of(first / "salesops.sqlite3")
    assert bytes_of(second / "salesops.sqlite3") == made != empty


# --- Size ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("leads", "deals"), [(0, 0), (1, 1), (40, 0), (0, 40), (5001, 7), (12_345, 6_789)])
def test_batches_add_up_to_the_size(leads: int, deals: int) -> None:
    batches = list(Size(leads, deals).batches())
    assert sum(batch.leads for batch in batches) == leads
    assert sum(batch.deals for batch in batches) == deals
    assert max(batch.leads for batch in batches) <= 5_001
    assert max(batch.deals for batch in batches) <= 5_001
    assert (batches[0].start, batches[-1].end) == (0, 1)


def test_scale_multiplies_up_to_a_million() -> None:
    assert Size.scaled(1) == Size(7_200, 1_900)
    assert Size.scaled(0.5) == Size(3_600, 950)
    assert Size.scaled(10_000) == Size(MOST, MOST)
    with pytest.raises(ValueError, match="1,000,000"):
        Size(MOST + 1, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(("leads", "deals"), [(0, 0), (3, 0), (0, 3), (150, 150)])
def test_exactly_as_many_as_asked_for(leads: int, deals: int) -> None:
    make_demo(seed=3, size=Size(leads, deals), today=TODAY)
    assert (Lead.objects.count(), Deal.objects.count()) == (leads, deals)


@pytest.mark.django_db
@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2024, 2, 29), date(2026, 3, 29), date(2027, 8, 15)])
def test_any_day_will_do(today: date) -> None:
    made = make_demo(seed=5, size=SMALL, today=today)
    assert Lead.objects.latest("created_at").created_at < made.at
    assert StageChange.objects.latest("changed_at").changed_at < made.at


@pytest.mark.django_db
def test_company_east_of_greenwich_has_nothing_from_the_future(settings: Any) -> None:
    settings.COMPANY_TIME_ZONE = "Asia/Tokyo"
    settings.COMPANY_CURRENCY = "JPY"
    made = make_demo(seed=5, size=SMALL, today=TODAY)
    assert made.at == datetime(2026, 6, 16, 15, 0, tzinfo=UTC)
    assert not Lead.objects.filter(Q(created_at__gte=made.at) | Q(last_touched_at__gte=made.at)).exists()
    assert not StageChange.objects.filter(changed_at__gte=made.at).exists()
    assert not Activity.objects.filter(happened_at__gte=made.at).exists()
    zone = zoneinfo.ZoneInfo("Asia/Tokyo")
    for deal in Deal.objects.exclude(closed_on=None):
        assert deal.closed_on == deal.stage_entered_at.astimezone(zone).date()


# --- Refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_portal_with_data_is_left_alone() -> None:
    Pod.objects.create(name="Ours", opened_on=TODAY)
    before = dump()
    with pytest.raises(DemoRefusedError, match="already holds pods"):
        make_demo(seed=1, size=SMALL, today=TODAY)
    with pytest.raises(CommandError, match="already holds pods"):
        call_command("demo", leads=5, deals=5, verbosity=0)
    assert dump() == before


@pytest.mark.django_db
def test_without_stages_nothing_is_written() -> None:
    from salesops.deals.models import Stage

    Stage.objects.filter(kind="won").update(is_active=False)
    before = dump()
    with pytest.raises(DemoRefusedError, match="won"):
        make_demo(seed=1, size=SMALL, today=TODAY)
    assert dump() == before


@pytest.mark.django_db
def test_a_failure_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dump()
    monkeypatch.setattr(TableWriter, "finish", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_demo(seed=1, size=SMALL, today=TODAY)
    assert dump() == before


@pytest.mark.django_db
def test_people_who_are_there_already_stay_and_stages_and_segments_are_used() -> None:
    mine = User.objects.create_user("me@example.org", "correct horse battery staple", name="Me")
    segment = Segment.objects.create(code="mid", name="Our middle")
    make_demo(seed=1, size=SMALL, today=TODAY)
    assert User.objects.get(pk=mine.pk).check_password("correct horse battery staple")
    assert User.objects.count() == 45
    assert Pod.objects.filter(segment=segment).count() == 2
    assert Segment.objects.count() == 3
    newer = User.objects.create_user("you@example.org", None, name="You")
    assert newer.pk == User.objects.exclude(pk=newer.pk).order_by("-pk")[0].pk + 1


# --- The writer ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_any_text_arrives_unchanged() -> None:
    nasty = [
        "plain",
        "tab\there",
        "two\nlines\r\n",
        "back\\slash \\N \\. \\t",
        "\\N",
        "",
        "“Ünïcødé” 漢字 🙂",
        "'; DROP TABLE --",
        '"{a}"',
    ]
    writer = TableWriter(connection, as_of=0)
    numbers = list(range(1, len(nasty) + 1))
    writer.write(
        Rows("pods.territory", {"id": numbers, "code": [f"c{n}" for n in numbers], "name": nasty, "region": nasty})
    )
    writer.finish()
    assert list(Territory.objects.order_by("id").values_list("name", "region")) == [(text, text) for text in nasty]
    assert Territory.objects.create(code="next", name="Next").pk == len(nasty) + 1


@pytest.mark.django_db
def test_moments_days_and_defaults_arrive_exactly() -> None:
    person = User.objects.create_user("a@example.com", None, name="A")
    moment = datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    writer = TableWriter(connection, as_of=int(moment.timestamp()))
    writer.write(
        Rows(
            "deals.product",
            {"id": [5], "code": ["P"], "name": ["P"], "match_name": ["p"], "is_active": [0], "price_minor": [-(2**63)]},
        )
    )
    writer.write(
        Rows(
            "leads.lead",
            {
                "id": [9, 10],
                "name": ["x", "y"],
                "owner_id": [person.pk, None],
                "created_at": [int(moment.timestamp()), 0],
                "converted_at": [None, -1],
            },
        )
    )
    writer.write(
        Rows("leads.leadassignment", {"lead_id": [9], "assigned_at": [0], "method": ["rule"], "person_id": [person.pk]})
    )
    lead, other = Lead.objects.order_by("id")
    assert (lead.created_at, lead.converted_at, lead.owner_id, lead.status) == (moment, None, person.pk, "new")
    assert other.converted_at == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert lead.updated_at == moment
    assert LeadAssignment.objects.get().path == {}
    product = apps.get_model("deals", "Product").objects.get()
    assert (product.price_minor, product.is_active, product.currency) == (-(2**63), False, "USD")
    assert [day_of(day_number(day)) for day in (date.min, TODAY)] == [date.min, TODAY]


@pytest.mark.django_db
def test_columns_that_are_missing_or_unknown_are_named() -> None:
    writer = TableWriter(connection, as_of=0)
    with pytest.raises(ValueError, match=r"leads\.lead has no colour"):
        writer.write(Rows("leads.lead", {"id": [1], "colour": ["red"]}))
    with pytest.raises(ValueError, match=r"leads\.Lead needs name"):
        writer.write(Rows("leads.lead", {"id": [1], "created_at": [0]}))
    assert not Lead.objects.exists()


@pytest.mark.django_db
def test_guards_of_the_database_stay_on() -> None:
    make_demo(seed=1, size=SMALL, today=TODAY)
    held = PodMembership.objects.filter(end_on=None)[0]
    with pytest.raises(DatabaseError), transaction.atomic():
        StageChange.objects.update(amount_minor=0)
    with pytest.raises(DatabaseError), transaction.atomic():
        PodMembership.objects.create(pod=held.pod, person=held.person, function="ae", start_on=TODAY)
    writer = TableWriter(connection, as_of=0)
    last = PodMembership.objects.latest("pk").pk
    overlapping = {"id": [last + 1], "pod_id": [held.pod_id], "person_id": [held.person_id], "function": ["ae"]}
    with pytest.raises(DatabaseError), transaction.atomic():
        writer.write(Rows("pods.podmembership", {**overlapping, "start_on": [day_number(TODAY)]}))


@pytest.mark.django_db
def test_indexes_and_keys_come_back_exactly() -> None:
    if connection.vendor != "postgresql":
        with put_aside(connection, ["deals.deal"]):
            assert "deals_deal_newest" in constraints("deals_deal")
        return
    before = constraints("deals_deal"), definitions("deals_deal")
    with put_aside(connection, ["deals.deal"]):
        inside = constraints("deals_deal")
        assert "deals_deal_newest" not in inside
        assert not any(facts["foreign_key"] for facts in inside.values())
        assert "deals_deal_external" in inside
        assert "deals_deal_closed_has_a_day" in inside
    assert (constraints("deals_deal"), definitions("deals_deal")) == before


def constraints(table: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, table)


def definitions(table: str) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass "
            "UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s ORDER BY 1, 2",
            [table, table],
        )
        return cursor.fetchall()


def test_batches_made_ahead_are_the_same_and_errors_come_through() -> None:
    assert list(made_ahead(iter(range(100)))) == list(range(100))
    assert list(made_ahead([])) == []

    def breaks() -> Any:
        yield 1
        raise RuntimeError("no more")

    ahead = made_ahead(breaks())
    assert next(ahead) == 1
    with pytest.raises(RuntimeError, match="no more"):
        next(ahead)


# --- The commands -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_logins_are_printed_once_and_work(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("demo", leads=20, deals=20, today=TODAY, print_logins=True)
    text = capsys.readouterr().out
    password = text.split("with the password  ")[1].split()[0]
    assert len(password) >= 16
    addresses = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert len(addresses) == 10
    for address in addresses:
        user = User.objects.get(email=address)
        assert user.check_password(password)
        assert user.is_active
    assert "second factor" in text
    assert not any(password in str(row) for rows in dump().values() for row in rows)


@pytest.mark.django_db
def test_scale_and_numbers_are_not_mixed() -> None:
    with pytest.raises(CommandError, match="either"):
        call_command("demo", scale=1.0, leads=5)
    with pytest.raises(CommandError, match="1,000,000"):
        call_command("demo", leads=1_000_001)
    with pytest.raises(CommandError, match="from 0"):
        call_command("demo", scale=-1.0)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_password_given_is_what_all_people_have() -> None:
    make_demo(seed=1, size=Size(0, 0), today=TODAY, password=make_password("secret words of today"))
    assert all(user.check_password("secret words of today") for user in User.objects.all()[:3])


def test_no_two_colleagues_share_a_name_whatever_the_seed() -> None:
    for seed in range(12):
        company = make_company(seed=seed, today=day_number(TODAY), currency="USD")
        assert len({person.email for person in company.people}) == len(company.people) == 44
        for person in company.people:
            for held in person.managers:
                manager = company.by_key[held.value]
                assert manager.started <= held.start
            spans = sorted((leave.start, leave.end) for leave in person.leaves)
            assert all(first[1] <= second[0] for first, second in pairwise(spans))
            assert time(person.opens_at // 60, person.opens_at % 60) < time(
                person.closes_at // 60, person.closes_at % 60
            )
