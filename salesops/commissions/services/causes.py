"""Why a line of a statement comes to something else than before: told from what it was reckoned from then and now."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from salesops.commissions.choices import Cause
from salesops.commissions.selectors.transactions import of_removed_deals, that_take_back

# Person, plan, transaction id, component.
LineKey = tuple[int, int, int, str]


@dataclass(slots=True)
class Told:
    """What a line of a statement came to, and what it was reckoned from.

    settled: after multiplier and caps, where the plan settles and pays the component at once; None where what was
    earned counts. whys: the credits' why. terms: what held for the component. start: where on the curve it began.
    """

    earned: int = 0
    settled: int | None = None
    whys: list[Any] = field(default_factory=list)
    terms: dict[str, Any] = field(default_factory=dict)
    start: int = 0

    @property
    def amount(self) -> int:
        """What counts as paid, or due."""
        return self.earned if self.settled is None else self.settled


def cause_of(key: LineKey, due: Mapping[LineKey, Told], paid: Mapping[LineKey, Told], before: Cause) -> Cause:
    """Why a line would be paid otherwise today, told from what it was reckoned from then and now.

    due, paid: the lines of now and of then, those of others in the same transaction among them. before: why it was
    adjusted last; the answer where it is again as it was then.
    """
    now, then = due.get(key), paid.get(key)
    if now is None or then is None:
        others = paid if then is None else due
        elsewhere = [line for line in others if line[2] == key[2]]
        if any(line[0] == key[0] for line in elsewhere):
            return Cause.DEAL_EDITED
        if elsewhere:
            is_shared = any("shares" in _read(why) for line in elsewhere for why in others[line].whys)
            is_shared = is_shared or any("shares" in _read(why) for why in (now or then or Told()).whys)
            return Cause.SHARES if is_shared else Cause.OWNER
        return Cause.DEAL_LATE if then is None else Cause.DEAL_GONE
    old, new = [_read(why) for why in then.whys], [_read(why) for why in now.whys]
    for cause, names in (
        (Cause.DEAL_EDITED, ("amount", "currency", "fields")),
        (Cause.SHARES, ("shares",)),
        (Cause.EXCHANGE_RATE, ("rate",)),
        (Cause.OWNER, ("held", "credited")),
    ):
        if [[why.get(name) for name in names] for why in old] != [[why.get(name) for name in names] for why in new]:
            return cause
    for cause, names in ((Cause.QUOTA, ("quota",)), (Cause.PLAN, ("target_minor", "rate", "version"))):
        if any(then.terms.get(name) != now.terms.get(name) for name in names):
            return cause
    return Cause.ALONG_THE_CURVE if now.start != then.start else before


def causes_of_transactions(found: Collection[tuple[int, Cause]]) -> dict[tuple[int, Cause], Cause]:
    """Where the transaction says more than its lines do: by transaction id and cause, the cause to tell instead.

    A deal that no longer counts may have been removed in its source; what became known late may take something back.
    """
    gone = {pk for pk, cause in found if cause is Cause.DEAL_GONE}
    late = {pk for pk, cause in found if cause is Cause.DEAL_LATE}
    removed = of_removed_deals(gone) if gone else set()
    back = that_take_back(late) if late else set()
    return {(pk, Cause.DEAL_GONE): Cause.DEAL_REMOVED for pk in removed} | {
        (pk, Cause.DEAL_LATE): Cause.REFUND_LATE for pk in back
    }


def _read(why: Any) -> dict[str, Any]:
    return dict(json.loads(why) if isinstance(why, str) else why)
