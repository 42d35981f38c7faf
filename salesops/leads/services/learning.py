"""Learns the chance of leads from the company's own outcomes, judges it, and puts it to use only where it is worth it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from salesops.audit.services import record
from salesops.core import features
from salesops.core.actor import Actor, Role, system_actor
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.leads.choices import LEARNED, OPEN_STATUSES
from salesops.leads.models import Lead, LeadScore, LearnedModel
from salesops.leads.rules.learned import Answer, Fitted, History, Verdict, fit, judge
from salesops.leads.selectors.histories import history_of_leads, in_columns, open_features

#: The job that learns, and that tells the chances of all open leads afterwards.
LEARN: Final = "leads.learn"
#: So many chances are told in a transaction.
BATCH: Final = 10_000


@dataclass(frozen=True)
class Learned:
    """What judging came to, and what was learned where it is worth using."""

    verdict: Verdict
    fitted: Fitted | None


def learn(*, at: datetime, history: History | None = None) -> Learned:
    """Judge what outcomes teach; what was found useful is learned from the latest. Nothing is written; takes long.

    history: for those who have it already.
    """
    history = history or history_of_leads(settings.COMPANY_CURRENCY)
    verdict = judge(history)
    fitted = None
    if verdict.answer is Answer.USEFUL and verdict.chosen is not None:
        fitted = fit(history, verdict.chosen, at=int(at.timestamp())).value
    return Learned(verdict, fitted)


@transaction.atomic
def keep_learned(*, actor: Actor, learned: Learned, at: datetime) -> LearnedModel:
    """Keep a verdict, and put to use what was found useful; otherwise nothing is in use from then on.

    Chances that were told then go with the next batch: a score that does not help misleads.
    """
    LearnedModel.objects.filter(is_used=True).update(is_used=False)
    made = LearnedModel.objects.create(
        learned_at=at,
        verdict=learned.verdict.as_plain(),
        fitted=learned.fitted.as_plain() if learned.fitted else {},
        is_used=learned.fitted is not None,
    )
    verdict = learned.verdict
    record(
        actor=actor,
        action="learnedscore.judged",
        subject=made,
        after={"answer": verdict.answer.value, "rows": verdict.rows, "wins": verdict.wins, "in_use": made.is_used},
        at=at,
    )
    return made


def put_out_of_use() -> None:
    """Use nothing that was learned; chances that were told go with the next batch of telling."""
    LearnedModel.objects.filter(is_used=True).update(is_used=False)


def may_learn(actor: Actor) -> bool:
    """Revenue operations and administrators."""
    return actor.has(Role.REVOPS, Role.ADMIN)


def ask_to_learn(*, actor: Actor, at: datetime, url: str = "") -> Job:
    """Have it learned in the background, once at a time. Raises PermissionDenied, SwitchedOffError."""
    if not may_learn(actor):
        raise PermissionDenied(_("Only revenue operations and administrators have chances learned."))
    features.need(LEARNED)
    return enqueue(
        kind=LEARN,
        key=LEARN,
        payload={},
        actor=system_actor(),
        at=at,
        title=gettext_noop("Learn the chances of leads"),
        url=url,
    )


@transaction.atomic
def tell_chances(*, after: int) -> tuple[int, int] | None:
    """Tell the chances of the next open leads behind a key, by what is in use: the last of them, and how many.

    None at the end. Where nothing is in use, chances told earlier go.
    """
    model = LearnedModel.objects.filter(is_used=True).first()
    rows = LeadScore.objects.select_for_update().filter(lead__gt=after, lead__status__in=OPEN_STATUSES)
    if model is None:
        rows = rows.filter(model__isnull=False)
    scores = list(
        rows.select_for_update(of=("self",)).order_by("lead_id").only("lead_id", "probability_bp", "model")[:BATCH]
    )
    if not scores:
        return None
    told: dict[int, int] = {}
    if model is not None:
        keys = [score.lead_id for score in scores]
        found = list(open_features(Lead.objects.filter(pk__in=keys), settings.COMPANY_CURRENCY))
        chances = Fitted.from_plain(model.fitted).probabilities(in_columns([row for _pk, row in found]))
        told = {pk: round(chance * 10_000) for (pk, _row), chance in zip(found, chances.tolist(), strict=True)}
    for score in scores:
        score.probability_bp, score.model = told.get(score.lead_id), model
    LeadScore.objects.bulk_update(scores, ["probability_bp", "model"], batch_size=1_000)
    return scores[-1].lead_id, len(scores)
