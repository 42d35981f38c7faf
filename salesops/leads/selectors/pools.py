"""Reads pools for an actor: who is next, who got how much of what they were entitled to, what went past the turns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Exists, Max, Min, OuterRef, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy

from salesops.core import display
from salesops.core.actor import Actor
from salesops.leads.choices import AssignmentMethod, TurnKind
from salesops.leads.models import Lead, LeadAssignment, Pool, PoolMember, PoolVersion, Turn
from salesops.leads.querysets import PoolQuerySet
from salesops.leads.rules.fairness import Part, gap, hundredths, share_bp, who_is_next
from salesops.leads.rules.setups import setup_changes
from salesops.leads.selectors.routing import pools_at_work
from salesops.leads.selectors.ways import WHY_NOW, leads_text
from salesops.people.models import User
from salesops.pods.models import Pod

#: So far back pools are looked at.
WINDOW: Final = timedelta(days=30)
#: So many turns are shown.
_LAST_TURNS: Final = 20
#: So many setups are shown.
_SETUPS: Final = 10


def pools_for(actor: Actor) -> PoolQuerySet:
    """The pools the actor may see, by name."""
    return Pool.objects.visible_to(actor).order_by("name", "pk")


def pool_for(actor: Actor, pk: int) -> Pool:
    """One pool; raises Http404 when it is not theirs to see."""
    found: Pool = Pool.objects.select_related("pod", "fallback", "on_call").get_for(actor, pk=pk)
    return found


def version_for(actor: Actor, pk: int) -> PoolVersion:
    """One setup of a pool; raises Http404 when the pool is not theirs to see."""
    found: PoolVersion = PoolVersion.objects.select_related("pool").get_for(actor, pk=pk)
    return found


@dataclass(frozen=True, slots=True)
class KeptSetup:
    """How a pool was set up from a moment on. changes: what was new in it, in words; none for the first that is known."""

    version: PoolVersion
    changes: Sequence[str]
    is_now: bool


def versions_of(actor: Actor, pool: Pool) -> QuerySet[PoolVersion]:
    """The setups of a pool that were kept, the newest first."""
    rows: QuerySet[PoolVersion] = PoolVersion.objects.visible_to(actor).filter(pool=pool)
    return rows.select_related("made_by").order_by("-number")


def setups_of(actor: Actor, pool: Pool, versions: Sequence[PoolVersion] | None = None) -> list[KeptSetup]:
    """These setups of a pool, which follow one another, the newest first; the latest where none are named. As many queries
    however many there are."""
    kept = versions_of(actor, pool)
    shown = list(kept[:_SETUPS] if versions is None else versions)
    if not shown:
        return []
    newest = kept.values_list("number", flat=True)[0]
    known = [*shown, *kept.filter(number__lt=shown[-1].number)[:1]]
    keys = {int(key) for version in known for key in version.setup["members"]}
    keys |= {version.setup["pool"]["on_call_id"] or 0 for version in known}
    names = _SetupNames(
        people={user.pk: str(user) for user in User.objects.filter(pk__in=keys)},
        pools=dict(Pool.objects.filter(versions__isnull=False).values_list("pk", "name")),
        pods=dict(Pod.objects.values_list("pk", "name")),
    )
    following = [*known[1:], None][: len(shown)]
    return [
        KeptSetup(version, names.words(before.setup, version.setup) if before else [], version.number == newest)
        for version, before in zip(shown, following, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _SetupNames:
    """What keys of settings name."""

    people: Mapping[int, str]
    pools: Mapping[int, str]
    pods: Mapping[int, str]

    def words(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
        """What differs, setting by setting."""
        found = []
        for each in setup_changes(before, after):
            field: Any = (Pool if each.person is None else PoolMember)._meta.get_field(each.name.removesuffix("_id"))
            currencies = before["pool"]["currency"], after["pool"]["currency"]
            text = translate("%(setting)s: %(before)s → %(after)s") % {
                "setting": capfirst(field.verbose_name),
                "before": self._value(each.name, field, each.before, currencies[0]),
                "after": self._value(each.name, field, each.after, currencies[1]),
            }
            found.append(text if each.person is None else f"{self.people.get(each.person, f'#{each.person}')} · {text}")
        return found

    def _value(self, name: str, field: Any, value: Any, currency: str) -> str:
        if value is None or value == "":
            return "—"
        if isinstance(value, bool):
            return translate("Yes") if value else translate("No")
        if name == "quantum_minor":
            return display.money(value, currency)
        keys = {"fallback_id": self.pools, "on_call_id": self.people, "pod_id": self.pods}
        if name in keys:
            return keys[name].get(value, f"#{value}")
        return str(dict(field.flatchoices).get(value, value))


@dataclass(frozen=True, slots=True)
class InShort:
    """A pool in a list. gap: between who is owed most and who least, as text."""

    members: int = 0
    waiting: int = 0
    given: int = 0
    gap: str = ""


def in_short(pools: Sequence[Pool], at: datetime) -> dict[int, InShort]:
    """Pools in a few figures, by key; three queries."""
    members = {
        pool: (count, gap((most, least)))
        for pool, count, most, least in PoolMember.objects.filter(pool__in=pools, is_in=True, weight__gt=0)
        .order_by()
        .values_list("pool")
        .annotate(Count("pk"), Max("credit"), Min("credit"))
    }
    waiting = dict(
        Lead.objects.filter(pool__in=pools, owner__isnull=True)
        .exclude(waits_because="")
        .order_by()
        .values_list("pool")
        .annotate(Count("pk"))
    )
    given: Counter[int] = Counter()
    rows = Turn.objects.filter(pool__in=pools, taken_at__gt=at - WINDOW).order_by().values_list("pool", "kind")
    for pool, kind, count in rows.annotate(Count("pk")):
        given[pool] += _SIGN.get(kind, 0) * count
    return {
        pool.pk: InShort(
            members.get(pool.pk, (0, 0))[0],
            waiting.get(pool.pk, 0),
            given[pool.pk],
            leads_text(hundredths(members.get(pool.pk, (0, 0))[1]), is_signed=False),
        )
        for pool in pools
    }


#: What is no turn although a rule gave it: it went to somebody who was named.
_PAST: Final[Mapping[str, str | Promise]] = {
    AssignmentMethod.RULE: gettext_lazy("By rule, to who was named or had the same address"),
}

#: What a turn counts for as leads got.
_SIGN: Final[Mapping[str, int]] = {TurnKind.ROUTED: 1, TurnKind.MANUAL: 1, TurnKind.RETURNED: -1}


@dataclass(frozen=True, slots=True)
class MemberStanding:
    """How a member stands. place: when their turn comes, 1 for next; None for who cannot take anything now, with why.

    credit, entitled, ahead: in leads, as text; ahead: what they got beyond what they were entitled to. value_minor: of
    the leads they got, where it is known. got_bp, value_bp: their part of all leads, and of all value.
    """

    row: PoolMember
    place: int | None
    why: str
    credit: str
    open_leads: int
    got: int
    entitled: str
    ahead: str
    value_minor: int
    got_bp: int | None
    value_bp: int | None
    part: Part


@dataclass(frozen=True, slots=True)
class PastTheTurns:
    """Leads that members got without a turn: how, how many."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class PoolStanding:
    """How a pool stands, and how it has been in the last 30 days.

    gap: between who is owed most and who least, of those that take part. all_leads: what members got, by a turn or not;
    past: of these without one.
    """

    members: Sequence[MemberStanding]
    gap: str
    waiting: int
    given: int
    value_minor: int
    unvalued: int
    all_leads: int
    past_count: int
    past_bp: int | None
    past: Sequence[PastTheTurns]


def standing_of(pool: Pool, at: datetime) -> PoolStanding:
    """How a pool stands at a moment; the caller may see it. A fixed number of queries but for the time zones of members
    with limits."""
    work = pools_at_work([pool], at)[pool.pk]
    rows = {row.pk: row for row in PoolMember.objects.filter(pool=pool).select_related("person")}
    # What they take depends on the lead; here it is about whoever can take any at all.
    why: dict[int, str] = {}
    able = []
    loads = {member.key: member.open_leads for member in work.members}
    for member in work.members:
        member.takes = None
        found = member.cannot({})
        if found is None:
            able.append(member)
        else:
            why[member.key] = str(WHY_NOW[found])
    order = who_is_next(able, work.method, quantum=work.quantum, turn_of=work.turn_of)
    places = {key: place for place, key in enumerate(order, start=1)}
    since = at - WINDOW
    parts, values, unvalued = _parts_of(pool, since, at)
    given, total = sum(part.got for part in parts.values()), sum(values.values())
    members = [
        MemberStanding(
            row=row,
            place=places.get(key),
            why=why.get(key, ""),
            credit=leads_text(hundredths(row.credit)),
            open_leads=loads.get(key, 0),
            got=parts[key].got,
            entitled=leads_text(hundredths(parts[key].entitled), is_signed=False),
            ahead=leads_text(hundredths(-parts[key].change)),
            value_minor=values[key],
            got_bp=share_bp(parts[key].got, given),
            value_bp=share_bp(values[key], total),
            part=parts[key],
        )
        for key, row in rows.items()
    ]
    members.sort(key=lambda each: (each.place is None, each.place or 0, str(each.row.person), each.row.pk))
    past = _past_the_turns(rows.values(), since, at)
    past_count, all_leads = sum(past.values()), _all_leads(rows.values(), since, at)
    return PoolStanding(
        members=members,
        gap=leads_text(
            hundredths(gap([row.credit for row in rows.values() if row.is_in and row.weight])), is_signed=False
        ),
        waiting=Lead.objects.filter(pool=pool, owner__isnull=True).exclude(waits_because="").count(),
        given=given,
        value_minor=total,
        unvalued=unvalued,
        all_leads=all_leads,
        past_count=past_count,
        past_bp=share_bp(past_count, all_leads),
        past=[
            PastTheTurns(str(_PAST.get(method) or AssignmentMethod(method).label), count)
            for method, count in sorted(past.items(), key=lambda each: (-each[1], each[0]))
        ],
    )


def last_turns(actor: Actor, pool: Pool) -> list[dict[str, Any]]:
    """The last turns of a pool, with their leads as far as the actor sees them. Two queries."""
    turns = list(
        Turn.objects.filter(pool=pool)
        .select_related("member__person", "lead")
        .order_by("-taken_at", "-pk")[:_LAST_TURNS]
    )
    keys = {turn.lead_id for turn in turns if turn.lead_id}
    seen = set(Lead.objects.visible_to(actor).filter(pk__in=keys).values_list("pk", flat=True))
    return [
        {
            "turn": turn,
            "person": turn.member.person,
            "lead": turn.lead if turn.lead_id in seen else None,
            "change": leads_text(hundredths(turn.changes.get(str(turn.member_id), 0))),
        }
        for turn in turns
    ]


def _parts_of(pool: Pool, since: datetime, at: datetime) -> tuple[dict[int, Part], dict[int, int], int]:
    """What each member got, and what the leads were worth, in a time; and of how many leads that is not known."""
    got: Counter[int] = Counter()
    values: Counter[int] = Counter()
    unvalued = 0
    turns = Turn.objects.filter(pool=pool, taken_at__gt=since, taken_at__lte=at).order_by()
    for member, kind, count, known, value in turns.values_list("member", "kind").annotate(
        Count("pk"), Count("value_minor"), Sum("value_minor")
    ):
        sign = _SIGN.get(kind, 0)
        got[member] += sign * count
        values[member] += sign * int(value or 0)
        unvalued += sign * (count - known)
    parts: defaultdict[int, Part] = defaultdict(Part)
    changes = _changes_of(pool, since, at)
    for member in {*got, *changes}:
        parts[member] = Part(got[member], changes.get(member, 0))
    return parts, values, unvalued


def _changes_of(pool: Pool, since: datetime, at: datetime) -> dict[int, int]:
    """By how much each member's credit changed in a time, summed in the database."""
    is_postgres = connection.vendor == "postgresql"
    each = "jsonb_each_text(t.changes)" if is_postgres else "json_each(t.changes)"
    moments: list[Any] = (
        [since, at] if is_postgres else [connection.ops.adapt_datetimefield_value(m) for m in (since, at)]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT e.key, SUM(CAST(e.value AS bigint)) FROM leads_turn t, {each} e
            WHERE t.pool_id = %s AND t.taken_at > %s AND t.taken_at <= %s GROUP BY e.key""",  # noqa: S608 - words above
            [pool.pk, *moments],
        )
        return {int(key): int(parts) for key, parts in cursor.fetchall()}


def _assignments(members: Any, since: datetime, at: datetime) -> Any:
    people = [row.person_id for row in members]
    return LeadAssignment.objects.filter(person__in=people, assigned_at__gt=since, assigned_at__lte=at).order_by()


def _all_leads(members: Any, since: datetime, at: datetime) -> int:
    """How many times members were given a lead."""
    count: int = _assignments(members, since, at).count()
    return count


def _past_the_turns(members: Any, since: datetime, at: datetime) -> dict[str, int]:
    """How many of these times it was no turn of any pool, by how it was given: named by a rule, by hand, imported."""
    rows = _assignments(members, since, at).filter(~Exists(Turn.objects.filter(assignment=OuterRef("pk"))))
    return dict(rows.values_list("method").annotate(Count("pk")))
