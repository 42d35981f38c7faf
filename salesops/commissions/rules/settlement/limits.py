"""Caps and floors, of a component or the whole plan, for a period or the year to date."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from salesops.commissions.rules.settlement.amounts import Part, spread, total
from salesops.commissions.rules.settlement.facts import CutPart, SettledPart, Stage, YearTotal
from salesops.commissions.rules.settlement.lines import LineKind, SettlementLine, line
from salesops.commissions.rules.settlement.plain import pay_minor
from salesops.commissions.rules.settlement.terms import Basis, Limit
from salesops.commissions.rules.shapes import Number
from salesops.values.money import plain, round_half_up


@dataclass
class Limits:
    """Applies limits one after the other and keeps where the year-to-date ones stand."""

    currency: str
    year: str
    day: date
    target_minor: int | None
    target_to_date_minor: int
    totals: dict[str, YearTotal]

    def reverse(self, part: SettledPart) -> None:
        """Take what a reversal negates out of the totals of this year; a later amount may use the room."""
        for stage in part.stages:
            before = self.totals.get(stage.limit)
            if before is None or stage.year != self.year:
                continue
            cut = _keyed(before.cuts)
            key = (part.component, part.reference)
            if key in cut:
                cut[key] = replace(cut[key], cut_minor=cut[key].cut_minor + stage.before_minor - stage.after_minor)
            self.totals[stage.limit] = replace(
                before, settled_minor=before.settled_minor + stage.after_minor, cuts=_listed(cut)
            )

    def apply(self, limit: Limit, parts: Sequence[Part]) -> tuple[list[Part], list[SettlementLine]]:
        """The parts after the limit, among them what a floor adds or a cap now has room for; and the lines of it."""
        if limit.basis is Basis.PERIOD:
            return self._period(limit, parts)
        return self._year_to_date(limit, parts)

    def _period(self, limit: Limit, parts: Sequence[Part]) -> tuple[list[Part], list[SettlementLine]]:
        result = list(parts)
        lines: list[SettlementLine] = []
        cap = self._minor(limit.cap, self.target_minor)
        if cap is not None and total(result) > cap:
            result, lines = _cut(result, total(result) - cap, "cut-by-cap", plain(cap, self.currency))
        floor = self._minor(limit.floor, self.target_minor)
        if floor is not None and total(result) < floor:
            missing = floor - total(result)
            result.append(self._added(limit, missing))
            lines.append(self._floor_line(limit, missing, "raised-to-floor", floor=plain(floor, self.currency)))
        return result, lines

    def _year_to_date(self, limit: Limit, parts: Sequence[Part]) -> tuple[list[Part], list[SettlementLine]]:
        """The cap looks at the sum of the year. What it cut is paid as soon as there is room for it in the year.

        Room comes with a share of a target pay that grows over the year, with a reversal, or when credit moves down
        the curve: what was cut is then given up first. A cap that falls takes back nothing that came through it.
        """
        before = self.totals.get(limit.key, YearTotal(limit.key, 0))
        cuts = _keyed(before.cuts)
        has_cut, amount = sum(cut.cut_minor for cut in cuts.values()), total(parts)
        passing = has_cut + amount
        cap = self._minor(limit.cap, self.target_to_date_minor)
        cap_text = "" if cap is None else plain(cap, self.currency)
        if cap is not None:
            passing = min(passing, max(cap - before.settled_minor, 0))
        result = list(parts)
        lines: list[SettlementLine] = []
        if passing < amount:
            result, lines = _cut(result, amount - passing, "cut-by-year-cap", cap_text)
            for old, new in zip(parts, result, strict=True):
                if old.amount_minor != new.amount_minor:
                    key = (old.component, old.reference)
                    known = cuts.get(key, CutPart(*key, old.day, 0))
                    more = old.amount_minor - new.amount_minor
                    cuts[key] = replace(known, day=min(known.day, old.day), cut_minor=known.cut_minor + more)
        result = [
            replace(new, stages=(*new.stages, Stage(limit.key, self.year, old.amount_minor, new.amount_minor)))
            for old, new in zip(parts, result, strict=True)
        ]
        if passing > amount:
            order = sorted(cuts)
            shares = spread(passing - amount, [cuts[key].cut_minor for key in order])
            for key, share in zip(order, shares, strict=True):
                if share:
                    cut = cuts[key]
                    cuts[key] = replace(cut, cut_minor=cut.cut_minor - share)
                    stage = Stage(limit.key, self.year, 0, share)
                    result.append(Part(LineKind.CAP, *key, cut.day, 0, share, key[1], (stage,)))
                    lines.append(line(LineKind.CAP, share, "room-under-year-cap", key[1], key[0]))
        settled, guaranteed = before.settled_minor + passing, before.guaranteed_minor
        floor = self._minor(limit.floor, self.target_to_date_minor)
        if floor is not None:
            guaranteed = max(0, floor - settled)
        if added := guaranteed - before.guaranteed_minor:
            result.append(self._added(limit, added))
            if added > 0 and floor is not None:
                text = plain(floor, self.currency)
                lines.append(self._floor_line(limit, added, "raised-to-year-floor", floor=text))
            else:
                lines.append(self._floor_line(limit, added, "floor-taken-up"))
        self.totals[limit.key] = YearTotal(limit.key, settled, _listed(cuts), guaranteed)
        return result, lines

    def _minor(self, pay: Number | None, target_minor: int | None) -> int | None:
        return None if pay is None else round_half_up(pay_minor(pay, self.currency, target_minor))

    def _added(self, limit: Limit, amount: int) -> Part:
        return Part(LineKind.FLOOR, limit.component or "", "", self.day, 0, amount)

    def _floor_line(self, limit: Limit, amount: int, reason: str, **params: object) -> SettlementLine:
        return line(LineKind.FLOOR, amount, reason, "", limit.component or "", **params)


def _cut(parts: Sequence[Part], amount: int, reason: str, cap: str) -> tuple[list[Part], list[SettlementLine]]:
    """Cut an amount off the parts above zero, in proportion; what is taken back is never made smaller by a cap."""
    shares = spread(amount, [max(part.amount_minor, 0) for part in parts])
    lines = [
        line(LineKind.CAP, -share, reason, part.source, part.component, cap=cap)
        for part, share in zip(parts, shares, strict=True)
        if share
    ]
    kept = [
        replace(part, amount_minor=part.amount_minor - share) if share else part
        for part, share in zip(parts, shares, strict=True)
    ]
    return kept, lines


def _keyed(cuts: tuple[CutPart, ...]) -> dict[tuple[str, str], CutPart]:
    return {(cut.component, cut.reference): cut for cut in cuts}


def _listed(cuts: dict[tuple[str, str], CutPart]) -> tuple[CutPart, ...]:
    return tuple(cuts[key] for key in sorted(cuts) if cuts[key].cut_minor)
