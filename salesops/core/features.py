"""Parts of the portal that administrators can turn off. Rooms declare them at start-up and ask at the moment of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from salesops.core.models import FeatureSwitch

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

API: Final = "api"


@dataclass(frozen=True)
class Feature:
    """A part that can be turned off: what it is called, what happens when it is off, and whether it is on at first."""

    code: str
    title: _StrOrPromise
    description: _StrOrPromise
    starts_on: bool = True


_FEATURES: dict[str, Feature] = {}


class SwitchedOffError(ValidationError):
    """The part of the portal that was asked for is switched off. Nothing was changed."""


def declare(*, code: str, title: _StrOrPromise, description: _StrOrPromise, starts_on: bool = True) -> None:
    """Name a part that can be turned off; until an administrator turns its switch it is on, or off where it is asked for."""
    _FEATURES[code] = Feature(code, title, description, starts_on)


def declared() -> list[Feature]:
    """Every part that can be turned off, in order of its code."""
    return [_FEATURES[code] for code in sorted(_FEATURES)]


def is_on(code: str) -> bool:
    """Whether a declared part is on now; read each time, so that a switch works at once. KeyError for any other code."""
    feature = _FEATURES[code]
    turned = FeatureSwitch.objects.filter(code=feature.code).values_list("is_on", flat=True).first()
    return feature.starts_on if turned is None else turned


def off_text(code: str) -> str:
    """What a person is told in place of the part."""
    return _("An administrator has switched this off: %(feature)s.") % {"feature": _FEATURES[code].title}


def need(code: str) -> None:
    """For services: raises SwitchedOffError, with words, when the part is off."""
    if not is_on(code):
        raise SwitchedOffError(off_text(code))


def write_switches(**_signal: Any) -> None:
    """Give each declared part its row, with its English words; whether it is on stays as it is."""
    for feature in declared():
        with override("en"):
            words = {"label": str(feature.title), "description": str(feature.description)}
        switch, is_new = FeatureSwitch.objects.get_or_create(
            code=feature.code, defaults={**words, "is_on": feature.starts_on}
        )
        if not is_new and (switch.label, switch.description) != (words["label"], words["description"]):
            FeatureSwitch.objects.filter(pk=switch.pk).update(**words)


declare(
    code=API,
    title=gettext_lazy("The API"),
    description=gettext_lazy(
        "Programs read and write through /api/v1 with the rights of a person. Off: every address there answers 403."
    ),
)
