"""Which way a lead goes: consent first, then those who know it already, then the rules in their order."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from salesops.leads.rules.fields import EXPONENT, OF_A_LEAD
from salesops.values.formulas import Formula, check
from salesops.values.outcomes import Outcome, Problem


class Action(enum.StrEnum):
    """What a rule does with a lead; the values of choices.RuleAction."""

    ACCOUNT_OWNER = "account_owner"
    PERSON = "person"
    POOL = "pool"
    HOLD = "hold"


class Held(enum.StrEnum):
    """Why a lead waits; what Lead.waits_because holds."""

    CONSENT_REFUSED = "consent-refused"
    CONSENT_UNKNOWN = "consent-unknown"
    RULE = "rule"
    NO_RULE = "no-rule"
    NOBODY = "nobody"


#: What waits only for somebody to be there; the rest waits for a person to decide.
WAITS_FOR_PEOPLE = frozenset({Held.NOBODY})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. when: None for every lead. pool, person: keys of where it goes."""

    position: int
    name: str
    when: Formula | None
    action: Action
    pool: int | None = None
    person: int | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """How soon leads of a kind must be touched, minutes of working time; None for never."""

    name: str
    when: Formula | None
    warn: int
    alert: int | None = None
    reassign: int | None = None


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A version of the rules, read."""

    number: int
    needs_consent: bool
    rules: tuple[Rule, ...]
    levels: tuple[Level, ...]

    def held_for_consent(self, consent: str) -> Held | None:
        """Why a lead is not to be contacted, before anything else is asked."""
        if consent == "refused":
            return Held.CONSENT_REFUSED
        if self.needs_consent and consent != "given":
            return Held.CONSENT_UNKNOWN
        return None

    def level_of(self, lead: Mapping[str, Any]) -> Level | None:
        """The first service level that fits a lead."""
        return next((level for level in self.levels if fits(level.when, lead)), None)


def fits(when: Formula | None, lead: Mapping[str, Any]) -> bool:
    """Whether a condition holds for a lead (its fields by name); a blank condition always does."""
    return when is None or when.evaluate(lead, EXPONENT) is True


@lru_cache(maxsize=4096)
def _checked(text: str) -> Outcome[Formula]:
    """The rules in force are read for every lead that comes in; their conditions are checked once."""
    return check(text, OF_A_LEAD)


def read_rules(
    number: int, needs_consent: bool, rules: Sequence[Mapping[str, Any]], levels: Sequence[Mapping[str, Any]]
) -> Outcome[Ruleset]:
    """Read rules and service levels from plain data; or everything that is wrong with them, each at its place.

    A problem's `where` is rule:<position> or level:<position>.
    """
    problems: list[Problem] = []

    def condition(text: str, where: str) -> Formula | None:
        if not text.strip():
            return None
        outcome = _checked(text)
        problems.extend(replace(problem, where=where) for problem in outcome.problems)
        return outcome.value

    read = tuple(
        Rule(
            row["position"],
            row["name"],
            condition(row["condition"], f"rule:{row['position']}"),
            Action(row["action"]),
            row["pool"],
            row["person"],
        )
        for row in sorted(rules, key=lambda row: row["position"])
    )
    clocks = tuple(
        Level(
            row["name"],
            condition(row["condition"], f"level:{row['position']}"),
            row["warn"],
            row["alert"],
            row["reassign"],
        )
        for row in sorted(levels, key=lambda row: row["position"])
    )
    if problems:
        return Outcome.bad(*problems)
    return Outcome.good(Ruleset(number, needs_consent, read, clocks))
