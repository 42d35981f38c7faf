"""What the history stands on: the company, who works when, the numbers that rows already have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from salesops.home.demo.calendar import CompanyDays, Flow
from salesops.home.demo.company import PRODUCTS, SEGMENTS, Company
from salesops.home.demo.roster import Roster
from salesops.home.demo.rows import Table
from salesops.values.money import exponent

ACCOUNT, OWNERSHIP, CONTACT, SUBSCRIPTION = (
    "accounts.account",
    "accounts.accountownership",
    "accounts.contact",
    "accounts.subscription",
)
LEAD, ASSIGNMENT = "leads.lead", "leads.leadassignment"
DEAL, LINE, SPLIT, CHANGE = "deals.deal", "deals.dealline", "deals.dealsplit", "deals.stagechange"
ACTIVITY: Final = "activities.activity"

#: The tables of the history with their columns, in the order in which they are written.
TABLES: Final[dict[str, tuple[str, ...]]] = {
    ACCOUNT: (
        "id", "name", "match_name", "parent_id", "status", "segment_id", "territory_id", "owner_id", "pod_id", "industry", "country",
        "city", "website", "employees", "revenue_minor", "currency", "founded_year", "created_at", "updated_at",
    ),
    OWNERSHIP: ("id", "account_id", "person_id", "function", "start_on", "end_on"),
    CONTACT: ("id", "account_id", "name", "title", "email", "phone", "is_primary", "created_at", "updated_at"),
    LEAD: (
        "id", "name", "title", "company", "email", "phone", "country", "employees", "origin", "campaign", "status",
        "disqualified_because", "segment_id", "owner_id", "pod_id", "account_id", "contact_id", "estimated_minor", "currency",
        "created_at", "assigned_at", "first_touched_at", "last_touched_at", "converted_at", "credited_to_id",
        "updated_at",
    ),
    ASSIGNMENT: ("id", "lead_id", "person_id", "pod_id", "assigned_at", "assigned_by_id", "method", "reason", "path"),
    DEAL: (
        "id", "name", "account_id", "contact_id", "lead_id", "owner_id", "pod_id", "product_id", "stage_id", "kind", "amount_minor",
        "currency", "opened_on", "expected_close_on", "closed_on", "lost_because", "next_step", "board_position",
        "stage_entered_at", "created_at", "updated_at", "version",
    ),
    LINE: ("id", "deal_id", "product_id", "quantity", "unit_price_minor", "discount_bp", "amount_minor", "position"),
    SPLIT: ("id", "deal_id", "person_id", "function", "share_bp"),
    CHANGE: (
        "id", "deal_id", "from_stage_id", "to_stage_id", "changed_at", "changed_by_id", "amount_minor", "currency",
        "seconds_in_stage",
    ),
    SUBSCRIPTION: ("id", "account_id", "name", "mrr_minor", "currency", "seats", "start_on", "end_on"),
    ACTIVITY: (
        "id", "kind", "subject", "note", "outcome", "person_id", "lead_id", "deal_id", "account_id", "contact_id", "happened_at",
        "due_at", "done_at", "duration_minutes", "created_at",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages that deals pass: open ones in order, and where they end. The values are row ids."""

    open: tuple[int, ...]
    won: int
    lost: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """Row ids that the history points to: the first id of each made table, and those of rows that were there already.

    `first` holds the first id for each label of `TABLES` and of the company's own tables; what is missing begins at 1.
    """

    stages: Stages
    segments: tuple[int, ...]
    first: Mapping[str, int]

    def first_of(self, label: str) -> int:
        """The first id of a table's new rows."""
        return self.first.get(label, 1)


class Ground:
    """Everything that all parts of the history share, and the tables that they fill."""

    def __init__(self, company: Company, numbers: Numbers, *, company_zone: str) -> None:
        self.company, self.numbers = company, numbers
        self.today = company.today
        self.days = CompanyDays(company_zone)
        self.now = self.days.start(company.today)
        self.flow = Flow(company.today)
        self.roster = Roster(company, now=self.now)
        self.first_person = numbers.first_of("people.user")
        self.pods = numbers.first_of("pods.pod")
        self.territories = numbers.first_of("pods.territory")
        self.products = numbers.first_of("deals.product")
        self.unit = 10 ** exponent(company.currency)
        self.second_unit = 10 ** exponent(company.second_currency)
        self.prices = tuple(product.price for product in PRODUCTS)
        self.segment_sums = _sums([segment.share for segment in SEGMENTS])
        self.tables = {label: Table(label, *columns) for label, columns in TABLES.items()}
        self._next = {label: numbers.first_of(label) for label in TABLES}

    def take(self, label: str) -> int:
        """The next id of a table."""
        number = self._next[label]
        self._next[label] = number + 1
        return number

    def person(self, number: int) -> int | None:
        """The row id of a person; None for nobody (-1)."""
        return self.first_person + number if number >= 0 else None

    def unit_of(self, pod: int) -> int:
        """Minor units in one unit of the currency in which a pod sells."""
        return self.unit if self.company.currency_of(pod) == self.company.currency else self.second_unit


def _sums(shares: list[float]) -> tuple[float, ...]:
    total, sums = 0.0, []
    for share in shares:
        total += share
        sums.append(total)
    return (*sums[:-1], 1.0)
