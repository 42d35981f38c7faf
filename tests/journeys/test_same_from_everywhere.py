"""The same company comes in by files, from a SQL database and from a CRM: the same accounts, deals and commissions."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction

from salesops.accounts.models import Account
from salesops.commissions.models import Statement
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft
from salesops.connectors.models import Source
from salesops.connectors.rules.fields import LookupKind
from salesops.connectors.rules.mapping import FieldRule, Unknown
from salesops.connectors.rules.mapping import Mapping as FieldMapping
from salesops.connectors.services import connecting, uploads
from salesops.deals.models import Deal, Product, Stage
from salesops.people.models import User
from salesops.values.money import round_half_up
from salesops.values.periods import parse_label
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, definition
from tests.connectors.linking import Link, allowed
from tests.connectors.shared_data import shared
from tests.connectors.standins.salesforce import Salesforce
from tests.journeys import test_adventureworks as adventureworks
from tests.journeys.bringing import Importer, counts

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Picture:
    """What the portal has of a company, without its own keys."""

    accounts: list[tuple[Any, ...]]
    deals: list[tuple[Any, ...]]
    pay: list[tuple[Any, ...]]


def seen() -> Picture:
    """The picture as it is now; deals go by their names, which are the ids of the company's own files."""
    accounts = Account.objects.values_list("name", "industry", "country", "city", "employees", "parent__name")
    deals = Deal.objects.values_list(
        "name", "account__name", "owner__name", "product__name", "stage__name", "kind", "amount_minor", "currency",
        "closed_on",
    )  # fmt: skip
    pay = Statement.objects.values_list(
        "person__name", "period__label", "credited_minor", "quota_minor", "earned_minor", "payout_minor", "currency"
    )
    return Picture(sorted(accounts, key=str), sorted(deals, key=str), sorted(pay, key=str))


@contextmanager
def undone() -> Iterator[None]:
    """What is done inside is taken back at the end, so that each way begins with the same portal."""
    way = transaction.atomic()
    way._from_testcase = True  # type: ignore[attr-defined]  # jobs refuse to run inside of any other transaction than a test's own
    with way:
        yield
        transaction.set_rollback(True)


class Database:
    """A foreign SQLite database with a table for each file of the company."""

    def __init__(self, path: Path, cast: Cast) -> None:
        self.path, self.cast = path, cast

    def table(self, name: str, content: bytes) -> None:
        """A table as the file says it, all of it text, as exports are."""
        head, *rows = csv.reader(io.StringIO(content.decode()))
        with sqlite3.connect(self.path) as line:
            line.execute(f"CREATE TABLE {name} ({', '.join(f'{column} TEXT' for column in head)})")
            line.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(head))})", rows)

    def bring(self, kind: str, statement: str, *rules: FieldRule, key: str = "id") -> Link:
        """A connection of its own for a statement: connected, its mapping reviewed, brought in."""
        nobody = SimpleNamespace(origin="", clock=SimpleNamespace(advance=lambda seconds: None))
        link = Link(self.cast.actor("rita"), nobody)  # type: ignore[arg-type]  # nothing is asked of it
        link.connect(
            "sql",
            options={"kind": kind, "statement": statement, "key": key, "cursor": key, "deleted": "", "address": ""},
            secrets={"database_url": f"sqlite:///{self.path}"},
        )
        review(link, "rows", *rules)
        link.start().run()
        assert link.problems() == {}
        return link


def review(link: Link, object: str, *rules: FieldRule) -> None:
    """A person changes some columns of the mapping that is proposed."""
    stream = link.stream(object)
    mapping = FieldMapping.from_plain(stream.mapping).unwrap()
    for rule in rules:
        mapping = mapping.with_rule(rule)
    connecting.decide_mapping(
        actor=link.actor, stream=stream, mapping=mapping, masters=stream.masters, is_wanted=True, at=link.at
    )


# --- Maven: 85 accounts, 8,800 deals in four stages


def maven(name: str) -> bytes:
    """A file of the company's."""
    return shared(f"maven_crm/{name}").read_bytes()


def rows_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a file, by column."""
    return list(csv.DictReader(io.StringIO(content.decode())))


PIPELINE = "sales_pipeline_iso.csv"


def _maven_staff(cast: Cast) -> None:
    """People come from the files of human resources in all ways; the stages are set up, and what GTXPro means is said."""
    ada = Importer(cast.actor("ada"), Source.objects.create(code="hr", name="People"))
    teams = maven("sales_teams.csv")
    managers = sorted({row["manager"] for row in rows_of(teams)})
    ada.bring("managers.csv", "\n".join(["name", *managers]).encode(), "people")
    agents = ada.match(ada.upload("sales_teams.csv", teams), unknown={"pod": Unknown.CREATE})
    assert counts(ada.run(ada.answer(agents))) == (35, 0, 0, 0)
    for position, (name, kind) in enumerate(
        [("Prospecting", "open"), ("Engaging", "open"), ("Won", "won"), ("Lost", "lost")], 100
    ):
        if not Stage.objects.filter(name=name).exists():
            Stage.objects.create(code=name.lower(), name=name, kind=kind, position=position)


def _means_gtx_pro(cast: Cast) -> None:
    product = Product.objects.get(name="GTX Pro")
    uploads.confirm_name(
        actor=cast.actor("rita"), kind=LookupKind.PRODUCT, text="GTXPro", record_id=product.pk,
        record_name=product.name, at=NOW,
    )  # fmt: skip


def _maven_by_files(cast: Cast) -> None:
    rita = Importer(cast.actor("rita"), Source.objects.create(code="maven", name="Maven"))
    rita.bring("products.csv", maven("products.csv"))
    rita.bring("accounts.csv", maven("accounts.csv"))
    _means_gtx_pro(cast)
    deals = rita.match(rita.upload(PIPELINE, maven(PIPELINE)), FieldRule("name", column="opportunity_id"))
    assert counts(rita.run(rita.answer(deals))) == (8_800, 0, 0, 0)


def _maven_by_sql(cast: Cast, path: Path) -> None:
    database = Database(path, cast)
    for name, file in (("accounts", "accounts.csv"), ("products", "products.csv"), ("pipeline", PIPELINE)):
        database.table(name, maven(file))
    database.bring("products", "SELECT product AS name, series, sales_price AS price FROM products", key="name")
    database.bring(
        "accounts",
        "SELECT account AS name, sector AS industry, employees, office_location AS country, subsidiary_of AS parent"
        " FROM accounts",
        key="name",
    )
    _means_gtx_pro(cast)
    database.bring(
        "deals",
        "SELECT opportunity_id AS id, opportunity_id AS name, account, sales_agent AS owner, product,"
        " deal_stage AS stage, close_value AS amount, engage_date AS opened_on, close_date AS closed_on FROM pipeline",
        FieldRule("amount", column="amount", when_blank="0", currency="USD"),
    )


def _maven_by_crm(cast: Cast, org: Salesforce) -> None:
    for place, (name, closed, won) in enumerate(
        [("Engaging", False, False), ("Won", True, True), ("Lost", True, False)]
    ):
        org.stages[name] = (100 if won else 50, closed, won, "Pipeline")
        org.put(
            "OpportunityStage", 20 + place, MasterLabel=name, ApiName=name, IsActive=True, SortOrder=20 + place,
            IsClosed=closed, IsWon=won, DefaultProbability=100 if won else 50,
        )  # fmt: skip
    users = {row["sales_agent"]: number for number, row in enumerate(rows_of(maven("sales_teams.csv")), 2)}
    for name, number in users.items():
        email = User.objects.get(name=name).email
        org.put("User", number, Name=name, Email=email, IsActive=True)
    for number, row in enumerate(rows_of(maven("products.csv")), 1):
        org.put("Product2", number, Name=row["product"], Family=row["series"], IsActive=True)
    companies = {row["account"]: number for number, row in enumerate(rows_of(maven("accounts.csv")), 1)}
    for row in rows_of(maven("accounts.csv")):
        org.put(
            "Account", companies[row["account"]], Name=row["account"], Industry=row["sector"],
            BillingCountry=row["office_location"], NumberOfEmployees=int(row["employees"]),
            ParentId=org.identity("Account", parent) if (parent := companies.get(row["subsidiary_of"])) else None,
        )  # fmt: skip
    for number, row in enumerate(rows_of(maven(PIPELINE)), 1):
        org.put(
            "Opportunity", number, Name=row["opportunity_id"], AccountId=companies.get(row["account"]),
            OwnerId=users[row["sales_agent"]], StageName=row["deal_stage"], Product__c=row["product"],
            Amount=Decimal(row["close_value"]) if row["close_value"] else None,
            CloseDate=date.fromisoformat(row["close_date"]) if row["close_date"] else None,
        )  # fmt: skip
    link = Link(cast.actor("rita"), org).connect("salesforce")
    link.want("User", "Product2", "Account", "Opportunity")
    review(link, "Opportunity", FieldRule("product", column="Product__c"))
    _means_gtx_pro_once(cast, link)


def _means_gtx_pro_once(cast: Cast, link: Link) -> None:
    """GTXPro waits on the shelf until somebody says what it means; then the next sync takes it by itself."""
    link.start().run()
    assert len(link.problems("Opportunity")) == 1_480
    _means_gtx_pro(cast)
    link.sync()
    assert set(link.problems()) == {link.standin.me}  # type: ignore[attr-defined]  # the connection's own user


def _maven_pay(cast: Cast) -> None:
    """Eight percent of what each agent won, by quarter."""
    rita, finn = cast.actor("rita"), cast.actor("finn")
    plan = create_plan(actor=rita, name="Eight", at=NOW)
    draft = save_draft(actor=rita, plan=plan, definition=definition(FLAT_8), start_on=date(2017, 1, 1), at=NOW)
    activate_version(actor=finn, version=draft, at=NOW)
    for name in {row["sales_agent"] for row in rows_of(maven("sales_teams.csv"))}:
        person = User.objects.get(name=name)
        assign_to_plan(actor=rita, plan=plan, person_id=person.pk, start_on=date(2017, 1, 1), currency="USD", at=NOW)
    for label in ("2017Q1", "2017Q2", "2017Q3", "2017Q4"):
        period = open_period(day=parse_label(label).start, kind="quarter", time_zone="UTC")
        calculate_period(actor=rita, period=period, at=NOW)


def test_maven_is_the_same_from_everywhere(cast: Cast, tmp_path: Path) -> None:
    maven(PIPELINE)
    _maven_staff(cast)
    pictures = {}
    with undone():
        _maven_by_files(cast)
        _maven_pay(cast)
        pictures["files"] = seen()
    with undone():
        _maven_by_sql(cast, tmp_path / "maven.sqlite3")
        _maven_pay(cast)
        pictures["sql"] = seen()
    with undone(), Salesforce() as org, allowed(org):
        org.clock.now = NOW
        _maven_by_crm(cast, org)
        _maven_pay(cast)
        pictures["crm"] = seen()

    files = pictures["files"]
    assert (len(files.accounts), len(files.deals), len(files.pay)) == (85, 8_800, 35 * 4)
    golden = json.loads(maven("golden.json"))
    assert sum(row[2] for row in files.pay) == golden["won_total"] * 100
    assert all(row[4] == round_half_up(Decimal(row[2]) * 8 / 100) for row in files.pay)
    _alike(pictures["sql"], files, "sql")
    _alike(pictures["crm"], files, "crm")


def _alike(one: Picture, other: Picture, way: str) -> None:
    """The same picture; else what is different first."""
    for name in ("accounts", "deals", "pay"):
        here, there = getattr(one, name), getattr(other, name)
        assert here == there, (way, name, sorted(set(here) ^ set(there), key=str)[:6])


# --- AdventureWorks: 701 resellers, 3,616 orders, 163 person-quarters


def _adventureworks_by_files(cast: Cast) -> None:
    rita = Importer(cast.actor("rita"), Source.objects.create(code="adventureworks", name="AdventureWorks"))
    adventureworks._resellers_and_orders(rita)


def _adventureworks_by_sql(cast: Cast, path: Path) -> None:
    database = Database(path, cast)
    for name in ("resellers", "reseller_orders"):
        database.table(name, adventureworks.content(f"{name}.csv"))
    accounts = database.bring(
        "accounts", "SELECT reseller_key AS id, business_type AS industry, name, city, country FROM resellers"
    )
    assert len(accounts.states("rows")) == 701
    database.bring(
        "deals",
        "SELECT order_number AS id, order_number AS name, reseller_key AS account, employee_key AS owner,"
        " 'Won' AS stage, amount, order_date AS closed_on FROM reseller_orders",
        FieldRule("owner", column="owner", lookup_by="employee_number"),
        FieldRule("amount", column="amount", is_rounded=True, currency="USD"),
    )


def _adventureworks_by_crm(cast: Cast, org: Salesforce) -> None:
    numbers = {}
    for number, person in enumerate(User.objects.exclude(employee_number=None).order_by("pk"), 2):
        numbers[person.employee_number] = number
        org.put("User", number, Name=person.name, Email=person.email, IsActive=True)
    for row in adventureworks.lines("resellers.csv"):
        org.put(
            "Account", int(row["reseller_key"]), Name=row["name"], Industry=row["business_type"],
            BillingCity=row["city"], BillingCountry=row["country"],
        )  # fmt: skip
    for number, row in enumerate(adventureworks.lines("reseller_orders.csv"), 1):
        org.put(
            "Opportunity", number, Name=row["order_number"], AccountId=int(row["reseller_key"]),
            OwnerId=numbers[row["employee_key"]], StageName="Closed Won", Amount=Decimal(row["amount"]),
            CloseDate=date.fromisoformat(row["order_date"]),
        )  # fmt: skip
    link = Link(cast.actor("rita"), org).connect("salesforce").want("User", "Account", "Opportunity")
    link.start().run()
    assert set(link.problems()) == {org.me}


def test_adventureworks_is_the_same_from_everywhere(cast: Cast, tmp_path: Path) -> None:
    golden = adventureworks.lines("golden_attainment.csv")
    assert len(golden) == 163
    User.objects.update(employee_number=None)
    hr = Source.objects.create(code="hr", name="People and pay")
    adventureworks._people(Importer(cast.actor("ada"), hr))
    staff = Importer(cast.actor("rita"), hr)
    adventureworks._territories(staff)
    adventureworks._quotas(staff, golden)
    adventureworks._rates(staff, cast)
    pictures = {}
    with undone():
        _adventureworks_by_files(cast)
        adventureworks._calculated(cast, golden)
        pictures["files"] = seen()
    with undone():
        _adventureworks_by_sql(cast, tmp_path / "adventureworks.sqlite3")
        adventureworks._calculated(cast, golden)
        pictures["sql"] = seen()
    with undone(), Salesforce() as org, allowed(org):
        org.clock.now = NOW
        org.corporate_currency = "USD"
        _adventureworks_by_crm(cast, org)
        adventureworks._calculated(cast, golden)
        pictures["crm"] = seen()
    files = pictures["files"]
    assert (len(files.accounts), len(files.deals)) == (701, 3_616)
    for way in ("sql", "crm"):
        _alike(pictures[way], files, way)
