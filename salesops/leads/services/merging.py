"""Lets one lead stand for another because somebody says that they are the same, and takes it back.

Order of locks as in routing: leads, then pools by key, then the head of the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.accounts.merging import move_back, move_names, names_of
from salesops.accounts.services.guards import check_may_edit
from salesops.audit.services import Change, change_of, record_many
from salesops.core.actor import Actor, Role
from salesops.leads.choices import OPEN_STATUSES, ClockEnding, VersionState
from salesops.leads.models import Lead, LeadMerge, LeadSpiced, Pool, RoutingVersion, Turn
from salesops.leads.rules.merging import TAKEN_OVER, taken_over
from salesops.leads.rules.spiced import COMPONENTS
from salesops.leads.rules.statuses import CONVERTED, DISQUALIFIED
from salesops.leads.selectors.board import ASSIGNERS
from salesops.leads.services.routing import stop_clocks
from salesops.leads.services.scores import leads_changed
from salesops.leads.services.spiced import write_spiced
from salesops.leads.services.turns import count_again, take_turns_back, turns_standing
from salesops.notices.services import tell
from salesops.values.names import fold_name

_MOST_WORDS: Final = 200
#: Columns that are kept as text in JSON.
_MOMENTS: Final = ("first_touched_at", "last_touched_at")
_SPICED: Final = "spiced."
NOT_YOURS: Final = gettext_lazy(
    "Only whose lead it is, who manages them, and revenue operations merge it into another."
)


def may_let_go(actor: Actor, lead: Lead) -> bool:
    """Whether somebody may merge a lead that they see into another: its owner, who manages them, who configures.

    What nobody has is for those who give leads: otherwise anybody could take it by merging it into one of theirs.
    """
    if not actor.may_edit_work:
        return False
    if actor.has(Role.REVOPS, Role.ADMIN):
        return True
    return actor.has(*ASSIGNERS) if lead.owner_id is None else lead.owner_id in actor.people_ids


@transaction.atomic
def join_leads(*, actor: Actor, lead_id: int, into: int, at: datetime, reason: str = "") -> LeadMerge:
    """Merge a lead into another: what named it names the one that stays, which takes over what it lacked.

    The lead itself is removed and kept, its clock stops, and the turn that brought it comes back to whoever took it, since
    it was no lead of its own. What it did counts for the score of the one that stays. All is kept so that `part_leads` can
    take it back. Raises PermissionDenied, Http404 for a lead that is not the actor's, ValidationError for two that cannot
    become one.
    """
    check_may_edit(actor)
    rows = _locked(actor, (lead_id, into))
    if lead_id == into:
        raise ValidationError(_("Two leads are needed to make one of them."), code="merge")
    if len(rows) < 2:
        raise Http404
    lost, stays = rows[lead_id], rows[into]
    if not may_let_go(actor, lost):
        raise PermissionDenied(NOT_YOURS)
    _refuse(lost, stays)
    merge, changes = _join(lost, stays, actor, reason.strip()[:_MOST_WORDS], at)
    _tell_owner(actor, lost, stays, at)
    record_many(actor=actor, changes=changes, at=at)
    return merge


def join_repeats(*, leads: Sequence[Lead], actor: Actor, at: datetime) -> list[Change]:
    """Merge new leads of people who come again into their open leads, where the rules in force say so; in the caller's
    transaction, before anything is routed.

    Somebody comes again who has the address and the name of an open lead that is older. What was merged is removed, and
    takes no turn. Whose lead it is is told. Returns what the caller records in the audit, last of all.
    """
    addresses = {lead.email for lead in leads if lead.email}
    if not addresses or not RoutingVersion.objects.filter(state=VersionState.ACTIVE, merges_repeats=True).exists():
        return []
    rows = Lead.objects.filter(email__in=addresses, status__in=OPEN_STATUSES).order_by("pk")
    first: dict[tuple[str, str], Lead] = {}
    own = {lead.pk: lead for lead in leads}
    changes = []
    for row in rows.select_for_update(of=("self",)):
        lead = own.get(row.pk, row)
        stays = first.setdefault((lead.email, fold_name(lead.name)), lead)
        if stays is lead or lead.pk not in own:
            continue
        changes += _join(lead, stays, actor, _("Came again."), at)[1]
        if stays.owner_id is not None:
            tell(
                person_ids=[stays.owner_id],
                key=f"lead-again:{lead.pk}",
                title=_came_again(stays),
                body=lambda: _("What was sent this time is in the lead that was there already."),
                url=reverse("leads:lead_detail", args=[stays.pk]),
                at=at,
            )
    return changes


def _came_again(stays: Lead) -> Callable[[], str]:
    return lambda: _("%(lead)s came again") % {"lead": stays}


def _join(lost: Lead, stays: Lead, actor: Actor, reason: str, at: datetime) -> tuple[LeadMerge, list[Change]]:
    """Merge one locked lead into another."""
    stop_clocks([lost.pk], ClockEnding.CLOSED, at)
    _give_turns_back(lost, at)
    kept = names_of(lost)
    moved = move_names(lost, stays, at=at)
    filled = _fill(stays, lost) | _fill_words(stays, lost)
    because = (_("Merged into “%(name)s”.") % {"name": stays})[:_MOST_WORDS]
    _write(lost, at, removed_at=at, removed_because=because, merged_into=stays)
    _write(stays, at, **{name: getattr(stays, name) for name in filled if not name.startswith(_SPICED)})
    merge = LeadMerge.objects.create(
        lost=lost,
        stays=stays,
        merged_at=at,
        merged_by_id=actor.user_id,
        reason=reason,
        moved=kept,
        filled={name: [_plain(each) for each in pair] for name, pair in filled.items()},
    )
    leads_changed(lead_ids=[stays.pk], at=at)
    # As the fields are called, so that whoever reads it finds their names.
    told = {name.removeprefix(_SPICED).removesuffix("_id"): pair for name, pair in merge.filled.items()}
    return merge, [
        change_of(
            lost,
            action="lead.merged",
            before={"removed_at": None, "merged_into": None},
            after={"removed_at": at, "merged_into": stays.pk},
            reason=reason or because,
        ),
        change_of(
            stays,
            action="lead.took_over",
            before={name: pair[0] for name, pair in told.items()},
            after={"merged_from": lost.pk, "moved": moved, **{name: pair[1] for name, pair in told.items()}},
            reason=reason or str(lost),
        ),
    ]


@transaction.atomic
def part_leads(*, actor: Actor, lead_id: int, at: datetime) -> Lead:
    """Take back the merge of a lead: it is there again, whose it was, with what named it.

    What has been given to another row since, and words that somebody has changed since, stay as they are. Its turn counts
    again; the clock that was stopped stays so, as nobody could have touched it meanwhile. Raises PermissionDenied, Http404,
    ValidationError for a lead that was not merged here.
    """
    check_may_edit(actor)
    merge = LeadMerge.objects.standing().filter(lost=lead_id).first()
    rows = _locked(actor, (lead_id, *((merge.stays_id,) if merge else ())), every=True)
    lost = rows.get(lead_id)
    if lost is None:
        raise Http404
    # Read again under the lock: somebody may have been faster.
    if merge is None or not LeadMerge.objects.standing().filter(pk=merge.pk).exists():
        raise ValidationError(_("This lead was not merged by hand, or that was taken back already."), code="not-merged")
    if not may_let_go(actor, lost):
        raise PermissionDenied(NOT_YOURS)
    take_merges_back(leads=[lost], actor=actor, at=at)
    _write(lost, at, removed_at=None, removed_because="", merged_into=None)
    leads_changed(lead_ids=[lost.pk, merge.stays_id], at=at)
    record_many(
        actor=actor,
        changes=[
            change_of(
                lost,
                action="lead.parted",
                before={"removed_at": merge.merged_at, "merged_into": merge.stays_id},
                after={"removed_at": None, "merged_into": None},
            )
        ],
        at=at,
    )
    return lost


def take_merges_back(*, leads: Collection[Lead], actor: Actor, at: datetime) -> None:
    """Move back what merges by hand moved of leads that come back, in the caller's transaction; the rows are locked."""
    merges = LeadMerge.objects.standing().filter(lost__in=[lead.pk for lead in leads]).select_related("lost")
    for merge in merges.order_by("pk"):
        # The one that stood for it last: the one it was merged into may have been merged itself.
        stays = Lead.every.select_for_update(of=("self",)).get(pk=merge.lost.merged_into_id or merge.stays_id)
        move_back(merge.moved, stays, merge.lost, at=at)
        if stays.pk == merge.stays_id:
            _unfill(stays, merge, at)
        _count_turns_again(merge, at)
        merge.undone_at, merge.undone_by_id = at, actor.user_id
        merge.save(update_fields=["undone_at", "undone_by"])


def _locked(actor: Actor, pks: Collection[int], *, every: bool = False) -> dict[int, Lead]:
    manager = Lead.every if every else Lead.objects
    rows = manager.visible_to(actor).filter(pk__in=set(pks)).order_by("pk").select_for_update(of=("self",))
    return {lead.pk: lead for lead in rows}


def _refuse(lost: Lead, stays: Lead) -> None:
    if lost.status == CONVERTED:
        raise ValidationError(_("This lead was converted: merge the other one into it."), code="converted")
    if stays.status == DISQUALIFIED and lost.status != DISQUALIFIED:
        raise ValidationError(_("The lead that should stay is disqualified: reopen it first."), code="disqualified")


def _write(lead: Lead, at: datetime, **values: Any) -> None:
    for name, value in values.items():
        setattr(lead, name, value)
    lead.updated_at = at
    Lead.every.filter(pk=lead.pk).update(**values, updated_at=at)


# --- What the one that stays takes over ---------------------------------------------------------------------------


def _fill(stays: Lead, lost: Lead) -> dict[str, tuple[Any, Any]]:
    """Put what it lacks into the lead that stays; by column, before and after."""
    before = {name: getattr(stays, name) for name in TAKEN_OVER}
    after = taken_over(before, {name: getattr(lost, name) for name in TAKEN_OVER})
    for name, value in after.items():
        setattr(stays, name, value)
    return {name: (before[name], value) for name, value in after.items()}


def _fill_words(stays: Lead, lost: Lead) -> dict[str, tuple[str, str]]:
    """The same of SPICED."""
    theirs = LeadSpiced.objects.filter(lead=lost).first()
    if theirs is None:
        return {}
    own = LeadSpiced.objects.filter(lead=stays).first() or LeadSpiced(lead=stays)
    lacked = {name: getattr(theirs, name) for name in own.missing if getattr(theirs, name).strip()}
    old, new = write_spiced(own, lacked)
    return {f"{_SPICED}{name}": (old[name], new[name]) for name in new}


def _unfill(stays: Lead, merge: LeadMerge, at: datetime) -> None:
    """Take that out again where nobody has written anything else since."""
    values = {
        name: _read(name, before)
        for name, (before, after) in merge.filled.items()
        if not name.startswith(_SPICED) and _plain(getattr(stays, name)) == after
    }
    _write(stays, at, **values)
    own = LeadSpiced.objects.filter(lead=stays).first()
    if own is not None:
        words = {
            name: merge.filled[f"{_SPICED}{name}"][0]
            for name in COMPONENTS
            if f"{_SPICED}{name}" in merge.filled and getattr(own, name) == merge.filled[f"{_SPICED}{name}"][1]
        }
        write_spiced(own, words)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _read(name: str, value: Any) -> Any:
    return parse_datetime(value) if name in _MOMENTS and value else value


# --- Turns ----------------------------------------------------------------------------------------------------------


def _give_turns_back(lost: Lead, at: datetime) -> None:
    turns = turns_standing([lost.pk])
    if turns:
        _lock_pools(turns)
        take_turns_back(turns, at)


def _count_turns_again(merge: LeadMerge, at: datetime) -> None:
    given = Turn.objects.filter(lead=merge.lost_id, reverses__isnull=False, taken_at=merge.merged_at)
    away = [row.reverses for row in given.select_related("reverses__pool").order_by("pk") if row.reverses]
    if away:
        _lock_pools(away)
        count_again(away, {turn.pk: turn.assignment_id for turn in away}, at)


def _lock_pools(turns: Collection[Turn]) -> None:
    keys = {turn.pool_id for turn in turns}
    list(Pool.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk"))


def _tell_owner(actor: Actor, lost: Lead, stays: Lead, at: datetime) -> None:
    """Whose lead it was, where somebody else did this and somebody else has the one that stays."""
    if lost.owner_id is None or lost.owner_id in (actor.user_id, stays.owner_id):
        return
    tell(
        person_ids=[lost.owner_id],
        key=f"lead-merged:{lost.pk}:{at.isoformat()}",
        title=lambda: _("%(lead)s was merged into another lead") % {"lead": lost},
        body=lambda: _("It is the same as %(lead)s, which stays.") % {"lead": stays},
        url=reverse("leads:lead_detail", args=[lost.pk]),
        at=at,
    )
