"""Gives leads to their people by rule, in the transaction that makes or frees them, and keeps how it was decided.

Order of locks: leads, then pools by key, then the head of the audit. A pool's row is locked while turns are taken, so
that two routers take them one after the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final

from django.db import connection, transaction

from salesops.accounts.models import Account, Contact
from salesops.accounts.rules.consent import stricter
from salesops.audit.services import Change, change_of
from salesops.core.days import company_day
from salesops.core.rows import as_json, insert_rows, next_ids
from salesops.leads.choices import OPEN_STATUSES, AssignmentMethod, ClockEnding, LeadStatus, TurnKind, WhenNobody
from salesops.leads.models import Clock, Lead, LeadAssignment, Pool, PoolMember, Turn
from salesops.leads.rules.fields import EXPONENT
from salesops.leads.rules.pools import Given, PoolAtWork
from salesops.leads.rules.rotation import Method
from salesops.leads.rules.routing import Action, Held, Level, Rule, Ruleset, fits
from salesops.leads.selectors.fields import facts_of
from salesops.leads.selectors.routing import (
    Presence,
    Values,
    number_of,
    pools_at_work,
    pools_reached,
    presence_of,
    rules_in_force,
)
from salesops.people.rules.working_time import after_working
from salesops.pods.selectors import pod_of
from salesops.values.names import match_name

#: Statuses in which a lead without an owner is given to somebody.
ROUTED_STATUSES: Final = (LeadStatus.NEW, LeadStatus.WORKING, LeadStatus.QUALIFIED)


@dataclass(slots=True)
class Routed:
    """What came of one lead: whose it is now, or why it waits, and the way it went, as plain data.

    steps of the path: what was asked in order, [word, what was found]. way: the pool to which the rules lead.
    """

    lead: Lead
    person: int | None = None
    pool: Pool | None = None
    held: Held | None = None
    way: int | None = None
    path: dict[str, Any] = field(default_factory=dict)
    given: list[tuple[PoolAtWork, Given]] = field(default_factory=list)
    level: Level | None = None


def route_leads(
    *,
    leads: Sequence[Lead],
    at: datetime,
    method: str = AssignmentMethod.RULE,
    reason: str = "",
    had_it: Mapping[int, frozenset[int]] | None = None,
) -> list[Change]:
    """Give these leads to their people by the rules in force; nothing where there are none. In the caller's transaction.

    The rows are locked by the caller, or new. Those that have an owner or are closed are left alone. had_it: by lead,
    people who are not to get it again. What nobody can take waits, with the reason; nothing is lost. Returns what the
    caller records in the audit, last of all.
    """
    wanted = [lead for lead in leads if lead.owner_id is None and lead.status in ROUTED_STATUSES]
    ruleset = rules_in_force() if wanted else None
    if ruleset is None:
        return []
    with transaction.atomic():
        router = _Router(at, ruleset, had_it or {})
        return _write(router.route(wanted), router.presence, at, method, reason)


def try_lead(*, lead: Lead, ruleset: Ruleset, at: datetime) -> Routed:
    """What these rules would do with a lead now, whoever has it; nothing is written or locked."""
    return try_leads(leads=[lead], ruleset=ruleset, at=at)[0]


def try_leads(
    *, leads: Sequence[Lead], ruleset: Ruleset, at: datetime, had_it: Mapping[int, frozenset[int]] | None = None
) -> list[Routed]:
    """What these rules would do with these leads, one after the other, from how pools stand now; nothing is written.

    had_it: as in `route_leads`.
    """
    return _Router(at, ruleset, had_it or {}, is_tried=True).route(leads)


class _Router:
    """One batch: what is known of its leads, the pools at work, the decisions."""

    def __init__(
        self, at: datetime, ruleset: Ruleset, had_it: Mapping[int, frozenset[int]], *, is_tried: bool = False
    ) -> None:
        self.at = at
        self.ruleset = ruleset
        self.had_it = had_it
        self.is_tried = is_tried
        self.fitting: dict[int, tuple[Callable[[Mapping[str, Any]], Any], dict[Any, bool]]] = {}
        self.by_email: dict[str, tuple[int, int]] = {}
        self.values = Values(at)

    def route(self, leads: Sequence[Lead]) -> list[Routed]:
        """Find each lead its way first, then lock only the pools to which any of them leads."""
        self.facts = {lead.pk: facts_of(lead) for lead in leads}
        self._read_known(leads)
        named = {rule.person for rule in self.ruleset.rules if rule.person}
        owners = {account.owner_id for account in self.accounts.values() if account.owner_id}
        self.presence = presence_of({*named, *owners, *(owner for _pk, owner in self.by_email.values())}, self.at)
        routed = [self._way(lead) for lead in leads]
        self._open_pools({done.way for done in routed if done.way})
        for done in routed:
            self._decide(done)
        return routed

    # --- What is known of the leads -------------------------------------------------------------------------------

    def _read_known(self, leads: Sequence[Lead]) -> None:
        """Owners of other open leads with the same address, and the accounts that the leads belong to; three queries."""
        keys = {lead.pk for lead in leads}
        emails = {lead.email for lead in leads if lead.email}
        rows = Lead.objects.filter(email__among=emails, status__in=OPEN_STATUSES, owner__isnull=False).order_by("pk")
        for pk, email, owner in rows.values_list("pk", "email", "owner_id") if emails else ():
            if pk not in keys:
                self.by_email.setdefault(email, (pk, owner))
        folded = {company: match_name(company) for company in {lead.company for lead in leads if lead.company}}
        named = {*folded.values()} - {""}
        contacts: dict[str, int] = {}
        self.consents: dict[str, str] = {}
        people = Contact.objects.filter(email__among=emails).order_by("-pk")
        for email, account_id, consent in people.values_list("email", "account_id", "consent") if emails else ():
            contacts[email] = account_id
            self.consents[email] = stricter(consent, self.consents.get(email, consent))
        wanted = {*contacts.values(), *(lead.account_id for lead in leads if lead.account_id)}
        by_key = Account.objects.in_bulk(wanted)
        by_name: dict[str, list[Account]] = defaultdict(list)
        for account in Account.objects.filter(match_name__among=named) if named else ():
            by_name[account.match_name].append(account)
        self.accounts: dict[int, Account] = {}
        for lead in leads:
            same = by_name.get(folded[lead.company], []) if lead.company else []
            known = by_key.get(lead.account_id or contacts.get(lead.email) or 0)
            # A name that two accounts share says nothing.
            found = known or (same[0] if len(same) == 1 else None)
            if found:
                self.accounts[lead.pk] = found

    def _open_pools(self, wanted: Iterable[int]) -> None:
        rows = Pool.objects.filter(pk__in=pools_reached(wanted)).order_by("pk")
        self.pools = {pool.pk: pool for pool in (rows if self.is_tried else rows.select_for_update(of=("self",)))}
        if not self.pools:
            return
        members = PoolMember.objects.filter(pool__in=self.pools).values_list("person_id", flat=True)
        on_call = {pool.on_call_id for pool in self.pools.values() if pool.on_call_id}
        there = presence_of({*members, *on_call}, self.at)
        self.presence = Presence(
            {**self.presence.absent, **there.absent},
            {**self.presence.calendars, **there.calendars},
            {**self.presence.deputies, **there.deputies},
        )
        self.work = pools_at_work(list(self.pools.values()), self.at, there)

    def _fits(self, rule: Rule | Level, facts: Mapping[str, Any]) -> bool:
        """Whether a rule's condition holds; the same values are asked once."""
        if rule.when is None:
            return True
        held = self.fitting.get(id(rule))
        if held is None:
            held = self.fitting[id(rule)] = (itemgetter(EXPONENT, *rule.when.fields), {})
        values_of, known = held
        values = values_of(facts)
        found = known.get(values)
        if found is None:
            found = known[values] = fits(rule.when, facts)
        return found

    # --- Decisions ------------------------------------------------------------------------------------------------

    def _way(self, lead: Lead) -> Routed:
        """What is decided without a pool, or the pool to which the first rule that fits leads."""
        done = Routed(lead, path={"version": self.ruleset.number, "steps": []})
        facts = self.facts[lead.pk]
        done.level = next((level for level in self.ruleset.levels if self._fits(level, facts)), None)
        steps: list[list[Any]] = done.path["steps"]
        # Whoever refused as a contact has refused, whatever form they filled in.
        consent = stricter(lead.consent, self.consents.get(lead.email, lead.consent))
        done.held = self.ruleset.held_for_consent(consent)
        if done.held:
            steps.append(["consent" if consent == lead.consent else "contact-consent", consent])
            return done
        twin = self.by_email.get(lead.email) if lead.email else None
        if twin and self._goes_to(done, twin[1], ["twin", twin[0]]):
            return done
        for rule in self.ruleset.rules:
            if not self._fits(rule, facts):
                steps.append(["no", rule.position])
                continue
            if rule.action is Action.ACCOUNT_OWNER:
                account = self.accounts.get(lead.pk)
                if account is None or account.owner_id is None:
                    steps.append(["no-account", rule.position])
                    continue
                if self._goes_to(done, account.owner_id, ["account", account.pk]):
                    return done
                continue
            if rule.action is Action.PERSON:
                if rule.person and self._goes_to(done, rule.person, ["person", rule.position]):
                    return done
                continue
            done.path["rule"] = [rule.position, rule.name]
            if rule.action is Action.HOLD:
                done.held = Held.RULE
            else:
                done.way = rule.pool
            return done
        done.held = Held.NO_RULE
        return done

    def _decide(self, done: Routed) -> None:
        """Let the pool decide where one was found; somebody who got a lead of the same address just now gets this one."""
        email = done.lead.email
        if done.way:
            twin = self.by_email.get(email) if email else None
            if twin and twin[0] in self.facts and self._goes_to(done, twin[1], ["twin", twin[0]]):
                del done.path["rule"]
            else:
                self._by_pool(done, done.way)
        if done.person is not None and email:
            self.by_email.setdefault(email, (done.lead.pk, done.person))

    def _goes_to(self, done: Routed, person: int, step: list[Any]) -> bool:
        """Give it to somebody who is named, where they are there; else say that they are not, and go on."""
        if person in self.had_it.get(done.lead.pk, ()):
            done.path["steps"].append([*step, person, "had-it"])
            return False
        if not self.presence.takes_named(person):
            why = self.presence.absent.get(person)
            done.path["steps"].append([*step, person, why.value if why else "inactive"])
            deputy = self.presence.deputies.get(person)
            # Who stands in for somebody does not pass it on to their own deputy: it would go astray.
            return deputy is not None and step[0] != "deputy" and self._goes_to(done, deputy, ["deputy", person])
        done.path["steps"].append([*step, person, "takes"])
        done.person = person
        return True

    def _by_pool(self, done: Routed, pool_id: int | None) -> None:
        """Let the pool take it, or the one to which it hands on, or whoever is on call; else it waits in the first."""
        lead, seen = done.lead, set[int]()
        done.path["pools"] = []
        while pool_id and pool_id not in seen and pool_id in self.pools:
            seen.add(pool_id)
            pool = self.pools[pool_id]
            done.pool = done.pool or pool
            work = self.work[pool_id]
            given = work.give(
                self.facts[lead.pk],
                at=number_of(self.at),
                value=self.values.value_of(lead, pool.currency),
                had_it=self.had_it.get(lead.pk, frozenset()),
            )
            done.path["pools"].append(given.path)
            if given.picked is not None:
                done.person, done.pool = given.picked.person, pool
                done.given.append((work, given))
                return
            if pool.when_nobody == WhenNobody.ON_CALL and pool.on_call_id:
                if self._goes_to(done, pool.on_call_id, ["on-call", pool.pk]):
                    return
                break
            pool_id = pool.fallback_id if pool.when_nobody == WhenNobody.POOL else None
        done.held = Held.NOBODY


# --- Writing ------------------------------------------------------------------------------------------------------


def _write(routed: Sequence[Routed], presence: Presence, at: datetime, method: str, reason: str) -> list[Change]:
    """Write the decisions of a batch: leads, assignments, turns, members and clocks. A fixed number of queries."""
    people = {done.person for done in routed if done.person is not None}
    pods = pod_of(people, company_day(at))
    before = {done.lead.pk: (done.lead.pool_id, done.lead.waits_because) for done in routed}
    for done in routed:
        lead = done.lead
        lead.pool = done.pool
        lead.waits_because = done.held.value if done.held else ""
        if done.person is not None:
            lead.owner_id = done.person
            lead.pod_id = (done.pool and done.pool.pod_id) or pods.get(done.person) or lead.pod_id
            lead.assigned_at = at
        elif done.pool and done.pool.pod_id:
            lead.pod_id = done.pool.pod_id
        lead.updated_at = at
    # What still waits for the same reason in the same place is no news.
    told = [
        done
        for done in routed
        if done.person is not None or before[done.lead.pk] != (done.lead.pool_id, done.lead.waits_because)
    ]
    if not told:
        return []
    _save_leads([done.lead for done in told])
    keys = next_ids(LeadAssignment, len(told))
    insert_rows(
        LeadAssignment,
        ("id", "lead_id", "person_id", "pod_id", "assigned_at", "method", "reason", "path"),
        (
            (
                key,
                done.lead.pk,
                done.person,
                done.lead.pod_id,
                at,
                method,
                reason[:300],
                as_json(done.path | ({"held": done.held.value} if done.held else {})),
            )
            for key, done in zip(keys, told, strict=True)
        ),
    )
    _save_turns(told, keys, at)
    start_clocks(
        [
            (key, done.lead.pk, done.person, done.level)
            for key, done in zip(keys, told, strict=True)
            if done.level is not None and done.person is not None
        ],
        presence,
        at,
    )
    return [
        change_of(
            done.lead,
            action="lead.routed" if done.person is not None else "lead.held",
            after={"owner": done.person, "pod": done.lead.pod_id}
            if done.person is not None
            else {"waits_because": done.lead.waits_because},
            reason=reason,
        )
        for done in told
    ]


#: What routing writes of leads, with the types that PostgreSQL needs to be told.
_OF_LEADS: Final = {
    "owner_id": "bigint",
    "pod_id": "bigint",
    "pool_id": "bigint",
    "waits_because": "varchar",
    "assigned_at": "timestamptz",
    "updated_at": "timestamptz",
}


def _save_leads(leads: Sequence[Lead]) -> None:
    """Write what routing changes of leads."""
    columns = {name: [getattr(lead, name) for lead in leads] for name in _OF_LEADS}
    keys = [lead.pk for lead in leads]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"""UPDATE leads_lead l SET {", ".join(f"{name} = n.{name}" for name in columns)}
                FROM unnest(%s::bigint[], {", ".join(f"%s::{kind}[]" for kind in _OF_LEADS.values())})
                    AS n(id, {", ".join(columns)})
                WHERE l.id = n.id""",  # noqa: S608 - names above
                [keys, *columns.values()],
            )
            return
        adapt = connection.ops.adapt_datetimefield_value
        for name in ("assigned_at", "updated_at"):
            columns[name] = [adapt(moment) for moment in columns[name]]
        cursor.executemany(
            f"UPDATE leads_lead SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",  # noqa: S608 - names above
            list(zip(*columns.values(), keys, strict=True)),
        )


def _save_turns(routed: Sequence[Routed], keys: Sequence[int], at: datetime) -> None:
    """Write the turns that were taken and how members and wheels stand after them."""
    rows: list[tuple[Any, ...]] = []
    works: dict[int, PoolAtWork] = {}
    for done, key in zip(routed, keys, strict=True):
        for work, given in done.given:
            works[work.key] = work
            rows.extend(turns_of(work, given, done.lead, key, TurnKind.ROUTED, at))
    save_turns(rows)
    save_pools(works.values())


_TURN: Final = ("pool_id", "kind", "member_id", "lead_id", "assignment_id", "value_minor", "changes", "taken_at")


def turns_of(
    work: PoolAtWork, given: Given, lead: Lead, assignment: int, kind: str, at: datetime
) -> list[tuple[Any, ...]]:
    """The turns of one lead in a pool, as rows: what returns from leave brought, then the turn itself."""
    rows: list[tuple[Any, ...]] = [
        (work.key, TurnKind.CAUGHT_UP.value, member, None, None, None, _plain(changes), at)
        for member, changes in given.returns
    ]
    if given.turn is not None and given.picked is not None:
        changes = _plain(given.turn.changes)
        rows.append((work.key, kind, given.picked.key, lead.pk, assignment, given.value, changes, at))
    return rows


def save_turns(rows: Sequence[tuple[Any, ...]]) -> None:
    """Add turns to the ledger."""
    if rows:
        insert_rows(Turn, _TURN, rows)


def _plain(changes: Mapping[int, int]) -> str:
    return as_json({str(key): parts for key, parts in changes.items() if parts})


def save_pools(works: Iterable[PoolAtWork]) -> None:
    """Write how members stand and where wheels are, of pools whose rows are locked."""
    rows: list[tuple[Any, ...]] = []
    wheels: list[tuple[Any, ...]] = []
    for work in works:
        rows.extend(
            (member.credit, member.missed, member.deficit, _moment(member.idle_since), member.key)
            for member in work.members
            if member.key in work.changed
        )
        if work.method is Method.VALUE:
            wheels.append((work.turn_of, work.key))
    with connection.cursor() as cursor:
        if rows:
            cursor.executemany(
                "UPDATE leads_poolmember SET credit = %s, missed = %s, deficit_minor = %s, last_given_at = %s WHERE id = %s",
                rows,
            )
        if wheels:
            cursor.executemany("UPDATE leads_pool SET turn_of_id = %s WHERE id = %s", wheels)


def _moment(number: int | None) -> Any:
    if number is None:
        return None
    return connection.ops.adapt_datetimefield_value(datetime.fromtimestamp(number / 1_000_000, tz=UTC))


def start_clocks(given: Sequence[tuple[int, int, int, Level]], presence: Presence, at: datetime) -> None:
    """Start the clock of each (assignment, lead, person, service level), in the working time of the person.

    Earlier clocks of these leads stop. Who has no working time within a year has no clock.
    """
    if not given:
        return
    stop_clocks([lead for _key, lead, _person, _level in given], ClockEnding.MOVED, at)
    made: dict[tuple[int, int], datetime | None] = {}

    def due(person: int, minutes: int | None) -> datetime | None:
        if minutes is None or person not in presence.calendars:
            return None
        if (person, minutes) not in made:
            made[person, minutes] = after_working(at, minutes, presence.calendars[person])
        return made[person, minutes]

    rows = []
    for key, lead, person, level in given:
        warn_at = due(person, level.warn)
        if warn_at is not None:
            later = (due(person, level.alert), due(person, level.reassign))
            rows.append((lead, key, person, level.name, at, warn_at, *later, warn_at, ""))
    insert_rows(Clock, _CLOCK, rows)


_CLOCK: Final = (
    "lead_id",
    "assignment_id",
    "person_id",
    "level",
    "started_at",
    "warn_at",
    "alert_at",
    "reassign_at",
    "next_at",
    "ending",
)


def stop_clocks(lead_ids: Sequence[int], ending: str, at: datetime) -> int:
    """Stop the running clocks of leads; how many ran."""
    rows = Clock.objects.filter(lead__among=lead_ids, ended_at__isnull=True, started_at__lte=at)
    return rows.update(ended_at=at, ending=ending, next_at=None)
