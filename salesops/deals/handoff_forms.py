"""Forms of hand-offs: to whom, accepted or not, and the five ratings."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from salesops.core.actor import Actor
from salesops.core.forms import PortalForm
from salesops.deals.choices import HandOffPair
from salesops.deals.rules.handoffs import PAIRS, RATINGS
from salesops.deals.selectors.handoffs import ASKS, LABELS, receivers_for
from salesops.people.models import User

_MARKS = [(number, str(number)) for number in range(1, 6)]


class HandOffForm(PortalForm):
    """To whom, and what they should know. Offers the pairs that begin with the giver's function."""

    pair = forms.ChoiceField(label=_("From whom to whom"))
    receiver = forms.ModelChoiceField(User.objects.none(), label=_("To"), empty_label="—")
    note = forms.CharField(
        label=_("Note"),
        max_length=4_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What was promised, who matters, what comes next."),
    )

    def __init__(self, *args: Any, actor: Actor, day: date, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        pairs = [pair for pair, (here, _there) in PAIRS.items() if not here.isdisjoint(actor.functions)]
        labels = dict(HandOffPair.choices)
        self.fields["pair"].choices = [(pair, labels[pair]) for pair in pairs]  # type: ignore[attr-defined]
        people = User.objects.none()
        for pair in pairs:
            people |= receivers_for(actor, pair, day=day)
        self.fields["receiver"].queryset = people.distinct()  # type: ignore[attr-defined]


class HandOffAnswerForm(PortalForm):
    """Accepted, or declined with the reason."""

    is_accepted = forms.TypedChoiceField(
        label=_("Your answer"),
        choices=[("yes", pgettext_lazy("answer", "Accept")), ("no", pgettext_lazy("answer", "Decline"))],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )
    because = forms.CharField(label=_("Reason"), max_length=300, required=False, help_text=_("Needed to decline."))


class RatingForm(PortalForm):
    """Five ratings of 1 to 5, and a comment."""

    comment = forms.CharField(
        label=_("Comment"), max_length=4_000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in RATINGS:
            self.fields[name] = forms.TypedChoiceField(
                label=LABELS[name], help_text=ASKS[name], choices=_MARKS, coerce=int, widget=forms.RadioSelect
            )
        self.order_fields([*RATINGS, "comment"])
