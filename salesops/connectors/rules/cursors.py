"""Where a list goes on that sorts by the moment of change, to a second, and is paged by number: nothing is lost that moves."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

#: Sums over ids stay below this, so that they are whole numbers for every reader of JSON.
_SUMS: Final = 2**53


def following(position: Mapping[str, Any], seen: Sequence[tuple[str, int]], *, is_more: bool) -> dict[str, Any] | None:
    """The position behind a page, None at the end.

    position: {} for the first page, else what was given here or {"from": second}, of which the page was asked: all that
    changed in that second or later ("from"), and of that the page of a number ("page", 1 when absent). seen: id and second of
    each row of the page, in order. is_more: whether the list goes on behind it.

    Usually the list is asked anew from the last second seen, so that rows which are edited meanwhile shift nothing. While a
    page does not come past "from", the next number is asked; what left that second then shifts the rest. So those pages are
    asked once more until two passes gave the same rows up to that second ("sum", "before": sums over their ids). What left
    is met later, where it is now.
    """
    edge = position.get("from")
    last = seen[-1][1] if seen else edge
    if edge is None:
        return {"from": last} if is_more else None
    page = int(position.get("page", 1))
    sum_ = sum_of((id for id, second in seen if second <= edge), int(position.get("sum", 0)))
    before = {"before": position["before"]} if "before" in position else {}
    if is_more and (last is None or last <= edge):
        return {"from": edge, "page": page + 1, "sum": sum_, **before}
    if (page > 1 or before) and sum_ != position.get("before"):
        return {"from": edge, "page": 1, "before": sum_}
    return {"from": last} if is_more else None


def sum_of(ids: Iterable[str], before: int = 0) -> int:
    """A sum over ids on top of the one before: the same for the same ids, in whatever order they come."""
    numbers = (int.from_bytes(hashlib.blake2b(id.encode(), digest_size=6).digest()) for id in ids)
    return (before + sum(numbers)) % _SUMS
