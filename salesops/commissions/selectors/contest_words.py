"""A contest in words: who is in, what counts, what is won, in the reader's language."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from salesops.commissions.choices import ContestState
from salesops.commissions.models import Contest, Plan
from salesops.commissions.rules.contests import ContestWords, Ties
from salesops.commissions.selectors.contests import words_of
from salesops.commissions.selectors.wording import CREDITING, KINDS, PERIODS, Said
from salesops.core import display
from salesops.pods.models import Pod


class Stage(StrEnum):
    """Where a contest is on a day."""

    DRAFT = "draft"
    AHEAD = "ahead"
    RUNNING = "running"
    ENDED = "ended"
    CANCELLED = "cancelled"


STAGES = {
    Stage.DRAFT: gettext_lazy("Draft"),
    Stage.AHEAD: pgettext_lazy("contest", "Not begun"),
    Stage.RUNNING: pgettext_lazy("contest", "Running"),
    Stage.ENDED: pgettext_lazy("contest", "Ended"),
    Stage.CANCELLED: pgettext_lazy("contest", "Cancelled"),
}
TONES = {
    Stage.DRAFT: "amber",
    Stage.AHEAD: "blue",
    Stage.RUNNING: "green",
    Stage.ENDED: "violet",
    Stage.CANCELLED: "grey",
}
TIES = {
    Ties.SHARE: gettext_lazy("They share the prizes of the places they take"),
    Ties.HIGHER: gettext_lazy("Each gets the highest of the prizes of the places they take"),
}


def stage_of(contest: Contest, day: date) -> Stage:
    """Where a contest is on a day."""
    if contest.state == ContestState.ACTIVE:
        if day < contest.start_on:
            return Stage.AHEAD
        return Stage.RUNNING if day < contest.end_on else Stage.ENDED
    return Stage(contest.state)


def contest_told(contest: Contest) -> list[Said]:
    """What a contest says, line by line."""
    words = words_of(contest)
    plans = Plan.objects.filter(pk__in=words.plans).order_by("name").values_list("name", flat=True)
    pods = Pod.objects.filter(pk__in=words.pods).order_by("name").values_list("name", flat=True)
    found = [Said(_("Days"), f"{display.day(words.start)} – {display.day(words.last_day)}")]
    if words.plans:
        found.append(Said(_("People of these plans"), ", ".join(plans)))
    if words.pods:
        found.append(Said(_("People of these pods"), ", ".join(pods)))
    found.append(Said(_("What counts"), ", ".join(str(KINDS.get(kind, kind)) for kind in words.counts)))
    for label, formula in ((_("Only when"), words.when), (_("How much of each"), words.amount)):
        if formula:
            found.append(Said(label, formula, is_code=True))
    found.append(Said(_("Credited to"), ", ".join(str(CREDITING[rule]) for rule in words.crediting)))
    if words.minimum_minor > 1:
        found.append(Said(_("Minimum to take part"), display.money(words.minimum_minor, words.currency)))
    found.extend(prizes_told(words))
    period = PERIODS[words.period_kind]
    found.append(Said(_("Paid into"), f"{contest.plan.name} · {words.currency} · {period} · {words.time_zone}"))
    found.append(
        Said(
            _("Late changes"),
            _("The result is final: they move no prize.")
            if words.is_final
            else _("Who should have won something else gets the difference as an adjustment."),
        )
    )
    return found


def prizes_told(words: ContestWords) -> list[Said]:
    """What can be won, line by line."""
    if words.each_minor is not None and words.bound_minor is not None:
        bound, each = (display.money(amount, words.currency) for amount in (words.bound_minor, words.each_minor))
        return [Said(_("Prize"), _("%(each)s for everybody at %(bound)s or above") % {"each": each, "bound": bound})]
    listed = [f"{place}. {display.money(amount, words.currency)}" for place, amount in enumerate(words.prizes_minor, 1)]
    return [Said(_("Prizes"), " · ".join(listed)), Said(_("With exactly the same total"), str(TIES[words.ties]))]
