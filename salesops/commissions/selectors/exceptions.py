"""What a person has to look at before a period is paid: problems by kind, and payouts out of proportion."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext as _

from salesops.commissions.choices import StatementState
from salesops.commissions.models import Calculation, Period, Statement, Transaction
from salesops.commissions.rules.reviews import SecondLook, second_look
from salesops.core import display
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.deals.models import Deal
from salesops.people.models import User
from salesops.values.money import round_half_up
from salesops.values.outcomes import Problem

#: So many of a kind are named; the others are counted.
SHOWN: Final = 20
#: With fewer earlier periods nobody can say what a person is usually paid.
LEAST_PERIODS: Final = 3
#: The code under which payouts out of proportion stand.
PAYOUT: Final = "payout-high"


@dataclass(frozen=True, slots=True)
class Exceptional:
    """One thing to look at. statement: its id, where the reader may open it; deal: its id and name, likewise."""

    text: str
    remedy: str
    person: str = ""
    statement: int | None = None
    deal: int | None = None
    deal_name: str = ""


@dataclass(slots=True)
class ExceptionGroup:
    """All that is wrong in the same way. items: the first of them; none for those who see totals only."""

    code: str
    label: str
    remedy: str
    count: int = 0
    items: list[Exceptional] = field(default_factory=list)

    @property
    def more(self) -> int:
        """How many are left out of the list for its length."""
        return max(0, self.count - SHOWN)

    @property
    def says_the_same(self) -> bool:
        """Whether the heading says all that each of them would say."""
        return all(item.text == self.label for item in self.items)


class _Gap(dict[str, str]):
    """Fills every place of a sentence with an ellipsis: the sentence of many."""

    def __missing__(self, name: str) -> str:
        return "…"


def exceptions_of(actor: Actor, period: Period, calculation: Calculation | None) -> list[ExceptionGroup]:
    """What stands in the way of paying a period, by kind, the most frequent first; with a constant number of queries.

    Whoever sees all pay is also told of payouts out of proportion; whoever sees totals only is told kinds and numbers.
    """
    rows = Statement.objects.filter(period=period).order_by("person__name", "pk")
    found: list[tuple[Problem, Statement | None]] = []
    of_statements: Counter[Problem] = Counter()
    for statement in rows.exclude(problems=[]).select_related("person").defer("bundle", "carried"):
        for plain in statement.problems:
            problem = Problem.from_plain(plain)
            of_statements[problem] += 1
            found.append((problem, statement))
    # The calculation repeats the problems of its statements: what is left is about none of them.
    for plain in calculation.problems if calculation else []:
        problem = Problem.from_plain(plain)
        if of_statements[problem]:
            of_statements[problem] -= 1
        else:
            found.append((problem, None))
    groups = _grouped(found, actor, period)
    if actor.sight(Noun.PAY) >= Scope.ALL and (group := _payouts(period)):
        groups.append(group)
    if not actor.has(Role.FINANCE, Role.REVOPS):
        for each in groups:
            each.items.clear()
    return groups


def _grouped(found: list[tuple[Problem, Statement | None]], actor: Actor, period: Period) -> list[ExceptionGroup]:
    by_code: dict[str, list[tuple[Problem, Statement | None]]] = defaultdict(list)
    for problem, statement in found:
        by_code[problem.code].append((problem, statement))
    kept = [item for items in by_code.values() for item in items[:SHOWN]]
    people, statements = _people(kept, actor, period)
    deals = _deals(kept, actor)
    groups = []
    for code, items in sorted(by_code.items(), key=lambda item: (-len(item[1]), item[0])):
        first = items[0][0]
        is_same = all(problem.text() == first.text() for problem, _statement in items)
        label = first.text(_) if is_same or not first.params else _(first.message) % _Gap()
        remedy = (
            first.remedy_text(_) if is_same or not first.params else _(first.remedy) % _Gap() if first.remedy else ""
        )
        group = ExceptionGroup(code, label, remedy, len(items))
        for problem, statement in items[:SHOWN]:
            person = statement.person_id if statement else _person_id(problem.where)
            deal, name = deals.get(problem.where, (None, ""))
            group.items.append(
                Exceptional(
                    problem.text(_),
                    problem.remedy_text(_),
                    people.get(person or 0, ""),
                    statements.get(statement.pk) if statement else statements.get(-(person or 0)),
                    deal,
                    name or ("" if _person_id(problem.where) else problem.where if statement is None else ""),
                )
            )
        if group.says_the_same:
            group.items = [item for item in group.items if item.person or item.deal_name]
        groups.append(group)
    return groups


def _person_id(where: str) -> int | None:
    kind, _colon, number = where.partition(":")
    return int(number) if kind == "person" and number.isdecimal() else None


def _people(
    items: list[tuple[Problem, Statement | None]], actor: Actor, period: Period
) -> tuple[dict[int, str], dict[int, int]]:
    """Names by person; and statements that the actor may open, by their own id and by minus the person's."""
    wanted = {statement.person_id if statement else _person_id(problem.where) for problem, statement in items}
    names = dict(User.objects.filter(pk__in=wanted - {None}).values_list("pk", "name"))
    seen = Statement.objects.visible_to(actor).filter(period=period, person__in=names).order_by("-pk")
    statements: dict[int, int] = {}
    for pk, person in seen.values_list("pk", "person_id"):
        statements[pk] = statements[-person] = pk
    return names, statements


def _deals(items: list[tuple[Problem, Statement | None]], actor: Actor) -> dict[str, tuple[int | None, str]]:
    """By the key of a transaction: its deal, where the actor may open it."""
    keys = {problem.where for problem, _statement in items if problem.where and not _person_id(problem.where)}
    rows = Transaction.objects.filter(source_key__in=keys, deal__in=Deal.objects.visible_to(actor))
    return {key: (deal, name) for key, deal, name in rows.values_list("source_key", "deal_id", "deal__name")}


# --- Payouts out of proportion ------------------------------------------------------------------------------------


def payout_looks(statements: Collection[Statement]) -> dict[int, SecondLook]:
    """Statements that pay far more than their person was paid in the middle one of the last periods, by id. One query.

    Far more: more than settings.COMMISSIONS_LOOK_AGAIN_TIMES times. Compared with locked periods of the same length and
    currency, all statements of a person taken together; with fewer than LEAST_PERIODS there is nothing to compare.
    """
    people = {row.person_id for row in statements}
    rows = Statement.objects.filter(person_id__in=people).order_by("period__start_on")
    locked: dict[tuple[int, str, str], dict[date, int]] = defaultdict(lambda: defaultdict(int))
    every: dict[tuple[int, str, str, date], int] = defaultdict(int)
    for person, currency, kind, start, state, total in (
        rows.values("person_id", "currency", "period__kind", "period__start_on", "state")
        .annotate(total=Sum("payout_minor"))
        .values_list("person_id", "currency", "period__kind", "period__start_on", "state", "total")
    ):
        every[person, currency, kind, start] += total
        if state in (StatementState.LOCKED, StatementState.PAID):
            locked[person, currency, kind][start] += total
    found = {}
    for row in statements:
        key, start = (row.person_id, row.currency, row.period.kind), row.period.start_on
        before = [total for day, total in sorted(locked[key].items()) if day < start]
        before = before[-settings.ADJUSTMENT_LOOK_AGAIN_PERIODS :]
        if row.payout_minor <= 0 or len(before) < LEAST_PERIODS:
            continue
        look = second_look(every[*key, start], before, settings.COMMISSIONS_LOOK_AGAIN_TIMES)
        if look is not None:
            found[row.pk] = look
    return found


def why_look(look: SecondLook | None, currency: str) -> str:
    """Why a payout is looked at twice, in words; empty when it is in proportion."""
    if look is None or look.median_minor is None:
        return ""
    return _("The payout is more than %(times)s times what the person was paid in a usual period (%(median)s).") % {
        "times": settings.COMMISSIONS_LOOK_AGAIN_TIMES,
        "median": display.money(round_half_up(look.median_minor), currency),
    }


def _payouts(period: Period) -> ExceptionGroup | None:
    """The payouts out of proportion about which nobody has decided yet."""
    rows: Iterable[Statement] = (
        Statement.objects.filter(period=period, state=StatementState.DRAFT, payout_minor__gt=0)
        .select_related("person", "period")
        .defer("bundle", "carried", "terms")
        .order_by("person__name", "pk")
    )
    statements = list(rows)
    looks = payout_looks(statements)
    if not looks:
        return None
    label = _("Payouts far above what the person is usually paid")
    group = ExceptionGroup(
        PAYOUT, label, _("Look at the statement, and approve it with a note that says why it is right.")
    )
    for row in statements:
        if row.pk in looks:
            group.count += 1
            if len(group.items) < SHOWN:
                paid = display.money(row.payout_minor, row.currency)
                text = f"{paid}. {why_look(looks[row.pk], row.currency)}"
                group.items.append(Exceptional(text, "", row.person.name, row.pk))
    return group
