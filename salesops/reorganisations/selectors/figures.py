"""What people and pods have: accounts, open deals and pipeline, leads in work, quota, and what their pipeline would pay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Sum

from salesops.accounts.models import Account
from salesops.commissions.choices import PeriodState
from salesops.commissions.models import Period, Quota
from salesops.commissions.selectors.facts import facts_of
from salesops.commissions.services.drafting import tried_at_once
from salesops.commissions.services.transactions import paid_elsewhere
from salesops.core.models import held_on
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.leads.choices import WORK_STATUSES
from salesops.leads.models import Lead
from salesops.people.models import ReportingLine, User
from salesops.pods.models import Pod, PodMembership
from salesops.reorganisations.models import Reorganisation
from salesops.reorganisations.selectors.books import Books
from salesops.values.money import round_half_up

_WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Touched:
    """Whom a reorganisation touches: who moves and who takes over, everybody in the pods they leave and join, their
    managers before and after."""

    movers: frozenset[int]
    people: tuple[int, ...]
    pods: tuple[int, ...]


def touched_by(reorganisation: Reorganisation, books: Books) -> Touched:
    """Whom it touches, in the order of their keys."""
    day = reorganisation.effective_on
    moves = list(reorganisation.moves.values_list("person_id", "to_pod_id", "manager_id", "successor_id"))
    movers = frozenset(person for person, *_rest in moves)
    pods = set(books.pods.values()) | {pod for _person, pod, *_rest in moves if pod}
    people = movers | {pk for *_rest, manager, successor in moves for pk in (manager, successor) if pk}
    people |= set(PodMembership.objects.on(day).filter(pod__in=pods).values_list("person_id", flat=True))
    people |= set(ReportingLine.objects.on(day).filter(person__in=movers).values_list("manager_id", flat=True))
    return Touched(movers, tuple(sorted(people)), tuple(sorted(pods)))


def figures_of(touched: Touched, day: date) -> dict[str, Any]:
    """What each person and pod has as of a day: {"people": {id: figures}, "pods": {id: figures}, "company": {...}}.

    people: pod, manager (names), accounts, deals, leads (how many), pipeline, quota, expected ({currency: minor units}).
    Of a pod the accounts, deals, pipeline and leads are those given to it; quota and expected pay are its members'. company:
    expected pay of everybody. expected: what the open period of pay that holds the day earns, with every open deal that is
    expected to close in it counted by the probability of its stage, before caps, draws and holds; empty without a period.
    """
    members = dict(PodMembership.objects.on(day).filter(person__in=touched.people).values_list("person_id", "pod_id"))
    functions = dict(
        PodMembership.objects.on(day).filter(person__in=touched.people).values_list("person_id", "function")
    )
    managers = dict(
        ReportingLine.objects.on(day).filter(person__in=touched.people).values_list("person_id", "manager_id")
    )
    expected, labels = _expected(day)
    quotas = _quotas(day, touched.people)
    pods = Pod.objects.in_bulk({*touched.pods, *members.values()})
    names = dict(User.objects.filter(pk__in={*touched.people, *managers.values()}).values_list("pk", "name"))
    held = {by: _held(by, touched.people if by == "owner" else touched.pods) for by in ("owner", "pod")}
    people = {
        str(pk): {
            "name": names[pk],
            "pod": pods[members[pk]].name if pk in members else "",
            "function": functions.get(pk, ""),
            "manager": names[managers[pk]] if pk in managers else "",
            **held["owner"][pk],
            "quota": quotas.get(pk, {}),
            "expected": expected.get(pk, {}),
        }
        for pk in touched.people
    }
    by_pod: dict[int, list[int]] = defaultdict(list)
    for person, pod in members.items():
        by_pod[pod].append(person)
    return {
        "people": people,
        "pods": {
            str(pk): {
                "name": pods[pk].name,
                "functions": _counted(functions[person] for person in by_pod[pk]),
                "capacity": pods[pk].lead_capacity,
                **held["pod"][pk],
                "quota": _added(quotas.get(person, {}) for person in by_pod[pk]),
                "expected": _added(expected.get(person, {}) for person in by_pod[pk]),
            }
            for pk in touched.pods
        },
        "company": {"expected": _added(expected.values())},
        "periods": labels,
    }


def _held(by: str, keys: Collection[int]) -> dict[int, dict[str, Any]]:
    """How many accounts, open deals and leads in work belong to each owner or pod, and the pipeline by currency."""
    found: dict[int, dict[str, Any]] = {key: {"accounts": 0, "deals": 0, "pipeline": {}, "leads": 0} for key in keys}
    of_them = {f"{by}__in": keys}
    accounts = Account.objects.filter(**of_them).order_by().values_list(by).annotate(count=Count("pk"))
    for key, count in accounts:
        found[key]["accounts"] = count
    deals = Deal.objects.filter(kind=StageKind.OPEN, **of_them).order_by().values_list(by, "currency")
    for key, currency, count, total in deals.annotate(count=Count("pk"), total=Sum("amount_minor")):
        found[key]["deals"] += count
        found[key]["pipeline"][currency] = int(total)
    leads = Lead.objects.filter(status__in=WORK_STATUSES, **of_them).order_by().values_list(by)
    for key, count in leads.annotate(count=Count("pk")):
        found[key]["leads"] = count
    for row in found.values():
        row["pipeline"] = dict(sorted(row["pipeline"].items()))
    return found


def _quotas(day: date, people: Collection[int]) -> dict[int, dict[str, int]]:
    """The quotas of bookings whose days hold the day, by person and currency."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    rows = Quota.objects.filter(held_on(day), person__in=people, measure="bookings").order_by("currency")
    for person, currency, amount in rows.values_list("person_id", "currency", "amount_minor"):
        found[person][currency] = found[person].get(currency, 0) + amount
    return dict(found)


def _expected(day: date) -> tuple[dict[int, dict[str, int]], list[str]]:
    """What the open periods that hold the day would earn everybody, by person and currency, and their names."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    periods = list(
        Period.objects.filter(state=PeriodState.OPEN, start_on__lte=day, end_on__gt=day).order_by("start_on", "pk")
    )
    for period in periods:
        deals = Deal.objects.filter(
            kind=StageKind.OPEN, expected_close_on__gte=period.start_on, expected_close_on__lt=period.end_on
        )
        likely = dict(deals.order_by("pk").values_list("pk", "stage__probability_bp"))
        elsewhere = paid_elsewhere(period)
        sides = [facts_of(period, leave_out=elsewhere, pretend=pretend) for pretend in ((), tuple(likely))]
        with tried_at_once(sides) as (now, then):
            currencies = {pk: version.currency for pk, version in now.facts.versions.items()}
            weighted: dict[tuple[int, str], int] = defaultdict(int)
            for person, version, total in now.fetch(
                "SELECT person, plan, sum(amount)::BIGINT FROM earning GROUP BY person, plan"
            ):
                found[person][currencies[version]] += total
            for person, version, deal, total in then.fetch(
                "SELECT person, plan, -id, sum(amount)::BIGINT FROM earning WHERE id < 0 GROUP BY person, plan, id"
            ):
                weighted[person, currencies[version]] += total * (likely[deal] or 0)
            for (person, currency), total in weighted.items():
                found[person][currency] += round_half_up(total, _WHOLE)
    return {pk: dict(sorted(row.items())) for pk, row in found.items()}, [period.label for period in periods]


def _added(rows: Any) -> dict[str, int]:
    """Amounts by currency, added up."""
    total: dict[str, int] = defaultdict(int)
    for row in rows:
        for currency, amount in row.items():
            total[currency] += amount
    return dict(sorted(total.items()))


def _counted(names: Any) -> dict[str, int]:
    """How often each name comes."""
    total: dict[str, int] = defaultdict(int)
    for name in names:
        total[name] += 1
    return dict(sorted(total.items()))
