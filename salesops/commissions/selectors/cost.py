"""What pay costs the company next to what was credited, by pod, plan, product and segment. Sums only, never a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from salesops.commissions.models import Credit, Earning, Period, Statement
from salesops.commissions.rules.explain import attainment_bp
from salesops.pods.models import Pod, PodMembership

#: What is told apart, in the order of the page, and how what belongs to none is called.
DIMENSIONS: Final[dict[str, tuple[Promise, Promise]]] = {
    "pod": (_("Pod"), _("In no pod on the day")),
    "plan": (_("Plan"), _("Without a plan")),
    "product": (_("Product"), _("Without a product")),
    "segment": (_("Segment"), _("Without a segment")),
}


@dataclass(slots=True)
class Cost:
    """What was earned for what was credited, in minor units of one currency."""

    label: str
    earned_minor: int = 0
    credited_minor: int = 0

    @property
    def share(self) -> int | None:
        """Earned ÷ credited in basis points; None where nothing was credited."""
        return attainment_bp(self.earned_minor, self.credited_minor)


@dataclass(slots=True)
class CostOfCurrency:
    """The cost in one currency: as a whole, and by each dimension (code, title, rows). payout_minor: after settlement."""

    currency: str
    total: Cost
    payout_minor: int = 0
    parts: list[tuple[str, str, list[Cost]]] = field(default_factory=list)


def costed_periods() -> list[Period]:
    """Periods for which something was calculated, the newest first."""
    return list(Period.objects.filter(statements__isnull=False).distinct().order_by("-start_on", "kind", "time_zone"))


def periods_between(first: Period, last: Period) -> QuerySet[Period]:
    """All periods, of whatever length, that lie between the beginning of one and the end of another."""
    return Period.objects.filter(start_on__gte=first.start_on, end_on__lte=last.end_on)


def cost_of_sales(periods: Collection[Period] | QuerySet[Period]) -> list[CostOfCurrency]:
    """What was earned and credited in these periods, by currency, reckoned in the database with a constant number of
    queries. Shown to those for whom `selectors.periods.sees_amounts`.

    A credit belongs to the pod of its person on its day, and to the product and segment of its transaction.
    """
    credits = Credit.objects.filter(statement__period__in=periods).order_by()
    earnings = Earning.objects.filter(statement__period__in=periods).order_by()
    pods = dict(Pod.objects.order_by().values_list("pk", "name"))
    found: dict[str, CostOfCurrency] = {}
    for name, (title, none) in DIMENSIONS.items():
        rows: dict[str, dict[Any, Cost]] = defaultdict(dict)
        for is_earned, lines, path in ((False, credits, ""), (True, earnings, "credit__")):
            key, label = _dimension(name, path)
            grouped = lines.annotate(part=key, called=label).values_list("currency", "part", "called")
            for currency, part, called, total in grouped.annotate(total=Sum("amount_minor")):
                told = str(none) if part is None else str(pods[part] if name == "pod" else called)
                cost = rows[currency].setdefault(part, Cost(told))
                if is_earned:
                    cost.earned_minor += total
                else:
                    cost.credited_minor += total
        for currency, of_currency in rows.items():
            whole = found.setdefault(currency, CostOfCurrency(currency, Cost("")))
            listed = sorted(
                of_currency.items(), key=lambda item: (item[0] is None, -item[1].earned_minor, item[1].label)
            )
            whole.parts.append((name, str(title), [cost for _part, cost in listed]))
    for whole in found.values():
        _code, _title, any_part = whole.parts[0]
        whole.total.earned_minor = sum(cost.earned_minor for cost in any_part)
        whole.total.credited_minor = sum(cost.credited_minor for cost in any_part)
    paid = Statement.objects.filter(period__in=periods).order_by().values_list("currency")
    for currency, payout in paid.annotate(total=Sum("payout_minor")):
        if payout or currency in found:
            found.setdefault(currency, CostOfCurrency(currency, Cost(""))).payout_minor = payout
    return [found[currency] for currency in sorted(found)]


def _dimension(name: str, path: str) -> tuple[Subquery | F, F]:
    """What rows are grouped by, and how it is called; `path` leads from the row to its credit."""
    if name == "pod":
        day = OuterRef(f"{path}effective_on")
        held = PodMembership.objects.filter(person_id=OuterRef(f"{path}person_id"), start_on__lte=day)
        held = held.filter(Q(end_on__isnull=True) | Q(end_on__gt=day)).order_by("-start_on", "-pk")
        # The name is looked up afterwards: asked here, each row would look for its membership twice.
        return Subquery(held.values("pod_id")[:1]), F("currency")
    if name == "plan":
        return F("statement__plan_version__plan_id"), F("statement__plan_version__plan__name")
    if name == "product":
        return F(f"{path}transaction__product_id"), F(f"{path}transaction__product__name")
    return F(f"{path}transaction__account__segment_id"), F(f"{path}transaction__account__segment__name")
