"""Puts audit entries into words for people: what was done, and each change with the names and units of its field."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.audit.models import AuditEntry
from salesops.core import display
from salesops.values.money import MoneyError, check_currency

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

#: What the verbs of actions mean; a verb that is not here is shown as it is written.
VERBS = {
    "added": gettext_lazy("added"),
    "created": gettext_lazy("created"),
    "edited": gettext_lazy("changed"),
    "changed": gettext_lazy("changed"),
    "deleted": gettext_lazy("deleted"),
    "cancelled": gettext_lazy("cancelled"),
    "ended": gettext_lazy("ended"),
    "granted": gettext_lazy("granted"),
    "revoked": gettext_lazy("revoked"),
    "left": gettext_lazy("left the company"),
    "deactivated": gettext_lazy("deactivated"),
    "reactivated": gettext_lazy("reactivated"),
    "logged_in": gettext_lazy("logged in"),
    "password_changed": gettext_lazy("password changed"),
    "password_link_sent": gettext_lazy("password link sent"),
    "settings_changed": gettext_lazy("settings changed"),
    "stage_moved": gettext_lazy("moved to another stage"),
    "owner_changed": gettext_lazy("given to another owner"),
    "imported": gettext_lazy("imported"),
    "downloaded": gettext_lazy("downloaded"),
    "approved": gettext_lazy("approved"),
    "rejected": gettext_lazy("sent back"),
    "locked": gettext_lazy("locked"),
    "unlocked": gettext_lazy("opened again"),
    "released": gettext_lazy("released"),
    "calculated": gettext_lazy("calculated"),
    "retried": gettext_lazy("tried again"),
    "converted": gettext_lazy("converted"),
    "merged": gettext_lazy("merged"),
    "took_over": gettext_lazy("stands for another"),
    "parted": gettext_lazy("its merge was undone"),
    "removed": gettext_lazy("removed"),
    "restored": gettext_lazy("restored"),
    "voided": gettext_lazy("voided"),
    "setup_brought_back": gettext_lazy("set up as before"),
    "opened": gettext_lazy("opened"),
    "closed": gettext_lazy("closed"),
    "reassigned": gettext_lazy("given to somebody else"),
    "taken_back": gettext_lazy("put back where it was"),
    "status_changed": gettext_lazy("moved to another status"),
    "disqualified": gettext_lazy("disqualified"),
    "reopened": gettext_lazy("opened again"),
    "assigned": gettext_lazy("given to somebody"),
    "routed": gettext_lazy("given to somebody by rule"),
    "held": gettext_lazy("waits for somebody"),
    "given_back": gettext_lazy("given back"),
    "time_ran_out": gettext_lazy("given to somebody else, its time ran out"),
    "drafted": gettext_lazy("drafted"),
    "discarded": gettext_lazy("thrown away"),
    "activated": gettext_lazy("put in force"),
    "rule_added": gettext_lazy("given a rule"),
    "rule_edited": gettext_lazy("changed in a rule"),
    "rule_dropped": gettext_lazy("rid of a rule"),
    "level_added": gettext_lazy("given a service level"),
    "level_edited": gettext_lazy("changed in a service level"),
    "level_dropped": gettext_lazy("rid of a service level"),
    "responsible_changed": gettext_lazy("given to somebody else"),
    "member_added": gettext_lazy("joined by somebody"),
    "member_ended": gettext_lazy("left by somebody"),
    "member_withdrawn": gettext_lazy("membership taken back"),
    "member_corrected": gettext_lazy("membership corrected"),
    "asked": gettext_lazy("asked for"),
    "accepted": gettext_lazy("accepted"),
    "declined": gettext_lazy("declined"),
    "withdrawn": gettext_lazy("taken back"),
    "switched_on": gettext_lazy("switched on"),
    "switched_off": gettext_lazy("switched off"),
    "targets_kept": gettext_lazy("given targets"),
}
#: What the nouns of actions mean where they are not the name of a model.
NOUNS = {
    "person": gettext_lazy("person"),
    "role": gettext_lazy("role"),
    "function": gettext_lazy("job function"),
    "reporting_line": gettext_lazy("reporting line"),
    "hours": gettext_lazy("working hours"),
    "leave": gettext_lazy("leave"),
    "session": gettext_lazy("session"),
    "second_factor": gettext_lazy("second factor"),
    "export": gettext_lazy("export"),
    "rate": gettext_lazy("exchange rates"),
    "job": gettext_lazy("job"),
    "routing": gettext_lazy("routing rules"),
}


#: The names of what entries hold that is no field of the row they are about.
LABELS: dict[str, _StrOrPromise] = {
    "role": gettext_lazy("Role"),
    "function": gettext_lazy("Function"),
    "kind": gettext_lazy("Kind"),
    "manager": gettext_lazy("Reports to"),
    "person": gettext_lazy("Person"),
    "day": gettext_lazy("From"),
    "start_on": gettext_lazy("From"),
    "end_on": gettext_lazy("Until"),
    "ip": gettext_lazy("Address"),
    "methods": gettext_lazy("Proved by"),
    "type": gettext_lazy("Kind"),
    "types": gettext_lazy("Kinds"),
    "hours": gettext_lazy("Working hours"),
    "rows": gettext_lazy("Rows"),
    "file": gettext_lazy("File"),
    "added": gettext_lazy("Added"),
    "replaced": gettext_lazy("Replaced"),
    "first_on": gettext_lazy("First day"),
    "last_on": gettext_lazy("Last day"),
    "source": gettext_lazy("Source"),
}
#: The words for codes under such names. Rooms above teach theirs when the portal starts.
_CODES: dict[str, dict[str, _StrOrPromise]] = {
    "methods": {"password": gettext_lazy("password"), "mfa": gettext_lazy("second factor")},
    "type": {
        "totp": gettext_lazy("app that shows codes"),
        "webauthn": gettext_lazy("security key"),
        "recovery_codes": gettext_lazy("recovery codes"),
    },
}
_CODES["types"] = _CODES["type"]


def teach(name: str, choices: Iterable[tuple[Any, _StrOrPromise]]) -> None:
    """Say what the codes under a name mean: `teach("role", RoleChoice.choices)`."""
    _CODES[name] = {str(code): label for code, label in choices}


#: Models whose fields are told in entries about another one, of which they are parts.
_PARTS: dict[str, str] = {}


def teach_part(subject: str, part: str) -> None:
    """Say that entries about one model also name fields of another: `teach_part("pods.pod", "pods.podmembership")`."""
    _PARTS[subject] = part


@dataclass(frozen=True, slots=True)
class Line:
    """One field that changed, for reading. `before` or `after` is empty where there was nothing."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Described:
    """An entry for reading: what was done, and the fields that changed."""

    entry: AuditEntry
    title: str
    lines: list[Line]


def title_of(action: str) -> str:
    """An action in words: "deal.stage_moved" is "Deal moved to another stage"."""
    noun, _separator, verb = action.partition(".")
    named: Any = NOUNS.get(noun)
    if named is None:
        model = next((each for each in apps.get_models() if each._meta.model_name == noun.replace("_", "")), None)
        named = model._meta.verbose_name if model else noun.replace("_", " ")
    done = VERBS.get(verb, verb.replace("_", " "))
    return capfirst(_("%(noun)s %(verb)s") % {"noun": named, "verb": done}).strip()


def described(entries: Iterable[AuditEntry]) -> list[Described]:
    """Put entries into words, with one query for each kind of row that they point to, however many they are."""
    rows = list(entries)
    names = _Names(rows)
    return [
        Described(
            entry,
            title_of(entry.action),
            [
                Line(
                    names.label(entry, name),
                    names.text(entry, name, entry.before.get(name)),
                    names.text(entry, name, entry.after.get(name)),
                )
                for name in _in_order(entry)
                if _is_told(entry.before.get(name)) or _is_told(entry.after.get(name))
            ],
        )
        for entry in rows
    ]


def _is_told(value: Any) -> bool:
    """Whether there is anything to show."""
    return value is not None and value not in ("", [], {})


def _in_order(entry: AuditEntry) -> list[str]:
    """The names of an entry: the row's own fields in their order, then LABELS, then the alphabet. Databases keep none."""
    models_told = [_model(entry.subject_type), _model(_PARTS.get(entry.subject_type, ""))]
    fields = [field.name for model in models_told if model for field in model._meta.concrete_fields]
    places = {name: number for number, name in reversed(list(enumerate(fields)))}
    known = {name: number for number, name in enumerate(LABELS, start=len(places))}
    last = len(places) + len(known)
    return sorted({**entry.before, **entry.after}, key=lambda name: (places.get(name, known.get(name, last)), name))


class _Names:
    """Looks up what ids mean, all at once."""

    def __init__(self, entries: list[AuditEntry]) -> None:
        wanted: dict[type[models.Model], set[Any]] = defaultdict(set)
        priced: dict[type[models.Model], set[str]] = defaultdict(set)
        for entry in entries:
            for name in {**entry.before, **entry.after}:
                field = _field(entry.subject_type, name)
                target = field.related_model if isinstance(field, models.ForeignKey) else _people(name)
                if isinstance(target, type):
                    values = (entry.before.get(name), entry.after.get(name))
                    wanted[target] |= {value for value in values if isinstance(value, int)}
                model = _model(entry.subject_type)
                if model is not None and name.endswith("_minor") and _own_field(model, "currency"):
                    priced[model].add(entry.subject_id)
        self._rows = {
            (model, row.pk): str(row)
            for model, keys in wanted.items()
            for row in model._base_manager.filter(pk__in=keys)
        }
        self._currencies = {
            (model._meta.label_lower, str(pk)): currency
            for model, keys in priced.items()
            for pk, currency in model._base_manager.filter(pk__in=keys).values_list("pk", "currency")
        }

    def label(self, entry: AuditEntry, name: str) -> str:
        """The name of a field."""
        field = _field(entry.subject_type, name)
        label = getattr(field, "verbose_name", None) or LABELS.get(name)
        return capfirst(str(label)) if label else capfirst(name.removesuffix("_minor").replace("_", " "))

    def text(self, entry: AuditEntry, name: str, value: Any) -> str:
        """A value with the name, unit or label that it stands for."""
        if not _is_told(value):
            return ""
        if isinstance(value, bool):
            return _("Yes") if value else _("No")
        field = _field(entry.subject_type, name)
        if isinstance(value, int):
            return self._number(entry, name, value, field)
        if isinstance(value, list):
            return ", ".join(self.text(entry, name, each) for each in value)
        if isinstance(value, dict) and name.endswith("_minor"):
            # PostgreSQL keeps the keys of JSON in an order of its own.
            return " · ".join(_amount(each, currency) for currency, each in sorted(value.items()))
        if isinstance(value, dict):
            return ", ".join(f"{key}: {self.text(entry, key, each)}" for key, each in value.items())
        labels = dict(getattr(field, "flatchoices", None) or _CODES.get(name, {}))
        return str(labels.get(value, "")) or _day_or_moment(str(value))

    def _number(self, entry: AuditEntry, name: str, value: int, field: Any) -> str:
        target = field.related_model if isinstance(field, models.ForeignKey) else _people(name)
        if isinstance(target, type):
            return self._rows.get((target, value), f"#{value}")
        if name.endswith("_minor"):
            given = entry.after.get("currency") or entry.before.get("currency")
            return _amount(value, given or self._currencies.get((entry.subject_type, entry.subject_id)))
        if name.endswith("_bp"):
            return display.share(value)
        labels = dict(getattr(field, "flatchoices", None) or ())
        return str(labels[value]) if value in labels else display.number(value)


def _amount(minor: int, currency: Any) -> str:
    try:
        return display.money(minor, check_currency(str(currency)))
    except MoneyError:
        return _("%(minor)s minor units") % {"minor": display.number(minor)}


def _model(subject_type: str) -> type[models.Model] | None:
    try:
        return apps.get_model(subject_type)
    except (LookupError, ValueError):
        return None


def _field(subject_type: str, name: str) -> Any:
    """The field of that name, or of that name without "_id", of the model or its part; None where neither has it."""
    for model in (_model(subject_type), _model(_PARTS.get(subject_type, ""))):
        field = _own_field(model, name.removesuffix("_id")) if model else None
        if field is not None:
            return field
    return None


def _own_field(model: type[models.Model], name: str) -> Any:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _people(name: str) -> type[models.Model] | None:
    """People are named by these words wherever they occur."""
    words = {"person", "manager", "owner", "deputy", "person_id", "manager_id", "owner_id"}
    return _model("people.user") if name in words else None


def _day_or_moment(text: str) -> str:
    """A day or a moment in the reader's language; other text as it is."""
    try:
        if len(text) == 10:
            return display.day(date.fromisoformat(text))
        if len(text) > 20 and text[10] == "T":
            return display.moment(datetime.fromisoformat(text))
    except ValueError:
        pass
    return text
