"""When what is earned is paid: holds, instalments, payment by the customer; and what a reversal finds still held."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction

from salesops.commissions.rules.settlement.amounts import Part, percent
from salesops.commissions.rules.settlement.facts import Collection, HeldPart, SettledPart
from salesops.commissions.rules.settlement.lines import FORFEITED, LineKind, SettlementLine, line
from salesops.commissions.rules.settlement.terms import ReleaseKind, Terms
from salesops.values.money import plain, round_half_up
from salesops.values.split import split_by_largest_remainder


@dataclass
class Holdings:
    """What is held of each reference; every change of it leaves a line, so that lines and holdings agree."""

    terms: Terms
    end: date
    parts: dict[tuple[str, str], HeldPart]
    lines: list[SettlementLine] = field(default_factory=list)

    def take(self, parts: Iterable[Part]) -> None:
        """Put new parts on hold where the plan says so, then set what is negative off against what is held."""
        sums: dict[tuple[str, str], tuple[date, int, int]] = {}
        for part in parts:
            if part.reference and part.amount_minor:
                key = (part.component, part.reference)
                day, gained, lost = sums.get(key, (part.day, 0, 0))
                gained, lost = gained + max(part.amount_minor, 0), lost - min(part.amount_minor, 0)
                sums[key] = (min(day, part.day), gained, lost)
        for key, (day, gained, _lost) in sorted(sums.items()):
            release = self.terms.release_of(key[0])
            if gained and release.kind is not ReleaseKind.AT_ONCE:
                held = self.parts.get(key, HeldPart(*key, day, 0, 0, release))
                self.parts[key] = replace(held, total_minor=held.total_minor + gained)
                self.lines.append(self._hold_line(self.parts[key], gained))
        for key, (_day, _gained, lost) in sorted(sums.items()):
            self.set_off(key, lost)

    def set_off(self, key: tuple[str, str], amount: int) -> int:
        """Take an amount from what is held of a reference, as far as that goes; gives how much of it was."""
        held = self.parts.get(key)
        taken = min(amount, held.held_minor) if held else 0
        if held is None or taken <= 0:
            return 0
        left = replace(held, total_minor=held.total_minor - taken)
        if left.held_minor:
            self.parts[key] = left
        else:
            # What had been released of it is settled with the reversal; no payment brings it back on hold.
            del self.parts[key]
        self.lines.append(line(LineKind.HELD_CANCELLED, taken, "held-part-cancelled", key[1], key[0], original=key[1]))
        return taken

    def release(self, collections: Iterable[Collection]) -> None:
        """Release what is due by the end of the period; what a customer took back goes on hold again."""
        known = {collection.reference: collection for collection in collections}
        for key, held in sorted(self.parts.items()):
            released, reason, params = self._due(held, known.get(held.reference))
            if change := released - held.released_minor:
                self.lines.append(line(LineKind.RELEASE, change, reason, held.reference, held.component, **params))
                self.parts[key] = replace(held, released_minor=released)

    def forfeit(self) -> list[SettledPart]:
        """Give up all that is held; gives what of each reference goes, so that nothing of it is taken back again."""
        gone = []
        for key, held in sorted(self.parts.items()):
            if held.held_minor:
                self.lines.append(line(LineKind.REVERSAL, -held.held_minor, FORFEITED, key[1], key[0]))
                self.lines.append(line(LineKind.HELD_CANCELLED, held.held_minor, FORFEITED, key[1], key[0]))
                gone.append(SettledPart(*key, held.day, 0, -held.held_minor))
        self.parts.clear()
        return gone

    def left(self) -> tuple[HeldPart, ...]:
        """What stays held, in the order of component and reference."""
        return tuple(held for _key, held in sorted(self.parts.items()) if held.held_minor)

    def _due(self, held: HeldPart, collection: Collection | None) -> tuple[int, str, dict[str, object]]:
        """How much of the part is released in all by now, and why."""
        kind = held.release.kind
        if kind is ReleaseKind.ON_PAYMENT:
            if collection is None or not collection.invoice_minor:
                return held.released_minor, "", {}
            reached = round_half_up(held.total_minor * collection.paid_minor, collection.invoice_minor)
            currency = self.terms.currency
            paid, invoice = plain(collection.paid_minor, currency), plain(collection.invoice_minor, currency)
            return min(reached, held.total_minor), "customer-paid", {"paid": paid, "invoice": invoice}
        if kind is ReleaseKind.INSTALMENTS:
            parts = held.release.parts
            amounts = split_by_largest_remainder(
                held.total_minor, [part.share.value for part in parts], range(len(parts))
            )
            is_due = [held.day + timedelta(part.days) < self.end for part in parts]
            due = sum(amount for amount, is_now in zip(amounts, is_due, strict=True) if is_now)
            share = sum((part.share.value for part, is_now in zip(parts, is_due, strict=True) if is_now), Fraction(0))
            # After a reversal of the held part more may have been released than is due of what is left.
            return max(held.released_minor, due), "instalment-due", {"share": percent(share)}
        ends_on = held.day + timedelta(held.release.days)
        return (held.total_minor if ends_on < self.end else held.released_minor), "hold-ended", {"day": ends_on}

    def _hold_line(self, held: HeldPart, amount: int) -> SettlementLine:
        release = held.release
        reason, params = {
            ReleaseKind.HOLD: ("held-for-days", {"day": str(held.day + timedelta(release.days))}),
            ReleaseKind.INSTALMENTS: ("held-for-instalments", {"count": str(len(release.parts))}),
            ReleaseKind.ON_PAYMENT: ("held-for-payment", {}),
        }[release.kind]
        return line(LineKind.HOLD, -amount, reason, held.reference, held.component, **params)
