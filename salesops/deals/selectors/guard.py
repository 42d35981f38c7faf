"""Reads selling policies, what deals offer, what the guard said, and what waits for an approval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from salesops.accounts.models import Account
from salesops.core.actor import Actor, Role
from salesops.core.rates import rate_table
from salesops.deals import models
from salesops.deals.choices import EscalationState
from salesops.deals.models import Deal, DealLine, GuardDecision, GuardEscalation, GuardPolicy
from salesops.deals.rules.guard import GuardRule, LineFacts, OfferFacts, Outcome, RuleKind, Violation
from salesops.leads.choices import VersionState
from salesops.leads.models import Lead
from salesops.values.outcomes import Problem
from salesops.values.rates import PinnedRate, convert

#: Who reads selling policies: whoever is held against them may know them.
READERS: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)
#: The most signs of a text that a decision keeps.
_MOST_SIGNS: Final = 500


def policies_for(actor: Actor) -> QuerySet[GuardPolicy]:
    """All policies, newest first. Raises PermissionDenied for who has nothing to do with deals."""
    if not actor.has(*READERS):
        raise PermissionDenied
    return GuardPolicy.objects.select_related("created_by", "activated_by").order_by("-number")


def policy_for(actor: Actor, pk: int) -> GuardPolicy:
    """One policy. Raises Http404."""
    policy = policies_for(actor).filter(pk=pk).first()
    if policy is None:
        raise Http404
    return policy


def policy_in_force() -> GuardPolicy | None:
    """The policy against which deals are held now."""
    return GuardPolicy.objects.filter(state=VersionState.ACTIVE).first()


def rules_of(policy: GuardPolicy) -> tuple[GuardRule, ...]:
    """The rules of a policy for `rules.guard`, in their order; one query."""
    rows = policy.rules.select_related("segment", "product").order_by("position", "pk")
    return tuple(rule_of(row) for row in rows)


def rule_of(row: models.GuardRule) -> GuardRule:
    """A stored rule for `rules.guard`."""
    return GuardRule(
        name=row.name,
        kind=RuleKind(row.kind),
        effect=Outcome(row.effect),
        message=row.message,
        segment=row.segment.code if row.segment else "",
        tier=row.tier,
        max_discount_bp=row.max_discount_bp,
        least_minor=row.least_minor,
        most_minor=row.most_minor,
        currency=row.currency,
        least_months=row.least_months,
        most_months=row.most_months,
        phrases=tuple(line.strip() for line in row.phrases.splitlines() if line.strip()),
        product=row.product_id,
        product_name=row.product.name if row.product else "",
        employees_from=row.employees_from,
        employees_to=row.employees_to,
        countries=tuple(part.strip() for part in row.countries.split(",") if part.strip()),
    )


def offers_of(deals: Collection[Deal], rules: Iterable[GuardRule], *, day: date) -> dict[int, OfferFacts]:
    """What these deals, as they are in memory, offer with their stored lines; the same few queries for any number.

    The customer is the account, else the lead. `day` is whose exchange rates count.
    """
    lines: dict[int, list[DealLine]] = defaultdict(list)
    for line in DealLine.objects.filter(deal__in=[deal.pk for deal in deals]).select_related("product"):
        lines[line.deal_id].append(line)
    accounts = Account.objects.select_related("segment").in_bulk({deal.account_id for deal in deals} - {None})
    leads = Lead.objects.select_related("segment").in_bulk(
        {deal.lead_id for deal in deals if deal.account_id is None} - {None}
    )
    rules = tuple(rules)
    wanted = {rule.currency for rule in rules if rule.kind is RuleKind.OFFER}
    totals = {(deal.currency, currency) for deal in deals for currency in wanted}
    listed: set[tuple[str, str]] = set()
    if any(rule.kind is RuleKind.DISCOUNT for rule in rules):
        priced = [(deal, line.product) for deal in deals for line in lines[deal.pk] if line.product.price_minor]
        listed = {(product.currency, deal.currency) for deal, product in priced}
    rates = _rates(totals | listed, day)
    found = {}
    for deal in deals:
        customer: Any = accounts.get(deal.account_id) or leads.get(deal.lead_id)
        rows = lines[deal.pk]
        products = dict.fromkeys([*(line.product_id for line in rows), *([deal.product_id] if deal.product_id else [])])
        texts = [("name", deal.name), ("note", deal.note), ("next_step", deal.next_step)]
        texts += [(f"line:{number}", line.note) for number, line in enumerate(rows, start=1)]
        found[deal.pk] = OfferFacts(
            amount_minor=deal.amount_minor,
            currency=deal.currency,
            amounts={
                currency: convert(deal.amount_minor, rate)
                for currency in wanted
                if (rate := rates.get((deal.currency, currency))) is not None
            },
            term_months=deal.term_months,
            segment=customer.segment.code if customer and customer.segment else "",
            employees=customer.employees if customer else None,
            country=customer.country if customer else "",
            lines=tuple(_line_facts(line, deal, rates) for line in rows),
            products=tuple(products),
            texts=tuple((where, text) for where, text in texts if text),
        )
    return found


def _line_facts(line: DealLine, deal: Deal, rates: Mapping[tuple[str, str], PinnedRate]) -> LineFacts:
    product, price = line.product, line.product.price_minor
    rate = rates.get((product.currency, deal.currency))
    is_same = product.currency == deal.currency
    return LineFacts(
        product=product.pk,
        tier=product.tier,
        quantity=line.quantity,
        list_minor=price if is_same or price is None else convert(price, rate) if rate is not None else None,
        unit_minor=line.unit_price_minor,
        discount_bp=line.discount_bp,
        amount_minor=line.amount_minor,
        list_currency=product.currency if price and not is_same and rate is None else "",
        exchanged_from=product.currency if price and not is_same and rate is not None else "",
    )


def _rates(pairs: set[tuple[str, str]], day: date) -> dict[tuple[str, str], PinnedRate]:
    """The rate of each pair of two currencies, as far as there is one; no query where none is needed."""
    asked = {(had, wanted) for had, wanted in pairs if had != wanted}
    if not asked:
        return {}
    table = rate_table(start=day, end=date.fromordinal(day.toordinal() + 1))
    found = {pair: table.rate_on(pair[0], pair[1], day).value for pair in asked}
    return {pair: rate for pair, rate in found.items() if rate is not None}


def facts_as_plain(deal: Deal, offer: OfferFacts) -> dict[str, Any]:
    """What was offered, as JSON for the log."""
    return {
        "name": deal.name,
        "amount_minor": offer.amount_minor,
        "currency": offer.currency,
        "term_months": offer.term_months,
        "segment": offer.segment,
        "employees": offer.employees,
        "country": offer.country,
        "products": list(offer.products),
        "lines": [
            {
                "product": line.product,
                "tier": line.tier,
                "quantity": format(line.quantity, "f"),
                "list_minor": line.list_minor,
                "unit_minor": line.unit_minor,
                "discount_bp": line.discount_bp,
                "amount_minor": line.amount_minor,
            }
            for line in offer.lines
        ],
        "texts": {where: text[:_MOST_SIGNS] for where, text in offer.texts},
    }


def reasons_as_plain(violations: Iterable[Violation]) -> list[dict[str, Any]]:
    """Broken rules as JSON for the log."""
    return [
        {
            "rule": each.rule,
            "kind": each.kind.value,
            "effect": each.effect.value,
            "key": each.key,
            "excess": each.excess,
            "problem": each.problem.as_plain(),
        }
        for each in violations
    ]


def violations_of(reasons: Iterable[Mapping[str, Any]]) -> list[Violation]:
    """Read back what `reasons_as_plain` wrote."""
    return [
        Violation(
            rule=each["rule"],
            kind=RuleKind(each["kind"]),
            effect=Outcome(each["effect"]),
            problem=Problem.from_plain(each["problem"]),
            key=each["key"],
            excess=each["excess"],
        )
        for each in reasons
    ]


def violations_in_words(violations: Iterable[Violation], effect: Outcome | None) -> list[str]:
    """Each reason as a sentence, with where it is and what to do; those of one effect, or all."""
    return [in_words(each) for each in violations if effect is None or each.effect is effect]


def in_words(violation: Violation) -> str:
    """One reason as a sentence, with where it is and what to do."""
    problem = violation.problem
    text = problem.text(_)
    place = _place(problem.where)
    remedy = problem.remedy_text()
    return " ".join(part for part in (f"{place}: {text}" if place else text, remedy) if part)


def _place(where: str) -> str:
    """Where a reason is, in words."""
    what = where.removeprefix("text:")
    if what.startswith("line:"):
        return _("Line %(number)s") % {"number": what.removeprefix("line:")}
    return {"name": _("Name"), "note": _("Note"), "next_step": _("Next step")}.get(what, "")


def decisions_for(actor: Actor) -> QuerySet[GuardDecision]:
    """What the guard said of deals the actor sees, newest first."""
    return GuardDecision.objects.visible_to(actor)


def escalations_for(actor: Actor) -> QuerySet[GuardEscalation]:
    """Approvals asked for, of deals the actor sees, newest first."""
    return GuardEscalation.objects.visible_to(actor)


def escalation_for(actor: Actor, pk: int) -> GuardEscalation:
    """One approval. Raises Http404 for a deal the actor does not see."""
    rows = GuardEscalation.objects.select_related("deal__owner", "deal__account", "decision__policy", "asked_by")
    row: GuardEscalation = rows.get_for(actor, pk=pk)
    return row


def deals_like(actor: Actor, text: str) -> Sequence[Deal]:
    """Deals of the actor that fit what was typed: a number, or a part of the name; at most ten."""
    if not text:
        return []
    rows = Deal.objects.visible_to(actor).select_related("account", "owner", "stage")
    if text.isdecimal() and len(text) <= 18:
        found = list(rows.filter(pk=int(text)))
        if found:
            return found
    return list(rows.filter(name__icontains=text).order_by("-created_at", "-pk")[:10])


@dataclass(frozen=True, slots=True)
class GuardShown:
    """What a deal's page tells of the guard: the last decision with its reasons, and the approval asked for last."""

    decision: GuardDecision | None
    reasons: tuple[str, ...]
    escalation: GuardEscalation | None
    asked: tuple[str, ...]


def guard_shown(deal: Deal) -> GuardShown | None:
    """What the guard said last of a deal that the actor sees; None where it never said anything."""
    decision = deal.guard_decisions.select_related("policy", "actor").first()
    if decision is None:
        return None
    rows = deal.escalations.exclude(state=EscalationState.WITHDRAWN)
    escalation = rows.select_related("asked_by", "answered_by", "owner", "deal").first()
    asked = violations_in_words(violations_of(escalation.reasons), None) if escalation else []
    return GuardShown(
        decision, tuple(violations_in_words(violations_of(decision.reasons), None)), escalation, tuple(asked)
    )
