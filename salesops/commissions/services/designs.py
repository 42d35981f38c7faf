"""Changes to a draft in the words of its plan file: whole drafts from templates, components added, copied, moved, taken out."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Plan, PlanVersion
from salesops.commissions.rules.planfile import plan_as_file, plan_from_file
from salesops.commissions.rules.plans import PlanDefinition, plan_as_plain, plan_from_plain
from salesops.commissions.rules.templates import template_of, template_plan
from salesops.commissions.services.plan_files import write_plan
from salesops.commissions.services.plans import create_plan, save_draft
from salesops.core.actor import Actor

#: What can be done to a component beside changing it.
MOVES: Final = ("add", "copy", "remove", "up", "down")


def words_of(version: PlanVersion) -> dict[str, Any]:
    """What a version says, in the words of a plan file."""
    plan = plan_from_plain(version.definition).unwrap()
    return plan_as_file(version.plan.name, version.plan.description, plan)


def parsed(version: PlanVersion) -> PlanDefinition:
    """What a version says, read."""
    return plan_from_plain(version.definition).unwrap()


def text_of(version: PlanVersion) -> str:
    """A version as a plan file."""
    return write_plan(version.plan.name, version.plan.description, parsed(version))


@transaction.atomic
def start_plan(
    *,
    actor: Actor,
    name: str,
    description: str = "",
    template: str,
    currency: str,
    time_zone: str,
    start_on: date,
    at: datetime,
) -> PlanVersion:
    """A plan with a first draft made from a template (a key of rules.templates). Raises CommissionRefusedError."""
    plan = create_plan(actor=actor, name=name, description=description, at=at)
    definition = plan_as_plain(template_plan(template_of(template), currency, time_zone))
    return save_draft(actor=actor, plan=plan, definition=definition, start_on=start_on, at=at)


def start_version(
    *,
    actor: Actor,
    plan: Plan,
    base: PlanVersion | None,
    template: str,
    currency: str,
    time_zone: str,
    start_on: date,
    at: datetime,
) -> PlanVersion:
    """A new draft of a plan that says what another of its versions says or, without one, what a template says."""
    definition = (
        plan_as_plain(parsed(base))
        if base
        else plan_as_plain(template_plan(template_of(template), currency, time_zone))
    )
    return save_draft(actor=actor, plan=plan, definition=definition, start_on=start_on, at=at)


def save_definition(
    *,
    actor: Actor,
    version: PlanVersion,
    plan: PlanDefinition,
    start_on: date | None = None,
    seen_digest: str | None = None,
    at: datetime,
) -> PlanVersion:
    """Keep what a form made of a draft. seen_digest: of the draft the form began with."""
    return save_draft(
        actor=actor,
        plan=version.plan,
        version=version,
        definition=plan_as_plain(plan),
        start_on=start_on or version.start_on,
        seen_digest=seen_digest,
        at=at,
    )


def change_components(
    *, actor: Actor, version: PlanVersion, move: str, place: int = 0, seen_digest: str | None = None, at: datetime
) -> int:
    """Add, copy, take out or move a component of a draft; returns the place of the component it is about.

    One that the settlement names is not taken out: what would be left might mean something else. Its examples go with
    it. Raises CommissionRefusedError.
    """
    words = words_of(version)
    components: list[dict[str, Any]] = words["components"]
    if move not in MOVES or (move != "add" and not 0 <= place < len(components)):
        raise CommissionRefusedError(_("There is no such component any more. Open the draft again."), code="stale")
    if move == "add":
        key = _free_key("component", components)
        components.append({"key": key, "name": _("New component"), "shape": {"shape": "flat", "rate": "5%"}})
        place = len(components) - 1
    elif move == "copy":
        made = deepcopy(components[place])
        made["key"], made["name"] = _free_key(made["key"], components), _("%(name)s (copy)") % {"name": made["name"]}
        made["name"] = made["name"][:200]
        components.insert(place + 1, made)
        place += 1
    elif move == "remove":
        if len(components) == 1:
            raise CommissionRefusedError(_("A plan needs at least one component."))
        key = components[place]["key"]
        if key in named_in_settlement(words):
            raise CommissionRefusedError(
                _("The settlement names %(key)s. Take it out of the settlement first.") % {"key": key}
            )
        del components[place]
        if key not in {component["key"] for component in components}:
            words["examples"] = [example for example in words.get("examples", []) if example["component"] != key]
        place = 0
    else:
        other = place - 1 if move == "up" else place + 1
        if not 0 <= other < len(components):
            return place
        components[place], components[other] = components[other], components[place]
        place = other
    _name, _description, plan = plan_from_file(words).unwrap()
    save_definition(actor=actor, version=version, plan=plan, seen_digest=seen_digest, at=at)
    return place


def named_in_settlement(words: dict[str, Any]) -> set[str]:
    """The keys of components that a plan's settlement names, in the words of a plan file."""
    settlement = words.get("settlement") or {}
    named = set((settlement.get("multiplier") or {}).get("components", []))
    named |= {limit["component"] for limit in settlement.get("limits", []) if limit.get("component")}
    return named | {key for release in settlement.get("releases", []) for key in release.get("components", [])}


def renamed(words: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """The same words with a component's key changed where examples and settlement name it."""
    words = deepcopy(words)
    for example in words.get("examples", []):
        example["component"] = new if example["component"] == old else example["component"]
    settlement = words.get("settlement") or {}
    for holder in ([settlement["multiplier"]] if settlement.get("multiplier") else []) + settlement.get("releases", []):
        if holder.get("components"):
            holder["components"] = [new if key == old else key for key in holder["components"]]
    for limit in settlement.get("limits", []):
        if limit.get("component") == old:
            limit["component"] = new
    return words


def _free_key(key: str, components: list[dict[str, Any]]) -> str:
    taken = {component["key"] for component in components}
    number = 2
    made = key
    while made in taken:
        made, number = f"{key[:36]}_{number}", number + 1
    return made
