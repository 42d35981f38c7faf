"""Rates of exchange by a plan's convention: of the day, the mean of the month, or stated in the plan itself."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from salesops.commissions.rules.conventions import Exchange
from salesops.commissions.rules.explain import exact_text
from salesops.commissions.rules.plans import PlanDefinition, digest_of
from salesops.values.outcomes import Outcome, Problem, gettext_noop
from salesops.values.rates import MonthMean, PinnedRate, Rate, RateTable

# The source of a rate that the plan states.
STATED: Final = "plan"


def rate_for(plan: PlanDefinition, rates: RateTable, currency: str, day: date) -> Outcome[PinnedRate]:
    """The rate from a currency to the plan's for something of that day; a problem where there is none."""
    if plan.conventions.exchange is Exchange.TRANSACTION_DAY or currency == plan.currency:
        return rates.rate_on(currency, plan.currency, day)
    if plan.conventions.exchange is Exchange.MONTH_AVERAGE:
        return rates.mean_of_month(currency, plan.currency, day)
    value = plan.fixed_rate(currency)
    if value is None:
        return Outcome.bad(
            Problem.of(
                "rate-not-stated",
                gettext_noop("The plan states no rate of exchange from %(base)s to %(quote)s."),
                where=f"{currency}/{plan.currency}",
                remedy=gettext_noop("State it in a new version of the plan, or count by the rate of the day."),
                base=currency,
                quote=plan.currency,
            )
        )
    stated = Rate(currency, plan.currency, day, value, STATED)
    return Outcome.good(PinnedRate(currency, plan.currency, day, value, (stated,)))


def so_far(pinned: PinnedRate) -> Problem | None:
    """What is to be said of a mean while not all rates of its month are known; None where they are."""
    part = next((mean for mean in pinned.means if not mean.is_whole), None)
    if part is None:
        return None
    return Problem.of(
        "average-so-far",
        gettext_noop(
            "Not all rates of %(month)s are known: %(base)s was counted at the mean of its %(count)s days up to %(day)s."
        ),
        where=f"{pinned.base}/{pinned.quote} {part.month:%Y-%m}",
        remedy=gettext_noop("When the month is over, import its other rates and calculate again."),
        month=f"{part.month:%Y-%m}",
        base=pinned.base,
        count=len(part.rates),
        day=part.rates[-1].on.isoformat(),
    )


def mean_as_plain(mean: MonthMean) -> dict[str, Any]:
    """A mean as plain JSON data, with every rate that went in and a digest over them."""
    rates = [[rate.on.isoformat(), exact_text(rate.value), rate.source] for rate in mean.rates]
    found = {"base": mean.base, "quote": mean.quote, "month": f"{mean.month:%Y-%m}", "rates": rates}
    return {
        "value": str(mean.value),
        "count": len(rates),
        "first": rates[0][0],
        "last": rates[-1][0],
        "source": ", ".join(sorted({rate.source for rate in mean.rates})),
        "digest": digest_of(found),
        **found,
    }


def mean_told(mean: Mapping[str, Any]) -> dict[str, Any]:
    """What each credit keeps of a mean: all but the single rates."""
    return {name: value for name, value in mean.items() if name != "rates"}
