"""A plan as people write it in a file: the words of `plans`, with amounts in major units, and back."""

from collections.abc import Mapping
from typing import Any, Final

from salesops.commissions.rules.conventions import instead_of
from salesops.commissions.rules.plans import FORMAT, PlanDefinition, plan_as_plain, plan_from_plain
from salesops.values.money import MoneyError, check_currency, plain, to_minor
from salesops.values.outcomes import Outcome, Problem, gettext_noop

# What a file says beside the plan itself.
HEAD: Final = ("name", "description")

# Amounts by where they stand: in the file without, in the plan with `_minor`; True where they may also be counts.
_COMPONENT_AMOUNTS: Final = {
    "standard_quota": ("standard_quota", True),
    "standard_target": ("standard_target_minor", False),
}
_COMPONENT_ORDER: Final = (
    "key", "name", "measure", "counts", "when", "amount", "group", "crediting", "quota_name", "weight", "period_kind",
    "scope", "standard_quota", "standard_target", "shape", "boundary", "is_falling_allowed",
)  # fmt: skip
_EXAMPLE_AMOUNTS: Final = {
    "credits": ("credits", True),
    "quota": ("quota", True),
    "target": ("target_minor", False),
    "expected": ("expected_minor", False),
    "lines": ("lines_minor", False),
}
_TRUTH: Final = {"true": True, "yes": True, "false": False, "no": False}


def plan_from_file(data: object) -> Outcome[tuple[str, str, PlanDefinition]]:
    """Read name, description and plan from what a YAML or JSON file holds, every scalar taken as it was written.

    Whatever cannot be read comes back as problems with their place.
    """
    if not isinstance(data, Mapping):
        return Outcome.bad(_wrong("plan", data, "name, currency, period_kind, components ..."))
    words = {str(key): value for key, value in data.items()}
    name = words.pop("name", "")
    description = words.pop("description", "")
    problems: list[Problem] = []
    for label, text, most in (("name", name, 120), ("description", description, 5_000)):
        if not isinstance(text, str) or len(text) > most or (label == "name" and not text.strip()):
            problems.append(_wrong(label, text, f"1 - {most}"))
    currency = words.get("currency")
    try:
        check_currency(currency if isinstance(currency, str) else "")
    except MoneyError as error:
        return Outcome.bad(*problems, _wrong("currency", currency, str(error)))
    words.setdefault("time_zone", "UTC")
    words["format"] = FORMAT
    measures: dict[str, str] = {}
    components = words.get("components")
    if isinstance(components, list):
        words["components"] = []
        for index, item in enumerate(components):
            words["components"].append(_component(item, f"components[{index}]", str(currency), measures, problems))
    examples = words.get("examples")
    if isinstance(examples, list):
        words["examples"] = [
            _example(item, f"examples[{index}]", str(currency), measures, problems)
            for index, item in enumerate(examples)
        ]
    if "settlement" in words:
        words["settlement"] = _settlement(words["settlement"])
    read = plan_from_plain(words)
    if read.value and (problem := instead_of(read.value.conventions.counting_date)):
        problems.append(problem)
    if problems or read.value is None:
        return Outcome.bad(*problems, *read.problems)
    return Outcome.good((str(name).strip(), str(description).strip(), read.value))


def plan_as_file(name: str, description: str, plan: PlanDefinition) -> dict[str, Any]:
    """What `plan_from_file` reads, as plain data with nothing but texts, truths, lists and mappings."""
    words = plan_as_plain(plan)
    del words["format"]
    measures = {component.key: component.measure.value for component in plan.components}
    for component in words["components"]:
        _as_written(component, _COMPONENT_AMOUNTS, measures[component["key"]], plan.currency)
    words["components"] = [_in_order(component) for component in words["components"]]
    for example in words["examples"]:
        _as_written(example, _EXAMPLE_AMOUNTS, measures.get(example["component"], "money"), plan.currency)
    if "settlement" in words:
        words["settlement"] = _without_nothing(words["settlement"])
    head = {"name": name} | ({"description": description} if description else {})
    order = (
        "currency",
        "time_zone",
        "period_kind",
        "ramp",
        "components",
        "settlement",
        "conventions",
        "rates",
        "approvals",
        "examples",
    )
    return head | {key: words[key] for key in order if words.get(key)}


def _in_order(component: dict[str, Any]) -> dict[str, Any]:
    """A component's words as people read them: what it is, what counts, for whom, by which quota, how it pays."""
    return {name: component[name] for name in _COMPONENT_ORDER if name in component} | component


def _without_nothing(value: Any) -> Any:
    """The same without words that say nothing: YAML texts have no null."""
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None and item != []}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value


def _component(data: object, where: str, currency: str, measures: dict[str, str], problems: list[Problem]) -> object:
    if not isinstance(data, Mapping):
        return data
    found = dict(data)
    measure = str(found.get("measure", "money"))
    measures[str(found.get("key"))] = measure
    _as_stored(found, _COMPONENT_AMOUNTS, measure, currency, where, problems)
    if isinstance(found.get("is_falling_allowed"), str):
        found["is_falling_allowed"] = _TRUTH.get(found["is_falling_allowed"].lower(), found["is_falling_allowed"])
    return found


def _example(data: object, where: str, currency: str, measures: dict[str, str], problems: list[Problem]) -> object:
    if not isinstance(data, Mapping):
        return data
    found = dict(data)
    _as_stored(found, _EXAMPLE_AMOUNTS, measures.get(str(found.get("component")), "money"), currency, where, problems)
    return found


def _settlement(data: object) -> object:
    """The settlement's words with the few whole numbers and truths it knows."""
    if isinstance(data, Mapping):
        return {key: _settled(str(key), value) for key, value in data.items()}
    return data


def _settled(key: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _settled(str(name), item) for name, item in value.items()}
    if isinstance(value, list):
        return [_settled(key, item) for item in value]
    if isinstance(value, str) and key in ("days", "until_days", "most_count") and value.isascii() and value.isdigit():
        return int(value[:9])
    if isinstance(value, str) and key.startswith("is_"):
        return _TRUTH.get(value.lower(), value)
    return value


def _as_stored(
    found: dict[Any, Any],
    amounts: Mapping[str, tuple[str, bool]],
    measure: str,
    currency: str,
    where: str,
    problems: list[Problem],
) -> None:
    for written, (stored, may_count) in amounts.items():
        if written not in found:
            continue
        value = found.pop(written)
        is_count = may_count and measure == "count"
        place = f"{where}.{written}"
        if isinstance(value, list):
            found[stored] = [_amount(item, is_count, currency, place, problems) for item in value]
        elif value not in (None, ""):
            found[stored] = _amount(value, is_count, currency, place, problems)


def _amount(value: object, is_count: bool, currency: str, where: str, problems: list[Problem]) -> int:
    text = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    try:
        if is_count:
            return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() else _refuse(text)
        return to_minor(text, currency)
    except (MoneyError, ValueError):
        problems.append(_wrong(where, value, '"30"' if is_count else '"1250.00"'))
        return 0


def _refuse(text: str) -> int:
    raise ValueError(text)


def _as_written(found: dict[str, Any], amounts: Mapping[str, tuple[str, bool]], measure: str, currency: str) -> None:
    for written, (stored, may_count) in amounts.items():
        value = found.pop(stored)
        if value is None:
            continue
        is_count = may_count and measure == "count"

        def show(number: int, is_count: bool = is_count) -> str:
            return str(number) if is_count else plain(number, currency)

        found[written] = [show(number) for number in value] if isinstance(value, list) else show(value)
    for name in [name for name, value in found.items() if value is None]:
        del found[name]


def _wrong(where: str, value: object, expected: str) -> Problem:
    return Problem.of(
        "plan-unreadable",
        gettext_noop("%(value)s cannot be read here."),
        where=where,
        remedy=gettext_noop("Expected: %(expected)s"),
        value=repr(value)[:80],
        expected=expected,
    )
