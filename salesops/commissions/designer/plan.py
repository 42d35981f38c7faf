"""The forms of the other parts of a draft: period and currency, conventions and ramp, settlement, examples, the text."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import fields
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import PeriodKind
from salesops.commissions.designer.base import DesignForm, number_text, told, without_nothing
from salesops.commissions.designer.component import OrderedChoices
from salesops.commissions.designer.rows import Choices, Column, RowsField
from salesops.commissions.rules.conventions import Conventions
from salesops.commissions.rules.examples import earn
from salesops.commissions.rules.planfile import plan_from_file
from salesops.commissions.rules.templates import TEMPLATES
from salesops.commissions.selectors.wording import (
    BASES,
    CONVENTIONS,
    DRAW_KINDS,
    DRAW_MODES,
    NEGATIVES,
    PERIODS,
    RELEASES,
    TABLES,
)
from salesops.commissions.services.plan_files import read_plans
from salesops.core.forms import DateField, PortalForm
from salesops.people.models import validate_time_zone
from salesops.values.money import plain

_PART = re.compile(r"([^;]+?)(?:\s+after\s+([0-9]{1,4}))?", re.ASCII)
_LIST = re.compile(r"[;\n]")


def _choices(words: Any) -> list[tuple[str, Any]]:
    return [(str(getattr(key, "value", key)), label) for key, label in words.items()]


class StartForm(PortalForm):
    """A new plan: its name, what it begins with, from when."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, max_length=5_000, widget=forms.Textarea(attrs={"rows": 2})
    )
    start_on = DateField(label=gettext_lazy("In force from"))
    currency = forms.CharField(
        label=gettext_lazy("Currency"), max_length=3, min_length=3, initial=settings.COMPANY_CURRENCY
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=60,
        initial=settings.COMPANY_TIME_ZONE,
        validators=[validate_time_zone],
        help_text=gettext_lazy("Days and periods are those of this place."),
    )
    template = forms.ChoiceField(
        label=gettext_lazy("Begin with"),
        choices=[(template.key, template.title) for template in TEMPLATES],
        initial=TEMPLATES[0].key,
        widget=forms.RadioSelect,
    )

    def clean_currency(self) -> str:
        """Upper case."""
        return str(self.cleaned_data["currency"]).upper()


class VersionStartForm(PortalForm):
    """A new version: from when, and which of the versions so far it begins with; a template where there is none."""

    start_on = DateField(label=gettext_lazy("In force from"))
    begin_with = forms.ChoiceField(label=gettext_lazy("Begin with"))

    def __init__(self, *args: Any, versions: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates = [(template.key, _(template.title)) for template in TEMPLATES]
        choices: list[Any] = [(_("What the plan says"), list(versions))] if versions else []
        self.fields["begin_with"].choices = [*choices, (_("A template"), templates)]  # type: ignore[attr-defined]  # a ChoiceField


class BasicsForm(DesignForm):
    """From when, in which period, currency and time zone."""

    start_on = DateField(label=gettext_lazy("In force from"))
    period_kind = forms.ChoiceField(label=gettext_lazy("Period of pay"), choices=PeriodKind.choices)
    currency = forms.CharField(label=gettext_lazy("Currency"), max_length=3, min_length=3)
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=60,
        validators=[validate_time_zone],
        help_text=gettext_lazy("Days and periods are those of this place."),
    )
    places = {name: name for name in ("period_kind", "currency", "time_zone")}

    def initial_of(self, words: dict[str, Any]) -> dict[str, Any]:
        """As the draft has them."""
        return {name: words[name] for name in ("period_kind", "currency", "time_zone")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = dict(PeriodKind.choices)
        current = self.words["period_kind"]
        if current not in known:  # of a file; kept as long as nobody chooses another
            self.fields["period_kind"].choices = [*PeriodKind.choices, (current, PERIODS[current])]  # type: ignore[attr-defined]  # a ChoiceField

    def clean_currency(self) -> str:
        """Upper case."""
        return str(self.cleaned_data["currency"]).upper()

    def changed(self, words: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The same plan in another period, currency or place."""
        return words | {name: data[name] for name in ("period_kind", "currency", "time_zone")}


class ConventionsForm(DesignForm):
    """Everything on which ways of paying silently differ, and the ramp."""

    ramp_shares = RowsField(
        [Column("share", gettext_lazy("Share of the full quota"), placeholder="50%")],
        label=gettext_lazy("Ramp: month by month after somebody starts"),
        help_text=gettext_lazy("The first row is the first month. Full quota after the last row, or without any."),
    )
    stated_rates = RowsField(
        [
            Column("currency", gettext_lazy("Currency"), placeholder="EUR"),
            Column("rate", gettext_lazy("Is worth in the plan's currency"), placeholder="1.10"),
        ],
        label=gettext_lazy("Fixed rates of exchange"),
        help_text=gettext_lazy("Only for fixed rates. A deal in a currency that is missing here holds the statement."),
    )
    places = {"ramp": "ramp_shares", "rates": "stated_rates"} | {
        f"conventions.{item.name}": item.name for item in fields(Conventions)
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usual = Conventions()
        made: dict[str, forms.Field] = {}
        for item in fields(Conventions):
            question, answers = CONVENTIONS[item.name]
            if len(answers) == 1:
                continue
            default = getattr(usual, item.name).value
            choices = [
                (value, _("%(answer)s (usual)") % {"answer": label} if value == default else label)
                for value, label in answers.items()
            ]
            made[item.name] = forms.ChoiceField(label=question, choices=choices)
        self.fields = made | self.fields

    def initial_of(self, words: dict[str, Any]) -> dict[str, Any]:
        """As the draft has them."""
        return words["conventions"] | {
            "ramp_shares": [{"share": share} for share in words.get("ramp", [])],
            "stated_rates": [{"currency": name, "rate": rate} for name, rate in words.get("rates", {}).items()],
        }

    def changed(self, words: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The same plan with other conventions."""
        usual = Conventions()
        words["conventions"] = {
            item.name: data.get(item.name, getattr(usual, item.name)) for item in fields(Conventions)
        }
        words["ramp"] = [number_text(row["share"]) for row in data["ramp_shares"]]
        words["rates"] = {row["currency"].upper(): number_text(row["rate"]) for row in data["stated_rates"]}
        return words


class SettlementForm(DesignForm):
    """How what is earned becomes what is paid."""

    order = forms.ChoiceField(
        label=gettext_lazy("Order"), choices=_choices(CONVENTIONS["settlement_order"][1]), widget=forms.RadioSelect
    )
    objectives = RowsField(
        [
            Column("key", gettext_lazy("Key"), placeholder="account_plan"),
            Column("weight", gettext_lazy("Part of target pay"), placeholder="20%"),
            Column("most", gettext_lazy("At most counted"), placeholder="150%"),
        ],
        label=gettext_lazy("Objectives"),
        help_text=gettext_lazy("Pays part × what was achieved of the target pay of the period."),
    )
    bonuses = RowsField(
        [
            Column("key", gettext_lazy("Key"), placeholder="reference"),
            Column("pays", gettext_lazy("Pays each time"), placeholder="250"),
            Column("most_count", gettext_lazy("Times in a period"), "whole"),
        ],
        label=gettext_lazy("Bonuses"),
        help_text=gettext_lazy("A fixed amount, or a share of target pay with %, for each occurrence."),
    )
    multiplier_rows = RowsField(
        [
            Column("at", gettext_lazy("Team at"), placeholder="100%"),
            Column("factor", gettext_lazy("Factor"), placeholder="120%"),
        ],
        label=gettext_lazy("Team multiplier"),
        help_text=gettext_lazy("What the team reached of its quota becomes a factor. No rows: no multiplier."),
    )
    multiplier_components = OrderedChoices(label=gettext_lazy("Multiplies"), required=False)
    multiplier_kind = forms.ChoiceField(label=gettext_lazy("The factor"), choices=_choices(TABLES))
    multiplier_gate = forms.CharField(
        label=gettext_lazy("Nothing below a team's"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("For example 50%. Empty for no gate."),
    )
    multiplier_boundary = forms.ChoiceField(
        label=gettext_lazy("Exactly on a row"), choices=_choices(CONVENTIONS["boundary"][1])
    )
    limits = RowsField(
        [
            Column("component", gettext_lazy("Of"), "choice", makes_row=False),
            Column("cap", gettext_lazy("At most"), placeholder="200%"),
            Column("floor", gettext_lazy("At least"), placeholder="500"),
            Column("basis", gettext_lazy("In"), "choice", _choices(BASES), makes_row=False),
        ],
        label=gettext_lazy("Caps and floors"),
        help_text=gettext_lazy("An amount, or a share of target pay with %."),
    )
    draw_amount = forms.CharField(
        label=gettext_lazy("Draw"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("An advance for a full period: an amount, or a share of target pay. Empty for none."),
    )
    draw_kind = forms.ChoiceField(label=gettext_lazy("Kind of draw"), choices=_choices(DRAW_KINDS))
    draw_mode = forms.ChoiceField(label=gettext_lazy("The draw"), choices=_choices(DRAW_MODES))
    draw_first_day = DateField(label=gettext_lazy("First day"), required=False)
    draw_last_day = DateField(label=gettext_lazy("Last day"), required=False)
    draw_most_recovered = forms.CharField(
        label=gettext_lazy("Taken back at most"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("Share of a period's earnings, for example 50%."),
    )
    draw_forgiven_on = DateField(label=gettext_lazy("Forgiven on"), required=False)
    draw_key = forms.CharField(
        label=gettext_lazy("Key of the draw"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("Keeps the balances of different draws apart."),
    )
    releases = RowsField(
        [
            Column("kind", gettext_lazy("Paid"), "choice", [("", "–"), *_choices(RELEASES)]),
            Column("components", gettext_lazy("Of"), "choices"),
            Column("parts", gettext_lazy("Instalments"), placeholder="1/2; 1/2 after 90"),
            Column("days", gettext_lazy("Days of hold"), "whole"),
        ],
        label=gettext_lazy("When it is paid"),
        help_text=gettext_lazy(
            "The first row that names a component decides; one that names none is for all components, not for bonuses. Instalments: shares that add up to 1, each with the days it waits."
        ),
    )
    clawback_steps = RowsField(
        [
            Column("until_days", gettext_lazy("Until day"), "whole"),
            Column("share", gettext_lazy("Taken back"), placeholder="100%"),
        ],
        label=gettext_lazy("Clawback"),
        help_text=gettext_lazy(
            "How much of what was paid returns, by days since the booking. No rows: all of it, at any time."
        ),
    )
    clawback_is_linear = forms.BooleanField(label=gettext_lazy("In a straight line from step to step"), required=False)
    negative = forms.ChoiceField(
        label=gettext_lazy("When more is taken back than a period pays, the rest"), choices=_choices(NEGATIVES)
    )

    root = "settlement"
    places = {
        "objectives": "objectives",
        "bonuses": "bonuses",
        "multiplier.components": "multiplier_components",
        "multiplier.rows": "multiplier_rows",
        "multiplier.kind": "multiplier_kind",
        "multiplier.gate": "multiplier_gate",
        "multiplier.boundary": "multiplier_boundary",
        "multiplier": "multiplier_rows",
        "limits": "limits",
        "draw": "draw_amount",
        **{
            f"draw.{name}": f"draw_{name}"
            for name in ("amount", "kind", "mode", "first_day", "last_day", "most_recovered", "forgiven_on", "key")
        },
        "releases": "releases",
        "clawback.steps": "clawback_steps",
        "clawback": "clawback_steps",
        "negative": "negative",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names: dict[str, Any] = {each["key"]: each["name"] for each in self.words["components"]}
        said = self.words.get("settlement") or {}
        bonuses = {each["key"]: each["key"] for name in ("objectives", "bonuses") for each in said.get(name, [])}
        multiplied = self.fields["multiplier_components"]
        if isinstance(multiplied, OrderedChoices):
            multiplied.put_first(list(self.initial["multiplier_components"]), names | bonuses)
        for field, column, first in (
            ("limits", "component", [("", _("Everything together"))]),
            ("releases", "components", []),
        ):
            rows = self.fields[field]
            if isinstance(rows, RowsField):
                rows.choose(column, [*first, *(names | bonuses).items()])

    def initial_of(self, words: dict[str, Any]) -> dict[str, Any]:
        """As the draft has it."""
        said = words.get("settlement") or {}
        multiplier, draw, clawback = (said.get(name) or {} for name in ("multiplier", "draw", "clawback"))
        return {
            "order": words["conventions"]["settlement_order"],
            "objectives": said.get("objectives", []),
            "bonuses": said.get("bonuses", []),
            "multiplier_rows": multiplier.get("rows", []),
            "multiplier_components": multiplier.get("components", []),
            "multiplier_kind": multiplier.get("kind", "steps"),
            "multiplier_gate": multiplier.get("gate", ""),
            "multiplier_boundary": multiplier.get("boundary", "upper"),
            "limits": said.get("limits", []),
            "draw_amount": draw.get("amount", ""),
            "draw_kind": draw.get("kind", "recoverable"),
            "draw_mode": draw.get("mode", "top_up"),
            "draw_most_recovered": draw.get("most_recovered", ""),
            "draw_key": draw.get("key", ""),
            **{f"draw_{name}": draw.get(name) for name in ("first_day", "last_day", "forgiven_on")},
            "releases": [
                row | {"parts": _parts_text(row.get("parts", [])), "days": row.get("days") or ""}
                for row in said.get("releases", [])
            ],
            "clawback_steps": clawback.get("steps", []),
            "clawback_is_linear": clawback.get("is_linear", False),
            "negative": said.get("negative", "carry_forward"),
        }

    def changed(self, words: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The same plan with another settlement; without anything to say, it has none."""
        said: dict[str, Any] = {
            "objectives": [_numbers(row) for row in data["objectives"]],
            "bonuses": [_numbers(row, "most_count") for row in data["bonuses"]],
            "limits": [_numbers(row) for row in data["limits"]],
            "releases": [self._release(row) for row in data["releases"]],
        }
        if data["multiplier_rows"] or data["multiplier_components"]:
            said["multiplier"] = without_nothing(
                {name: data[f"multiplier_{name}"] for name in ("components", "kind", "gate", "boundary")}
            ) | {"rows": [_numbers(row) for row in data["multiplier_rows"]]}
            said["multiplier"].setdefault("components", [])
        if data["draw_amount"]:
            days = {name: data[f"draw_{name}"] for name in ("first_day", "last_day", "forgiven_on")}
            said["draw"] = without_nothing(
                {name: data[f"draw_{name}"] for name in ("kind", "mode", "key")}
                | {name: number_text(data[f"draw_{name}"]) for name in ("amount", "most_recovered")}
                | {name: day.isoformat() for name, day in days.items() if day}
            )
        if data["clawback_steps"]:
            said["clawback"] = {
                "steps": [_numbers(row, "until_days") for row in data["clawback_steps"]],
                "is_linear": data["clawback_is_linear"],
            }
        said = without_nothing(said)
        if said or data["negative"] != "carry_forward" or self.words.get("settlement") is not None:
            words["settlement"] = said | {"negative": data["negative"]}
        words["conventions"]["settlement_order"] = data["order"]
        return words

    def _release(self, row: dict[str, Any]) -> dict[str, Any]:
        made = without_nothing({"kind": row["kind"], "components": row["components"], "days": _whole(row["days"])})
        if row["parts"]:
            made["parts"] = [_part(text) for text in row["parts"].split(";")]
        return made


def _parts_text(parts: list[dict[str, Any]]) -> str:
    return "; ".join(f"{part['share']} after {part['days']}" if part.get("days") else part["share"] for part in parts)


def _part(text: str) -> dict[str, Any]:
    match = _PART.fullmatch(text.strip())
    if not match:
        return {"share": text.strip()}
    return {"share": number_text(match[1])} | ({"days": int(match[2])} if match[2] else {})


def _whole(text: Any) -> Any:
    """A whole number where it is one; what is none is left for the reader to refuse."""
    return int(text[:9]) if isinstance(text, str) and text.isascii() and text.isdigit() else text


def _numbers(row: dict[str, Any], *wholes: str) -> dict[str, Any]:
    return {
        name: _whole(value) if name in wholes else number_text(value) if isinstance(value, str) else value
        for name, value in without_nothing(row).items()
    }


class ExamplesForm(DesignForm):
    """What the plan promises in figures. `taken_over` fills what the engine says into a row."""

    examples = RowsField(
        [
            Column("name", gettext_lazy("Name")),
            Column("component", gettext_lazy("Component"), "choice", makes_row=False),
            Column("quota", gettext_lazy("Quota")),
            Column("target", gettext_lazy("Target pay")),
            Column("personal_rate", gettext_lazy("Personal rate"), placeholder="1/8"),
            Column("credits", gettext_lazy("Credits in order"), placeholder="50000; 10000"),
            Column("lines", gettext_lazy("Each earns"), placeholder="4000; 1200"),
            Column("expected", gettext_lazy("Earn together")),
        ],
        label=gettext_lazy("Acceptance examples"),
        help_text=gettext_lazy(
            "Given these credits and this quota, a person earns exactly this. A plan with an example that fails is not put in force."
        ),
    )
    places = {"examples": "examples"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = self.fields["examples"]
        if isinstance(rows, RowsField):
            rows.choose("component", [(each["key"], each["name"]) for each in self.words["components"]])

    def initial_of(self, words: dict[str, Any]) -> dict[str, Any]:
        """As the draft has them."""
        return {"examples": [_example_row(example) for example in words.get("examples", [])]}

    def changed(self, words: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The same plan with other examples."""
        words["examples"] = [_example(row) for row in data["examples"]]
        return words

    def taken_over(self) -> list[dict[str, Any]]:
        """The rows as typed, with what the engine says wherever nothing is expected yet. Problems stay for saving."""
        field = self.fields["examples"]
        rows: list[dict[str, Any]] = field.clean(field.widget.value_from_datadict(self.data, {}, "examples"))
        filled = []
        for row in rows:
            made = dict(row)
            if not row["expected"]:
                made |= self._earned(row)
            filled.append(made)
        return filled

    def _earned(self, row: dict[str, Any]) -> dict[str, str]:
        draft = row | {"name": row["name"] or "?", "expected": "0", "lines": ""}
        outcome = plan_from_file(deepcopy(self.words) | {"examples": [_example(draft)]})
        if outcome.value is None:
            return {}
        plan = outcome.value[2]
        earned = earn(plan, plan.examples[0]).value
        if earned is None:
            return {}
        lines = "; ".join(plain(line, plan.currency) for line in earned) if len(earned) > 1 else row["lines"]
        return {"expected": plain(sum(earned), plan.currency), "lines": lines}


def _example_row(example: dict[str, Any]) -> dict[str, str]:
    return {name: "; ".join(value) if isinstance(value, list) else str(value) for name, value in example.items()}


def _example(row: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": row["name"], "component": row["component"]}
    for name in ("credits", "lines"):
        if row[name]:
            made[name] = [number_text(text) for text in _LIST.split(row[name]) if text.strip()]
    return made | {
        name: number_text(row[name]) for name in ("quota", "target", "personal_rate", "expected") if row[name]
    }


class TextForm(DesignForm):
    """The draft as a plan file. The name is the plan's and is not changed here."""

    text = forms.CharField(
        label=gettext_lazy("Plan file"),
        max_length=200_000,
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 30, "class": "input-code input-file", "spellcheck": "false", "wrap": "off"}
        ),
        help_text=gettext_lazy(
            "YAML. Amounts in major units, as on all pages. docs/plan-files.md explains every word."
        ),
    )

    def __init__(self, *args: Any, text: str, **kwargs: Any) -> None:
        self.now = text
        super().__init__(*args, **kwargs)

    def initial_of(self, words: dict[str, Any]) -> dict[str, Any]:
        """As it is now."""
        return {"text": self.now}

    def clean(self) -> dict[str, Any]:
        """Read the file; every problem stands at the text with its place."""
        data: dict[str, Any] = forms.Form.clean(self) or self.cleaned_data
        if self.errors:
            return data
        outcome = read_plans(data["text"].encode())
        if outcome.value is None:
            for problem in outcome.problems:
                self.add_error("text", f"{problem.where}: {told(problem)}")
        elif len(outcome.value) != 1:
            self.add_error("text", _("Write one plan, not several."))
        else:
            name, _description, plan = outcome.value[0]
            if name != self.words["name"]:
                self.add_error("text", _("name: The plan is called %(name)s.") % {"name": self.words["name"]})
            self.plan = plan
        return data
