"""Lists that move while they are read: every record is met, however many share a second."""

from __future__ import annotations

import random

import pytest

from salesops.connectors.rules.cursors import following, sum_of

Rows = dict[str, int]


def listed(rows: Rows, since: int | None) -> list[tuple[str, int]]:
    """The list as the vendor sorts it: by second, and within one by id."""
    return sorted(
        ((id, at) for id, at in rows.items() if since is None or at >= since), key=lambda one: (one[1], one[0])
    )


def sweep(rows: Rows, size: int, *, move: object = None, start: dict[str, int] | None = None) -> list[list[str]]:
    """The pages of one sweep; `move(n)` changes the rows before the nth page."""
    pages: list[list[str]] = []
    position: dict[str, object] | None = dict(start or {})
    while position is not None:
        assert len(pages) < 500
        if callable(move):
            move(len(pages) + 1)
        found = listed(rows, position.get("from"))  # type: ignore[arg-type]
        number = int(str(position.get("page", 1)))
        part = found[(number - 1) * size : number * size]
        pages.append([id for id, _at in part])
        position = following(position, part, is_more=len(found) > number * size)
    return pages


def met(pages: list[list[str]]) -> set[str]:
    return {id for page in pages for id in page}


def test_a_short_list_is_one_page() -> None:
    assert sweep({"a": 1, "b": 2}, 3) == [["a", "b"]]
    assert sweep({}, 3) == [[]]
    assert sweep({"a": 1, "b": 2}, 3, start={"from": 2}) == [["b"]]


def test_it_goes_on_from_the_last_second() -> None:
    rows = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    assert sweep(rows, 3) == [["a", "b", "c"], ["c", "d", "e"]]


def test_a_crowded_second_is_read_by_number_and_once_more() -> None:
    rows = {"a": 7, "b": 7, "c": 7, "d": 7, "e": 7, "f": 8}
    pages = sweep(rows, 2, start={"from": 7})
    assert pages == [["a", "b"], ["c", "d"], ["e", "f"], ["a", "b"], ["c", "d"], ["e", "f"]]


def test_what_leaves_a_crowded_second_hides_nothing() -> None:
    rows = {"a": 7, "b": 7, "c": 7, "d": 7, "e": 7}

    def move(page: int) -> None:
        if page == 3:
            rows["a"] = 9

    assert met(sweep(rows, 2, move=move, start={"from": 7})) == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize("seed", range(60))
def test_whatever_moves_all_are_met(seed: int) -> None:
    draw = random.Random(seed)
    rows = {f"{number:03d}": draw.randint(1, draw.choice((2, 10, 60))) for number in range(60)}
    everything = set(rows)
    now = [100]

    def move(page: int) -> None:
        for _ in range(draw.choice((0, 0, 1, 3)) if page < 40 else 0):
            now[0] += draw.randint(0, 1)
            rows[draw.choice(sorted(everything))] = now[0]

    assert met(sweep(rows, draw.choice((1, 2, 5, 10)), move=move)) == everything


def test_a_sum_is_of_ids_and_not_of_their_order() -> None:
    both = sum_of(["a", "b"])
    assert sum_of(["b"], before=sum_of(["a"])) == both == sum_of(["b", "a"])
    assert both not in (sum_of(["a"]), sum_of(["a", "c"]), sum_of(["a", "b", "b"]))
    assert sum_of([]) == 0
    assert sum_of(map(str, range(1000))) < 2**53  # a whole number for every reader of JSON
