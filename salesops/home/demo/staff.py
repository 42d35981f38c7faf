"""The company's own tables: people with their history, pods, territories, products. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from salesops.home.demo.company import (
    CLOSER,
    GROUPS,
    POD_NUMBERS,
    PODS,
    PRODUCTS,
    TERRITORIES,
    TERRITORY_NUMBERS,
    Held,
    Person,
)
from salesops.home.demo.ground import Ground
from salesops.home.demo.phrases import LEAVE_NOTES
from salesops.home.demo.rows import DAY_SECONDS, Rows, Table, Value
from salesops.values.names import match_name

USER, POD, TERRITORY, PRODUCT = "people.user", "pods.pod", "pods.territory", "deals.product"
#: The company's own tables with their columns, in the order in which they are written.
TABLES: Final[dict[str, tuple[str, ...]]] = {
    USER: (
        "id", "email", "name", "title", "password", "employee_number", "payroll_number", "time_zone", "started_on", "left_on",
        "is_active", "is_staff", "is_superuser", "date_joined",
    ),
    "people.rolegrant": ("id", "person_id", "role", "start_on", "end_on"),
    "people.functionassignment": ("id", "person_id", "function", "start_on", "end_on"),
    "people.reportingline": ("id", "person_id", "manager_id", "start_on", "end_on"),
    "people.workinghours": ("id", "person_id", "weekday", "starts_at", "ends_at"),
    "people.leave": ("id", "person_id", "kind", "note", "start_on", "end_on"),
    POD: ("id", "name", "segment_id", "template", "time_zone", "opened_on", "lead_capacity"),
    "pods.podmembership": ("id", "pod_id", "person_id", "function", "start_on", "end_on"),
    TERRITORY: ("id", "code", "name", "country", "region"),
    "pods.territoryassignment": ("id", "territory_id", "person_id", "start_on", "end_on"),
    PRODUCT: ("id", "code", "name", "match_name", "series", "price_minor", "currency", "is_active"),
}  # fmt: skip


class Staff:
    """Makes the rows of the company's own tables."""

    def __init__(self, ground: Ground, *, password: str) -> None:
        self._ground, self._password = ground, password
        self._tables = {label: Table(label, *columns) for label, columns in TABLES.items()}
        self._next = {label: ground.numbers.first_of(label) for label in TABLES}

    def rows(self) -> Iterator[Rows]:
        """All tables, in the order in which they must be written. `password` is the stored hash that all people get."""
        for person in self._ground.company.people:
            self._person(person)
        for person in self._ground.company.people:
            self._history(person)
        self._market()
        for label in TABLES:
            yield self._tables[label].done()

    def _add(self, label: str, *values: Value) -> None:
        self._tables[label].add((self._next[label], *values))
        self._next[label] += 1

    def _person(self, person: Person) -> None:
        ground = self._ground
        is_admin = any(held.value == "admin" for held in person.roles)
        has_left = person.left is not None and person.left <= ground.today
        self._add(
            USER, person.email, person.name, person.title, self._password, f"N-{1001 + person.number}", f"P{40101 + 7 * person.number}",
            person.zone, person.started, person.left, int(not has_left), int(is_admin), int(is_admin),
            min(person.started, ground.today) * DAY_SECONDS,
        )  # fmt: skip

    def _history(self, person: Person) -> None:
        ground = self._ground
        number = ground.person(person.number)
        for held in person.roles:
            self._add("people.rolegrant", number, held.value, held.start, held.end)
        for held in person.functions:
            self._add("people.functionassignment", number, held.value, held.start, held.end)
        for held in person.managers:
            manager = ground.company.by_key[held.value].number
            self._add("people.reportingline", number, ground.person(manager), held.start, held.end)
        for weekday in sorted(person.weekdays):
            self._add("people.workinghours", number, weekday, _clock(person.opens_at), _clock(person.closes_at))
        for held in person.leaves:
            self._add("people.leave", number, held.value, LEAVE_NOTES[held.value], held.start, held.end)
        for held in person.pods:
            pod = POD_NUMBERS[held.value]
            self._add("pods.podmembership", ground.pods + pod, number, held.function, held.start, held.end)
            if GROUPS[held.function] == CLOSER:
                self._assign(number, held, pod)

    def _assign(self, number: int | None, held: Held, pod: int) -> None:
        territory = self._ground.territories + TERRITORY_NUMBERS[PODS[pod].territory]
        self._add("pods.territoryassignment", territory, number, held.start, held.end)

    def _market(self) -> None:
        ground = self._ground
        for pod in PODS:
            opened = ground.today - pod.opened_days_ago
            self._add(
                POD, pod.name, ground.numbers.segments[pod.segment], pod.template, pod.zone, opened, pod.lead_capacity
            )
        for code, name, country, region in TERRITORIES:
            self._add(TERRITORY, code, name, country, region)
        for product in PRODUCTS:
            self._add(
                PRODUCT, product.code, product.name, match_name(product.name), product.series, product.price * ground.unit,
                ground.company.currency, int(product.is_active),
            )  # fmt: skip


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"
