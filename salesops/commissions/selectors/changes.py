"""What a calculation changed in the statements that were there before: of a period, and of one statement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Count, Sum
from django.utils.translation import gettext as _

from salesops.commissions.choices import Cause
from salesops.commissions.models import Calculation, Statement, StatementChange, Transaction
from salesops.core.actor import Actor, Role

#: So many statements, and so many lines of one, are shown; the others are counted.
SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class ChangedStatement:
    """A statement as a calculation changed it: causes with how many lines each; the change itself where the reader sees
    the pay."""

    person: str
    causes: list[tuple[str, int]]
    change: StatementChange | None


@dataclass(slots=True)
class PeriodChanges:
    """What a calculation changed in a period. totals: payout before and after by currency, in minor units."""

    count: int = 0
    totals: list[tuple[str, int, int]] = field(default_factory=list)
    rows: list[ChangedStatement] = field(default_factory=list)

    @property
    def more(self) -> int:
        """How many statements are not named."""
        return self.count - len(self.rows)


def cause_text(cause: str) -> str:
    """A cause, as it is said of an open period."""
    new = {Cause.DEAL_LATE.value: _("New deal"), Cause.REFUND_LATE.value: _("New refund")}
    return new.get(cause) or str(Cause(cause).label)


def changes_of_calculation(actor: Actor, calculation: Calculation) -> PeriodChanges:
    """What a calculation changed: names and causes for those who run periods, amounts only for those who see the pay."""
    rows = StatementChange.objects.filter(calculation=calculation)
    found = PeriodChanges()
    sums = rows.order_by("currency").values_list("currency")
    for currency, count, before, after in sums.annotate(
        count=Count("pk"), before=Sum("payout_before_minor"), after=Sum("payout_after_minor")
    ):
        found.count += count
        found.totals.append((currency, before, after))
    if not actor.has(Role.FINANCE, Role.REVOPS):
        return found
    listed = list(rows.select_related("person").order_by("person__name", "pk")[:SHOWN])
    seen = set(
        StatementChange.objects.visible_to(actor).filter(pk__in=[row.pk for row in listed]).values_list("pk", flat=True)
    )
    for row in listed:
        causes = Counter(cause_text(line["cause"]) for line in row.lines).most_common()
        found.rows.append(ChangedStatement(row.person.name, causes, row if row.pk in seen else None))
    return found


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """A line of a statement before and after, in minor units; None where there was, or is, no such line."""

    name: str
    component: str
    before: int | None
    after: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class LastChange:
    """The newest change of a statement, with its lines; more: how many lines are not shown."""

    change: StatementChange
    lines: list[ChangedLine]
    more: int


def last_change_of(actor: Actor, statement: Statement) -> LastChange | None:
    """What the newest calculation that changed a statement changed in it; None while it says what it said at first."""
    rows = StatementChange.objects.visible_to(actor).filter(statement=statement)
    change = rows.select_related("calculation").order_by("-pk").first()
    if change is None:
        return None
    kept: list[dict[str, Any]] = change.lines[:SHOWN]
    names = {
        pk: deal or key
        for pk, deal, key in Transaction.objects.filter(pk__in=[line["transaction"] for line in kept]).values_list(
            "pk", "deal__name", "source_key"
        )
    }
    lines = [
        ChangedLine(
            names.get(line["transaction"], ""),
            line["component"],
            line["before"],
            line["after"],
            cause_text(line["cause"]),
        )
        for line in kept
    ]
    return LastChange(change, lines, len(change.lines) - len(kept) + change.more)
