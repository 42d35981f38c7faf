"""Who is credited for a transaction, with how much and by which rule; nobody credited is a problem, never silence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from salesops.values.money import MoneyError, round_half_up
from salesops.values.outcomes import Outcome, Problem, gettext_noop
from salesops.values.split import split_by_largest_remainder

# A whole transaction in basis points.
WHOLE_SHARE: Final = 10_000


class CreditKind(StrEnum):
    """Direct credits add up to the transaction; the others come on top of it.

    overlay: an agreed share on top. roll_up: what the people below somebody were credited with directly, on the
    reporting line as it was on the day. pod: what the members of somebody's pod were credited with directly, that day.
    """

    DIRECT = "direct"
    OVERLAY = "overlay"
    ROLL_UP = "roll_up"
    POD = "pod"


class CreditRule(StrEnum):
    """By what somebody is credited. The direct rules are tried in the order a plan lists them; the others all add."""

    SPLIT = "split"
    OWNER = "owner"
    HOLDER = "holder"
    OVERLAY = "overlay"
    ROLL_UP = "roll_up"
    POD = "pod"

    @property
    def is_direct(self) -> bool:
        """Whether credits by this rule are parts of the transaction, which add up to it."""
        return self in DEFAULT_RULES


# Agreed shares first, then who owned the deal, then who held the account or territory on the day.
DEFAULT_RULES: Final = (CreditRule.SPLIT, CreditRule.OWNER, CreditRule.HOLDER)


def direct_rules(rules: Sequence[CreditRule]) -> tuple[CreditRule, ...]:
    """The direct rules among these in their order; all of them where a component lists only rules that add."""
    return tuple(rule for rule in rules if rule.is_direct) or DEFAULT_RULES


@dataclass(frozen=True)
class Share:
    """A person's part in a transaction, in basis points (10000 is all of it)."""

    person: int
    basis_points: int


@dataclass(frozen=True)
class Holding:
    """Somebody held something (an account, a territory, a pod's book) on the days [start, end); None is until further."""

    thing: str
    person: int
    start: date
    end: date | None = None

    def covers(self, day: date) -> bool:
        """Whether the day lies in it."""
        return self.start <= day and (self.end is None or day < self.end)


@dataclass(frozen=True)
class Grouping:
    """On the days [start, end) `receiver` is credited with what `person` is credited with directly.

    rule: ROLL_UP for everybody above on the reporting line, whatever the distance, and POD for every member of the
    person's pod, themselves among them. None as the end is until further.
    """

    rule: CreditRule
    person: int
    receiver: int
    start: date
    end: date | None = None

    def covers(self, day: date) -> bool:
        """Whether the day lies in it."""
        return self.start <= day and (self.end is None or day < self.end)


@dataclass(frozen=True)
class TransactionFacts:
    """A transaction and what is known about who has a part in it.

    key: what it is known by, stable over imports. day: the day that counts, in the plan's time zone.
    amount: minor units of the transaction's currency, or things; negative for what takes back.
    shares: agreed direct shares. overlays: shares credited on top. owner: who owned it on the day.
    things: what it belongs to, most particular first ("account:17", "territory:5"); looked up among the holdings.
    """

    key: str
    day: date
    amount: int
    owner: int | None = None
    shares: tuple[Share, ...] = ()
    overlays: tuple[Share, ...] = ()
    things: tuple[str, ...] = ()


@dataclass(frozen=True)
class Credit:
    """What a person is credited with for a transaction; `why` names the thing held, where that was the reason."""

    transaction: str
    person: int
    day: date
    amount: int
    basis_points: int
    kind: CreditKind
    rule: str
    why: str = ""


def credit_transactions(
    transactions: Iterable[TransactionFacts],
    holdings: Iterable[Holding] = (),
    rules: Sequence[CreditRule] = DEFAULT_RULES,
    groupings: Iterable[Grouping] = (),
) -> Outcome[tuple[Credit, ...]]:
    """Credit every transaction by the first direct rule that finds somebody, then by each of the rules that add.

    Those that nobody can be credited for become problems. The direct credits of a transaction add up to its amount
    exactly; where a component lists only rules that add, they are reckoned but not given out. The outcome always has a
    value, the credits in the order of the transactions and then of kinds and persons.

    One transaction at a time, for a few of them and as the measure of `engine`, which does the same in columns.
    """
    by_thing: dict[str, list[Holding]] = {}
    for holding in holdings:
        by_thing.setdefault(holding.thing, []).append(holding)
    grouped = tuple(groupings)
    is_direct_wanted = any(rule.is_direct for rule in rules)
    credits: list[Credit] = []
    problems: list[Problem] = []
    for transaction in transactions:
        found = _direct_credits(transaction, by_thing, direct_rules(rules))
        problems.extend(found.problems)
        if found.value is None:
            continue
        if is_direct_wanted:
            credits.extend(found.value)
        if CreditRule.OVERLAY in rules:
            credits.extend(_overlay_credits(transaction, problems))
        for rule in (CreditRule.ROLL_UP, CreditRule.POD):
            if rule in rules:
                credits.extend(_grouped_credits(transaction, found.value, grouped, rule))
    return Outcome.good(tuple(credits), problems)


def reversed_credits(original: Sequence[Credit], key: str, day: date, amount: int) -> Outcome[tuple[Credit, ...]]:
    """Take back a whole credited transaction: each credit as it was stored, negated, never split again.

    `amount` is what is taken back and must be the direct credits' sum negated; so each person's net is exactly zero.
    """
    direct = sum(credit.amount for credit in original if credit.kind is CreditKind.DIRECT)
    if not original or amount != -direct:
        return Outcome.bad(
            Problem.of(
                "reversal-differs",
                gettext_noop("%(key)s takes back %(amount)s, but %(credited)s was credited."),
                where=key,
                remedy=gettext_noop("Take back the whole transaction, or enter the part as a transaction of its own."),
                key=key,
                amount=amount,
                credited=direct,
            )
        )
    return Outcome.good(
        tuple(
            Credit(
                transaction=key,
                person=credit.person,
                day=day,
                amount=-credit.amount,
                basis_points=credit.basis_points,
                kind=credit.kind,
                rule="reversal",
                why=credit.transaction,
            )
            for credit in original
        )
    )


def _direct_credits(
    transaction: TransactionFacts, by_thing: dict[str, list[Holding]], rules: Sequence[CreditRule]
) -> Outcome[list[Credit]]:
    for rule in rules:
        if rule is CreditRule.SPLIT and transaction.shares:
            return _split_credits(transaction)
        if rule is CreditRule.OWNER and transaction.owner is not None:
            return Outcome.good([_whole_credit(transaction, transaction.owner, rule, "")])
        if rule is CreditRule.HOLDER:
            for thing in transaction.things:
                holders = sorted({held.person for held in by_thing.get(thing, []) if held.covers(transaction.day)})
                if len(holders) > 1:
                    return Outcome.bad(_two_holders(transaction, thing, holders))
                if holders:
                    return Outcome.good([_whole_credit(transaction, holders[0], rule, thing)])
    return Outcome.bad(
        Problem.of(
            "nobody-credited",
            gettext_noop("Nobody is credited for %(key)s of %(day)s."),
            where=transaction.key,
            remedy=gettext_noop("Give it an owner or shares, or say who held its account or territory on that day."),
            key=transaction.key,
            day=transaction.day.isoformat(),
        )
    )


def _whole_credit(transaction: TransactionFacts, person: int, rule: CreditRule, why: str) -> Credit:
    return Credit(
        transaction.key, person, transaction.day, transaction.amount, WHOLE_SHARE, CreditKind.DIRECT, rule.value, why
    )


def _split_credits(transaction: TransactionFacts) -> Outcome[list[Credit]]:
    shares = sorted(transaction.shares, key=lambda share: share.person)
    sum_of_shares = sum(share.basis_points for share in shares)
    people = [share.person for share in shares]
    try:
        if sum_of_shares != WHOLE_SHARE or any(share.basis_points <= 0 for share in shares):
            raise MoneyError(f"{[share.basis_points for share in shares]}")
        parts = split_by_largest_remainder(transaction.amount, [share.basis_points for share in shares], people)
    except MoneyError as error:
        return Outcome.bad(
            Problem.of(
                "shares-not-whole",
                gettext_noop("The shares of %(key)s, in hundredths of a per cent, are not a whole: %(reason)s"),
                where=transaction.key,
                remedy=gettext_noop("Shares must be above zero, name each person once and add up to 100 %%."),
                key=transaction.key,
                reason=error,
            )
        )
    return Outcome.good(
        [
            Credit(
                transaction.key,
                share.person,
                transaction.day,
                part,
                share.basis_points,
                CreditKind.DIRECT,
                CreditRule.SPLIT.value,
            )
            for share, part in zip(shares, parts, strict=True)
        ]
    )


def _overlay_credits(transaction: TransactionFacts, problems: list[Problem]) -> list[Credit]:
    credits = []
    for share in sorted(transaction.overlays, key=lambda share: share.person):
        if not 0 < share.basis_points <= WHOLE_SHARE:
            problems.append(
                Problem.of(
                    "overlay-out-of-range",
                    gettext_noop("An overlay share of %(key)s is not between 0 and 100 %%."),
                    where=transaction.key,
                    remedy=gettext_noop("Correct the overlay share."),
                    key=transaction.key,
                )
            )
            continue
        amount = round_half_up(transaction.amount * share.basis_points, WHOLE_SHARE)
        credits.append(
            Credit(
                transaction.key,
                share.person,
                transaction.day,
                amount,
                share.basis_points,
                CreditKind.OVERLAY,
                CreditKind.OVERLAY.value,
            )
        )
    return credits


def _grouped_credits(
    transaction: TransactionFacts, direct: Sequence[Credit], groupings: Sequence[Grouping], rule: CreditRule
) -> list[Credit]:
    """Each receiver with the sum of what their people were credited with; every person counts once for a receiver."""
    found: dict[int, set[int]] = {}
    for grouping in groupings:
        if grouping.rule is rule and grouping.covers(transaction.day):
            found.setdefault(grouping.receiver, set()).add(grouping.person)
    credits = []
    for receiver in sorted(found):
        parts = [credit for credit in direct if credit.person in found[receiver]]
        if parts:
            credits.append(
                Credit(
                    transaction.key,
                    receiver,
                    transaction.day,
                    sum(credit.amount for credit in parts),
                    sum(credit.basis_points for credit in parts),
                    CreditKind(rule.value),
                    rule.value,
                )
            )
    return credits


def _two_holders(transaction: TransactionFacts, thing: str, holders: list[int]) -> Problem:
    return Problem.of(
        "two-holders",
        gettext_noop("%(count)s people held %(thing)s on %(day)s, so %(key)s cannot be credited."),
        where=transaction.key,
        remedy=gettext_noop("Mend the overlap in who held it, or agree on shares."),
        key=transaction.key,
        thing=thing,
        day=transaction.day.isoformat(),
        count=len(holders),
    )
