"""Tables of the commissions room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from salesops.commissions.models import Earning, Plan, PlanAssignment, PlanVersion, Quota, Scenario, Statement
from salesops.commissions.selectors.statements import attainment_of, reached_of
from salesops.core import display
from salesops.core.actor import Role
from salesops.core.tables import (
    BadgeColumn,
    Cell,
    DayColumn,
    LastDayColumn,
    LinkColumn,
    MomentColumn,
    MoneyColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
    ShareColumn,
)
from salesops.values.money import from_minor

#: Who sets quotas, of those they see.
QUOTA_SETTERS = (Role.REVOPS, Role.ADMIN, Role.MANAGER)
STATEMENT_TONES = {"draft": "amber", "approved": "blue", "locked": "violet", "paid": "green"}


class StatementTable(PortalTable):
    """Statements: who, when, how far, how much."""

    person = LinkColumn(
        "commissions:statement_detail", accessor="person__name", verbose_name=_("Person"), order_by=("person__name",)
    )
    period = PortalColumn(accessor="period__label", verbose_name=_("Period"), order_by=("period__start_on",))
    plan = PortalColumn(
        accessor="plan_version__plan__name", verbose_name=_("Plan"), order_by=("plan_version__plan__name",)
    )
    state = BadgeColumn(tones=STATEMENT_TONES)
    quota_minor = MoneyColumn(verbose_name=_("Quota"), initial_sort_descending=True)
    credited_minor = MoneyColumn(verbose_name=_("Credited"), initial_sort_descending=True)
    attainment = NumberColumn(empty_values=(), orderable=False, verbose_name=_("Attainment"))
    earned_minor = MoneyColumn(verbose_name=_("Earned"), initial_sort_descending=True)
    payout_minor = MoneyColumn(verbose_name=_("Paid out"), initial_sort_descending=True)
    problems = PortalColumn(empty_values=(), orderable=False, verbose_name=_("Problems"))

    default_columns: ClassVar[Sequence[str]] = (
        "person",
        "period",
        "plan",
        "state",
        "quota_minor",
        "credited_minor",
        "attainment",
        "earned_minor",
        "payout_minor",
    )

    class Meta:
        model = Statement
        fields = ()

    def show_attainment(self, value: Any, record: Statement) -> str:
        """Credited ÷ quota."""
        return display.ratio(attainment_of(record))

    def export_attainment(self, value: Any, record: Statement) -> Cell:
        """In percent."""
        points = attainment_of(record)
        return None if points is None else f"{points / 100:.2f}"

    def show_problems(self, value: Any, record: Statement) -> str:
        """How many stand in the way of approval."""
        return display.number(len(record.problems)) if record.problems else ""

    def export_problems(self, value: Any, record: Statement) -> Cell:
        """How many."""
        return len(record.problems)


class TeamPayTable(StatementTable):
    """What the people of a team reached and are paid in one period."""

    reached = MoneyColumn(empty_values=(), orderable=False, verbose_name=_("Reached"))

    default_columns = (
        "person",
        "plan",
        "quota_minor",
        "reached",
        "attainment",
        "earned_minor",
        "payout_minor",
        "state",
    )

    class Meta:
        model = Statement
        fields = ()
        sequence = (
            "person",
            "plan",
            "quota_minor",
            "reached",
            "attainment",
            "earned_minor",
            "payout_minor",
            "state",
            "...",
        )

    def show_reached(self, value: Any, record: Statement) -> str:
        """Of the first quota of money."""
        return display.money(reached_of(record), record.currency)

    def export_reached(self, value: Any, record: Statement) -> list[Cell]:
        """The same, exact, with its currency."""
        return [from_minor(reached_of(record), record.currency), record.currency]


class EarningTable(PortalTable):
    """The lines of a statement: what counted, how much of it, what it earned."""

    day = DayColumn(accessor="credit__effective_on", verbose_name=_("Day"))
    deal = LinkColumn("commissions:earning_detail", accessor="named", verbose_name=_("Deal"), order_by=("named",))
    kind = PortalColumn(
        accessor="credit__transaction__get_kind_display",
        verbose_name=_("What happened"),
        order_by=("credit__transaction__kind",),
    )
    account = PortalColumn(accessor="credit__transaction__account__name", verbose_name=_("Account"))
    component = PortalColumn(verbose_name=_("Component"))
    share = ShareColumn(accessor="credit__share_bp", verbose_name=_("Share"))
    credited = MoneyColumn(accessor="credit__amount_minor", verbose_name=_("Credited"), initial_sort_descending=True)
    to_minor = MoneyColumn(verbose_name=_("Credited so far"))
    amount_minor = MoneyColumn(verbose_name=_("Earned"), initial_sort_descending=True)

    default_columns = ("deal", "day", "account", "share", "credited", "to_minor", "amount_minor")

    class Meta:
        model = Earning
        fields = ()
        sequence = ("deal", "day", "kind", "account", "component", "share", "credited", "to_minor", "amount_minor")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counting: dict[int, set[str]] = {}

    def show_to_minor(self, value: Any, record: Earning) -> str:
        """Money, or how many things; for a line that walks nowhere, nothing."""
        if record.from_minor == record.to_minor:
            return ""
        return display.number(value) if self._is_count(record) else display.money(value, record.currency)

    def export_to_minor(self, value: Any, record: Earning) -> list[Cell]:
        """The same, exact, with the currency of money."""
        if self._is_count(record):
            return [value, ""]
        return [from_minor(value, record.currency), record.currency]

    def _is_count(self, record: Earning) -> bool:
        """Whether the component of a line counts things. All lines of a list are of a few statements."""
        if record.statement_id not in self._counting:
            words = PlanVersion.objects.get(statements=record.statement_id).definition
            self._counting[record.statement_id] = {
                part["key"] for part in words["components"] if part.get("measure") == "count"
            }
        return record.component in self._counting[record.statement_id]


class PlanTable(PortalTable):
    """Plans."""

    name = LinkColumn("commissions:plan_detail", verbose_name=_("Plan"))
    description = PortalColumn(verbose_name=_("Description"))
    people = PortalColumn(empty_values=(), orderable=False, verbose_name=_("People"))

    default_columns = ("name", "description", "people")

    class Meta:
        model = Plan
        fields = ()

    def show_people(self, value: Any, record: Plan) -> str:
        """How many are on it, as counted by the selector."""
        return display.number(getattr(record, "people", 0))

    def export_people(self, value: Any, record: Plan) -> Cell:
        """How many."""
        return getattr(record, "people", 0)


class PlanAssignmentTable(PortalTable):
    """People on a plan."""

    person = PersonColumn(accessor="person", verbose_name=_("Person"))
    start_on = DayColumn()
    end_on = LastDayColumn()
    rate = PortalColumn(verbose_name=_("Personal rate"))
    target_pay_minor = MoneyColumn(verbose_name=_("Target pay of a period"))

    default_columns = ("person", "start_on", "end_on", "rate", "target_pay_minor")

    class Meta:
        model = PlanAssignment
        fields = ()

    def show_rate(self, value: Any, record: PlanAssignment) -> str:
        """As a percentage."""
        return "" if value is None else f"{(value * 100).normalize():f} %"


class QuotaColumn(MoneyColumn):
    """A quota of money, or of things; the row says which (`is_of_things`)."""

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """Things without a currency."""
        return display.number(value) if record.is_of_things else super().show(value, record, table)

    def export(self, value: Any, record: Any) -> list[Any]:
        """Things as a whole number."""
        return [value, ""] if record.is_of_things else super().export(value, record)


class QuotaTable(PortalTable):
    """Quotas."""

    person = LinkColumn(
        "commissions:quota_edit", accessor="person__name", verbose_name=_("Person"), order_by=("person__name",)
    )
    start_on = DayColumn()
    end_on = LastDayColumn()
    measure = PortalColumn(verbose_name=_("Which"))
    amount_minor = QuotaColumn(verbose_name=_("Quota"), initial_sort_descending=True)

    default_columns = ("person", "start_on", "end_on", "measure", "amount_minor")

    class Meta:
        model = Quota
        fields = ()

    def show_person(self, value: str, record: Quota) -> str:
        """The person, which leads who sets quotas to the form."""
        column = self.base_columns["person"]
        if isinstance(column, LinkColumn) and self.actor.has(*QUOTA_SETTERS):
            return column.show(value, record, self)
        return value


class ScenarioTable(PortalTable):
    """What-if scenarios."""

    name = LinkColumn("commissions:scenario_detail", verbose_name=_("Scenario"))
    period = PortalColumn(accessor="period__label", verbose_name=_("Period"), order_by=("period__start_on",))
    created_by = PortalColumn(accessor="created_by__name", verbose_name=_("Tried by"))
    created_at = MomentColumn(verbose_name=_("Tried at"))

    default_columns = ("name", "period", "created_by", "created_at")

    class Meta:
        model = Scenario
        fields = ()
