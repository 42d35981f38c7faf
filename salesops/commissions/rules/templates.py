"""Starting points for plans: whole definitions in the words of plan files, each fit to be put in force as it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from salesops.commissions.rules.planfile import plan_from_file
from salesops.commissions.rules.plans import PlanDefinition
from salesops.values.outcomes import gettext_noop


@dataclass(frozen=True)
class Template:
    """A starting point. title, sentence: English, translated at the edge; words: as in a plan file, without a head."""

    key: str
    title: str
    sentence: str
    words: Mapping[str, Any]


def template_plan(template: Template, currency: str, time_zone: str) -> PlanDefinition:
    """The template as a plan in this currency and time zone. Its amounts are whole, so that every currency has them."""
    head = {"name": template.key, "currency": currency, "time_zone": time_zone}
    _name, _description, plan = plan_from_file(head | dict(template.words)).unwrap()
    return plan


_ACCELERATED: Final = [{"from": "0%", "rate": "1x"}, {"from": "100%", "rate": "1.5x"}, {"from": "150%", "rate": "2x"}]

TEMPLATES: Final = (
    Template(
        "flat",
        gettext_noop("One rate for everything"),
        gettext_noop("The plainest plan: the same percentage of every booking, from the first cent."),
        {
            "period_kind": "quarter",
            "components": [
                {"key": "commission", "name": "Commission on bookings", "shape": {"shape": "flat", "rate": "8%"}}
            ],
            "examples": [
                {"name": "Two deals", "component": "commission", "credits": ["10000", "2500"], "expected": "1000"}
            ],
        },
    ),
    Template(
        "sdr_pipeline",
        gettext_noop("SDR on accepted pipeline"),
        gettext_noop("Paid by the value of the pipeline that sales accepts, with an accelerator above quota and a cap."),
        {
            "period_kind": "month",
            "ramp": ["50%", "75%"],
            "components": [
                {
                    "key": "pipeline",
                    "name": "Accepted pipeline",
                    "counts": ["pipeline"],
                    "crediting": ["split", "owner"],
                    "quota_name": "pipeline",
                    "standard_quota": "300000",
                    "standard_target": "3000",
                    "shape": {
                        "shape": "marginal",
                        "tiers": [{"from": "0%", "rate": "1x"}, {"from": "100%", "rate": "1.5x"}],
                        "cap": "200%",
                    },
                }
            ],
            "examples": [
                {
                    "name": "A fifth above the quota",
                    "component": "pipeline",
                    "quota": "300000",
                    "target": "3000",
                    "credits": ["300000", "60000"],
                    "expected": "3900",
                }
            ],
        },
    ),
    Template(
        "sdr_meetings",
        gettext_noop("SDR on held meetings"),
        gettext_noop("A fixed amount for each meeting that was held, nothing below half the quota, more for each above it, and a small share of the deals that follow."),
        {
            "period_kind": "month",
            "ramp": ["25%", "50%", "75%"],
            "components": [
                {
                    "key": "meetings",
                    "name": "Held meetings",
                    "measure": "count",
                    "counts": ["meeting"],
                    "crediting": ["owner"],
                    "quota_name": "meetings",
                    "standard_quota": "20",
                    "standard_target": "1200",
                    "shape": {
                        "shape": "marginal",
                        "tiers": [{"from": "0%", "rate": "60 each"}, {"from": "100%", "rate": "90 each"}],
                        "gate": {"at": "50%", "then": "all"},
                    },
                },
                {
                    "key": "sourced",
                    "name": "Deals that follow",
                    "crediting": ["overlay"],
                    "shape": {"shape": "flat", "rate": "1%"},
                },
            ],
            "examples": [
                {
                    "name": "Five meetings above the quota",
                    "component": "meetings",
                    "quota": "20",
                    "credits": ["20", "5"],
                    "lines": ["1200", "450"],
                    "expected": "1650",
                },
                {
                    "name": "Below the gate",
                    "component": "meetings",
                    "quota": "20",
                    "credits": ["9"],
                    "expected": "0",
                },
            ],
        },
    ),
    Template(
        "ae_accelerator",
        gettext_noop("AE with accelerator"),
        gettext_noop("Target pay at full quota, one and a half times the rate above it, twice the rate above 150 %."),
        {
            "period_kind": "quarter",
            "ramp": ["25%", "50%", "75%"],
            "components": [
                {
                    "key": "new_business",
                    "name": "New business",
                    "standard_quota": "250000",
                    "standard_target": "20000",
                    "shape": {"shape": "marginal", "tiers": _ACCELERATED},
                }
            ],
            "examples": [
                {
                    "name": "Twice the quota",
                    "component": "new_business",
                    "quota": "250000",
                    "target": "20000",
                    "credits": ["250000", "250000"],
                    "lines": ["20000", "35000"],
                    "expected": "55000",
                }
            ],
        },
    ),
    Template(
        "ae_saas",
        gettext_noop("AE for subscriptions, with kickers"),
        gettext_noop("Accelerated new business, and on top a share of multi-year contracts and of add-ons."),
        {
            "period_kind": "quarter",
            "components": [
                {
                    "key": "new_business",
                    "name": "New subscriptions",
                    "standard_quota": "200000",
                    "standard_target": "18000",
                    "shape": {"shape": "marginal", "tiers": _ACCELERATED},
                },
                {
                    "key": "multi_year",
                    "name": "Multi-year kicker",
                    "when": "term_months >= 24",
                    "shape": {"shape": "flat", "rate": "2%"},
                },
                {
                    "key": "add_ons",
                    "name": "Add-on kicker",
                    "counts": ["booking", "expansion"],
                    "when": 'CONTAINS(product, "add-on")',
                    "shape": {"shape": "flat", "rate": "3%", "cap": "5000"},
                },
            ],
            "settlement": {
                "clawback": {"steps": [{"until_days": 90, "share": "100%"}, {"until_days": 365, "share": "0%"}], "is_linear": True}
            },
            "examples": [
                {
                    "name": "A multi-year contract",
                    "component": "multi_year",
                    "credits": ["60000"],
                    "expected": "1200",
                },
                {
                    "name": "Half above the quota",
                    "component": "new_business",
                    "quota": "200000",
                    "target": "18000",
                    "credits": ["300000"],
                    "expected": "31500",
                },
            ],
        },
    ),
    Template(
        "key_account",
        gettext_noop("Key account manager"),
        gettext_noop("Growth of large accounts at a rate that counts from the first cent once the quota is reached, and an account plan as an objective."),
        {
            "period_kind": "quarter",
            "components": [
                {
                    "key": "growth",
                    "name": "Growth of key accounts",
                    "counts": ["booking", "expansion"],
                    "when": 'segment = "enterprise"',
                    "crediting": ["split", "owner", "holder"],
                    "weight": "80%",
                    "standard_quota": "500000",
                    "standard_target": "15000",
                    "shape": {
                        "shape": "retroactive",
                        "tiers": [
                            {"from": "0%", "rate": "2%"},
                            {"from": "100%", "rate": "3%"},
                            {"from": "125%", "rate": "3.5%"},
                        ],
                    },
                }
            ],
            "settlement": {"objectives": [{"key": "account_plan", "weight": "20%", "most": "150%"}]},
            "examples": [
                {
                    "name": "Just below and just at the quota",
                    "component": "growth",
                    "quota": "500000",
                    "credits": ["499000", "1000"],
                    "lines": ["9980", "5020"],
                    "expected": "15000",
                }
            ],
        },
    ),
    Template(
        "csm",
        gettext_noop("CSM on renewals and expansion"),
        gettext_noop("Renewals pay nothing below 80 %, then in a straight line; expansion pays with an accelerator; cancellations are taken back."),
        {
            "period_kind": "quarter",
            "components": [
                {
                    "key": "renewals",
                    "name": "Renewals",
                    "counts": ["renewal"],
                    "crediting": ["holder", "owner"],
                    "quota_name": "renewals",
                    "weight": "60%",
                    "standard_quota": "400000",
                    "standard_target": "6000",
                    "shape": {
                        "shape": "points",
                        "points": [
                            {"at": "80%", "pays": "0%"},
                            {"at": "100%", "pays": "100%"},
                            {"at": "110%", "pays": "140%"},
                        ],
                        "after": "flat",
                    },
                },
                {
                    "key": "expansion",
                    "name": "Expansion",
                    "counts": ["expansion"],
                    "crediting": ["split", "holder", "owner"],
                    "quota_name": "expansion",
                    "weight": "40%",
                    "standard_quota": "50000",
                    "standard_target": "4000",
                    "shape": {
                        "shape": "marginal",
                        "tiers": [{"from": "0%", "rate": "1x"}, {"from": "100%", "rate": "1.5x"}],
                    },
                },
            ],
            "settlement": {
                "clawback": {"steps": [{"until_days": 180, "share": "100%"}]},
                "releases": [{"kind": "hold", "components": ["expansion"], "days": 30}],
            },
            "examples": [
                {
                    "name": "Nine tenths renewed",
                    "component": "renewals",
                    "quota": "400000",
                    "target": "6000",
                    "credits": ["360000"],
                    "expected": "3000",
                }
            ],
        },
    ),
    Template(
        "usage",
        gettext_noop("Usage-based"),
        gettext_noop("A share of what customers use each month; the tiers look at the whole year."),
        {
            "period_kind": "month",
            "components": [
                {
                    "key": "usage",
                    "name": "Usage",
                    "counts": ["usage"],
                    "crediting": ["holder", "owner"],
                    "quota_name": "usage",
                    "period_kind": "year",
                    "standard_quota": "600000",
                    "standard_target": "12000",
                    "shape": {
                        "shape": "marginal",
                        "tiers": [{"from": "0%", "rate": "2%"}, {"from": "100%", "rate": "3%"}],
                    },
                }
            ],
            "examples": [
                {
                    "name": "The month in which the year's quota is passed",
                    "component": "usage",
                    "quota": "600000",
                    "credits": ["580000", "50000"],
                    "lines": ["11600", "1300"],
                    "expected": "12900",
                }
            ],
        },
    ),
    Template(
        "team",
        gettext_noop("Multiplied by the team"),
        gettext_noop("What each person earns is multiplied by what their team reached, between 80 % and 120 %."),
        {
            "period_kind": "quarter",
            "components": [
                {
                    "key": "bookings",
                    "name": "Own bookings",
                    "standard_quota": "150000",
                    "standard_target": "9000",
                    "shape": {
                        "shape": "marginal",
                        "tiers": [{"from": "0%", "rate": "1x"}, {"from": "100%", "rate": "1.25x"}],
                    },
                }
            ],
            "settlement": {
                "multiplier": {
                    "components": ["bookings"],
                    "rows": [
                        {"at": "0%", "factor": "80%"},
                        {"at": "100%", "factor": "100%"},
                        {"at": "120%", "factor": "120%"},
                    ],
                },
                "limits": [{"cap": "250%"}],
            },
            "examples": [
                {
                    "name": "Own quota, before the team",
                    "component": "bookings",
                    "quota": "150000",
                    "target": "9000",
                    "credits": ["150000"],
                    "expected": "9000",
                }
            ],
        },
    ),
    Template(
        "full_commission",
        gettext_noop("Full commission"),
        gettext_noop("No salary: a high rate on everything, paid when the customer pays, with an advance that is taken back from later pay."),
        {
            "period_kind": "month",
            "components": [
                {"key": "sales", "name": "All sales", "shape": {"shape": "flat", "rate": "20%"}},
            ],
            "settlement": {
                "draw": {"amount": "2000", "kind": "recoverable", "mode": "top_up", "most_recovered": "50%"},
                "releases": [{"kind": "on_payment"}],
                "clawback": {"steps": [{"until_days": 90, "share": "100%"}]},
            },
            "examples": [
                {"name": "One sale", "component": "sales", "credits": ["15000"], "expected": "3000"},
            ],
        },
    ),
    Template(
        "manager",
        gettext_noop("Manager on the team's bookings"),
        gettext_noop("Everything the people below are credited with rolls up; half the quota must be reached first."),
        {
            "period_kind": "quarter",
            "components": [
                {
                    "key": "team_bookings",
                    "name": "Bookings of the team",
                    "crediting": ["roll_up"],
                    "quota_name": "team",
                    "standard_quota": "1000000",
                    "standard_target": "15000",
                    "shape": {
                        "shape": "marginal",
                        "tiers": [{"from": "0%", "rate": "1x"}, {"from": "100%", "rate": "1.5x"}],
                        "gate": {"at": "50%", "then": "all"},
                    },
                }
            ],
            "examples": [
                {
                    "name": "Just below the gate",
                    "component": "team_bookings",
                    "quota": "1000000",
                    "target": "15000",
                    "credits": ["499999"],
                    "expected": "0",
                }
            ],
        },
    ),
)  # fmt: skip


def template_of(key: str) -> Template:
    """The template of that key. Raises KeyError."""
    for template in TEMPLATES:
        if template.key == key:
            return template
    raise KeyError(key)
