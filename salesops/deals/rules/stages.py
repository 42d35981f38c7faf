"""The stage machine: which moves a deal may make, and what each needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from salesops.values.outcomes import Outcome, Problem, gettext_noop

OPEN: Final = "open"
WON: Final = "won"
LOST: Final = "lost"
#: What everybody who may edit a deal may change after it closed. All else counts for commission or names the deal on
#: statements and in imports, and is for `Actor.may_change_closed_deals`.
FREE_WHEN_CLOSED: Final = frozenset({"contact", "expected_close_on", "lost_because", "next_step", "note"})
#: What the others are told.
CLOSED_DEAL: Final = Problem.of(
    "closed-deal",
    gettext_noop(
        "The deal is closed: only a manager, revenue operations or an administrator may change what its commission "
        "depends on."
    ),
)


class Move(StrEnum):
    """What a move means."""

    NONE = "none"
    ADVANCE = "advance"
    WIN = "win"
    LOSE = "lose"
    REOPEN = "reopen"


#: From kind, to kind. A pair that is not named is refused: what was won is reopened before it is lost.
MOVES: Final[dict[tuple[str, str], Move]] = {
    (OPEN, OPEN): Move.ADVANCE,
    (OPEN, WON): Move.WIN,
    (OPEN, LOST): Move.LOSE,
    (WON, OPEN): Move.REOPEN,
    (LOST, OPEN): Move.REOPEN,
    (WON, WON): Move.ADVANCE,
    (LOST, LOST): Move.ADVANCE,
}


@dataclass(frozen=True, slots=True)
class StageFacts:
    """A stage as the machine sees it: its id, what it means, whether it may be entered, and how many components of SPICED
    must be known of a deal that enters.
    """

    pk: int
    kind: str
    is_active: bool = True
    spiced_needed: int = 0


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """Where a deal stands and where it is to go. Days are in the company's time zone; `today` is the day it is there.

    spiced: the components that are known of it.
    """

    at_stage: StageFacts
    to_stage: StageFacts
    today: date
    opened_on: date | None = None
    closed_on_now: date | None = None
    lost_because_now: str = ""
    closed_on: date | None = None
    lost_because: str = ""
    spiced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """A move that may be made, and what it leaves in the deal."""

    move: Move
    kind: str
    closed_on: date | None
    lost_because: str


def decide_move(facts: MoveFacts) -> Outcome[Decision]:
    """Say what the move leaves in the deal, or why it is refused.

    Closing takes the day given, else today; a day in the future or before the deal was opened is refused, and losing
    needs a reason. Reopening clears both. A move to the stage where the deal is already changes nothing.
    """
    if facts.at_stage.pk == facts.to_stage.pk:
        return Outcome.good(Decision(Move.NONE, facts.at_stage.kind, facts.closed_on_now, facts.lost_because_now))
    if not facts.to_stage.is_active:
        return Outcome.bad(Problem.of("stage-not-in-use", gettext_noop("This stage is no longer in use.")))
    move = MOVES.get((facts.at_stage.kind, facts.to_stage.kind))
    if move is None:
        return Outcome.bad(
            Problem.of("reopen-first", gettext_noop("A closed deal cannot change its outcome: reopen it first."))
        )
    lacking = problems_of_spiced(facts.to_stage.spiced_needed, facts.spiced)
    if lacking and facts.to_stage.kind != LOST:
        return Outcome.bad(*lacking)
    if move is Move.REOPEN:
        return Outcome.good(Decision(move, OPEN, None, ""))
    if facts.to_stage.kind == OPEN:
        return Outcome.good(Decision(move, OPEN, None, ""))
    if move is Move.ADVANCE:
        return Outcome.good(Decision(move, facts.to_stage.kind, facts.closed_on_now, facts.lost_because_now))
    closed_on = facts.closed_on or facts.today
    reason = " ".join(facts.lost_because.split()) if move is Move.LOSE else ""
    problems = list(problems_of_closing(closed_on, facts.today, facts.opened_on))
    if move is Move.LOSE and not reason:
        problems.append(Problem.of("reason-missing", gettext_noop("Say why the deal was lost."), where="lost_because"))
    if problems:
        return Outcome.bad(*problems)
    return Outcome.good(Decision(move, facts.to_stage.kind, closed_on, reason))


#: What each component of SPICED is called in a refusal.
_COMPONENTS: Final = {
    "situation": gettext_noop("situation"),
    "pain": gettext_noop("pain"),
    "impact": gettext_noop("impact"),
    "critical_event": gettext_noop("critical event"),
    "decision": gettext_noop("decision"),
}


def problems_of_spiced(needed: int, spiced: Collection[str]) -> tuple[Problem, ...]:
    """What is missing where a stage asks for so many components; `missing` names all that are not known, in their order."""
    known = {name for name in _COMPONENTS if name in spiced}
    if len(known) >= needed:
        return ()
    missing = [words for name, words in _COMPONENTS.items() if name not in known]
    return (
        Problem.of(
            "spiced-missing",
            gettext_noop(
                "This stage needs %(needed)s of 5 SPICED components; %(known)s are known. Missing: %(missing)s."
            ),
            needed=needed,
            known=len(known),
            missing=", ".join(missing),
        ),
    )


def problems_of_changing(kind: str, names: Iterable[str], may_change_closed: bool) -> tuple[Problem, ...]:
    """What speaks against changing these fields or parts of a deal that is of this kind before the change."""
    if kind == OPEN or may_change_closed or FREE_WHEN_CLOSED.issuperset(names):
        return ()
    return (CLOSED_DEAL,)


def problems_of_closing(closed_on: date, today: date, opened_on: date | None) -> tuple[Problem, ...]:
    """What speaks against a deal having been closed on that day."""
    if closed_on > today:
        return (
            Problem.of(
                "closed-in-future", gettext_noop("A deal cannot have been closed in the future."), where="closed_on"
            ),
        )
    if opened_on is not None and closed_on < opened_on:
        return (
            Problem.of(
                "closed-before-opened",
                gettext_noop("The deal was opened on %(opened)s and cannot have been closed before."),
                where="closed_on",
                opened=opened_on.isoformat(),
            ),
        )
    return ()
