"""Says in words which way leads went: what was asked, who could take them, who took them and why; for a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from babel.numbers import format_decimal
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from salesops.accounts.selectors import accounts_for
from salesops.core.actor import Actor
from salesops.core.display import locale
from salesops.leads.choices import PoolMethod
from salesops.leads.models import Clock, Lead, Pool, RoutingRule
from salesops.leads.rules.pools import Why
from salesops.leads.rules.rotation import Method
from salesops.leads.rules.routing import Held
from salesops.people.models import User

#: Why a lead waits.
HELD: Final[Mapping[str, str | Promise]] = {
    Held.CONSENT_REFUSED: gettext_lazy("they refused to be contacted"),
    Held.CONSENT_UNKNOWN: gettext_lazy("it is not known whether they may be contacted, and the rules ask for it"),
    Held.RULE: gettext_lazy("a rule holds leads like this for a person to decide"),
    Held.NO_RULE: gettext_lazy("no rule fits it"),
    Held.NOBODY: gettext_lazy("nobody in the pool can take it at the moment"),
}

#: Why somebody did not get a lead: of others, and to their face.
_WHY: Final[Mapping[str, str | Promise]] = {
    Why.INACTIVE: gettext_lazy("was not working here"),
    Why.OUT: gettext_lazy("did not take part"),
    Why.NO_WEIGHT: gettext_lazy("had no weight"),
    Why.AWAY: gettext_lazy("was on leave"),
    Why.OFF_HOURS: gettext_lazy("was outside working hours"),
    Why.OTHER_LEADS: gettext_lazy("takes other leads only"),
    Why.CAP_OPEN: gettext_lazy("had the most open leads allowed"),
    Why.CAP_DAY: gettext_lazy("had the most leads of a day"),
    Why.CAP_30_DAYS: gettext_lazy("had the most leads of 30 days"),
    Why.HAD_IT: gettext_lazy("had it before"),
}
_WHY_YOU: Final[Mapping[str, str | Promise]] = {
    Why.INACTIVE: gettext_lazy("you were not working here"),
    Why.OUT: gettext_lazy("you did not take part in the pool"),
    Why.NO_WEIGHT: gettext_lazy("you had no weight in the pool"),
    Why.AWAY: gettext_lazy("you were on leave"),
    Why.OFF_HOURS: gettext_lazy("it came outside your working hours"),
    Why.OTHER_LEADS: gettext_lazy("you take other leads only"),
    Why.CAP_OPEN: gettext_lazy("you had the most open leads allowed"),
    Why.CAP_DAY: gettext_lazy("you had the most leads of a day"),
    Why.CAP_30_DAYS: gettext_lazy("you had the most leads of 30 days"),
    Why.HAD_IT: gettext_lazy("you had it before"),
}
#: The same of now, for pools.
WHY_NOW: Final[Mapping[str, str | Promise]] = {
    Why.INACTIVE: gettext_lazy("does not work here"),
    Why.OUT: gettext_lazy("does not take part"),
    Why.NO_WEIGHT: gettext_lazy("has no weight"),
    Why.AWAY: gettext_lazy("is on leave"),
    Why.OFF_HOURS: gettext_lazy("is outside working hours"),
    Why.OTHER_LEADS: gettext_lazy("takes other leads only"),
    Why.CAP_OPEN: gettext_lazy("has the most open leads allowed"),
    Why.CAP_DAY: gettext_lazy("has the most leads of a day"),
    Why.CAP_30_DAYS: gettext_lazy("has the most leads of 30 days"),
    Why.HAD_IT: gettext_lazy("had it before"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stood who could take a lead. before, after: their credit in leads, as text with two decimals."""

    person: str
    weight: int
    before: str
    after: str
    open_leads: int
    is_picked: bool
    is_reader: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Somebody in a pool who could not take a lead, and why."""

    person: str
    why: str
    is_reader: bool


@dataclass(frozen=True, slots=True)
class Round:
    """A pool that was asked. Without is_seen the reader is not told who is in it and how they stand."""

    name: str
    pk: int
    method: str
    candidates: Sequence[Standing] = ()
    left_out: Sequence[LeftOut] = ()
    is_seen: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """The way of one lead. for_reader: why it came to the reader, or why it did not; empty where it is not about them.

    steps: what was asked, in order. end: what came of it.
    """

    version: int
    is_readers: bool = False
    for_reader: str = ""
    steps: Sequence[str] = ()
    rounds: Sequence[Round] = ()
    end: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """A way as it is kept. key: by what the caller finds it again; person: who got the lead."""

    key: int
    path: Mapping[str, Any]
    person: int | None


@dataclass(slots=True)
class _Names:
    """What ways speak of, by key: only what the reader may be told."""

    people: Mapping[int, str]
    pools: Mapping[int, str]
    seen_pools: frozenset[int]
    rules: Mapping[tuple[int, int], str]
    leads: Mapping[int, str]
    accounts: Mapping[int, str]
    reader: int | None = field(default=None)

    def person(self, pk: int | None) -> str:
        return self.people.get(pk or 0) or _("somebody")

    def pool(self, pk: int) -> str:
        return self.pools.get(pk) or _("a pool that is gone")

    def rule(self, version: int, position: int) -> str:
        name = self.rules.get((version, position), "")
        return (
            _("Rule %(position)s “%(name)s”") % {"position": position, "name": name}
            if name
            else _("Rule %(position)s") % {"position": position}
        )


def ways_of(actor: Actor, gone: Iterable[Gone]) -> dict[int, Way]:
    """These ways in words, by key; seven queries at most, however many there are. What is no way is left out."""
    kept = [each for each in gone if isinstance(each.path.get("version"), int)]
    if not kept:
        return {}
    names = _names_for(actor, kept)
    return {each.key: _way(each, names) for each in kept}


def paths_seen(actor: Actor, paths: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Ways as they are kept, without how people stood in pools that the actor does not see; one query."""
    pools = {one["pool"] for path in paths for one in path.get("pools", ())}
    seen = set(Pool.objects.visible_to(actor).filter(pk__in=pools).values_list("pk", flat=True))
    told = [{name: found for name, found in path.items() if name != "before"} for path in paths]
    return [
        {**path, "pools": [_bare(one) if one["pool"] not in seen else one for one in path["pools"]]}
        if "pools" in path
        else path
        for path in told
    ]


def _bare(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("pool", "method")}


def clock_of(actor: Actor, lead: Lead) -> Clock | None:
    """The clock that runs on a lead, else the one that stopped last."""
    rows = Clock.objects.visible_to(actor).filter(lead=lead).select_related("person")
    found: Clock | None = rows.order_by("-started_at", "-pk").first()
    return found


def why_it_waits(lead: Lead) -> str:
    """Why a lead waits, in words; empty where it does not."""
    return str(HELD.get(lead.waits_because, lead.waits_because))


def leads_text(hundredths: int, *, is_signed: bool = True) -> str:
    """Hundredths of a lead as a number with two decimals: "+0.50"."""
    text = format_decimal(Decimal(hundredths) / 100, format="#,##0.00", locale=locale()).replace("-", "−", 1)
    return f"+{text}" if is_signed and hundredths > 0 else text


def _told(thousandths: int) -> str:
    """Thousandths of a lead as text, halves away from zero."""
    return leads_text(int((Decimal(thousandths) / 10).quantize(Decimal(1), rounding=ROUND_HALF_UP)))


# --- What ways speak of -------------------------------------------------------------------------------------------


def _names_for(actor: Actor, gone: Sequence[Gone]) -> _Names:
    people: set[int] = {each.person for each in gone if each.person}
    pools, leads, accounts, numbers = set[int](), set[int](), set[int](), set[int]()
    for each in gone:
        numbers.add(each.path["version"])
        for step in each.path.get("steps", ()):
            if len(step) == 4:
                people.add(step[2])
                {"twin": leads, "account": accounts, "on-call": pools, "deputy": people}.get(step[0], set()).add(
                    step[1]
                )
        for one in each.path.get("pools", ()):
            pools.add(one["pool"])
            people.update(row[0] for row in (*one["candidates"], *one["out"]))
    rules = RoutingRule.objects.filter(version__number__in=numbers).order_by()
    return _Names(
        people=dict(User.objects.filter(pk__in=people).values_list("pk", "name")),
        pools=dict(Pool.objects.filter(pk__in=pools).values_list("pk", "name")),
        seen_pools=frozenset(Pool.objects.visible_to(actor).filter(pk__in=pools).values_list("pk", flat=True)),
        rules={
            (number, place): name for number, place, name in rules.values_list("version__number", "position", "name")
        },
        leads={lead.pk: str(lead) for lead in Lead.objects.visible_to(actor).filter(pk__in=leads)} if leads else {},
        accounts=dict(accounts_for(actor).filter(pk__in=accounts).values_list("pk", "name")) if accounts else {},
        reader=actor.user_id,
    )


# --- Sentences ----------------------------------------------------------------------------------------------------


def _way(gone: Gone, names: _Names) -> Way:
    path = gone.path
    asked: list[str] = []
    after: list[str] = []
    for step in path.get("steps", ()):
        (after if step[0] == "on-call" else asked).append(_step(step, path["version"], names))
    rule = path.get("rule")
    if rule:
        words = {"rule": rule[0], "name": rule[1]}
        is_hold = path.get("held") == Held.RULE
        asked.append(
            (_("Rule %(rule)s “%(name)s” holds it.") if is_hold else _("Rule %(rule)s “%(name)s” fits.")) % words
        )
    rounds = [_round(one, gone.person, names) for one in path.get("pools", ())]
    text, is_readers = _for_reader(gone, names)
    return Way(path["version"], is_readers, text, [*asked, *after], rounds, _end(gone, names))


def _step(step: Sequence[Any], version: int, names: _Names) -> str:
    """One thing that was asked."""
    word, *rest = step
    if word == "consent":
        return (
            _("They refused to be contacted: no rule is asked.")
            if rest[0] == "refused"
            else _("It is not known whether they may be contacted: no rule is asked before it is.")
        )
    if word == "contact-consent":
        return _("A contact with the same address refused to be contacted: no rule is asked.")
    if word == "no":
        return _("%(rule)s does not fit.") % {"rule": names.rule(version, rest[0])}
    if word == "no-account":
        return _("%(rule)s finds no account with an owner.") % {"rule": names.rule(version, rest[0])}
    about, person, outcome = rest
    words = {"person": names.person(person), "why": str(_WHY.get(outcome, outcome))}
    takes = outcome == "takes"
    if word == "twin":
        words["lead"] = names.leads.get(about) or _("another lead")
        text = (
            _("%(person)s has %(lead)s with the same address, and gets this one too.")
            if takes
            else _("%(person)s has %(lead)s with the same address, but %(why)s.")
        )
    elif word == "account":
        words["account"] = names.accounts.get(about) or _("its account")
        text = (
            _("%(person)s owns %(account)s, and gets it.") if takes else _("%(person)s owns %(account)s, but %(why)s.")
        )
    elif word == "deputy":
        words["away"] = names.person(about)
        text = (
            _("%(person)s stands in for %(away)s, and gets it.")
            if takes
            else _("%(person)s stands in for %(away)s, but %(why)s.")
        )
    elif word == "on-call":
        words["pool"] = names.pool(about)
        text = (
            _("Nobody in %(pool)s can take it; %(person)s is on call there, and gets it.")
            if takes
            else _("Nobody in %(pool)s can take it; %(person)s is on call there, but %(why)s.")
        )
    else:
        words["rule"] = names.rule(version, about)
        text = _("%(rule)s gives it to %(person)s.") if takes else _("%(rule)s names %(person)s, who %(why)s.")
    return text % words


def _round(one: Mapping[str, Any], picked: int | None, names: _Names) -> Round:
    pk = one["pool"]
    method = str(PoolMethod(one["method"]).label) if one["method"] in PoolMethod.values else str(one["method"])
    if pk not in names.seen_pools:
        return Round(names.pool(pk), pk, method)
    return Round(
        names.pool(pk),
        pk,
        method,
        candidates=[
            Standing(
                names.person(person),
                weight,
                _told(before),
                _told(after),
                # As it stood before this lead, which was counted in with whoever got it.
                load - (person == picked),
                is_picked=person == picked,
                is_reader=person == names.reader,
            )
            for person, weight, before, after, load in one["candidates"]
        ],
        left_out=[
            LeftOut(names.person(person), str(_WHY.get(why, why)), person == names.reader) for person, why in one["out"]
        ],
        is_seen=True,
    )


def _end(gone: Gone, names: _Names) -> str:
    held = gone.path.get("held")
    if held:
        return _("It waits: %(why)s.") % {"why": HELD.get(held, held)}
    # Who was named is told by the last step.
    if gone.person is None or any(len(step) == 4 and step[3] == "takes" for step in gone.path.get("steps", ())):
        return ""
    return _("%(person)s gets it.") % {"person": names.person(gone.person)}


def _for_reader(gone: Gone, names: _Names) -> tuple[str, bool]:
    """Why it came to the reader, or why it did not, and which of the two."""
    reader = names.reader
    if reader is None:
        return "", False
    if gone.person == reader:
        return _why_theirs(gone, names), True
    # The last pool in which they are is the one that was asked last.
    for one in reversed(gone.path.get("pools", ())):
        for person, why in one["out"]:
            if person == reader:
                return str(_WHY_YOU.get(why, why)), False
        if any(row[0] == reader for row in one["candidates"]):
            return _why_others(one, gone.person, reader, names), False
    for step in gone.path.get("steps", ()):
        if len(step) == 4 and step[2] == reader:
            return str(_WHY_YOU.get(step[3], step[3])), False
    return "", False


def _why_theirs(gone: Gone, names: _Names) -> str:
    last = next((step for step in reversed(gone.path.get("steps", ())) if len(step) == 4 and step[3] == "takes"), None)
    if last is not None:
        return {
            "twin": _("you have a lead with the same address"),
            "account": _("you own its account"),
            "person": _("a rule names you"),
            "on-call": _("you are on call, and nobody in the pool could take it"),
            "deputy": _("you stand in for %(person)s, who is on leave") % {"person": names.person(last[1])},
        }[last[0]]
    one = next(iter(reversed(gone.path.get("pools", ()))), None)
    mine = next((row for row in one["candidates"] if row[0] == gone.person), None) if one else None
    if one is None or mine is None:
        return ""
    others = len(one["candidates"]) - 1
    if not others:
        return _("nobody else in the pool could take it")
    if one["method"] == Method.LOAD:
        return _("you had the fewest open leads for your weight")
    if one["method"] == Method.VALUE:
        return _("it was your turn by value")
    owed = mine[3] + 1000
    if any(row[0] != gone.person and row[3] == owed for row in one["candidates"]):
        return _("nobody was owed more than you, and the lot decided between equals: %(owed)s of a lead") % {
            "owed": _told(owed).lstrip("+")
        }
    return ngettext(
        "you were owed more than the %(count)s other who could take it: %(owed)s of a lead",
        "you were owed more than the %(count)s others who could take it: %(owed)s of a lead",
        others,
    ) % {"owed": _told(owed).lstrip("+"), "count": others}


def _why_others(one: Mapping[str, Any], picked: int | None, reader: int, names: _Names) -> str:
    rows = {row[0]: row for row in one["candidates"]}
    who = names.person(picked) if one["pool"] in names.seen_pools else _("somebody else")
    if one["method"] == Method.LOAD:
        return _("%(person)s had fewer open leads for their weight, or waited longer") % {"person": who}
    if one["method"] == Method.VALUE:
        return _("it was the turn of %(person)s by value") % {"person": who}
    mine = rows[reader][3]
    theirs = rows[picked][3] + 1000 if picked in rows else None
    if theirs is None:
        return _("it was given to %(person)s") % {"person": who}
    words = {"person": who, "theirs": _told(theirs).lstrip("+"), "mine": _told(mine).lstrip("+")}
    if theirs == mine:
        return _("%(person)s was owed as much as you, %(mine)s of a lead, and the lot decided") % words
    return _("%(person)s was owed more: %(theirs)s of a lead, you %(mine)s") % words
