"""The selling guard: what a deal offers, held against the rules of a policy. Allow, block or escalate, with the rule named.

Every rule is asked, the worst effect wins, and every reason is told. What is not known (a customer whose size nobody
wrote down, a term nobody agreed) breaks no rule; what cannot be compared, for want of an exchange rate, is escalated.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from salesops.deals.rules.amounts import WHOLE_BP, line_amount, percent
from salesops.values.money import MoneyError, plain, round_half_up
from salesops.values.outcomes import Problem, gettext_noop


class RuleKind(StrEnum):
    """What a rule looks at."""

    DISCOUNT = "discount"
    OFFER = "offer"
    PROMISE = "promise"
    PRODUCT = "product"


class Outcome(StrEnum):
    """What the guard says, from good to bad."""

    ALLOW = "allow"
    ESCALATE = "escalate"
    BLOCK = "block"


#: The order of outcomes: the worst of all rules wins.
SEVERITY: Final = {Outcome.ALLOW: 0, Outcome.ESCALATE: 1, Outcome.BLOCK: 2}

#: Letters that have a stroke instead of a sign that could be taken off.
_STROKES: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ħ": "h", "æ": "ae", "œ": "oe"})


@dataclass(frozen=True, slots=True)
class GuardRule:
    """One rule. Which fields count depends on its kind; `segment` and `tier` empty mean every segment and every tier.

    max_discount_bp: the most that may be taken off, in basis points. least_minor, most_minor: limits of the whole offer in
    minor units of `currency`. least_months, most_months: limits of its term. phrases: what must not be promised.
    product, with segment, employees_from, employees_to (inclusive) and countries: for whom it is wrong.
    """

    name: str
    kind: RuleKind
    effect: Outcome
    message: str = ""
    segment: str = ""
    tier: str = ""
    max_discount_bp: int | None = None
    least_minor: int | None = None
    most_minor: int | None = None
    currency: str = ""
    least_months: int | None = None
    most_months: int | None = None
    phrases: tuple[str, ...] = ()
    product: int | None = None
    product_name: str = ""
    employees_from: int | None = None
    employees_to: int | None = None
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A line as the guard sees it; prices and amounts in minor units of the deal's currency.

    list_minor: the list price, exchanged where it is in another currency. list_currency: that currency where the list price
    could not be exchanged; list_minor then is empty. exchanged_from: that currency where it was. tier: the price tier of the
    product.
    """

    product: int
    tier: str = "standard"
    quantity: Decimal = Decimal(1)
    list_minor: int | None = None
    unit_minor: int = 0
    discount_bp: int = 0
    amount_minor: int = 0
    list_currency: str = ""
    exchanged_from: str = ""

    @property
    def is_negative(self) -> bool:
        """Whether something of the line is below zero, so that it takes off what other lines are judged by."""
        return self.quantity < 0 or self.unit_minor < 0 or self.amount_minor < 0


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """What is offered, and to whom. `amounts` is the whole offer in each currency into which it could be exchanged.

    products: those of the lines and the main one. texts: what was written about it, by the name of the field.
    """

    amount_minor: int = 0
    currency: str = ""
    amounts: Mapping[str, int] = field(default_factory=dict)
    term_months: int | None = None
    segment: str = ""
    employees: int | None = None
    country: str = ""
    lines: tuple[LineFacts, ...] = ()
    products: tuple[int, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that is broken, and why. `problem.where` says where: "line:2", "text:note" or nothing.

    `key` names what is broken and `excess` how far the offer goes (0 where there is no more or less): the discount itself, the
    total or the term, with a minus where less is worse. It is no distance to the limit, so that what was once approved
    covers the same key with no larger excess whatever the limit of a later policy.
    """

    rule: str
    kind: RuleKind
    effect: Outcome
    problem: Problem
    key: str
    excess: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of an offer, and every reason."""

    outcome: Outcome
    violations: tuple[Violation, ...] = ()


def judge(rules: Iterable[GuardRule], offer: OfferFacts) -> Verdict:
    """Ask every rule. The worst effect is the outcome; without a broken rule the offer is allowed."""
    found = tuple(violation for rule in rules for violation in _broken(rule, offer))
    outcome = max((each.effect for each in found), key=SEVERITY.__getitem__, default=Outcome.ALLOW)
    return Verdict(outcome, found)


def uncovered(violations: Iterable[Violation], approved: Collection[tuple[str, int]]) -> tuple[Violation, ...]:
    """The violations that no approval covers; `approved` are the keys that were approved, each with its excess then."""
    most: dict[str, int] = {}
    for key, excess in approved:
        most[key] = max(excess, most.get(key, excess))
    return tuple(each for each in violations if each.key not in most or each.excess > most[each.key])


def newer_than(violations: Sequence[Violation], stood: Iterable[Violation]) -> tuple[Violation, ...]:
    """The violations that are new or larger than those of before: each of before stands for one of its key at most."""
    had: dict[str, list[int]] = defaultdict(list)
    for each in sorted(stood, key=lambda one: one.excess):
        had[each.key].append(each.excess)
    found = set()
    for place in sorted(range(len(violations)), key=lambda place: -violations[place].excess):
        each = violations[place]
        if not had[each.key] or had[each.key].pop() < each.excess:
            found.add(place)
    return tuple(each for place, each in enumerate(violations) if place in found)


def name_of(rule: GuardRule) -> str:
    """The exact name of a limit, as a reason states it: "max_discount_by_tier['standard']"."""
    what = {
        RuleKind.DISCOUNT: "max_discount",
        RuleKind.PROMISE: "forbidden_promises",
        RuleKind.PRODUCT: "wrong_product",
    }
    return _named(what.get(rule.kind, "offer"), rule)


def problems_of_rule(rule: GuardRule) -> tuple[Problem, ...]:
    """Why a rule says nothing, or nothing that can be kept; each names its field."""
    problems: list[Problem] = []
    if rule.effect is Outcome.ALLOW:
        problems.append(Problem.of("effect", gettext_noop("A rule blocks or escalates."), where="effect"))
    if rule.kind is RuleKind.DISCOUNT and rule.max_discount_bp is None:
        problems.append(Problem.of("no-limit", gettext_noop("Say the highest discount."), where="max_discount_bp"))
    if rule.kind is RuleKind.OFFER:
        if (rule.least_minor, rule.most_minor, rule.least_months, rule.most_months) == (None, None, None, None):
            problems.append(Problem.of("no-limit", gettext_noop("Say at least one limit."), where="least_minor"))
        if rule.least_minor is not None and rule.most_minor is not None and rule.most_minor < rule.least_minor:
            text = gettext_noop("The highest amount cannot be below the lowest.")
            problems.append(Problem.of("order", text, where="most_minor"))
        if rule.least_months is not None and rule.most_months is not None and rule.most_months < rule.least_months:
            text = gettext_noop("The longest term cannot be below the shortest.")
            problems.append(Problem.of("order", text, where="most_months"))
    if rule.kind is RuleKind.PROMISE:
        if not rule.phrases:
            problems.append(Problem.of("no-phrase", gettext_noop("Write at least one word."), where="phrases"))
        for phrase in rule.phrases:
            if not words_of(phrase):
                text = gettext_noop("“%(phrase)s” has no word in it.")
                problems.append(Problem.of("no-word", text, where="phrases", phrase=phrase))
    if rule.kind is RuleKind.PRODUCT:
        if rule.product is None:
            problems.append(Problem.of("no-product", gettext_noop("Say which product."), where="product"))
        if not (rule.segment or rule.countries or rule.employees_from is not None or rule.employees_to is not None):
            text = gettext_noop("Say for whom it is wrong: a segment, a size or a country.")
            problems.append(Problem.of("no-customer", text, where="segment"))
        least, most = rule.employees_from, rule.employees_to
        if least is not None and most is not None and most < least:
            text = gettext_noop("The largest size cannot be below the smallest.")
            problems.append(Problem.of("order", text, where="employees_to"))
    return tuple(problems)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text as promises are compared: no case, no accents, no punctuation.

    In scripts that write no spaces between words each sign is a word of its own, so that a phrase is found within a run.
    """
    plain_text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    words: list[str] = []
    run = ""
    for sign in plain_text.translate(_STROKES):
        category = unicodedata.category(sign)
        if category == "Mn":
            continue
        if category[0] in "LN" and not _stands_alone(sign):
            run += sign
            continue
        if run:
            words.append(run)
            run = ""
        if category[0] in "LN":
            words.append(sign)
    return (*words, run) if run else tuple(words)


def promises_in(text: str, phrases: Iterable[str]) -> list[str]:
    """Which of the phrases stand in a text as whole words, in their order."""
    found, words = [], words_of(text)
    for phrase in phrases:
        wanted = words_of(phrase)
        if wanted and any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1)):
            found.append(phrase)
    return found


def discount_of(line: LineFacts) -> int:
    """The discount of a line in basis points, whichever is largest of three: the one that is written, what the amount is
    below quantity × unit price, and what it is below quantity × list price. Never below 0.
    """
    largest = line.discount_bp
    for price in (line.unit_minor, line.list_minor):
        whole = Fraction(line.quantity) * price if price else Fraction(0)
        if whole > 0 and line.amount_minor < whole:
            largest = max(largest, round_half_up((whole - line.amount_minor) / whole * WHOLE_BP))
    return largest


def is_below_floor(line: LineFacts, max_discount_bp: int) -> bool:
    """Whether a line goes below the price with the highest discount, that price rounded as amounts of lines are."""
    if line.discount_bp > max_discount_bp:
        return True
    for price in (line.unit_minor, line.list_minor):
        if price and line.quantity > 0:
            try:
                if line.amount_minor < line_amount(line.quantity, price, max_discount_bp):
                    return True
            except MoneyError:
                return True
    return False


def _stands_alone(sign: str) -> bool:
    """Whether a letter belongs to a script that writes no spaces between words."""
    code = ord(sign)
    return (
        0x3040 <= code <= 0x30FF  # hiragana, katakana
        or 0x3400 <= code <= 0x9FFF  # Chinese signs
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
        or 0x0E00 <= code <= 0x0EFF  # Thai, Lao
    )


def _named(what: str, rule: GuardRule) -> str:
    """A limit by what it depends on."""
    by = [(name, value) for name, value in (("segment", rule.segment), ("tier", rule.tier)) if value]
    if not by:
        return what
    keys = ", ".join(f"'{value}'" for _name, value in by)
    return f"{what}_by_{'_and_'.join(name for name, _value in by)}[{keys}]"


def _broken(rule: GuardRule, offer: OfferFacts) -> Iterator[Violation]:
    """How one rule is broken by an offer."""
    if rule.segment and rule.segment != offer.segment:
        return
    if rule.kind is RuleKind.DISCOUNT:
        yield from _discounts(rule, offer)
    elif rule.kind is RuleKind.OFFER:
        yield from _limits(rule, offer)
    elif rule.kind is RuleKind.PROMISE:
        yield from _promises(rule, offer)
    else:
        yield from _wrong_product(rule, offer)


def _violation(
    rule: GuardRule, code: str, message: str, what: str, excess: int = 0, where: str = "", /, **params: object
) -> Violation:
    problem = Problem.of(code, message, where=where, remedy=rule.message.replace("%", "%%"), **params)
    return Violation(rule.name, rule.kind, rule.effect, problem, f"{rule.kind}:{rule.effect}:{what}", excess)


def _unknown(
    rule: GuardRule, code: str, message: str, what: str, excess: int, where: str = "", /, **params: object
) -> Violation:
    """What cannot be compared: somebody has to look, whatever the rule would do."""
    return _violation(replace(rule, effect=Outcome.ESCALATE), code, message, what, excess, where, **params)


def _discounts(rule: GuardRule, offer: OfferFacts) -> Iterator[Violation]:
    limit, name = rule.max_discount_bp or 0, name_of(rule)
    yield from _unjudged(rule, offer)
    for number, line in enumerate(offer.lines, start=1):
        if (rule.tier and rule.tier != line.tier) or not is_below_floor(line, limit):
            continue
        discount = max(discount_of(line), limit + 1)
        yield _violation(
            rule,
            "discount",
            gettext_noop("Discount of %(discount)s%% exceeds %(rule)s = %(limit)s%%."),
            # The day's rate moves what an exchanged list price makes of the discount: what was approved is the price.
            f"{name}:{line.product}" + (f":{line.exchanged_from}:{offer.currency}" if line.exchanged_from else ""),
            -_price_of_many(line) if line.exchanged_from else discount,
            f"line:{number}",
            discount=percent(discount),
            rule=name,
            limit=percent(limit),
        )


def _unjudged(rule: GuardRule, offer: OfferFacts) -> Iterator[Violation]:
    """Lines that a highest discount cannot judge: below zero, or with a list price that cannot be exchanged."""
    limit, name = percent(rule.max_discount_bp or 0), name_of(rule)
    if not any(not rule.tier or line.tier == rule.tier for line in offer.lines):
        return
    negative: dict[int, tuple[int, int]] = {}
    for number, line in enumerate(offer.lines, start=1):
        if line.is_negative:
            first, so_far = negative.get(line.product, (number, 0))
            negative[line.product] = (first, so_far + line.amount_minor)
        if line.list_currency and (not rule.tier or line.tier == rule.tier):
            text = gettext_noop(
                "The list price is in %(currency)s, and there is no exchange rate to %(to)s: %(rule)s = %(limit)s%% cannot "
                "be checked."
            )
            yield _unknown(
                rule,
                "no-rate",
                text,
                f"rate:{name}:{line.product}:{line.list_currency}:{offer.currency}",
                -_price_of_many(line),
                f"line:{number}",
                currency=line.list_currency,
                to=offer.currency,
                rule=name,
                limit=limit,
            )
    for product, (number, amount) in negative.items():
        yield _unknown(
            rule,
            "negative",
            gettext_noop(
                "A quantity, price or amount below zero (%(amount)s) cannot be held against %(rule)s = %(limit)s%%."
            ),
            f"negative:{name}:{product}:{offer.currency}",
            -amount,
            f"line:{number}",
            amount=_money(amount, offer.currency),
            rule=name,
            limit=limit,
        )


def _price_of_many(line: LineFacts) -> int:
    """What 10,000 pieces come to, in minor units: a price to compare that keeps parts of a cent; 0 of nothing."""
    return round_half_up(Fraction(line.amount_minor) * 10_000 / Fraction(line.quantity)) if line.quantity else 0


def _limits(rule: GuardRule, offer: OfferFacts) -> Iterator[Violation]:
    limits = (
        ("min_total", rule.least_minor, -1, gettext_noop("Total of %(total)s is below %(rule)s = %(limit)s.")),
        ("max_total", rule.most_minor, 1, gettext_noop("Total of %(total)s exceeds %(rule)s = %(limit)s.")),
    )
    for what, limit, sign, message in limits:
        if limit is None:
            continue
        name, total = _named(what, rule), _total_in(rule.currency, offer)
        if total is None:
            text = gettext_noop("%(rule)s is in %(currency)s, and there is no exchange rate from %(from)s.")
            params = {"rule": name, "currency": rule.currency, "from": offer.currency}
            what = f"rate:{name}:{rule.currency}:{offer.currency}"
            yield _unknown(rule, "no-rate", text, what, offer.amount_minor * sign, **params)
        elif (total - limit) * sign > 0:
            figures = {"total": _money(total, rule.currency), "limit": _money(limit, rule.currency)}
            # What was approved is the offer as it was written: the day's rate moves what it comes to elsewhere.
            key = f"{name}:{rule.currency}" + (f":{offer.currency}" if offer.currency != rule.currency else "")
            yield _violation(rule, what, message, key, offer.amount_minor * sign, rule=name, **figures)
    terms = (
        ("min_term", rule.least_months, -1, gettext_noop("Term of %(term)s months is below %(rule)s = %(limit)s.")),
        ("max_term", rule.most_months, 1, gettext_noop("Term of %(term)s months exceeds %(rule)s = %(limit)s.")),
    )
    for what, limit, sign, message in terms:
        term = offer.term_months
        if limit is not None and term is not None and (term - limit) * sign > 0:
            name = _named(what, rule)
            yield _violation(rule, what, message, f"{name}:months", term * sign, rule=name, term=term, limit=limit)


def _total_in(currency: str, offer: OfferFacts) -> int | None:
    return offer.amount_minor if currency == offer.currency else offer.amounts.get(currency)


def _money(minor: int, currency: str) -> str:
    return f"{plain(minor, currency)} {currency}"


def _promises(rule: GuardRule, offer: OfferFacts) -> Iterator[Violation]:
    name, told = name_of(rule), set[str]()
    for where, text in offer.texts:
        for phrase in promises_in(text, rule.phrases):
            if phrase in told:
                continue
            told.add(phrase)
            yield _violation(
                rule,
                "promise",
                gettext_noop("“%(phrase)s” is one of %(rule)s."),
                f"{name}:{' '.join(words_of(phrase))}",
                0,
                f"text:{where}",
                phrase=phrase,
                rule=name,
            )


def _wrong_product(rule: GuardRule, offer: OfferFacts) -> Iterator[Violation]:
    if rule.product is None or rule.product not in offer.products or not _is_for(rule, offer):
        return
    name = f"wrong_product['{rule.product_name}']"
    customer = "; ".join(_customer(rule, offer))
    text = gettext_noop("%(product)s is not for this customer (%(customer)s): %(rule)s.")
    yield _violation(
        rule, "product", text, f"{name}:{customer}", product=rule.product_name, customer=customer, rule=name
    )


def _is_for(rule: GuardRule, offer: OfferFacts) -> bool:
    """Whether the customer is one for whom the product is wrong; what is not known fits no limit."""
    if rule.employees_from is not None or rule.employees_to is not None:
        if offer.employees is None:
            return False
        if rule.employees_from is not None and offer.employees < rule.employees_from:
            return False
        if rule.employees_to is not None and offer.employees > rule.employees_to:
            return False
    countries = [words_of(country) for country in rule.countries]
    return not countries or words_of(offer.country) in countries


def _customer(rule: GuardRule, offer: OfferFacts) -> Sequence[str]:
    """By what the customer was recognised."""
    parts = [f"segment = {offer.segment}"] if rule.segment else []
    if rule.employees_from is not None or rule.employees_to is not None:
        parts.append(f"employees = {offer.employees}")
    return [*parts, f"country = {offer.country}"] if rule.countries else parts
