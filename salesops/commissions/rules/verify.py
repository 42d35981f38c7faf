"""Derive a statement again from its bundle, by a second, simple calculation with the standard library only.

    python -m salesops.commissions.rules.verify bundle.json

prints "agrees" and ends with 0, or says where the statement does not agree and ends with 1. This file imports nothing
of the engine and nothing but the standard library, so it can also be taken away and run by itself.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
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
        return [*_digests(bundle), *_credits(bundle), *_lines(bundle), *_totals(bundle)]
    except (KeyError, IndexError, TypeError, AttributeError, ZeroDivisionError) as error:
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
        if counted != credit["counted"] and (credit["counted"] or _key(credit) not in negating):
            yield f"{name}: counted is {counted}, stated is {credit['counted']}."


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
        if line.get("reverses"):
            yield from _negated(name, line, credit, conventions)
            continue
        is_alone = components[component].get("scope", "period") == "transaction"
        before = 0 if is_alone else totals.get(component, 0)
        after = totals[component] = before + credit["counted"]
        worth_before, worth_after = _worth(bundle, component, before), _worth(bundle, component, after)
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


def _negated(name: str, line: dict[str, Any], credit: dict[str, Any], conventions: dict[str, Any]) -> Iterator[str]:
    """A line that negates what was earned before, perhaps in another period: it moves nobody along the curve."""
    if conventions["refund"] != "negate":
        yield f"{name}: the line negates {line['reverses']}, and the plan lets it move down the curve."
    if credit["kind"] != "stored":
        yield f"{name}: what negates an earning is not made from shares."
    for field, value in (("after", line["before"]), ("pay_after_minor", line["pay_before_minor"])):
        if line[field] != value:
            yield f"{name}: {field} comes to {value}, stated is {line[field]}."


def _is_longer(bundle: dict[str, Any], component: dict[str, Any]) -> bool:
    """Whether credits of the component add up for longer than the period of pay, one after the other."""
    kind = component.get("period_kind") or bundle["plan"]["period_kind"]
    return kind != bundle["plan"]["period_kind"] and component.get("scope", "period") == "period"


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


def _worth(bundle: dict[str, Any], component_key: str, total: int) -> Fraction:
    """What the credited total is worth in minor units, exact."""
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
    return words.worth(Fraction(total))


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
