"""The portal's menu: which pages there are, for whom, under which keys. Pages that do not exist are left out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from salesops.activities.choices import ActivityKind, Outcome
from salesops.activities.services import OUTCOMES
from salesops.connectors.choices import IMPORTS
from salesops.core import features
from salesops.core.actor import Actor, Role
from salesops.effort.choices import EFFORT
from salesops.notices.models import Notice

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Entry:
    """A page of the menu. `roles` empty: for everybody. `keys`: what to press for it, such as "g d".

    `feature`: what must be switched on (`core/features.py`). `also`: nouns without an entry of their own, whose pages
    belong to it.
    """

    label: Text
    url_name: str
    icon: str
    roles: tuple[Role, ...] = ()
    keys: str = ""
    is_docked: bool = False
    feature: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that belong together."""

    label: Text
    entries: tuple[Entry, ...]


_HIRED: Final = tuple(Role)
_PAID: Final = (Role.REP, Role.MANAGER, Role.FINANCE)
_PAYING: Final = (Role.REVOPS, Role.FINANCE, Role.EXECUTIVE)
_ADJUSTING: Final = (Role.MANAGER, Role.REVOPS, Role.FINANCE)
_PLANNING: Final = (Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)
_WORKING: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)
_CONFIGURING: Final = (Role.REVOPS, Role.ADMIN)
_ADDING: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.ADMIN)

GROUPS: Final[tuple[Group, ...]] = (
    Group(
        "",
        (
            Entry(gettext_lazy("Home"), "home:day", "home", keys="g h", is_docked=True),
            Entry(gettext_lazy("Leads"), "leads:lead_list", "target-arrow", _WORKING, "g l", is_docked=True),
            Entry(
                gettext_lazy("Pod board"),
                "leads:lead_board",
                "user-plus",
                (Role.MANAGER, Role.REVOPS, Role.ADMIN),
                "g o",
            ),
            Entry(gettext_lazy("Deals"), "deals:deal_list", "briefcase", _WORKING, "g d", is_docked=True),
            Entry(gettext_lazy("Board"), "deals:deal_board", "layout-kanban", _WORKING, "g b"),
            Entry(gettext_lazy("Forecast"), "deals:forecast", "chart-line", _HIRED, "g f"),
            Entry(gettext_lazy("Accounts"), "accounts:account_list", "building", _WORKING, "g a", is_docked=True),
            Entry(gettext_lazy("Contacts"), "accounts:contact_list", "address-book", _WORKING),
            Entry(gettext_lazy("Activities"), "activities:activity_list", "activity", _WORKING, "g t"),
        ),
    ),
    Group(
        gettext_lazy("Pay"),
        (
            Entry(gettext_lazy("Commissions"), "commissions:statement_list", "coins", _PAID, "g c"),
            Entry(gettext_lazy("My plan"), "commissions:plan_mine", "file-text", (Role.REP, Role.MANAGER), "g m"),
            Entry(gettext_lazy("Team pay"), "commissions:teampay_list", "users", (Role.MANAGER, Role.FINANCE)),
            Entry(gettext_lazy("Periods"), "commissions:period_list", "calendar-dollar", _PAYING),
            Entry(
                gettext_lazy("Cost of sales"), "commissions:cost_report", "chart-line", (Role.FINANCE, Role.EXECUTIVE)
            ),
            Entry(gettext_lazy("Accruals"), "commissions:accrual_report", "hourglass", (Role.FINANCE,)),
            Entry(gettext_lazy("Adjustments"), "commissions:adjustment_list", "adjustments", _ADJUSTING),
            Entry(
                gettext_lazy("Disputes"), "commissions:dispute_list", "message-circle-question", (*_PAID, Role.REVOPS)
            ),
            Entry(gettext_lazy("Transactions"), "commissions:transaction_list", "receipt-2", _WORKING),
            Entry(gettext_lazy("Plan events"), "commissions:event_list", "calendar-star", _PLANNING),
            Entry(gettext_lazy("Plans"), "commissions:plan_list", "file-percent", _PLANNING),
            Entry(gettext_lazy("Contests"), "commissions:contest_list", "trophy", _WORKING),
            Entry(gettext_lazy("What-if scenarios"), "commissions:scenario_list", "flask", (Role.REVOPS, Role.FINANCE)),
            Entry(gettext_lazy("Quotas"), "commissions:quota_list", "target", _PLANNING),
            Entry(gettext_lazy("Payroll columns"), "commissions:payrollmapping_list", "table-column", (Role.FINANCE,)),
        ),
    ),
    Group(
        gettext_lazy("Team"),
        (
            Entry(
                gettext_lazy("Routing"),
                "leads:pool_list",
                "route",
                (Role.REP, Role.MANAGER, Role.REVOPS, Role.ADMIN),
                "g r",
                also=("leads:routingversion", "leads:routingrule", "leads:servicelevel", "leads:response"),
            ),
            Entry(
                gettext_lazy("Selling guard"),
                "deals:escalation_list",
                "shield-check",
                _WORKING,
                also=("deals:policy", "deals:policy_dry", "deals:guardrule", "deals:decision", "deals:guard"),
            ),
            Entry(gettext_lazy("Hand-offs"), "deals:handoff_list", "arrows-exchange", _WORKING),
            Entry(gettext_lazy("Pods"), "pods:pod_list", "hexagons", _HIRED, "g p"),
            Entry(
                gettext_lazy("Reorganisations"),
                "reorganisations:reorganisation_list",
                "arrows-shuffle",
                (Role.REVOPS, Role.FINANCE, Role.ADMIN),
            ),
            Entry(gettext_lazy("People"), "people:person_list", "users"),
            Entry(gettext_lazy("Effort"), "effort:effort_mine", "trending-up", _HIRED, "g e", feature=EFFORT),
        ),
    ),
    Group(
        gettext_lazy("Running it"),
        (
            Entry(
                gettext_lazy("Score rules"),
                "leads:scoreversion_list",
                "gauge",
                (Role.MANAGER, Role.REVOPS, Role.ADMIN),
            ),
            Entry(
                gettext_lazy("Connections"),
                "connectors:connection_list",
                "refresh",
                _CONFIGURING,
                "g n",
                also=(
                    "connectors:stream",
                    "connectors:rawrecord",
                    "connectors:rawrecord_retry",
                    "connectors:syncrun",
                    "connectors:webhookevent",
                    "connectors:outgoing",
                    "connectors:drift",
                    "connectors:hold",
                    "connectors:connection_sign",
                    "connectors:origin",
                ),
            ),
            Entry(gettext_lazy("Imports"), "connectors:import_list", "file-import", _CONFIGURING, "g i"),
            Entry(gettext_lazy("Jobs"), "jobs:job_list", "progress", _CONFIGURING, "g j"),
            Entry(gettext_lazy("Audit"), "audit:entry_list", "history", (*_CONFIGURING, Role.FINANCE)),
            Entry(gettext_lazy("Administration"), "admin:index", "settings", (Role.ADMIN,)),
        ),
    ),
)

#: What is in the person's own menu.
PERSONAL: Final = (
    Entry(gettext_lazy("Your account"), "people:settings_edit", "user-circle"),
    Entry(gettext_lazy("My plan"), "commissions:plan_mine", "file-text", (Role.REVOPS, Role.FINANCE, Role.ADMIN)),
    Entry(gettext_lazy("Password"), "account_change_password", "lock"),
    Entry(gettext_lazy("Second factor"), "mfa_index", "shield-lock"),
    Entry(gettext_lazy("Sessions"), "usersessions_list", "devices"),
)

#: Things to do from anywhere, offered by the palette.
ACTIONS: Final = (
    Entry(gettext_lazy("Log an activity"), "activities:activity_create", "pencil-plus", _ADDING, "l"),
    Entry(gettext_lazy("New lead"), "leads:lead_create", "plus", _ADDING),
    Entry(gettext_lazy("New deal"), "deals:deal_create", "plus", _ADDING),
    Entry(gettext_lazy("New account"), "accounts:account_create", "plus", _ADDING),
    Entry(gettext_lazy("Import a file"), "connectors:import_create", "file-import", _CONFIGURING, feature=IMPORTS),
    Entry(gettext_lazy("Connect a source"), "connectors:connection_choose", "refresh", _CONFIGURING),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the menu as it is shown to one person."""

    label: str
    url: str
    icon: str
    keys: str
    is_active: bool
    is_docked: bool


def links_for(actor: Actor, entries: tuple[Entry, ...], active: str = "") -> list[Link]:
    """The entries that exist, are switched on and that this actor's roles may open."""
    found = []
    for entry in entries:
        if entry.roles and not actor.has(*entry.roles):
            continue
        if entry.feature and not features.is_on(entry.feature):
            continue
        try:
            url = reverse(entry.url_name)
        except NoReverseMatch:
            continue
        found.append(
            Link(str(entry.label), url, entry.icon, entry.keys, entry.url_name == active, is_docked=entry.is_docked)
        )
    return found


def active_entry(request: HttpRequest) -> str:
    """The menu's entry for the page shown: the page itself, else the list of its noun, else the first of its room."""
    match = request.resolver_match
    if match is None:
        return ""
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by pods.middleware
    entries = [entry for group in GROUPS for entry in group.entries if not entry.roles or actor.has(*entry.roles)]
    names = [entry.url_name for entry in entries]
    if match.view_name in names:
        return match.view_name
    noun = match.view_name.rsplit("_", 1)[0]
    same_noun = sorted((name for name in names if name.rsplit("_", 1)[0] == noun), key=lambda name: "_list" not in name)
    same_noun += [entry.url_name for entry in entries if noun in entry.also]
    same_room = [name for name in names if match.namespace and name.startswith(f"{match.namespace}:")]
    return next(iter(same_noun + same_room), "")


class Shell:
    """What base.html needs around a page, worked out only as far as it is asked for."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @property
    def _actor(self) -> Actor:
        return self.request.actor  # type: ignore[attr-defined]  # set by pods.middleware

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """The menu."""
        active = active_entry(self.request)
        groups = [
            {"label": str(group.label), "entries": links_for(self._actor, group.entries, active)} for group in GROUPS
        ]
        return [group for group in groups if group["entries"]]

    @property
    def dock(self) -> list[Link]:
        """The few pages of the bottom bar on a phone."""
        return [link for group in self.groups for link in group["entries"] if link.is_docked][:4]

    @property
    def personal(self) -> list[Link]:
        """The person's own pages."""
        return links_for(self._actor, PERSONAL)

    @cached_property
    def _actions(self) -> list[Link]:
        """What can be done from anywhere."""
        return links_for(self._actor, ACTIONS)

    @property
    def log_url(self) -> str:
        """Where an activity is logged; empty for those who may not."""
        return next((link.url for link in self._actions if link.keys == "l"), "")

    @property
    def now_ms(self) -> int:
        """The moment by the portal's clock, in milliseconds since 1970: a browser's own clock may be wrong."""
        return int(self._actor.as_of.timestamp() * 1000) if self._actor.as_of else 0

    @property
    def log_kinds(self) -> list[dict[str, Any]]:
        """What can be logged without a net, with the outcomes of each kind: what was done, not what is to be done."""
        labels = dict(Outcome.choices)
        return [
            {"value": kind, "label": label, "outcomes": [(value, labels[value]) for value in OUTCOMES.get(kind, ())]}
            for kind, label in ActivityKind.choices
            if kind != ActivityKind.TASK
        ]

    @cached_property
    def unread(self) -> int:
        """How many notices are unread, at most 100."""
        return Notice.objects.visible_to(self._actor).filter(read_at__isnull=True).order_by()[:100].count()

    @property
    def keys(self) -> list[dict[str, Any]]:
        """The keys, for the help dialog."""
        own = [
            (["Ctrl", "K"], _("Search and commands")),
            (["/"], _("Search on this page")),
            (["?"], _("This list of keys")),
            (["["], _("Fold or unfold the menu")),
            (["n"], _("New, on a list")),
            (["j"], _("Next row")),
            (["k"], _("Row before")),
            (["x"], _("Select the row")),
            (["Enter"], _("Open the row")),
        ]
        actions = [(link.keys.split(), link.label) for link in self._actions if link.keys]
        pages = [
            (link.keys.split(), _("Go to %(page)s") % {"page": link.label})
            for group in self.groups
            for link in group["entries"]
            if link.keys
        ]
        return [{"keys": keys, "label": label} for keys, label in [*own, *actions, *pages]]

    @property
    def words(self) -> dict[str, str]:
        """The sentences that scripts show."""
        return {
            "offline": _("The portal cannot be reached. What you entered is still here; try again in a moment."),
            "kept_offline": _("Kept in this browser. It is sent when you are online again."),
            "sent_offline_one": _("1 activity that you logged offline was sent."),
            "sent_offline": _("%(count)s activities that you logged offline were sent."),
            "refused_offline": _("Logged offline, and refused now: %(what)s. %(why)s Log it again, then let this go."),
            "gone_offline": _("What it was about is gone, or no longer yours."),
            "let_go": pgettext("a refused entry", "Let it go"),
            "offline_where": _("You are offline: open the page of a lead, deal or account to log something about it."),
            "forbidden": _("You may not do this. If your roles changed, load the page again."),
            "missing": _("This is no longer there, or not yours to see."),
            "conflict": _("Somebody else changed this meanwhile. Load the page again to see it as it is now."),
            "failed": _("Something went wrong here; nothing was lost on your side. Try again."),
            "busy": _("Too many requests. Wait a moment and try again."),
            "timeout": _("This takes too long. Try again."),
            "selected": _("%(count)s selected"),
            "all_selected": _("All %(count)s are selected"),
            "nothing": _("Nothing found"),
            "results": _("%(count)s results"),
            "leave": _("What you entered is not saved."),
            "close": _("Close"),
            "choose": _("Choose…"),
            "find": _("Find"),
            "loading": _("Loading…"),
            "table": _("As a table"),
        }


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Context processor: `shell` in every template."""
    return {"shell": Shell(request)}
