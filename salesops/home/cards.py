"""What a person should do next: one action a card, the most pressing first, each with the reason why it is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Count, Exists, F, Min, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from salesops.accounts.models import Account, AccountOwnership, Subscription
from salesops.activities.choices import ActivityKind
from salesops.activities.models import Activity
from salesops.commissions.choices import (
    PAYROLL_RELEASE,
    AdjustmentKind,
    AdjustmentState,
    DisputeState,
    PeriodState,
    VersionState,
)
from salesops.commissions.models import Period, Plan, PlanAssignment, PlanVersion, Statement
from salesops.commissions.selectors.adjustments import adjustments_for
from salesops.commissions.selectors.contests import running_standings_of
from salesops.commissions.selectors.disputes import disputes_to_answer, hours_left
from salesops.commissions.selectors.periods import periods_to_open, standings, unpaid_statements
from salesops.commissions.selectors.plans import to_acknowledge
from salesops.commissions.selectors.statements import attainment_of
from salesops.connectors.choices import IMPORTS, ConnectionState, HoldState, RawState
from salesops.connectors.models import Connection, Hold, RawRecord, RejectedRow
from salesops.connectors.selectors.connections import FAILING
from salesops.core import display, features
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job
from salesops.leads.choices import LeadStatus
from salesops.leads.models import Clock, Lead
from salesops.people.models import RoleGrant
from salesops.values.periods import period_of

#: Cards of one kind at the most; the last one says how many more there are.
MOST: Final = 5
#: So many contests that run stand on the page, those that end first.
_CONTESTS: Final = 3
#: A subscription that ends within so many days is worth a talk now.
RENEWAL_DAYS: Final = 60
#: An open deal nobody moved for so long is stale.
STALE_DAYS: Final = 21


@dataclass(frozen=True, slots=True)
class Card:
    """One thing to do. `rank` orders the queue: smaller is more pressing; `why` says why it is here."""

    rank: float
    icon: str
    tone: str
    title: str
    why: str
    action: str
    url: str
    is_dialog: bool = False


def cards_for(actor: Actor, *, at: datetime) -> list[Card]:
    """The actor's queue, most pressing first. The number of queries depends on the roles, not on the rows."""
    today = company_day(at)
    sources: list[tuple[tuple[Role, ...], Callable[[Actor, datetime, date], Iterator[Card]]]] = [
        ((), _tasks),
        ((), _meetings),
        ((Role.REP, Role.MANAGER), _renewals),
        ((Role.ADMIN,), _first_people),
        ((Role.REVOPS,), _first_records),
        ((), _plans_to_read),
        ((Role.REP, Role.MANAGER), _untouched_leads),
        ((Role.MANAGER,), _unassigned_leads),
        ((Role.REP, Role.MANAGER), _overdue_deals),
        ((Role.REP, Role.MANAGER), _stale_deals),
        ((Role.MANAGER, Role.FINANCE), _disputes),
        ((Role.FINANCE,), _adjustments),
        ((Role.FINANCE, Role.REVOPS), _periods),
        ((Role.FINANCE, Role.REVOPS), _drafts),
        ((Role.REVOPS, Role.ADMIN), _failing_connections),
        ((Role.REVOPS, Role.ADMIN), _holds),
        ((Role.REVOPS,), _shelf),
        ((Role.REVOPS,), _shelf_of_connections),
        ((Role.REVOPS,), _deals_without),
        ((Role.REVOPS, Role.ADMIN), _dead_jobs),
    ]
    found = [card for roles, source in sources if not roles or actor.has(*roles) for card in source(actor, at, today)]
    return sorted(found, key=lambda card: card.rank)


def _first(title: str, why: str, action: str, page: str, icon: str) -> Card:
    """A step of a new company: before everything but what is overdue."""
    return Card(rank=15, icon=icon, tone="blue", title=title, why=why, action=action, url=reverse(page))


def _first_people(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Whom a new company needs before it can pay anybody; each step goes when it is done."""
    held = set(RoleGrant.objects.on(today).filter(person__is_active=True).values_list("role", flat=True))
    if Role.REVOPS not in held:
        yield _first(
            _("Invite revenue operations"),
            _("They import files, write plans and set quotas; nobody has this role yet"),
            _("Invite"),
            "people:person_invite",
            "user-plus",
        )
    if Role.FINANCE not in held:
        yield _first(
            _("Invite finance"),
            _("They put plans in force, approve statements and release payroll; nobody has this role yet"),
            _("Invite"),
            "people:person_invite",
            "user-plus",
        )
    if not held & {Role.REP, Role.MANAGER} and features.is_on(IMPORTS):
        yield _first(
            _("Bring your reps and managers"),
            _("From a file, with their roles and whom they report to; nobody is a rep or a manager yet"),
            _("Import a file"),
            "connectors:import_create",
            "file-import",
        )


def _first_records(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """What a new company brings and writes before a period can be calculated; each step goes when it is done."""
    if not Deal.objects.exists() and features.is_on(IMPORTS):
        yield _first(
            _("Bring your accounts and deals"),
            _("From a file; you see what would happen before anything is written"),
            _("Import a file"),
            "connectors:import_create",
            "file-import",
        )
    if not Plan.objects.exists():
        yield _first(
            _("Write the first plan"),
            _("It says what people earn; somebody else puts it in force"),
            _("New plan"),
            "commissions:plan_create",
            "file-percent",
        )
    elif PlanVersion.objects.filter(state=VersionState.ACTIVE).exists() and not PlanAssignment.objects.exists():
        yield _first(
            _("Put people on a plan"),
            _("Nobody is on one yet: one by one on the page of the plan, or all from a file with their rates"),
            _("Open"),
            "commissions:plan_list",
            "user-plus",
        )


def _more(rows: list[Any], count: int) -> tuple[list[Any], int]:
    """The rows to show as cards of their own, and how many more there are."""
    return (rows[:MOST], count - MOST) if count > MOST else (rows, 0)


def _tasks(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Tasks of the actor that are due by the end of today, the longest overdue first."""
    day = timezone.localtime(at).date()
    midnight = timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))
    due = Activity.objects.visible_to(actor).filter(
        kind=ActivityKind.TASK, person_id=actor.user_id, done_at__isnull=True, due_at__lt=midnight
    )
    rows = list(due.select_related("lead", "deal", "account").order_by("due_at", "pk")[: MOST + 1])
    shown, more = _more(rows, due.count() if len(rows) > MOST else len(rows))
    for task in shown:
        about = task.lead or task.deal or task.account
        late = task.due_at is not None and task.due_at < at
        yield Card(
            rank=10 if late else 40,
            icon="checkbox",
            tone="red" if late else "blue",
            title=task.subject,
            why=" · ".join(
                filter(
                    None,
                    [
                        _("Overdue since %(moment)s") % {"moment": display.moment(task.due_at)}
                        if late
                        else _("Due %(moment)s") % {"moment": display.moment(task.due_at)},
                        str(about or ""),
                    ],
                )
            ),
            action=_("Open"),
            url=reverse("activities:activity_edit", kwargs={"pk": task.pk}),
        )
    if more:
        yield _rest(
            more,
            11,
            _list("activities:activity_list", open="yes", person=actor.user_id, due_until=day),
            _("more tasks are due"),
        )


def _meetings(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Meetings of today, and those that are over and of which nobody has said how they went."""
    day = timezone.localtime(at).date()
    midnight = timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))
    planned = Activity.objects.visible_to(actor).filter(
        kind=ActivityKind.MEETING,
        person_id=actor.user_id,
        happened_at__isnull=True,
        done_at__isnull=True,
        due_at__lt=midnight,
    )
    rows = list(planned.select_related("lead", "deal", "account").order_by("due_at", "pk")[: MOST + 1])
    shown, more = _more(rows, planned.count() if len(rows) > MOST else len(rows))
    for meeting in shown:
        about = meeting.lead or meeting.deal or meeting.account
        is_over = meeting.due_at is not None and meeting.due_at < at
        when = _("Was planned for %(moment)s: say how it went") if is_over else _("At %(moment)s")
        yield Card(
            rank=12 if is_over else 20,
            icon="calendar-event",
            tone="amber" if is_over else "blue",
            title=meeting.subject,
            why=" · ".join(filter(None, [when % {"moment": display.moment(meeting.due_at)}, str(about or "")])),
            action=_("Open"),
            url=_page_of(about) or reverse("activities:week"),
        )
    if more:
        url = _list("activities:activity_list", open="yes", kind="meeting", person=actor.user_id, due_until=day)
        yield _rest(more, 21, url, _("more meetings are planned"))


def _page_of(row: Lead | Deal | Account | None) -> str:
    """The page of what an activity is about; empty for nothing."""
    pages = {Lead: "leads:lead_detail", Deal: "deals:deal_detail", Account: "accounts:account_detail"}
    return reverse(pages[type(row)], kwargs={"pk": row.pk}) if row is not None else ""


def _renewals(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Subscriptions of the actor's accounts that end soon and are not followed by another one."""
    held = AccountOwnership.objects.on(today).filter(person=actor.user_id).values("account")
    mine = Subscription.objects.visible_to(actor).filter(
        Q(account__owner=actor.user_id) | Q(account__in=held),
        end_on__gt=today,
        end_on__lte=today + timedelta(days=RENEWAL_DAYS),
    )
    later = Subscription.objects.filter(account=OuterRef("account"), start_on__gte=OuterRef("end_on"))
    # Those that end first; the next come when these are renewed.
    for row in mine.filter(~Exists(later)).select_related("account").order_by("end_on", "pk")[: 2 * MOST]:
        left = (row.end_on - today).days if row.end_on else 0
        yield Card(
            rank=25 + left / 100,
            icon="refresh",
            tone="amber" if left <= 30 else "blue",
            title=str(row.account),
            why=ngettext(
                "%(name)s ends in %(count)s day: %(amount)s a month",
                "%(name)s ends in %(count)s days: %(amount)s a month",
                left,
            )
            % {"name": row.name, "count": left, "amount": display.money(row.mrr_minor, row.currency)},
            action=_("Open"),
            url=reverse("accounts:account_detail", kwargs={"pk": row.account_id}),
        )


def _plans_to_read(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Versions of plans the actor is paid by and has not acknowledged yet."""
    for version in to_acknowledge(actor, today)[:MOST]:
        yield Card(
            rank=22,
            icon="file-percent",
            tone="violet",
            title=_("Read the plan “%(plan)s”") % {"plan": version.plan},
            why=_("You are paid by version %(number)s from %(day)s and have not acknowledged it yet")
            % {"number": version.number, "day": display.day(version.start_on)},
            action=_("Read"),
            url=f"{reverse('commissions:plan_detail', kwargs={'pk': version.plan_id})}?version={version.number}",
        )


def _untouched_leads(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """New leads of the actor that nobody has touched: those whose clock runs out soonest, then the oldest.

    Speed decides whether they answer; a clock that has run out, or does so within the hour, comes before everything else.
    """
    running = Q(clocks__ended_at__isnull=True, clocks__person=actor.user_id)
    waiting = Lead.objects.visible_to(actor).filter(
        owner_id=actor.user_id, status=LeadStatus.NEW, first_touched_at__isnull=True
    )
    in_order = waiting.annotate(touch_by=Min("clocks__warn_at", filter=running)).order_by(
        F("touch_by").asc(nulls_last=True), "assigned_at", "pk"
    )
    rows = list(in_order[: MOST + 1])
    shown, more = _more(rows, waiting.count() if len(rows) > MOST else len(rows))
    clocks = {
        clock.lead_id: clock
        for clock in Clock.objects.filter(lead__in=shown, ended_at__isnull=True, person=actor.user_id)
    }
    for lead in shown:
        clock = clocks.get(lead.pk)
        is_pressing = clock is not None and clock.warn_at <= at + timedelta(hours=1)
        yield Card(
            rank=5 if is_pressing else 20,
            icon="clock-exclamation" if clock else "target-arrow",
            tone="red" if is_pressing else "amber",
            title=_("Contact %(lead)s") % {"lead": lead},
            why=_why_soon(lead, clock, at),
            action=_("Open"),
            url=reverse("leads:lead_detail", kwargs={"pk": lead.pk}),
        )
    if more:
        yield _rest(
            more,
            21,
            _list("leads:lead_list", owner=actor.user_id, status=LeadStatus.NEW, untouched="yes"),
            _("more new leads wait"),
        )


def _why_soon(lead: Lead, clock: Clock | None, at: datetime) -> str:
    """Why a lead is to be touched, and by when."""
    if clock is None:
        since = lead.assigned_at or lead.created_at
        return _("Yours since %(moment)s and not touched yet") % {"moment": display.ago(since, at)}
    words = {"level": clock.level, "moment": display.moment(clock.warn_at)}
    if clock.warn_at > at:
        return _("%(level)s: to be touched by %(moment)s") % words
    if clock.reassign_at is None:
        return _("%(level)s: its time is out since %(moment)s") % words
    words["then"] = display.moment(clock.reassign_at)
    return _("%(level)s: its time is out since %(moment)s; it goes to somebody else at %(then)s") % words


def _unassigned_leads(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Leads without owner and pod that a manager may give to somebody."""
    count = Lead.objects.visible_to(actor).filter(owner__isnull=True, status=LeadStatus.NEW)[:1000].count()
    if count:
        yield Card(
            rank=15,
            icon="user-question",
            tone="amber",
            title=ngettext("%(count)s lead has no owner", "%(count)s leads have no owner", count)
            % {"count": display.number(count)},
            why=_("Nobody will call them until you assign them"),
            action=_("Assign"),
            url=_list("leads:lead_list", owner="none", status=LeadStatus.NEW),
        )


def _overdue_deals(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Open deals of the actor whose expected close has passed; for managers how many their people have."""
    until = {"kind": StageKind.OPEN, "expected_until": today - timedelta(days=1)}
    late = Deal.objects.visible_to(actor).filter(kind=StageKind.OPEN, expected_close_on__lt=today)
    own = late.filter(owner_id=actor.user_id)
    rows = list(own.order_by("expected_close_on", "pk")[: MOST + 1])
    shown, more = _more(rows, own.count() if len(rows) > MOST else len(rows))
    for deal in shown:
        yield Card(
            rank=30,
            icon="calendar-exclamation",
            tone="amber",
            title=str(deal),
            why=_("%(amount)s was expected on %(day)s: move it, or say when")
            % {"amount": display.money(deal.amount_minor, deal.currency), "day": display.day(deal.expected_close_on)},
            action=_("Open"),
            url=reverse("deals:deal_detail", kwargs={"pk": deal.pk}),
        )
    if more:
        yield _rest(
            more, 31, _list("deals:deal_list", owner=actor.user_id, **until), _("more deals are past their day")
        )
    if actor.has(Role.MANAGER):
        theirs = late.filter(owner_id__in=actor.tree_ids)
        team = theirs[:1000].count()
        if team:
            owners = list(theirs.order_by("owner_id").values_list("owner_id", flat=True).distinct())
            yield Card(
                rank=32,
                icon="users",
                tone="amber",
                title=ngettext(
                    "%(count)s deal of your people is past its day",
                    "%(count)s deals of your people are past their day",
                    team,
                )
                % {"count": display.number(team)},
                why=_("The forecast is only as good as these days"),
                action=_("Review"),
                url=_list("deals:deal_list", owner=owners, **until),
            )


def _stale_deals(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Open deals of the actor that have stood in one stage for weeks."""
    before = at - timedelta(days=STALE_DAYS)
    still = (
        Deal.objects.visible_to(actor)
        .filter(owner_id=actor.user_id, kind=StageKind.OPEN, stage_entered_at__lt=before)
        .exclude(expected_close_on__lt=today)
    )
    for deal in still.select_related("stage").order_by("-amount_minor", "pk")[:3]:
        yield Card(
            rank=50,
            icon="hourglass",
            tone="grey",
            title=str(deal),
            why=_("In %(stage)s since %(moment)s: what is the next step?")
            % {"stage": deal.stage, "moment": display.ago(deal.stage_entered_at, at)},
            action=_("Open"),
            url=reverse("deals:deal_detail", kwargs={"pk": deal.pk}),
        )


def _periods(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """The next step of each period that has one, as far as the actor may take it."""
    is_finance = actor.has(Role.FINANCE)
    waiting = Q(state=PeriodState.OPEN) | Q(pk__in=unpaid_statements().order_by().values("period_id"))
    periods = list(Period.objects.filter(waiting, end_on__lte=today).order_by("start_on")[:12])
    words = {
        "calculate": (_("Calculate %(period)s"), _("The period is over and nothing was calculated yet")),
        "approve": (_("Approve the statements of %(period)s"), _("They wait for finance")),
        "lock": (_("Lock %(period)s"), _("All statements are approved")),
        "release": (_("Release the payroll of %(period)s"), _("It is locked and not handed to payroll yet")),
    }
    for standing in standings(periods):
        if standing.step == "done" or (standing.step != "calculate" and not is_finance):
            continue
        if standing.step == "release" and not features.is_on(PAYROLL_RELEASE):
            continue
        title, why = words[standing.step]
        yield Card(
            rank=25,
            icon="calendar-dollar",
            tone="violet",
            title=title % {"period": standing.period.label},
            why=why,
            action=_("Open"),
            url=reverse("commissions:period_detail", kwargs={"pk": standing.period.pk}),
        )
    # A past that a company did not bring is no work to be done: only what ended within a year is.
    ended = [
        label
        for kind, _zone, label, start in periods_to_open(today)
        if today - timedelta(days=365) < period_of(start, kind).end <= today
    ]
    if ended:
        yield Card(
            rank=26,
            icon="calculator",
            tone="violet",
            title=ngettext("%(count)s period is not calculated", "%(count)s periods are not calculated", len(ended))
            % {"count": len(ended)},
            why=", ".join(ended[:4]),
            action=_("Open"),
            url=reverse("commissions:period_list"),
        )


def _disputes(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Open disputes of others that this person may answer, with the clock of the first."""
    rows = disputes_to_answer(actor).order_by("due_at", "pk")
    count = rows[:1000].count()
    first = rows.first() if count else None
    if first is not None:
        hours = hours_left(first, at)
        yield Card(
            rank=14 if hours < 0 else 24,
            icon="message-circle-question",
            tone="red" if hours < 0 else "amber",
            title=ngettext("%(count)s dispute waits for an answer", "%(count)s disputes wait for an answer", count)
            % {"count": display.number(count)},
            why=_("The first is %(hours)s hours late") % {"hours": -hours}
            if hours < 0
            else _("%(hours)s hours left for the first") % {"hours": hours},
            action=_("Open"),
            url=_list("commissions:dispute_list", state=DisputeState.OPEN, mine="no", sort="clock"),
        )


def _adjustments(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Adjustments that somebody else prepared for somebody else and this person may decide about."""
    rows = adjustments_for(actor).filter(state=AdjustmentState.WAITING, kind=AdjustmentKind.MANUAL)
    rows = rows.exclude(prepared_by_id=actor.user_id).exclude(person_id=actor.user_id)
    count = rows.order_by()[:1000].count()
    if count:
        yield Card(
            rank=25,
            icon="adjustments",
            tone="violet",
            title=ngettext("%(count)s adjustment waits for approval", "%(count)s adjustments wait for approval", count)
            % {"count": display.number(count)},
            why=_("Prepared by others; approved, it is paid with its period"),
            action=_("Open"),
            url=_list(
                "commissions:adjustment_list", state=AdjustmentState.WAITING, kind=AdjustmentKind.MANUAL, mine="no"
            ),
        )


def _drafts(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Plan drafts that somebody else wrote and this person may put in force."""
    rows = PlanVersion.objects.filter(state=VersionState.DRAFT).exclude(created_by_id=actor.user_id)
    for version in rows.select_related("plan", "created_by").order_by("created_at")[:MOST]:
        yield Card(
            rank=35,
            icon="file-percent",
            tone="violet",
            title=_("Check the plan “%(plan)s”") % {"plan": version.plan},
            why=_("%(person)s wrote version %(number)s; somebody else must put it in force")
            % {"person": version.created_by or "–", "number": version.number},
            action=_("Open"),
            url=reverse("commissions:plan_detail", kwargs={"pk": version.plan_id}),
        )


def _shelf(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Rows that could not be taken, by file, the oldest first."""
    shelved = RejectedRow.objects.visible_to(actor).filter(state="shelved").order_by("file_import_id")
    of_files = shelved.values_list("file_import_id", "file_import__file_name").annotate(count=Count("pk"))
    for file_id, file_name, count in of_files[:MOST]:
        yield Card(
            rank=28,
            icon="file-alert",
            tone="amber",
            title=ngettext("%(count)s row is on the shelf", "%(count)s rows are on the shelf", count)
            % {"count": display.number(count)},
            why=f"{file_name} · {_('They came with a file and could not be read')}",
            action=_("Mend"),
            url=f"{reverse('connectors:row_list', kwargs={'pk': file_id})}?state=shelved",
        )


def _shelf_of_connections(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Records that could not be taken, by connection."""
    refused = RawRecord.objects.visible_to(actor).filter(state=RawState.REFUSED).order_by("stream__connection_id")
    of_connections = refused.values_list("stream__connection_id", "stream__connection__source__name")
    for pk, name, count in of_connections.annotate(count=Count("pk"))[:MOST]:
        yield Card(
            rank=28,
            icon="file-alert",
            tone="amber",
            title=ngettext("%(count)s record is on the shelf", "%(count)s records are on the shelf", count)
            % {"count": display.number(count)},
            why=f"{name} · {_('They came from there and could not be taken')}",
            action=_("Mend"),
            url=f"{reverse('connectors:rawrecord_shelf', kwargs={'pk': pk})}?state=refused",
        )


def _failing_connections(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Sources that the portal should be in step with and is not."""
    names = list(
        Connection.objects.visible_to(actor).filter(FAILING).order_by("pk").values_list("source__name", flat=True)
    )
    if names:
        yield Card(
            rank=13,
            icon="alert-triangle",
            tone="red",
            title=ngettext("%(count)s connection fails", "%(count)s connections fail", len(names))
            % {"count": display.number(len(names))},
            why=_("What changes there is not here yet: %(names)s") % {"names": ", ".join(names[:MOST])},
            action=_("Open"),
            url=_list("connectors:connection_list", fails="yes"),
        )


def _holds(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Changes of closed deals that a person must decide about, the oldest first."""
    rows = Hold.objects.visible_to(actor).filter(state=HoldState.WAITING).order_by("made_at", "pk")
    for hold in rows.select_related("stream__connection__source")[:MOST]:
        yield Card(
            rank=14,
            icon="shield-lock",
            tone="amber",
            title=ngettext(
                "%(count)s closed deal would change in one go",
                "%(count)s closed deals would change in one go",
                hold.deals,
            )
            % {"count": display.number(hold.deals)},
            why=_("%(source)s · %(amount)s in all; commission is counted from them, so a person decides")
            % {
                "source": hold.stream.connection,
                "amount": display.money(hold.amount_minor, settings.COMPANY_CURRENCY),
            },
            action=_("Decide"),
            url=reverse("connectors:hold_decide", kwargs={"pk": hold.pk}),
        )


def _deals_without(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Won deals that nobody will be credited for."""
    count = (
        Deal.objects.visible_to(actor)
        .filter(kind=StageKind.WON, owner__isnull=True, splits__isnull=True)[:1000]
        .count()
    )
    if count:
        yield Card(
            rank=27,
            icon="user-off",
            tone="red",
            title=ngettext("%(count)s won deal has no owner", "%(count)s won deals have no owner", count)
            % {"count": display.number(count)},
            why=_("Nobody is credited for them"),
            action=_("Review"),
            url=_list("deals:deal_list", kind=StageKind.WON, owner="none", has_shares="no"),
        )


def _dead_jobs(actor: Actor, at: datetime, today: date) -> Iterator[Card]:
    """Jobs that were given up."""
    count = Job.objects.visible_to(actor).filter(state=JobState.DEAD)[:1000].count()
    if count:
        yield Card(
            rank=12,
            icon="alert-octagon",
            tone="red",
            title=ngettext("%(count)s job was given up", "%(count)s jobs were given up", count)
            % {"count": display.number(count)},
            why=_("It failed again and again; see why and try once more"),
            action=_("Open"),
            url=f"{reverse('jobs:job_list')}?state=dead",
        )


def _list(name: str, **filters: Any) -> str:
    """A list page that shows exactly the rows which these filters leave."""
    return f"{reverse(name)}?{urlencode(filters, doseq=True)}"


def _rest(count: int, rank: float, url: str, words: str) -> Card:
    """What stands for the cards that are not shown."""
    return Card(
        rank=rank,
        icon="dots",
        tone="grey",
        title=f"{display.number(count)} {words}",
        why="",
        action=_("Show all"),
        url=url,
    )


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure at the top of the home page."""

    label: str
    value: str
    note: str
    url: str


def tiles_for(actor: Actor, *, at: datetime) -> list[Tile]:
    """The actor's own figures: what they earned, how far they are in the period, and how what they run is."""
    if actor.user_id is None:
        return []
    rows = Statement.objects.visible_to(actor).filter(person_id=actor.user_id).select_related("period")
    found = []
    for statement in rows.order_by("-period__start_on", "pk")[:2]:
        reached, state = attainment_of(statement), str(statement.get_state_display())
        found.append(
            Tile(
                label=_("Earned in %(period)s") % {"period": statement.period.label},
                value=display.money(statement.earned_minor, statement.currency),
                note=state
                if reached is None
                else _("Attainment %(share)s · %(state)s") % {"share": display.ratio(reached), "state": state},
                url=reverse("commissions:statement_detail", kwargs={"pk": statement.pk}),
            )
        )
    found += _tiles_of_contests(actor, at)
    if actor.has(Role.REVOPS, Role.ADMIN):
        found += _tiles_of_connections(actor)
    return found


def _tiles_of_contests(actor: Actor, at: datetime) -> list[Tile]:
    """Where the actor stands in the contests that run now, as their pages say it."""
    found = []
    for row in running_standings_of(actor, company_day(at))[:_CONTESTS]:
        if not row.rank:
            note = _("below the minimum")
        elif row.prize_minor:
            prize = display.money(row.prize_minor, row.currency)
            note = _("Prize as things stand, not earned: %(amount)s") % {"amount": prize}
        else:
            note = _("No prize as things stand")
        found.append(
            Tile(
                label=row.contest.name,
                value=_("%(rank)s of %(count)s")
                % {"rank": display.number(row.rank), "count": display.number(row.taking_part)}
                if row.rank
                else display.NOTHING,
                note=note,
                url=reverse("commissions:contest_detail", kwargs={"pk": row.contest_id}),
            )
        )
    return found


def _tiles_of_connections(actor: Actor) -> list[Tile]:
    """How many connections are in step, and how many fail; nothing in a company that has connected nothing."""
    counted = (
        Connection.objects.visible_to(actor)
        .exclude(state=ConnectionState.DISCONNECTED)
        .aggregate(
            all=Count("pk"),
            failing=Count("pk", filter=FAILING),
            running=Count("pk", filter=Q(state=ConnectionState.RUNNING) & ~FAILING),
        )
    )
    if not counted["all"]:
        return []
    failing = counted["failing"]
    return [
        Tile(
            label=_("Connections in step"),
            value=_("%(count)s of %(all)s")
            % {"count": display.number(counted["running"]), "all": display.number(counted["all"])},
            note=ngettext("%(count)s fails", "%(count)s fail", failing) % {"count": display.number(failing)}
            if failing
            else _("None fails"),
            url=reverse("connectors:connection_list"),
        )
    ]
