"""Derive a statement again from its bundle, by a second, simple calculation with the standard library only.

    python -m salesops.commissions.rules.verify bundle.json

prints "agrees" and ends with 0, or says where the statement does not agree and ends with 1. This file imports nothing
of the engine and nothing but the standard library, so it can also be taken away and run by itself.
"""

import copy
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

FORMAT: Final = "salesops-statement-bundle"
FORMAT_VERSIONS: Final = (1, 2)

_EXACT = re.compile(r"-?[0-9]+(/[0-9]+)?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class BundleError(ValueError):
    """The bundle cannot be read, or says something this calculation does not know."""


def main(arguments: Sequence[str]) -> int:
    """Read the file named, print the findings, give the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m salesops.commissions.rules.verify bundle.json\n")
        return 1
    try:
        findings = disagreements(read(Path(arguments[0]).read_bytes()))
    except OSError as error:
        findings = [f"The file cannot be read: {error}"]
    except BundleError as error:
        findings = [str(error)]
    sys.stdout.write("".join(f"{finding}\n" for finding in findings) or "agrees\n")
    return 1 if findings else 0


def read(data: bytes) -> dict[str, Any]:
    """The bundle in these bytes. Numbers must be whole; a fraction written with a point has already been rounded."""
    try:
        bundle = json.loads(data, parse_float=_refuse_number, parse_constant=_refuse_number)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"This is not a bundle: {error}") from error
    if not isinstance(bundle, dict) or bundle.get("format") != FORMAT:
        raise BundleError("This is not a statement bundle.")
    if bundle.get("format_version") not in FORMAT_VERSIONS:
        known = " and ".join(str(version) for version in FORMAT_VERSIONS)
        raise BundleError(f"The bundle has format {bundle.get('format_version')}, known are {known}.")
    return bundle


def disagreements(bundle: dict[str, Any]) -> list[str]:
    """Everything in which the bundle does not agree with itself and with the calculation; empty when it agrees."""
    try:
        return [
            *_unknown("plan", _WORDS, bundle["plan"]),
            *_digests(bundle),
            *_credits(bundle),
            *_exchange(bundle),
            *_lines(bundle),
            *_settlement(bundle),
            *_totals(bundle),
        ]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"The bundle is incomplete or malformed: {type(error).__name__} {error}") from error


# --- The checks ---------------------------------------------------------------------------------------------------


def _digests(bundle: dict[str, Any]) -> Iterator[str]:
    stated = bundle["digests"]
    for part in ("plan", "inputs", "result"):
        if _digest(bundle[part]) != stated[part]:
            yield f"The {part} is not what the digest was taken of."
    if _digest({name: value for name, value in bundle.items() if name != "digests"}) != stated["bundle"]:
        yield "The bundle is not what the digest was taken of."


def _credits(bundle: dict[str, Any]) -> Iterator[str]:
    """Each credit again: the person's part of the transaction by largest remainder, converted at the pinned rate."""
    person = bundle["inputs"]["person"]
    # Bundles from before converted each share by itself.
    is_together = bundle["inputs"].get("shares_converted") == "together"
    negating = {_key(line) for line in bundle["result"]["lines"] if line.get("reverses")}
    for credit in bundle["inputs"]["credits"]:
        name = f"{credit['component']} / {credit['transaction']}"
        credited = credit["credited"]
        if credit["kind"] == "direct":
            parts = _split(credit["amount"], credit["shares"])
            if person not in parts or parts[person] != credited:
                yield f"{name}: the share comes to {parts.get(person)}, stated is {credited}."
        elif credit["kind"] == "overlay":
            part = _half_up(Fraction(credit["amount"] * credit["basis_points"], 10_000))
            if part != credited:
                yield f"{name}: the overlay share comes to {part}, stated is {credited}."
        elif credit["kind"] != "stored":
            raise BundleError(f"{name}: the kind of credit {credit['kind']} is not known.")
        if credit["rate"] is None and credit["currency"] not in ("", bundle["inputs"]["currency"]):
            yield f"{name}: {credit['currency']} was counted without a rate of exchange."
        counted = credited if credit["rate"] is None else _half_up(credited * _exact(credit["rate"]))
        if is_together and credit["kind"] == "direct" and credit["rate"] is not None and len(credit["shares"]) > 1:
            counted = _spread(_split(credit["amount"], credit["shares"]), _exact(credit["rate"])).get(person, 0)
        if counted != credit["counted"] and (credit["counted"] or _key(credit) not in negating):
            yield f"{name}: counted is {counted}, stated is {credit['counted']}."


def _exchange(bundle: dict[str, Any]) -> Iterator[str]:
    """Each rate of exchange again that the plan states or that is the mean of a month."""
    way = bundle["plan"]["conventions"].get("exchange", "transaction_day")
    if way == "transaction_day":
        return
    # What moves down the curve is counted at the rate of what it takes back, whose day is not told.
    is_of_own_day = bundle["plan"]["conventions"]["refund"] == "negate"
    means: dict[tuple[str, str, str], Fraction] = {}
    for mean in bundle["inputs"].get("means", []):
        yield from _mean(mean)
        means[mean["base"], mean["quote"], mean["month"]] = _exact(mean["value"])
    for credit in bundle["inputs"]["credits"]:
        if credit["rate"] is None:
            continue
        name = f"{credit['component']} / {credit['transaction']}"
        made_from = credit.get("rate_of")
        if not made_from:
            yield f"{name}: the bundle does not say from what the rate of exchange was made."
            continue
        if way == "fixed":
            value = _number((bundle["plan"].get("rates") or {})[credit["currency"]])
        else:
            if is_of_own_day and made_from["month"] != credit["day"][:7]:
                yield f"{name}: the mean is of {made_from['month']}, and the day is {credit['day']}."
            value, holding = Fraction(1), credit["currency"]
            for base, quote in made_from["legs"]:
                mean_of = means[base, quote, made_from["month"]]
                value, holding = (value * mean_of, quote) if base == holding else (value / mean_of, base)
            if holding != bundle["inputs"]["currency"]:
                yield f"{name}: the means lead to {holding}."
        rate = value * bundle["inputs"]["minor_per_major"] / made_from["minor_per_major"]
        if rate != _exact(credit["rate"]):
            yield f"{name}: the rate of exchange comes to {rate}, stated is {credit['rate']}."


def _mean(mean: dict[str, Any]) -> Iterator[str]:
    """Whether a mean is that of the rates listed, which are of its month, in order, and as many as stated."""
    name = f"{mean['base']}/{mean['quote']} {mean['month']}"
    days = [day for day, _value, _source in mean["rates"]]
    if days != sorted({*days}) or any(not day.startswith(f"{mean['month']}-") for day in days):
        yield f"{name}: the rates are not of the days of the month, each once and in order."
    found = {
        "value": str(sum((_published(value) for _day, value, _source in mean["rates"]), Fraction(0)) / len(days)),
        "count": len(days),
        "first": days[0],
        "last": days[-1],
        "source": ", ".join(sorted({source for _day, _value, source in mean["rates"]})),
        "digest": _digest({key: mean[key] for key in ("base", "quote", "month", "rates")}),
    }
    yield from _compared(name, found, {key: mean[key] for key in found})


def _published(text: str) -> Fraction:
    return _exact(text) if "/" in text else _number(text)


def _lines(bundle: dict[str, Any]) -> Iterator[str]:
    """Each line again: walk the credits in their order along the plan's curve."""
    stated = {_key(line): line for line in bundle["result"]["lines"]}
    if len(stated) != len(bundle["result"]["lines"]):
        yield "The same line stands twice in the result."
    conventions = bundle["plan"]["conventions"]
    components = {component["key"]: component for component in bundle["plan"]["components"]}
    totals: dict[str, int] = {}
    for terms in bundle["inputs"]["terms"]:
        totals[terms["component"]] = terms.get("start", 0)
        if terms.get("start", 0) and not _is_longer(bundle, components[terms["component"]]):
            yield f"{terms['component']}: the walk begins at {terms['start']}, and every period begins at 0."
    for credit in sorted(
        bundle["inputs"]["credits"],
        key=lambda credit: (credit["component"], credit["day"], credit["transaction"], credit["rank"]),
    ):
        component = credit["component"]
        name = f"{component} / {credit['transaction']}"
        line = stated.pop(_key(credit), None)
        if line is None:
            yield f"{name}: the credit has no line in the result."
            continue
        # Where the plan lets what is taken back move down the curve, it walks like everything else.
        if line.get("reverses") and conventions["refund"] == "negate":
            yield from _negated(name, line, credit)
            continue
        is_alone = components[component].get("scope", "period") == "transaction"
        before = 0 if is_alone else totals.get(component, 0)
        after = totals[component] = before + credit["counted"]
        since = _since(bundle, components[component])
        worth_before, worth_after = (_worth(bundle, component, total, since) for total in (before, after))
        pay_before, pay_after = _half_up(worth_before), _half_up(worth_after)
        is_per_line = conventions["rounding"] == "per_line"
        found = {
            "before": before,
            "after": after,
            "pay_before_minor": pay_before,
            "pay_after_minor": pay_after,
            "earned_minor": _half_up(worth_after - worth_before) if is_per_line else pay_after - pay_before,
        }
        for field, value in found.items():
            if line[field] != value:
                yield f"{name}: {field} comes to {value}, stated is {line[field]}."
    for component, transaction, _rank in stated:
        yield f"{component} / {transaction}: the line has no credit among the inputs."


def _negated(name: str, line: dict[str, Any], credit: dict[str, Any]) -> Iterator[str]:
    """A line that negates what was earned before, perhaps in another period: it moves nobody along the curve."""
    if credit["kind"] != "stored":
        yield f"{name}: what negates an earning is not made from shares."
    for field, value in (("after", line["before"]), ("pay_after_minor", line["pay_before_minor"])):
        if line[field] != value:
            yield f"{name}: {field} comes to {value}, stated is {line[field]}."


def _is_longer(bundle: dict[str, Any], component: dict[str, Any]) -> bool:
    """Whether credits of the component add up for longer than the period of pay, one after the other."""
    kind = component.get("period_kind") or bundle["plan"]["period_kind"]
    return kind != bundle["plan"]["period_kind"] and component.get("scope", "period") == "period"


def _since(bundle: dict[str, Any], component: dict[str, Any]) -> int | None:
    """Where a tier reached late in a longer period pays only from then on: the total at which the period began."""
    shape = component["shape"]
    is_bare = not any(shape.get(name) for name in ("gate", "floor", "cap"))
    way = bundle["plan"]["conventions"].get("tier_change", "true_up")
    if way == "forward_only" and shape["shape"] == "retroactive" and is_bare and _is_longer(bundle, component):
        terms = next(item for item in bundle["inputs"]["terms"] if item["component"] == component["key"])
        return int(terms.get("start", 0))
    return None


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    """What tells a credit, and the line of it, from all others."""
    return row["component"], row["transaction"], row["rank"]


def _totals(bundle: dict[str, Any]) -> Iterator[str]:
    result = bundle["result"]
    earned = sum(line["earned_minor"] for line in result["lines"])
    adjusted = sum(item["amount_minor"] for item in bundle["inputs"]["adjustments"])
    expected = {"earned_minor": earned, "adjusted_minor": adjusted, "total_minor": earned + adjusted}
    if bundle["format_version"] >= 2:
        settled = result.get("settlement", {"payout_minor": earned + adjusted, "owed_minor": 0})
        expected |= {name: settled[name] for name in ("payout_minor", "owed_minor")}
    for field, value in expected.items():
        if result[field] != value:
            yield f"{field} comes to {value}, stated is {result[field]}."


# --- What a credited total is worth, straight from the words of the plan ------------------------------------------


def _worth(bundle: dict[str, Any], component_key: str, total: int, since: int | None = None) -> Fraction:
    """What the credited total is worth in minor units, exact; with `since` what came after that total."""
    component = next(item for item in bundle["plan"]["components"] if item["key"] == component_key)
    terms = next(item for item in bundle["inputs"]["terms"] if item["component"] == component_key)
    conventions = bundle["plan"]["conventions"]
    words = Words(
        shape=component["shape"],
        is_lower=(component["boundary"] or conventions["boundary"]) == "lower",
        zero_quota=conventions["zero_quota"],
        terms=terms,
        minor=bundle["inputs"]["minor_per_major"],
        units=bundle["inputs"]["minor_per_major"] if component["measure"] == "money" else 1,
    )
    return words.worth(Fraction(total)) if since is None else words.worth_since(Fraction(total), Fraction(since))


class Words:
    """The words of one curve with a person's terms, read anew for every question: slow, and plain to follow."""

    def __init__(
        self, shape: dict[str, Any], is_lower: bool, zero_quota: str, terms: dict[str, Any], minor: int, units: int
    ) -> None:
        self.shape = shape
        self.is_lower = is_lower
        self.zero_quota = zero_quota
        self.terms = terms
        self.minor = minor
        self.units = units

    def worth(self, total: Fraction) -> Fraction:
        """The pay for this total: shape, then gate, then floor, then cap."""
        words = self._for_zero_quota() if self.terms["quota"] == 0 and self._uses_quota() else self
        return words._capped(words._raised(total, words._gated(total)))

    def worth_since(self, total: Fraction, since: Fraction) -> Fraction:
        """The pay by the tier reached for what lies between `since` and this total; of retroactive tiers."""
        words = self._for_zero_quota() if self.terms["quota"] == 0 and self._uses_quota() else self
        if words.shape["shape"] == "flat":
            return (total - since) * words._rate(words.shape["rate"])
        rows = words.shape["tiers"]
        bounds = [words._bound(row["from"]) for row in rows]
        reached = [row for row, at in zip(rows, bounds, strict=True) if words._is_reached(at, total, words.is_lower)]
        if not reached and bounds[0] == 0:
            reached = rows[:1]
        return (total - since) * words._rate(reached[-1]["rate"]) if reached else Fraction(0)

    def _gated(self, total: Fraction) -> Fraction:
        gate = self.shape.get("gate")
        if not gate:
            return self._plain(total, self.is_lower)
        at = self._bound(gate["at"])
        if not self._is_reached(at, total, self.is_lower):
            return Fraction(0)
        taken = self._plain(at, False) if gate["then"] == "above" else Fraction(0)
        return self._plain(total, self.is_lower) - taken

    def _raised(self, total: Fraction, pay: Fraction) -> Fraction:
        """At least the floor, as soon as anything is credited and the gate is reached."""
        gate = self.shape.get("gate")
        is_open = not gate or self._is_reached(self._bound(gate["at"]), total, self.is_lower)
        is_paid = self.shape.get("floor") and total > 0 and is_open
        return max(pay, self._pay(self.shape["floor"])) if is_paid else pay

    def _capped(self, pay: Fraction) -> Fraction:
        return min(pay, self._pay(self.shape["cap"])) if self.shape.get("cap") else pay

    def _plain(self, total: Fraction, is_lower: bool) -> Fraction:
        kind = self.shape["shape"]
        if kind == "flat":
            return total * self._rate(self.shape["rate"])
        if kind == "points":
            return self._on_points(total)
        rows = self.shape["steps" if kind == "steps" else "tiers"]
        bounds = [self._bound(row["from"]) for row in rows]
        reached = [index for index, bound in enumerate(bounds) if self._is_reached(bound, total, is_lower)]
        if kind == "steps":
            return self._pay(rows[reached[-1]]["pays"]) if reached else Fraction(0)
        if not reached and bounds[0] == 0:
            reached = [0]
        if not reached:
            return Fraction(0)
        if kind == "retroactive":
            return total * self._rate(rows[reached[-1]]["rate"])
        if kind == "marginal":
            pay = Fraction(0)
            for index in reached:
                end = bounds[index + 1] if index != reached[-1] else total
                pay += (end - bounds[index]) * self._rate(rows[index]["rate"])
            return pay
        raise BundleError(f"The shape {kind} is not known.")

    def _on_points(self, total: Fraction) -> Fraction:
        points = [(self._bound(point["at"]), self._pay(point["pays"])) for point in self.shape["points"]]
        if total <= points[0][0]:
            return points[0][1]
        if total >= points[-1][0] and self.shape["after"] == "flat":
            return points[-1][1]
        index = 0
        while index < len(points) - 2 and total > points[index + 1][0]:
            index += 1
        (x0, y0), (x1, y1) = points[index], points[index + 1]
        return y0 + (y1 - y0) * (total - x0) / (x1 - x0)

    def _for_zero_quota(self) -> "Words":
        """Words that need no quota and pay what the plan's convention for a quota of zero says."""
        if self.zero_quota == "nothing":
            return self._instead({"shape": "flat", "rate": "0"})
        if self.zero_quota == "hold" or self._uses_target_rate():
            raise BundleError("The quota is zero, and the plan holds the pay then.")
        extras = {name: self.shape[name] for name in ("gate", "floor", "cap") if self.shape.get(name)}
        is_gate_on_quota = "gate" in extras and self._is_share(extras["gate"]["at"])
        list_name, at_name, rows = self._rows()
        by_quota = [row for row in rows if self._is_share(row[at_name])]
        others = [row for row in rows if row not in by_quota]
        if self.zero_quota == "lowest":
            # No share of quota is ever reached.
            if is_gate_on_quota or (rows and not others) or (by_quota and list_name == "points"):
                return self._instead({"shape": "flat", "rate": "0"})
            return self._instead({**self.shape, list_name: others} if rows else self.shape)
        # "highest": every share of quota is reached by the first unit.
        if is_gate_on_quota:
            extras.pop("gate")
        if not by_quota:
            return self._instead({name: value for name, value in self.shape.items() if name != "gate"} | extras)
        last = by_quota[-1]
        if "rate" in last:
            return self._instead({"shape": "flat", "rate": last["rate"], **extras})
        reached = self._instead({"shape": "steps", "steps": [{"from": "0", "pays": last["pays"]}], **extras})
        reached.is_lower = True
        return reached

    def _instead(self, shape: dict[str, Any]) -> "Words":
        return Words(shape, self.is_lower, self.zero_quota, self.terms, self.minor, self.units)

    def _rows(self) -> tuple[str, str, list[dict[str, str]]]:
        """The name of the list of rows, the name of a row's bound, and the rows; none for a flat rate."""
        for list_name, at_name in (("tiers", "from"), ("steps", "from"), ("points", "at")):
            if list_name in self.shape:
                return list_name, at_name, self.shape[list_name]
        return "", "", []

    def _uses_target_rate(self) -> bool:
        return any(row.get("rate", "").endswith("x") for row in (self.shape, *self._rows()[2]))

    def _uses_quota(self) -> bool:
        _list_name, at_name, rows = self._rows()
        bounds = [row[at_name] for row in rows]
        if self.shape.get("gate"):
            bounds.append(self.shape["gate"]["at"])
        return self._uses_target_rate() or any(self._is_share(bound) for bound in bounds)

    @staticmethod
    def _is_reached(bound: Fraction, total: Fraction, is_lower: bool) -> bool:
        return total > bound if is_lower else total >= bound

    @staticmethod
    def _is_share(bound: str) -> bool:
        return bound.endswith("%") and bool(_number(bound[:-1]))

    def _bound(self, text: str) -> Fraction:
        """A bound in units of the measure; a share of quota is rounded to whole units."""
        if text.endswith("%"):
            share = _number(text[:-1]) / 100
            return Fraction(_half_up(share * (self.terms["quota"] if share else 0)))
        return _number(text) * self.units

    def _pay(self, text: str) -> Fraction:
        if text.endswith("%"):
            share = _number(text[:-1]) / 100
            return share * (self.terms["target_minor"] if share else 0)
        return _number(text) * self.minor

    def _rate(self, text: str) -> Fraction:
        if text.endswith("%"):
            return _number(text[:-1]) / 100
        if text.endswith("personal"):
            times = text.removesuffix("personal").strip().removesuffix("x")
            return (_number(times) if times else Fraction(1)) * _exact(self.terms["personal_rate"])
        if text.endswith("x"):
            return _number(text[:-1]) * Fraction(self.terms["target_minor"], self.terms["quota"])
        if text.endswith("each"):
            return _number(text.removesuffix("each")) * self.minor
        return _number(text)


# --- The settlement again, straight from the words of the plan ------------------------------------------------------

Row = dict[str, Any]


def _settlement(bundle: dict[str, Any]) -> Iterator[str]:
    """What is earned becomes what is paid once more, and is compared line by line with what is stated."""
    words = bundle["plan"].get("settlement")
    inputs, stated = bundle["inputs"], bundle["result"].get("settlement")
    parts = [inputs.get("settlement_given"), inputs.get("settlement_carried"), stated]
    if bundle["format_version"] < 2:
        return
    if None in parts:
        is_emptied = not inputs["terms"]  # nobody is on that plan any more; that nothing is left is asked of the totals
        if (words and not is_emptied) or parts != [None, None, None]:
            yield "What is earned is settled, and the bundle does not hold all of the settlement."
        return
    given, carried = parts[0], parts[1]
    yield from _settled_from(bundle, given, carried)
    for item in given["occurrences"]:
        if item.get("prize"):
            yield from _prize(item, inputs["currency"])
    conventions = bundle["plan"]["conventions"]
    is_forfeiting = given["is_leaving"] and conventions.get("leaver", "credited_before") == "paid_before"
    order, minor = conventions["settlement_order"], inputs["minor_per_major"]
    again = Settlement(words or {}, given, carried, order, minor, is_forfeiting).settle()
    yield from _compared("settlement", again, stated)


def _settled_from(bundle: dict[str, Any], given: Row, carried: Row) -> Iterator[str]:
    """Whether what is settled is what the lines earned, in the period and currency of the statement."""
    statement, inputs = bundle["statement"], bundle["inputs"]
    period = {"start": statement["start"], "end": statement["end"], "label": statement["period"]}
    if given["period"] != period:
        yield f"The settlement is of {given['period']['label']}, the statement of {statement['period']}."
    if carried["currency"] != inputs["currency"]:
        yield f"What is carried over is in {carried['currency']}, the statement in {inputs['currency']}."
    if carried["until"] and carried["until"] > given["period"]["start"]:
        yield f"The period was settled before: up to {carried['until']}."
    # What negates is compared by what it takes back too; what moves down the curve only by what it earned.
    earned: dict[tuple[str, str, str], int] = {}
    for line in bundle["result"]["lines"]:
        key = (line["component"], line["transaction"], line["reverses"])
        earned[key] = earned.get(key, 0) + line["earned_minor"]
    words = bundle["plan"].get("settlement") or {}
    on_top = _on_top(words, given)
    # A late change of a locked period that takes the way of what is held was earned then, and is no line of now.
    settled = [
        (item["component"], item["reference"], item["reverses"], item["amount_minor"])
        for item in given["earnings"]
        if not item.get("late")
    ]
    settled += [
        (item["original"]["component"], item["reference"], item["original"]["reference"], item["amount_minor"])
        for item in given["reversals"]
        if item["original"]["component"] not in on_top
    ]
    for component, reference, reverses, amount in settled:
        found = (component, reference, reverses if (component, reference, reverses) in earned else "")
        earned[found] = earned.get(found, 0) - amount
    for (component, reference, _reverses), left in sorted(earned.items()):
        if left:
            yield f"{component} / {reference}: what was earned and what is settled differ by {left}."
    adjusted = [
        {"reference": item["reference"], "amount_minor": item["amount_minor"], "reason": item["reason"]}
        for item in sorted(given["adjustments"], key=lambda item: item["reference"])
    ]
    yield from _compared("adjustments", adjusted, inputs["adjustments"])


def _on_top(words: Row, given: Row) -> set[str]:
    """What comes on top of earnings: the objectives and bonuses of the plan, and the prizes of contests."""
    named = {row["key"] for name in ("objectives", "bonuses") for row in words.get(name) or ()}
    return named | {item["bonus"] for item in given["occurrences"] if item.get("prize")}


def _prize(item: Row, currency: str) -> Iterator[str]:
    """Whether the prize of a contest is what rank, ties and the words of the contest make of it, and whether these fit.

    That the rank is right is not told by this bundle: who holds all totals proves it by their digest.
    """
    prize, name = item["prize"], item["bonus"]
    words = prize["words"]
    yield from _unknown(name, _CONTEST_WORDS, words)
    if _digest(words) != prize["digest"]:
        yield f"{name}: the contest is not what the digest was taken of."
    if (item["bonus"], item["reference"]) != (f"contest:{words['key']}", f"contest {words['key']}"):
        yield f"{name}: the prize is of the contest {words['key']}."
    if str(date.fromisoformat(words["end"]) - timedelta(days=1)) != item["day"]:
        yield f"{name}: the last day of the contest is before {words['end']}, stated is {item['day']}."
    if words["currency"] != currency:
        yield f"{name}: the contest pays in {words['currency']}, the statement in {currency}."
    if prize["total_minor"] < max(words["minimum_minor"], 1):
        yield f"{name}: {prize['total_minor']} is below the minimum of {words['minimum_minor']}."
    if not (1 <= prize["turn"] <= prize["tied"] and 1 <= prize["rank"] <= prize["taking_part"] - prize["tied"] + 1):
        yield f"{name}: rank {prize['rank']} with {prize['tied']} tied cannot be, of {prize['taking_part']}."
    if not re.fullmatch("[0-9a-f]{64}", prize["totals_digest"]):
        yield f"{name}: there is no digest of the totals."
    amount = _prize_of(prize)
    if amount != prize["amount_minor"] or amount <= 0:
        yield f"{name}: the prize comes to {amount}, stated is {prize['amount_minor']}."


def _prize_of(prize: Row) -> int:
    """What the place pays: the bound's amount, the highest prize of the tied, or a part of all that they take."""
    words = prize["words"]
    if words["each_minor"] is not None:
        return int(words["each_minor"]) if prize["total_minor"] >= words["bound_minor"] else 0
    taken = [
        amount for place, amount in enumerate(words["prizes_minor"], 1) if 0 <= place - prize["rank"] < prize["tied"]
    ]
    if words["ties"] == "higher":
        return int(taken[0]) if taken else 0
    whole, left_over = divmod(sum(taken), prize["tied"])
    return whole + (prize["turn"] <= left_over)


def _compared(name: str, found: Any, stated: Any) -> Iterator[str]:
    """Every place in which what is found and what is stated differ."""
    if isinstance(found, dict) and isinstance(stated, dict):
        for key in sorted({*found, *stated}):
            yield from _compared(f"{name}.{key}", found.get(key), stated.get(key))
    elif isinstance(found, list) and isinstance(stated, list):
        if len(found) != len(stated):
            yield f"{name}: there are {len(found)}, stated are {len(stated)}."
        for index, (one, other) in enumerate(zip(found, stated, strict=False)):
            yield from _compared(f"{name}[{index}]", one, other)
    elif found != stated or isinstance(found, bool) != isinstance(stated, bool):
        yield f"{name} comes to {found}, stated is {stated}."


class Settlement:
    """One period of one person: every step takes the rows of the step before and tells what it did in lines."""

    def __init__(
        self, words: Row, given: Row, carried: Row, order: str, minor: int, is_forfeiting: bool = False
    ) -> None:
        self.words = words
        self.given = given
        self.carried = carried
        self.order = order
        self.minor = minor
        self.is_forfeiting = is_forfeiting
        self.target = given["target_minor"] or 0
        self.end = given["period"]["end"]
        self.last_day = str(date.fromisoformat(self.end) - timedelta(days=1))
        is_same_year = carried["year"] == given["year"]
        self.target_to_date = self.target + (carried["target_minor"] if is_same_year else 0)
        self.years = {row["limit"]: copy.deepcopy(row) for row in carried["totals"] if is_same_year}
        self.held = {(row["component"], row["reference"]): dict(row) for row in carried["held"]}
        self.on_top = _on_top(words, given)
        self.told_of_held: list[Row] = []

    def settle(self) -> Row:
        """Lines, payout, what is owed instead, what each reference came to, and what goes on into the next period."""
        cancelled, gone = self._reversals()
        rows, lines = self._earnings()
        more_rows, more_lines = self._objectives_and_bonuses()
        rows, lines = [*rows, *more_rows], [*lines, *more_lines]
        rows, more_lines = self._by_team(rows)
        lines += more_lines
        for limit in sorted(self.words.get("limits") or (), key=_limit_order):
            rows, more_lines = self._limited(limit, rows)
            lines += more_lines
        lost = self._lost(rows) if self.is_forfeiting else []
        self._hold(rows)
        reversals = [*self._clawed_back(cancelled, gone), *lost]
        if self.is_forfeiting:
            gone = [*gone, *self._held_is_lost()]
        else:
            self._release()
        earning_lines = [line for line in lines if line["component"] not in self.on_top]
        bonus_lines = [line for line in lines if line["component"] in self.on_top]
        earned = _total([*earning_lines, *reversals])
        if self.order != "cap_draw_bonus":
            earned += _total(bonus_lines)
        drawn, draws = self._draw(earned)
        told = [
            *self._in_order(earning_lines, bonus_lines, reversals, drawn),
            *self.told_of_held,
            *self._adjustments(),
        ]
        forward = self.carried["brought_forward_minor"]
        if forward:
            told.append(_told("brought_forward", forward, "brought-forward"))
        payout = sum(line["amount_minor"] for line in told if line["kind"] not in ("draw_forgiven", "draw_owed"))
        is_carried = (self.words.get("negative") or "carry_forward") == "carry_forward" and not self.given["is_leaving"]
        if payout < 0:
            kind, reason = ("carried_forward", "carried-forward") if is_carried else ("owed", "owed-by-person")
            told.append(_told(kind, -payout, reason))
        return {
            "lines": told,
            "payout_minor": max(payout, 0),
            "owed_minor": 0 if is_carried else max(-payout, 0),
            "parts": [*_by_reference(rows), *gone],
            "carried": {
                "currency": self.carried["currency"],
                "until": self.end,
                "year": self.given["year"],
                "target_minor": self.target_to_date,
                "brought_forward_minor": min(payout, 0) if is_carried else 0,
                "draws": draws,
                "held": [row for _key, row in sorted(self.held.items()) if row["total_minor"] != row["released_minor"]],
                "totals": [self.years[key] for key in sorted(self.years)],
            },
        }

    # What is taken back of earlier periods.

    def _reversals(self) -> tuple[list[tuple[Row, int]], list[Row]]:
        """Each reversal takes its part of all that its original came to, the last of several what is left."""
        lines: list[tuple[Row, int]] = []
        gone: list[Row] = []
        left: dict[tuple[str, str], Row] = {}
        for row in sorted(self.given["reversals"], key=_reversal_order):
            key = (row["original"]["component"], row["original"]["reference"])
            original = left.setdefault(key, copy.deepcopy(row["original"]))
            part = Fraction(-row["amount_minor"], original["earned_minor"])
            taken = {
                "component": key[0],
                "reference": key[1],
                "day": original["day"],
                "earned_minor": row["amount_minor"],
                "settled_minor": -_half_up(original["settled_minor"] * part),
                "stages": [
                    stage | {name: -_half_up(stage[name] * part) for name in ("before_minor", "after_minor")}
                    for stage in original["stages"]
                ],
            }
            original["earned_minor"] += taken["earned_minor"]
            original["settled_minor"] += taken["settled_minor"]
            for before, after in zip(original["stages"], taken["stages"], strict=True):
                before["before_minor"] += after["before_minor"]
                before["after_minor"] += after["after_minor"]
            gone.append(taken)
            amount, texts = taken["settled_minor"], {"original": key[1]}
            days = (date.fromisoformat(row["day"]) - date.fromisoformat(original["day"])).days
            lines.append((_told("reversal", amount, "cancelled", row["reference"], key[0], **texts), days))
        for taken in gone:
            for stage in taken["stages"]:
                year = self.years.get(stage["limit"])
                if year and stage["year"] == self.given["year"]:
                    year["settled_minor"] += stage["after_minor"]
                    for cut in year["cuts"]:
                        if (cut["component"], cut["reference"]) == (taken["component"], taken["reference"]):
                            cut["cut_minor"] += stage["before_minor"] - stage["after_minor"]
                    year["cuts"] = [cut for cut in year["cuts"] if cut["cut_minor"]]
        return lines, gone

    def _clawed_back(self, reversals: list[tuple[Row, int]], gone: list[Row]) -> list[Row]:
        """What is taken back is set off against what is held; of what was paid, the clawback schedule says how much."""
        lines = []
        for (line, days), row in zip(reversals, gone, strict=True):
            lines.append(line)
            paid = -row["settled_minor"] - self._set_off((row["component"], row["reference"]), -row["settled_minor"])
            schedule = self.words.get("clawback")
            if schedule and paid > 0:
                share = _clawback_share(schedule, days)
                waived = paid - _half_up(paid * share)
                texts = {"days": str(days), "share": _percent(share)}
                if waived:
                    lines.append(
                        _told(
                            "clawback_waived",
                            waived,
                            "clawback-share",
                            line["reference"],
                            line["component"],
                            **texts,
                        )
                    )
        return lines

    # What somebody loses who has left and keeps only what was paid before.

    def _lost(self, rows: list[Row]) -> list[Row]:
        """Whatever of the period came to more than nothing, by component and reference."""
        lines = []
        for component, reference in sorted({(row["component"], row["reference"]) for row in rows}):
            same = [row for row in rows if (row["component"], row["reference"]) == (component, reference)]
            amount = sum(row["amount"] for row in same)
            if amount > 0:
                for row in same:
                    row["amount"] = 0
                lines.append(_told("reversal", -amount, "forfeited-at-leaving", reference, component))
        return lines

    def _held_is_lost(self) -> list[Row]:
        gone = []
        for (component, reference), held in sorted(self.held.items()):
            left = held["total_minor"] - held["released_minor"]
            if left:
                for kind, amount in (("reversal", -left), ("held_cancelled", left)):
                    self.told_of_held.append(_told(kind, amount, "forfeited-at-leaving", reference, component))
                part = {"component": component, "reference": reference, "day": held["day"], "stages": []}
                gone.append(part | {"earned_minor": 0, "settled_minor": -left})
        self.held = {}
        return gone

    # Earnings, objectives, bonuses, team.

    def _earnings(self) -> tuple[list[Row], list[Row]]:
        sums: dict[tuple[str, str, str], Row] = {}
        for item in self.given["earnings"]:
            key = (item["component"], item["reverses"] or item["reference"], item["reference"])
            row = sums.setdefault(key, _row("earning", *key, item["day"], 0))
            row["day"] = min(row["day"], item["day"])
            row["amount"] += item["amount_minor"]
            row["earned"] += item["amount_minor"]
        rows = [sums[key] for key in sorted(sums)]
        return rows, [_told("earning", row["amount"], "earned", row["source"], row["component"]) for row in rows]

    def _objectives_and_bonuses(self) -> tuple[list[Row], list[Row]]:
        rows: list[Row] = []
        lines: list[Row] = []
        achieved = {item["objective"]: _exact(item["share"]) for item in self.given["achieved"]}
        for item in sorted({*achieved} - {row["key"] for row in self.words.get("objectives") or ()}):
            raise BundleError(f"{item} was achieved and is no objective of the plan.")
        exact = Fraction(0)
        for objective in self.words.get("objectives") or ():
            key, share = objective["key"], achieved.get(objective["key"], Fraction(0))
            if objective.get("most") is not None:
                share = min(share, _share(objective["most"]))
            before = _half_up(exact)
            exact += _share(objective["weight"]) * share * self.target
            if key in achieved:
                amount, reference = _half_up(exact) - before, f"{key} {self.given['period']['label']}"
                rows.append(_row("objective", key, reference, reference, self.last_day, amount))
                texts = {"achieved": _percent(share), "weight": objective["weight"]}
                lines.append(_told("objective", amount, "objective-achieved", reference, key, **texts))
        for bonus in self.words.get("bonuses") or ():
            key, amount = bonus["key"], _half_up(self._pay(bonus["pays"], self.target))
            happened = [item for item in self.given["occurrences"] if item["bonus"] == key]
            happened.sort(key=lambda item: (item["day"], item["reference"]))
            for count, item in enumerate(happened, 1):
                if bonus.get("most_count") is not None and count > bonus["most_count"]:
                    texts = {"most": str(bonus["most_count"])}
                    lines.append(_told("bonus", 0, "bonus-beyond-count", item["reference"], key, **texts))
                else:
                    rows.append(_row("bonus", key, item["reference"], item["reference"], item["day"], amount))
                    lines.append(_told("bonus", amount, "bonus-paid", item["reference"], key))
        prizes = [item for item in self.given["occurrences"] if item.get("prize")]
        for item in sorted(prizes, key=lambda item: (item["day"], item["bonus"], item["reference"])):
            key, prize = item["bonus"], item["prize"]
            amount = _prize_of(prize)
            rows.append(_row("bonus", key, item["reference"], item["reference"], item["day"], amount))
            reason = "contest-prize" if prize["words"]["each_minor"] is None else "contest-bound"
            texts = {"contest": prize["words"]["name"], "rank": str(prize["rank"]), "count": str(prize["taking_part"])}
            lines.append(_told("bonus", amount, reason, item["reference"], key, **texts))
        for item in self.given["occurrences"]:
            if not item.get("prize") and item["bonus"] not in {row["key"] for row in self.words.get("bonuses") or ()}:
                raise BundleError(f"{item['bonus']} happened and is no bonus of the plan.")
        return rows, lines

    def _by_team(self, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        """The rows of a component times the team's factor; what rounding leaves over goes to the largest remainders."""
        rows = sorted(rows, key=_row_order)
        words, attained = self.words.get("multiplier"), self.given["team_attainment"]
        if not words or attained is None:
            return rows, []
        attainment = _exact(attained)
        factor = _factor(words, attainment)
        texts = {"attainment": _percent(attainment), "factor": _percent(factor)}
        lines = []
        for component in sorted({*words["components"]}):
            same = [row for row in rows if row["component"] == component]
            exact = [row["amount"] * factor for row in same]
            amounts = [number.numerator // number.denominator for number in exact]
            while sum(amounts) < _half_up(sum(exact, Fraction(0))):
                neediest = min(range(len(same)), key=lambda index: (amounts[index] - exact[index], index))
                amounts[neediest] += 1
            for row, amount in zip(same, amounts, strict=True):
                if amount != row["amount"]:
                    change, row["amount"] = amount - row["amount"], amount
                    lines.append(_told("multiplier", change, "team-factor", row["source"], component, **texts))
        return rows, lines

    # Caps and floors.

    def _limited(self, limit: Row, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        component = limit.get("component")
        is_covered = [
            row["component"] == component
            if component is not None
            else self.order == "bonus_cap_draw" or row["component"] not in self.on_top
            for row in rows
        ]
        covered = [row for row, is_own in zip(rows, is_covered, strict=True) if is_own]
        left_out = [row for row, is_own in zip(rows, is_covered, strict=True) if not is_own]
        is_of_year = (limit.get("basis") or "period") == "year_to_date"
        target = self.target_to_date if is_of_year else self.target
        cap, floor = (
            None if limit.get(name) is None else _half_up(self._pay(limit[name], target)) for name in ("cap", "floor")
        )
        limited = self._limited_by_year if is_of_year else self._limited_by_period
        more, lines = limited(component or "", covered, cap, floor)
        return sorted([*left_out, *covered, *more], key=_row_order), lines

    def _limited_by_period(
        self, component: str, rows: list[Row], cap: int | None, floor: int | None
    ) -> tuple[list[Row], list[Row]]:
        """The rows are cut where they stand; what a floor adds comes as a further row."""
        more, lines = [], []
        came = sum(row["amount"] for row in rows)
        if cap is not None and came > cap:
            lines += self._cut(rows, came - cap, "cut-by-cap", cap)
            came = cap
        if floor is not None and came < floor:
            texts = {"floor": self._money(floor)}
            more.append(_row("floor", component, "", "", self.last_day, floor - came, earned=0))
            lines.append(_told("floor", floor - came, "raised-to-floor", "", component, **texts))
        return more, lines

    def _limited_by_year(
        self, component: str, rows: list[Row], cap: int | None, floor: int | None
    ) -> tuple[list[Row], list[Row]]:
        """What the year's cap cut is kept and paid when there is room; what the floor added is given up when earned."""
        more: list[Row] = []
        lines: list[Row] = []
        year = self.years.setdefault(
            component, {"limit": component, "settled_minor": 0, "cuts": [], "guaranteed_minor": 0}
        )
        cuts = {(cut["component"], cut["reference"]): cut for cut in year["cuts"]}
        came = sum(row["amount"] for row in rows)
        passing = came + sum(cut["cut_minor"] for cut in cuts.values())
        if cap is not None:
            passing = min(passing, max(0, cap - year["settled_minor"]))
        before = [row["amount"] for row in rows]
        if passing < came:
            lines += self._cut(rows, came - passing, "cut-by-year-cap", cap or 0)
        for row, amount in zip(rows, before, strict=True):
            if row["amount"] != amount:
                key = (row["component"], row["reference"])
                fresh = {"component": key[0], "reference": key[1], "day": row["day"], "cut_minor": 0}
                cut = cuts.setdefault(key, fresh)
                cut["day"] = min(cut["day"], row["day"])
                cut["cut_minor"] += amount - row["amount"]
            row["stages"].append(self._stage(component, amount, row["amount"]))
        if passing > came:
            keys = sorted(cuts)
            for key, part in zip(keys, _parted(passing - came, [cuts[key]["cut_minor"] for key in keys]), strict=True):
                if part:
                    cuts[key]["cut_minor"] -= part
                    row = _row("cap", *key, key[1], cuts[key]["day"], part, earned=0)
                    row["stages"].append(self._stage(component, 0, part))
                    more.append(row)
                    lines.append(_told("cap", part, "room-under-year-cap", key[1], key[0]))
        year["settled_minor"] += passing
        year["cuts"] = [cuts[key] for key in sorted(cuts) if cuts[key]["cut_minor"]]
        if floor is not None:
            added = max(0, floor - year["settled_minor"]) - year["guaranteed_minor"]
            year["guaranteed_minor"] += added
            if added:
                more.append(_row("floor", component, "", "", self.last_day, added, earned=0))
            if added > 0:
                texts = {"floor": self._money(floor)}
                lines.append(_told("floor", added, "raised-to-year-floor", "", component, **texts))
            elif added:
                lines.append(_told("floor", added, "floor-taken-up", "", component))
        return more, lines

    def _cut(self, rows: list[Row], amount: int, reason: str, cap: int) -> list[Row]:
        """Cut an amount off whatever is above zero, in proportion."""
        lines = []
        for row, part in zip(rows, _parted(amount, [max(0, row["amount"]) for row in rows]), strict=True):
            if part:
                row["amount"] -= part
                texts = {"cap": self._money(cap)}
                lines.append(_told("cap", -part, reason, row["source"], row["component"], **texts))
        return lines

    def _stage(self, limit: str, before: int, after: int) -> Row:
        return {"limit": limit, "year": self.given["year"], "before_minor": before, "after_minor": after}

    # Draw.

    def _draw(self, earned: int) -> tuple[list[Row], list[Row]]:
        lines: list[Row] = []
        balances = {row["key"]: dict(row) for row in self.carried["draws"]}
        words = self.words.get("draw") or {}
        start = self.given["period"]["start"]
        is_active = (
            bool(words)
            and not self.is_forfeiting
            and (words.get("first_day") or start) <= start <= (words.get("last_day") or start)
        )
        is_on_top = words.get("mode") == "on_top"
        to_take = max(0, earned)
        if is_active:
            key, is_kept = words.get("key") or "draw", words.get("kind") == "non_recoverable"
            active = _exact(self.given["active_share"])
            amount = _half_up(self._pay(words["amount"], self.target) * active)
            advance = amount if is_on_top else max(0, amount - earned)
            to_take = 0 if is_on_top else max(0, earned - amount)
            texts = {"draw": self._money(amount)}
            if advance and is_kept:
                reason = "draw-guaranteed-on-top" if is_on_top else "draw-guaranteed"
                lines.append(_told("draw_guarantee", advance, reason, key, **texts))
            elif advance:
                owed = balances[key]["owed_minor"] if key in balances else 0
                balances[key] = {"key": key, "owed_minor": owed + advance, "forgiven_on": words.get("forgiven_on")}
                reason, texts = ("draw-lent", {}) if is_on_top else ("draw-advanced", texts)
                lines.append(_told("draw_advance", advance, reason, key, **texts))
        if words.get("most_recovered") is not None:
            to_take = min(to_take, _half_up(max(0, earned) * _share(words["most_recovered"])))
        for key, balance in balances.items():
            back = min(balance["owed_minor"], to_take)
            if back:
                to_take -= back
                balance["owed_minor"] -= back
                texts = {"left": self._money(balance["owed_minor"])}
                lines.append(_told("draw_recovery", -back, "draw-recovered", key, **texts))
        for key, balance in balances.items():
            owed = balance["owed_minor"]
            if owed and balance["forgiven_on"] and balance["forgiven_on"] < self.end:
                lines.append(_told("draw_forgiven", owed, "draw-forgiven", key))
                balance["owed_minor"] = 0
            elif owed and self.given["is_leaving"]:
                lines.append(_told("draw_owed", owed, "draw-owed-at-leaving", key))
        return lines, [balance for balance in balances.values() if balance["owed_minor"]]

    # What is held and released.

    def _hold(self, rows: list[Row]) -> None:
        """What is gained goes on hold where the plan says so; what is lost is set off against what is held."""
        keys = sorted({(row["component"], row["reference"]) for row in rows if row["reference"] and row["amount"]})
        lost: dict[tuple[str, str], int] = {}
        for key in keys:
            same = [row for row in rows if (row["component"], row["reference"]) == key and row["amount"]]
            gained = sum(row["amount"] for row in same if row["amount"] > 0)
            lost[key] = -sum(row["amount"] for row in same if row["amount"] < 0)
            release = self._release_of(key[0])
            if gained and release["kind"] != "at_once":
                fresh = {
                    "component": key[0],
                    "reference": key[1],
                    "day": min(row["day"] for row in same),
                    "total_minor": 0,
                    "released_minor": 0,
                    "release": release,
                }
                held = self.held.setdefault(key, fresh)
                held["total_minor"] += gained
                reason, texts = _why_held(held)
                self.told_of_held.append(_told("hold", -gained, reason, key[1], key[0], **texts))
        for key in keys:
            self._set_off(key, lost[key])

    def _release_of(self, component: str) -> Row:
        whole = {"kind": "at_once", "components": [], "parts": [], "days": 0}
        for words in self.words.get("releases") or ():
            names = words.get("components") or []
            if component in names or (not names and component not in self.on_top):
                parts = [{"days": 0} | part for part in words.get("parts") or ()]
                return whole | words | {"components": names, "parts": parts}
        return whole

    def _set_off(self, key: tuple[str, str], amount: int) -> int:
        held = self.held.get(key)
        taken = min(amount, held["total_minor"] - held["released_minor"]) if held else 0
        if held is None or taken <= 0:
            return 0
        held["total_minor"] -= taken
        if held["total_minor"] == held["released_minor"]:
            del self.held[key]
        texts = {"original": key[1]}
        self.told_of_held.append(_told("held_cancelled", taken, "held-part-cancelled", key[1], key[0], **texts))
        return taken

    def _release(self) -> None:
        collected = {item["reference"]: item for item in self.given["collections"]}
        for key in sorted(self.held):
            held = self.held[key]
            due, reason, texts = self._due(held, collected.get(key[1]))
            if due != held["released_minor"]:
                self.told_of_held.append(
                    _told("release", due - held["released_minor"], reason, key[1], key[0], **texts)
                )
                held["released_minor"] = due

    def _due(self, held: Row, collected: Row | None) -> tuple[int, str, dict[str, str]]:
        """What is due by the end of the period in all, and why."""
        release, total, day = held["release"], held["total_minor"], date.fromisoformat(held["day"])
        if release["kind"] == "on_payment":
            if not collected or not collected["invoice_minor"]:
                return held["released_minor"], "", {}
            due = _half_up(Fraction(total * collected["paid_minor"], collected["invoice_minor"]))
            texts = {name: self._money(collected[f"{name}_minor"]) for name in ("paid", "invoice")}
            return min(total, due), "customer-paid", texts
        if release["kind"] == "instalments":
            shares = [_share(part["share"]) for part in release["parts"]]
            is_due = [str(day + timedelta(days=part["days"])) < self.end for part in release["parts"]]
            amounts = _parted(total, shares)
            due = sum(amount for amount, is_now in zip(amounts, is_due, strict=True) if is_now)
            part = sum((share for share, is_now in zip(shares, is_due, strict=True) if is_now), Fraction(0))
            return max(due, held["released_minor"]), "instalment-due", {"share": _percent(part)}
        if release["kind"] != "hold":
            raise BundleError(f"The release {release['kind']} is not known.")
        ends = str(day + timedelta(days=release["days"]))
        return (total if ends < self.end else held["released_minor"]), "hold-ended", {"day": ends}

    # Telling.

    def _adjustments(self) -> list[Row]:
        lines = []
        for item in sorted(self.given["adjustments"], key=lambda item: item["reference"]):
            texts = {"why": item["reason"], "preparer": item["preparer"], "approver": item["approver"]}
            reason = "adjusted"
            if item.get("cause"):
                texts, reason = {"period": item["reason"]}, f"late-{item['cause']}"
            lines.append(_told("adjustment", item["amount_minor"], reason, item["reference"], **texts))
        return lines

    def _in_order(self, earning: list[Row], bonus: list[Row], reversals: list[Row], drawn: list[Row]) -> list[Row]:
        if self.order == "cap_draw_bonus":
            return [*earning, *reversals, *drawn, *bonus]
        if self.order == "cap_bonus_draw":
            return [*earning, *bonus, *reversals, *drawn]
        if self.order != "bonus_cap_draw":
            raise BundleError(f"The order of settlement {self.order} is not known.")
        stages = {"multiplier": 1, "cap": 2, "floor": 2}
        steps = sorted([*earning, *bonus], key=lambda line: stages.get(line["kind"], 0))
        return [*steps, *reversals, *drawn]

    def _pay(self, text: str, target: int) -> Fraction:
        return _share(text) * target if text.endswith("%") else _number(text) * self.minor

    def _money(self, minor: int) -> str:
        """An amount as it is told: in major units with the currency's decimals."""
        decimals = len(str(self.minor)) - 1
        digits = str(abs(minor)).rjust(decimals + 1, "0")
        text = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
        return f"-{text}" if minor < 0 else text


def _row(
    kind: str, component: str, reference: str, source: str, day: str, amount: int, earned: int | None = None
) -> Row:
    """An amount on its way. source: the reference of the line; reference: what it belongs to in the end."""
    return {
        "kind": kind,
        "component": component,
        "reference": reference,
        "source": source,
        "day": day,
        "amount": amount,
        "earned": amount if earned is None else earned,
        "stages": [],
    }


def _told(kind: str, amount: int, reason: str, reference: str = "", component: str = "", /, **texts: str) -> Row:
    """A line of the settlement as the bundle states it."""
    return {
        "kind": kind,
        "amount_minor": amount,
        "reason": reason,
        "reference": reference,
        "component": component,
        "params": [[name, texts[name]] for name in sorted(texts)],
    }


def _by_reference(rows: list[Row]) -> list[Row]:
    """What each reference of a component came to."""
    found = []
    for component, reference in sorted({(row["component"], row["reference"]) for row in rows if row["reference"]}):
        same = [row for row in rows if (row["component"], row["reference"]) == (component, reference)]
        stages = [stage for row in same for stage in row["stages"]]
        merged = []
        for limit, year in sorted({(stage["limit"], stage["year"]) for stage in stages}):
            of_it = [stage for stage in stages if (stage["limit"], stage["year"]) == (limit, year)]
            sums = {name: sum(stage[name] for stage in of_it) for name in ("before_minor", "after_minor")}
            if any(sums.values()):
                merged.append({"limit": limit, "year": year, **sums})
        found.append(
            {
                "component": component,
                "reference": reference,
                "day": min(row["day"] for row in same),
                "earned_minor": sum(row["earned"] for row in same),
                "settled_minor": sum(row["amount"] for row in same),
                "stages": merged,
            }
        )
    return found


def _total(lines: list[Row]) -> int:
    return sum(line["amount_minor"] for line in lines)


def _row_order(row: Row) -> tuple[str, str, str, str]:
    return row["component"], row["reference"], row["source"], row["kind"]


def _limit_order(limit: Row) -> tuple[bool, str, str]:
    """Components first, the whole plan last; the period before the year."""
    component = limit.get("component")
    return component is None, component or "", limit.get("basis") or "period"


def _reversal_order(row: Row) -> tuple[str, str, str, str]:
    return row["day"], row["reference"], row["original"]["component"], row["original"]["reference"]


def _clawback_share(schedule: Row, days: int) -> Fraction:
    """How much of what was paid is taken back so many days after the booking; nothing after the last step."""
    steps = [(step["until_days"], _share(step["share"])) for step in schedule["steps"]]
    for index, (until, share) in enumerate(steps):
        if days < until:
            if not index or not schedule.get("is_linear"):
                return share
            since, from_share = steps[index - 1]
            return from_share + (share - from_share) * Fraction(days - since, until - since)
    return Fraction(0)


def _factor(words: Row, attainment: Fraction) -> Fraction:
    """The team's factor: the first one holds below its row, the last one above its own, none below the gate."""
    is_lower = (words.get("boundary") or "upper") == "lower"
    rows = [(_share(row["at"]), _share(row["factor"])) for row in words["rows"]]
    if words.get("gate") is not None:
        gate = _share(words["gate"])
        if attainment < gate or (is_lower and attainment == gate):
            return Fraction(0)
    factor = rows[0][1]
    for index, (at, worth) in enumerate(rows):
        if attainment < at or (is_lower and attainment == at):
            break
        factor = worth
        if words.get("kind") == "points" and index + 1 < len(rows):
            next_at, next_worth = rows[index + 1]
            if attainment <= next_at:
                factor = worth + (next_worth - worth) * (attainment - at) / (next_at - at)
    return factor


def _why_held(held: Row) -> tuple[str, dict[str, str]]:
    release = held["release"]
    if release["kind"] == "hold":
        return "held-for-days", {"day": str(date.fromisoformat(held["day"]) + timedelta(days=release["days"]))}
    if release["kind"] == "instalments":
        return "held-for-instalments", {"count": str(len(release["parts"]))}
    return "held-for-payment", {}


def _share(text: str) -> Fraction:
    """A share as it is written: "25%", "0.25" or "1/4"."""
    if text.endswith("%"):
        return _number(text[:-1]) / 100
    return _exact(text) if "/" in text else _number(text)


def _percent(share: Fraction) -> str:
    """A share as it is told: a plain decimal per cent where it ends within twelve decimals."""
    number = share * 100
    scaled = number * 10**12
    if scaled.denominator != 1:
        return f"{number}%"
    whole, rest = divmod(abs(scaled.numerator), 10**12)
    text = f"{whole}.{rest:012d}".rstrip("0").rstrip(".")
    return f"{'-' if number < 0 else ''}{text}%"


def _parted(total: int, weights: Sequence[int | Fraction]) -> list[int]:
    """A total by weights, to the last unit: what is left over goes to the largest remainders, ties to the earlier."""
    whole = sum(weights, Fraction(0))
    if not total or not whole:
        return [0] * len(weights)
    exact = [abs(total) * Fraction(weight) / whole for weight in weights]
    parts = [int(number) for number in exact]
    order = sorted(range(len(parts)), key=lambda index: (parts[index] - exact[index], index))
    for index in order[: abs(total) - sum(parts)]:
        parts[index] += 1
    return parts if total > 0 else [-part for part in parts]


# --- The words this calculation knows -------------------------------------------------------------------------------

# Any value; one of these values; an object of words; a list of objects.
_ANY: Final = None
_AT_RATE: Final = [{"from": _ANY, "rate": _ANY}]
_WORDS: Final[dict[str, Any]] = {
    "format": (1,),
    "currency": _ANY,
    "time_zone": _ANY,
    "period_kind": ("month", "quarter", "half", "year"),
    "examples": _ANY,
    "ramp": _ANY,
    "rates": _ANY,
    "components": [
        {
            "key": _ANY,
            "name": _ANY,
            "measure": ("money", "count"),
            "shape": {
                "shape": ("flat", "marginal", "retroactive", "steps", "points"),
                "rate": _ANY,
                "tiers": _AT_RATE,
                "steps": [{"from": _ANY, "pays": _ANY}],
                "points": [{"at": _ANY, "pays": _ANY}],
                "after": ("flat", "continue"),
                "gate": {"at": _ANY, "then": ("all", "above")},
                "floor": _ANY,
                "cap": _ANY,
            },
            "crediting": _ANY,
            "boundary": ("upper", "lower"),
            "is_falling_allowed": _ANY,
            "standard_quota": _ANY,
            "standard_target_minor": _ANY,
            "counts": _ANY,
            "when": _ANY,
            "amount": _ANY,
            "group": _ANY,
            "quota_name": _ANY,
            "weight": _ANY,
            "period_kind": ("month", "quarter", "half", "year"),
            "scope": ("period", "transaction"),
        }
    ],
    "conventions": {
        "boundary": ("upper", "lower"),
        "zero_quota": ("hold", "lowest", "highest", "nothing"),
        "settlement_order": ("bonus_cap_draw", "cap_bonus_draw", "cap_draw_bonus"),
        "proration": ("calendar_days", "working_days", "months", "none"),
        "ramp": ("starting_month", "first_full_month"),
        "quota_change": ("by_days", "latest", "first"),
        "refund": ("negate", "move_down"),
        "rounding": ("cumulative", "per_line"),
        "counting_date": ("booking", "invoice", "payment"),
        "exchange": ("transaction_day", "month_average", "fixed"),
        "tier_change": ("true_up", "forward_only"),
        "leaver": ("credited_before", "paid_before"),
        "credit_day": ("transaction_day", "creation", "stage", "by_days"),
    },
    "settlement": {
        "objectives": [{"key": _ANY, "weight": _ANY, "most": _ANY}],
        "bonuses": [{"key": _ANY, "pays": _ANY, "most_count": _ANY}],
        "multiplier": {
            "components": _ANY,
            "rows": [{"at": _ANY, "factor": _ANY}],
            "kind": ("steps", "points"),
            "gate": _ANY,
            "boundary": ("upper", "lower"),
        },
        "limits": [{"component": _ANY, "cap": _ANY, "floor": _ANY, "basis": ("period", "year_to_date")}],
        "draw": {
            "amount": _ANY,
            "kind": ("recoverable", "non_recoverable", "forgiven"),
            "mode": ("top_up", "on_top"),
            "first_day": _ANY,
            "last_day": _ANY,
            "most_recovered": _ANY,
            "forgiven_on": _ANY,
            "key": _ANY,
        },
        "releases": [
            {
                "kind": ("at_once", "instalments", "on_payment", "hold"),
                "components": _ANY,
                "parts": [{"share": _ANY, "days": _ANY}],
                "days": _ANY,
            }
        ],
        "clawback": {"steps": [{"until_days": _ANY, "share": _ANY}], "is_linear": _ANY},
        "negative": ("carry_forward", "show_as_owed"),
    },
}

_CONTEST_WORDS: Final[dict[str, Any]] = {
    "key": _ANY,
    "name": _ANY,
    "start": _ANY,
    "end": _ANY,
    "paid_by": _ANY,
    "currency": _ANY,
    "time_zone": _ANY,
    "period_kind": ("month", "quarter", "half", "year"),
    "plans": _ANY,
    "pods": _ANY,
    "counts": _ANY,
    "when": _ANY,
    "amount": _ANY,
    "crediting": _ANY,
    "minimum_minor": _ANY,
    "prizes_minor": _ANY,
    "bound_minor": _ANY,
    "each_minor": _ANY,
    "ties": ("share", "higher"),
    "shows_names": _ANY,
    "is_final": _ANY,
}


def _unknown(where: str, known: Any, said: Any) -> Iterator[str]:
    """Every word of the plan that this calculation does not know, so that it cannot say whether it was followed."""
    if known is _ANY or said is None:
        return
    if isinstance(known, tuple):
        if isinstance(said, bool) or said not in known:
            yield f"{where}: {said!r} is a word this calculation does not know."
    elif isinstance(known, list):
        for index, item in enumerate(said):
            yield from _unknown(f"{where}[{index}]", known[0], item)
    else:
        for name, value in said.items():
            if name in known:
                yield from _unknown(f"{where}.{name}", known[name], value)
            else:
                yield f"{where}.{name} is a word this calculation does not know."


# --- Arithmetic ---------------------------------------------------------------------------------------------------


def _half_up(number: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    whole = int(abs(number))
    if abs(number) - whole >= Fraction(1, 2):
        whole += 1
    return whole if number >= 0 else -whole


def _split(total: int, shares: list[list[int]]) -> dict[int, int]:
    """Give each person the whole part of their share, then one unit more by largest remainder, ties to the smaller."""
    whole = sum(points for _person, points in shares)
    exact: dict[int, Fraction] = {person: Fraction(abs(total) * points, whole) for person, points in shares}
    parts = {person: int(share) for person, share in exact.items()}
    while sum(parts.values()) < abs(total):
        neediest = min(exact, key=lambda person: (parts[person] - exact[person], person))
        parts[neediest] += 1
    return {person: part if total >= 0 else -part for person, part in parts.items()}


def _spread(parts: dict[int, int], rate: Fraction) -> dict[int, int]:
    """Parts converted so that they add up to the converted whole: what is left over goes to the largest remainders."""
    exact = {person: abs(part) * rate for person, part in parts.items()}
    found = {person: int(number) for person, number in exact.items()}
    while sum(found.values()) < _half_up(sum(exact.values(), Fraction(0))):
        neediest = min(exact, key=lambda person: (found[person] - exact[person], person))
        found[neediest] += 1
    return {person: amount if parts[person] >= 0 else -amount for person, amount in found.items()}


def _number(text: str) -> Fraction:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise BundleError(f"{text!r} is not a number.")
    return Fraction(text)


def _exact(text: str) -> Fraction:
    if not _EXACT.fullmatch(text):
        raise BundleError(f"{text!r} is not an exact number.")
    return Fraction(text)


def _digest(data: object) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_number(text: str) -> None:
    raise ValueError(f"{text} is not a whole number")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
