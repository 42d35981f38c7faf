"""What all forms of the designer share: they change the words of a draft, and the one reader of plans judges them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _

from salesops.commissions.rules.planfile import plan_from_file
from salesops.commissions.rules.plans import PlanDefinition
from salesops.core.forms import PortalForm
from salesops.values.outcomes import Problem

_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)
_ROW = re.compile(r"\[([0-9]+)\]")


def number_text(text: str) -> str:
    """A number as plan files want it: without signs between thousands; everything else as it was typed."""
    text = " ".join(text.split())
    return text.replace(",", "") if _GROUPED.fullmatch(text) else text


def without_nothing(row: dict[str, Any]) -> dict[str, Any]:
    """The same without what was left empty."""
    return {name: value for name, value in row.items() if value not in ("", [], None)}


def told(problem: Problem) -> str:
    """A problem and what to do about it."""
    return f"{problem.text(_)} {problem.remedy_text(_)}".strip()


class DesignForm(PortalForm):
    """A form over the words of a draft (`words`, as `plan_as_file` gives them). `plan` is what comes of them.

    root: where in the words the form's part stands. places: what is below it, and the field that shows its problems.
    """

    root: ClassVar[str] = ""
    places: ClassVar[dict[str, str]] = {}

    seen_digest = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, words: dict[str, Any], digest: str = "", **kwargs: Any) -> None:
        self.words = words
        self.plan: PlanDefinition | None = None
        kwargs["initial"] = {**self.initial_of(words), "seen_digest": digest, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def initial_of(self, words: dict[str, Any]) -> dict[str, Any]:
        """The form's values of the words."""
        raise NotImplementedError

    def changed(self, words: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The words with this form's part replaced by what was typed."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        """Put the words together and have them read."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return data
        outcome = plan_from_file(self.changed(deepcopy(self.words), data))
        if outcome.value is None:
            self.show(outcome.problems)
        else:
            self.plan = outcome.value[2]
        return data

    def show(self, problems: Sequence[Problem]) -> None:
        """Each problem at its field, with its row; what is elsewhere in the plan at the top, with its place."""
        for problem in problems:
            inside = problem.where.startswith(self.root)
            relative = problem.where[len(self.root) :].lstrip(".") if inside else ""
            field = next(
                (
                    field
                    for place, field in sorted(self.places.items(), key=lambda item: -len(item[0]))
                    if inside and (relative == place or relative.startswith((f"{place}.", f"{place}[")))
                ),
                None,
            )
            row = _ROW.search(relative)
            text = told(problem)
            if field is None:
                self.add_error(None, f"{problem.where}: {text}" if problem.where else text)
            elif row:
                self.add_error(field, _("Row %(number)s: %(text)s") % {"number": int(row[1]) + 1, "text": text})
            else:
                self.add_error(field, text)
