"""A company's real pipeline comes in: three date formats, loose names, deals without an account, the same file again."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.connectors.choices import ImportState
from salesops.connectors.models import ConfirmedName, FileImport, RejectedRow, Source
from salesops.connectors.rules.convert import Converter
from salesops.connectors.rules.fields import LookupKind
from salesops.connectors.rules.mapping import Unknown
from salesops.connectors.services import uploads
from salesops.connectors.services.reading import Reader, path_of
from salesops.deals.models import Deal, Product, Stage, StageChange
from salesops.people.models import ReportingLine
from salesops.pods.models import PodMembership
from tests.cast import NOW, Cast
from tests.connectors.shared_data import shared
from tests.journeys.bringing import Importer, counts

PIPELINES = ("sales_pipeline_iso.csv", "sales_pipeline.csv", "sales_pipeline_dmy.csv")


def content(name: str) -> bytes:
    """A file of the company's."""
    return shared(f"maven_crm/{name}").read_bytes()


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All that is stored of deals, with the moments of the last change, and the audit of them."""
    return {
        "deals": list(Deal.objects.order_by("pk").values_list()),
        "changes": list(StageChange.objects.order_by("pk").values_list()),
        "audit": list(AuditEntry.objects.filter(subject_type__startswith="deals.").order_by("pk").values_list("pk")),
        "products": list(Product.objects.order_by("pk").values_list()),
        "accounts": list(Account.objects.order_by("pk").values_list()),
    }


def records_of(row: FileImport) -> list[dict[str, Any]]:
    """What the rows of a file say, as it is handed to the room of deals."""
    reader = Reader(row)
    assert isinstance(reader.converter, Converter)
    found = []
    with path_of(row).open("rb") as stream:
        for batch in reader.batches(stream, size=2_000):
            answers = reader.resolver.answers(reader.converter.lookups(batch))
            for each in reader.converter.convert_many(batch, answers):
                assert each.record is not None, each.problems
                found.append(each.record.flat())
    return found


def dollars(minor: int | None) -> float:
    """As the golden figures are written."""
    return (minor or 0) / 100


@pytest.mark.django_db
def test_the_pipeline_of_a_company_comes_in(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """The whole road, on real files; every figure equals the golden ones to the cent."""
    golden = json.loads(content("golden.json"))
    source = Source.objects.create(code="maven", name="Maven")
    ada, rita = Importer(cast.actor("ada"), source), Importer(cast.actor("rita"), source)

    assert counts(rita.bring("products.csv", content("products.csv"))) == (7, 0, 0, 0)
    assert Product.objects.get(name="GTX Pro").price_minor == 482_100
    assert counts(rita.bring("accounts.csv", content("accounts.csv"))) == (85, 0, 0, 0)
    assert Account.objects.exclude(parent=None).count() == 15
    teams = content("sales_teams.csv")
    managers = sorted({line["manager"] for line in csv.DictReader(io.StringIO(teams.decode()))})
    assert counts(ada.bring("managers.csv", "\n".join(["name", *managers]).encode(), "people")) == (6, 0, 0, 0)
    agents = ada.match(ada.upload("sales_teams.csv", teams), unknown={"pod": Unknown.CREATE})
    assert counts(ada.run(ada.answer(agents))) == (35, 0, 0, 0)

    pipeline = rita.answer(rita.upload(PIPELINES[0], content(PIPELINES[0])))
    pipeline = rita.check(pipeline)
    (name,) = pipeline.preview["names"]
    assert (name["kind"], name["text"], name["name"], name["count"]) == ("product", "GTXPro", "GTX Pro", 1_480)
    assert pipeline.preview["counts"] == {"refused": 1_480, "created": 7_320}
    assert not Deal.objects.exists()
    uploads.confirm_name(
        actor=rita.actor,
        kind=LookupKind(name["kind"]),
        text=name["text"],
        record_id=name["key"],
        record_name=name["name"],
        at=NOW,
    )
    pipeline = rita.run(pipeline)
    assert (pipeline.state, counts(pipeline)) == (ImportState.DONE, (8_800, 0, 0, 0))
    assert not RejectedRow.objects.exists()
    assert ConfirmedName.objects.count() == 1
    assert Deal.objects.filter(product__name="GTX Pro").count() == 1_480

    _totals(golden)
    _without_account(client_of("rita"))
    _the_same_in_all_formats(rita, pipeline)


def _totals(golden: dict[str, Any]) -> None:
    """By stage, quarter, manager by the reporting line, office by the pod, and the best agents."""
    assert Counter(Deal.objects.values_list("stage__name", flat=True)) == golden["by_stage"]
    won = list(Deal.objects.filter(kind="won").values_list("closed_on", "owner_id", "owner__name", "amount_minor"))
    assert dollars(sum(row[3] for row in won)) == golden["won_total"]
    quarters: Counter[str] = Counter()
    people: Counter[str] = Counter()
    by_manager: Counter[str] = Counter()
    by_office: Counter[str] = Counter()
    manager_of = dict(ReportingLine.objects.values_list("person_id", "manager__name"))
    office_of = dict(PodMembership.objects.values_list("person_id", "pod__name"))
    for closed_on, owner_id, owner, minor in won:
        quarters[f"{closed_on.year}Q{(closed_on.month + 2) // 3}"] += minor
        people[owner] += minor
        by_manager[manager_of[owner_id]] += minor
        by_office[office_of[owner_id]] += minor
    assert {key: dollars(minor) for key, minor in quarters.items()} == golden["won_by_quarter"]
    assert {key: dollars(minor) for key, minor in by_manager.items()} == golden["won_by_manager"]
    assert {key: dollars(minor) for key, minor in by_office.items()} == golden["won_by_office"]
    assert {key: dollars(minor) for key, minor in people.most_common(5)} == golden["top5_agents"]
    by_pod = Deal.objects.filter(kind="won").values_list("pod__name").annotate(minor=Sum("amount_minor"))
    assert {key: dollars(minor) for key, minor in by_pod} == golden["won_by_office"]


def _without_account(client: Client) -> None:
    """Deals without an account came in, and the list shows them under a filter."""
    assert Deal.objects.filter(account=None).count() == 1_425
    assert Deal.objects.filter(account=None).exclude(stage__name__in=("Engaging", "Prospecting")).count() == 0
    assert Stage.objects.get(name="Engaging").kind == "open"
    page = client.get("/deals/?has_account=no")
    assert page.context["page"].count == 1_425


def _the_same_in_all_formats(rita: Importer, first: FileImport) -> None:
    """The other date formats say the same of all 8,800 deals; importing the file again writes nothing at all."""
    stored = everything()
    said = sorted(records_of(first), key=lambda record: record["external_id"])
    assert len(said) == 8_800
    for name in PIPELINES[1:]:
        other = rita.answer(rita.upload(name, content(name)))
        assert sorted(records_of(other), key=lambda record: record["external_id"]) == said, name
        assert rita.check(other).preview["counts"] == {"unchanged": 8_800}, name
        assert not other.preview["names"], "GTXPro was asked about again"
    again = rita.run(rita.answer(rita.upload(PIPELINES[0], content(PIPELINES[0]))))
    assert counts(again) == (0, 0, 8_800, 0)
    assert everything() == stored
