"""What the company's own outcomes teach about leads: whether it is worth using, and how good it is on time held back."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core import features
from salesops.core.actor import Role
from salesops.core.charts import Chart, Series
from salesops.core.display import share
from salesops.core.views import PortalView
from salesops.core.views.base import redirect_for
from salesops.jobs.choices import UNFINISHED
from salesops.leads.choices import LEARNED
from salesops.leads.models import LearnedModel
from salesops.leads.rules.learned.measures import Estimate
from salesops.leads.rules.learned.verdicts import Answer, Rival, Verdict
from salesops.leads.selectors.score_versions import READERS, last_job
from salesops.leads.services.learning import LEARN, ask_to_learn, may_learn

#: What the verdict says, and how it is shown.
ANSWERS: dict[Answer, tuple[str | Promise, str]] = {
    Answer.USEFUL: (gettext_lazy("Useful: chances are told"), "good"),
    Answer.NO_SKILL: (gettext_lazy("No skill found: chances are not told"), "warn"),
    Answer.NOT_ENOUGH_DATA: (gettext_lazy("Not enough data"), "muted"),
}
_RIVALS: dict[Rival, str | Promise] = {
    Rival.BASE_RATE: gettext_lazy("The share won, as it moves"),
    Rival.RULES: gettext_lazy("The score rules"),
}
#: So many earlier verdicts are listed.
_EARLIER = 12


class LearnedScoreView(PortalView):
    """The last verdict with its chart and figures, and how it was before; POST has it learned anew."""

    roles = READERS

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The page."""
        models = list(LearnedModel.objects.defer("fitted")[: _EARLIER + 1])
        latest = models[0] if models else None
        verdict = Verdict.from_plain(latest.verdict) if latest else None
        job = last_job(LEARN)
        context = {
            "title": _("Learned chances"),
            "latest": latest,
            "verdict": verdict,
            "answer": ANSWERS[verdict.answer][0] if verdict else "",
            "tone": ANSWERS[verdict.answer][1] if verdict else "",
            "reasons": [each.text(_) for each in verdict.reasons] if verdict else [],
            "notes": [each.text(_) for each in verdict.notes] if verdict else [],
            "figures": _figures(verdict) if verdict else [],
            "chart": _chart(verdict) if verdict and verdict.score else None,
            "drift": _drift(verdict) if verdict and verdict.drift else None,
            "earlier": [
                (model, *ANSWERS[Answer(model.verdict["answer"])], model.verdict["rows"], model.verdict["wins"])
                for model in models[1:]
            ],
            "may_learn": may_learn(self.actor) and features.is_on(LEARNED),
            "off": "" if features.is_on(LEARNED) else features.off_text(LEARNED),
            "job": job
            if job is not None and job.state in UNFINISHED and self.actor.has(Role.REVOPS, Role.ADMIN)
            else None,
        }
        return render(request, "leads/learned_score.html", context)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Have it learned in the background."""
        page = reverse("leads:learned_score")
        if not features.is_on(LEARNED):
            messages.error(request, features.off_text(LEARNED))
            return redirect_for(request, page)
        ask_to_learn(actor=self.actor, at=self.now, url=page)
        return redirect_for(request, page)


def _told(estimate: Estimate) -> str:
    """A figure with its interval."""
    return _("%(value)s (95 %%: %(low)s to %(high)s)") % {
        "value": f"{estimate.value:.3f}",
        "low": f"{estimate.low:.3f}",
        "high": f"{estimate.high:.3f}",
    }


def _basis_points(value: float) -> int:
    return int((Decimal(str(value)) * 10_000).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _figures(verdict: Verdict) -> list[tuple[str, str]]:
    """Figures by name."""
    found = [
        (_("Decided leads that could be used"), f"{verdict.rows:,}"),
        (_("Won of them"), f"{verdict.wins:,}"),
    ]
    score = verdict.score
    if score is None:
        return found
    found += [
        (_("Held back"), _("%(rows)s leads, %(wins)s won") % {"rows": f"{score.rows:,}", "wins": f"{score.wins:,}"}),
        (_("AUC, over all"), _told(score.auc)),
        (_("AUC, among leads of the same time"), _told(score.within)),
        (_("Calibration error"), f"{score.calibration_error:.3f}"),
        (_("Log loss"), f"{score.log_loss:.4f}"),
    ]
    for each in score.against:
        name = str(_RIVALS[each.rival])
        found.append((_("Log loss: %(rival)s") % {"rival": name}, f"{each.log_loss:.4f}"))
        found.append((_("AUC: %(rival)s") % {"rival": name}, f"{each.auc:.3f}"))
    return found


def _chart(verdict: Verdict) -> Chart:
    """Predicted against observed, by like predictions."""
    bins = verdict.score.chart if verdict.score else ()
    return Chart(
        id="calibration",
        title=_("Told and come true, by leads with like chances"),
        labels=[
            _("%(share)s, %(rows)s leads") % {"share": share(_basis_points(each.predicted)), "rows": each.rows}
            for each in bins
        ],
        series=[
            Series.of_shares(_("Told"), [_basis_points(each.predicted) for each in bins], tone="muted"),
            Series.of_shares(_("Won"), [_basis_points(each.observed) for each in bins]),
        ],
        kind="column",
    )


def _drift(verdict: Verdict) -> dict[str, object] | None:
    drift = verdict.drift
    if drift is None:
        return None
    return {
        "before": share(_basis_points(drift.rate_before)),
        "held_back": share(_basis_points(drift.rate_held_back)),
        "has_moved": drift.has_moved,
        "once_auc": f"{drift.once_auc:.3f}",
        "once_error": f"{drift.once_error:.3f}",
        "shifts": [(each.column, f"{each.index:.2f}") for each in drift.shifts],
    }
