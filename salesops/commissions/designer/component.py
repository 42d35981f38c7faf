"""The form of one component: what counts, who is credited, which quota, and the curve."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from salesops.commissions.choices import TransactionKind
from salesops.commissions.designer.base import DesignForm, number_text, told, without_nothing
from salesops.commissions.designer.rows import Column, RowsField
from salesops.commissions.rules.fields import OF_THE_PORTAL
from salesops.commissions.rules.plans import DEFAULT_QUOTA, Scope
from salesops.commissions.rules.shapes import Measure
from salesops.commissions.selectors.wording import CONVENTIONS, CREDITING, KINDS, MEASURES, PERIODS, SHAPES
from salesops.commissions.services.designs import renamed
from salesops.values import formulas

_CODE: Final = {"rows": 2, "class": "input-code", "spellcheck": "false", "autocapitalize": "off"}
_BOUND: Final = "100%"


class OrderedChoices(forms.MultipleChoiceField):
    """Several of some choices, in the order in which the page shows them; those given come first."""

    widget = forms.CheckboxSelectMultiple

    def put_first(self, values: list[str], labels: dict[str, Any]) -> None:
        """Show these first, in their order, also those that the portal does not know."""
        rest = [key for key in labels if key not in values]
        self.choices = [(key, labels.get(key, key)) for key in [*values, *rest]]


class ComponentForm(DesignForm):
    """One component of a draft, at `place` in its list."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    code = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=40,
        help_text=gettext_lazy("Names the component in examples, settlement and files: a-z, 0-9 and _."),
    )
    measure = forms.ChoiceField(
        label=gettext_lazy("Measured in"), choices=list(MEASURES.items()), widget=forms.RadioSelect
    )
    counts = OrderedChoices(label=gettext_lazy("What counts"), choices=TransactionKind.choices, required=False)
    when = forms.CharField(
        label=gettext_lazy("Only those of which this is true"),
        max_length=formulas.MOST_CHARACTERS,
        required=False,
        widget=forms.Textarea(attrs=_CODE),
        help_text=gettext_lazy('Empty for all. For example: product = "Service" AND amount >= 1000'),
    )
    amount = forms.CharField(
        label=gettext_lazy("Amount credited"),
        max_length=formulas.MOST_CHARACTERS,
        required=False,
        widget=forms.Textarea(attrs=_CODE),
        help_text=gettext_lazy("Empty for the amount itself or, for things, the quantity. For example: amount * 50%"),
    )
    crediting = RowsField(
        [Column("rule", gettext_lazy("Credited by"), "choice", [("", "–"), *CREDITING.items()])],
        label=gettext_lazy("Who is credited"),
        help_text=gettext_lazy("The first of the direct rules that finds somebody decides; those on top are added."),
    )
    quota_name = forms.CharField(
        label=gettext_lazy("Quota"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("Which of a person's quotas it is. Empty for “bookings”."),
    )
    weight = forms.CharField(
        label=gettext_lazy("Part of target pay"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("60% where the component carries 60 percent of a person's target pay. Empty for all."),
    )
    period_kind = forms.ChoiceField(
        label=gettext_lazy("Credits add up over"),
        required=False,
        choices=[("", gettext_lazy("The period of pay")), *PERIODS.items()],
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("What walks along the curve"),
        choices=[
            (Scope.PERIOD.value, gettext_lazy("All that is credited in the period, together")),
            (Scope.TRANSACTION.value, gettext_lazy("Each transaction by itself, from zero")),
        ],
    )
    group = forms.CharField(
        label=pgettext_lazy("components", "Group"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("A transaction counts only in the first component of its group that takes it."),
    )
    shape = forms.ChoiceField(label=gettext_lazy("Curve"), choices=list(SHAPES.items()), widget=forms.RadioSelect)
    rate = forms.CharField(
        label=gettext_lazy("Rate"),
        max_length=40,
        required=False,
        help_text=gettext_lazy(
            "8% · 1.5x for one and a half times target pay ÷ quota · personal for the rate agreed with each person · 200 each for things."
        ),
    )
    tiers = RowsField(
        [
            Column("from", gettext_lazy("From"), placeholder=_BOUND),
            Column("rate", gettext_lazy("Rate"), placeholder="1.5x"),
        ],
        label=gettext_lazy("Tiers"),
        help_text=gettext_lazy(
            "From: an amount, a number of things, or a share of quota such as 100%. Rate: 8%, 1.5x, personal or 200 each."
        ),
    )
    steps = RowsField(
        [
            Column("from", gettext_lazy("From"), placeholder=_BOUND),
            Column("pays", gettext_lazy("Pays"), placeholder="5000"),
        ],
        label=pgettext_lazy("curve", "Steps"),
        help_text=gettext_lazy("Pays: an amount, or a share of target pay such as 100%."),
    )
    points = RowsField(
        [
            Column("at", pgettext_lazy("curve", "At"), placeholder=_BOUND),
            Column("pays", gettext_lazy("Pays"), placeholder="100%"),
        ],
        label=gettext_lazy("Points"),
        help_text=gettext_lazy("Two at least. Pays: an amount, or a share of target pay such as 100%."),
    )
    after = forms.ChoiceField(
        label=gettext_lazy("After the last point"),
        required=False,
        choices=[
            ("flat", gettext_lazy("stays at what it pays")),
            ("continue", gettext_lazy("goes on in the same line")),
        ],
    )
    gate_at = forms.CharField(
        label=gettext_lazy("Nothing below"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("An amount, or a share of quota such as 40%. Empty for no gate."),
    )
    gate_then = forms.ChoiceField(
        label=gettext_lazy("Once that is reached"),
        required=False,
        choices=[("all", gettext_lazy("everything counts")), ("above", gettext_lazy("only what lies above counts"))],
    )
    floor = forms.CharField(
        label=gettext_lazy("At least"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("The least for anything at all: an amount, or a share of target pay such as 25%."),
    )
    cap = forms.CharField(
        label=gettext_lazy("At most"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("The most a period pays: an amount, or a share of target pay such as 200%."),
    )
    boundary = forms.ChoiceField(
        label=gettext_lazy("Exactly on a bound"),
        required=False,
        choices=[("", gettext_lazy("As the plan says")), *CONVENTIONS["boundary"][1].items()],
    )
    is_falling_allowed = forms.BooleanField(label=gettext_lazy("More credit may lower the pay"), required=False)
    standard_quota = forms.CharField(
        label=gettext_lazy("Quota the plan is designed for"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("With the pay beside it a standing example: the one must pay the other."),
    )
    standard_target = forms.CharField(
        label=gettext_lazy("Pay at that quota"), max_length=40, required=False, help_text=gettext_lazy("Target pay.")
    )

    places = {
        "shape.rate": "rate",
        "shape.tiers": "tiers",
        "shape.steps": "steps",
        "shape.points": "points",
        "shape.gate": "gate_at",
        "shape.floor": "floor",
        "shape.cap": "cap",
        "shape.after": "after",
        "shape": "shape",
        "key": "code",
    } | {
        name: name
        for name in (
            "name", "measure", "counts", "when", "amount", "crediting", "quota_name", "weight", "period_kind",
            "scope", "group", "boundary", "is_falling_allowed", "standard_quota", "standard_target",
        )
    }  # fmt: skip

    def __init__(self, *args: Any, words: dict[str, Any], place: int, **kwargs: Any) -> None:
        self.place = place
        self.root = f"components[{place}]"  # type: ignore[misc]  # of this form, as its place is
        super().__init__(*args, words=words, **kwargs)
        counts = self.fields["counts"]
        if isinstance(counts, OrderedChoices):
            counts.put_first(list(self.initial["counts"]), KINDS)

    @property
    def before(self) -> dict[str, Any]:
        """The component as the draft has it."""
        component: dict[str, Any] = self.words["components"][self.place]
        return component

    def initial_of(self, words: dict[str, Any]) -> dict[str, Any]:
        """The component's values."""
        component = words["components"][self.place]
        shape = component["shape"]
        gate = shape.get("gate") or {}
        plain = {
            name: component.get(name, "")
            for name in (
                "name", "measure", "when", "amount", "quota_name", "weight", "period_kind", "group", "boundary",
                "standard_quota", "standard_target",
            )
        }  # fmt: skip
        return plain | {
            "code": component["key"],
            "measure": component.get("measure", Measure.MONEY.value),
            "counts": component.get("counts", [TransactionKind.BOOKING.value]),
            "crediting": [{"rule": rule} for rule in component.get("crediting", [])],
            "scope": component.get("scope", Scope.PERIOD.value),
            "is_falling_allowed": component.get("is_falling_allowed", False),
            "shape": shape["shape"],
            "rate": shape.get("rate", ""),
            "tiers": shape.get("tiers", []),
            "steps": shape.get("steps", []),
            "points": shape.get("points", []),
            "after": shape.get("after", "flat"),
            "gate_at": gate.get("at", ""),
            "gate_then": gate.get("then", "all"),
            "floor": shape.get("floor", ""),
            "cap": shape.get("cap", ""),
        }

    def clean_code(self) -> str:
        """A key that no other component has."""
        key = str(self.cleaned_data["code"])
        others = [each["key"] for place, each in enumerate(self.words["components"]) if place != self.place]
        if key in others:
            raise ValidationError(_("Another component has this key."))
        return key

    def clean_when(self) -> str:
        """A condition that can be read, or what is wrong with it and where."""
        return self._formula("when", formulas.Kind.BOOLEAN)

    def clean_amount(self) -> str:
        """A formula that gives an amount or, for things, a number."""
        is_count = self.data.get("measure", Measure.MONEY.value) == Measure.COUNT.value
        return self._formula("amount", formulas.Kind.NUMBER if is_count else formulas.Kind.MONEY)

    def _formula(self, name: str, wants: formulas.Kind) -> str:
        text = str(self.cleaned_data[name]).replace("\r\n", "\n").strip()
        problems = formulas.check(text, OF_THE_PORTAL, wants).problems if text else ()
        if problems:
            raise ValidationError([told(problem) for problem in problems])
        return text

    def changed(self, words: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The words with this component as it was typed, and its new key where it was named by the old one."""
        old = self.before
        if data["code"] != old["key"]:
            words = renamed(words, old["key"], data["code"])
        if data["measure"] == Measure.COUNT.value != old.get("measure", Measure.MONEY.value):
            _as_things(words, data["code"])
        component = {
            name: data[name]
            for name in ("name", "measure", "when", "amount", "period_kind", "scope", "group", "boundary")
        } | {"key": data["code"]}
        component |= {name: number_text(data[name]) for name in ("weight", "standard_quota", "standard_target")}
        component["quota_name"] = data["quota_name"] or DEFAULT_QUOTA
        component["crediting"] = [row["rule"] for row in data["crediting"]]
        made = without_nothing(component) | {"counts": data["counts"], "shape": self._shape(data)}
        words["components"][self.place] = made | {"is_falling_allowed": data["is_falling_allowed"]}
        return words

    def _shape(self, data: dict[str, Any]) -> dict[str, Any]:
        kind = data["shape"]
        shape: dict[str, Any] = {"shape": kind}
        if kind == "flat":
            shape["rate"] = number_text(data["rate"])
        else:
            name = {"steps": "steps", "points": "points"}.get(kind, "tiers")
            shape[name] = [{key: number_text(value) for key, value in row.items()} for row in data[name]]
        if kind == "points":
            shape["after"] = data["after"] or "flat"
        if data["gate_at"]:
            shape["gate"] = {"at": number_text(data["gate_at"]), "then": data["gate_then"] or "all"}
        for name in ("floor", "cap"):
            if data[name]:
                shape[name] = number_text(data[name])
        return shape


def _as_things(words: dict[str, Any], key: str) -> None:
    """Examples of a component that counts things from now on: whole amounts become whole numbers."""
    for example in words.get("examples", []):
        if example["component"] == key:
            example["credits"] = [re.sub(r"\.0+$", "", text) for text in example["credits"]]
            if "quota" in example:
                example["quota"] = re.sub(r"\.0+$", "", example["quota"])
