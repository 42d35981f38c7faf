"""How plans, pay and what is paid for look from the outside. Amounts are whole minor units of the row's currency."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from salesops.accounts.models import Account
from salesops.commissions.choices import TransactionKind
from salesops.commissions.models import (
    Adjustment,
    Contest,
    ContestStanding,
    Credit,
    Earning,
    Period,
    Plan,
    PlanVersion,
    Quota,
    SettlementLine,
    Statement,
    Transaction,
)
from salesops.commissions.rules.plans import DEFAULT_QUOTA
from salesops.commissions.selectors.adjustments import open_periods, people_to_adjust
from salesops.core.actor import Actor, Role
from salesops.deals.models import Deal, Product
from salesops.people.models import User
from salesops.values.money import MAX_MINOR, MIN_MINOR
from salesops.values.periods import Period as Span
from salesops.values.periods import PeriodError, parse_label


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """A plan."""

    class Meta:
        model = Plan
        fields = ("id", "name", "description", "created_at")
        read_only_fields = fields


class PlanVersionSerializer(serializers.ModelSerializer[PlanVersion]):
    """A version of a plan in a list."""

    class Meta:
        model = PlanVersion
        fields: tuple[str, ...] = (
            "id",
            "plan",
            "number",
            "state",
            "start_on",
            "end_on",
            "currency",
            "time_zone",
            "period_kind",
            "digest",
            "created_by",
            "created_at",
            "activated_by",
            "activated_at",
        )
        read_only_fields = fields


class PlanVersionDetailSerializer(PlanVersionSerializer):
    """A version with what it says."""

    class Meta(PlanVersionSerializer.Meta):
        fields = (*PlanVersionSerializer.Meta.fields, "definition")
        read_only_fields = fields


class ContestSerializer(serializers.ModelSerializer[Contest]):
    """A contest in a list. end_on: the first day that no longer counts."""

    class Meta:
        model = Contest
        fields: tuple[str, ...] = (
            "id",
            "key",
            "name",
            "state",
            "plan",
            "start_on",
            "end_on",
            "currency",
            "time_zone",
            "period_kind",
            "shows_names",
            "digest",
            "created_by",
            "created_at",
            "activated_by",
            "activated_at",
            "cancelled_at",
            "cancel_reason",
            "reckoned_at",
        )
        read_only_fields = fields


class ContestDetailSerializer(ContestSerializer):
    """A contest with what it says."""

    class Meta(ContestSerializer.Meta):
        fields = (*ContestSerializer.Meta.fields, "definition", "problems")
        read_only_fields = fields


class ContestStandingSerializer(serializers.ModelSerializer[ContestStanding]):
    """Where a person stands; rank 0 is below the minimum. The prize is earned once the contest has ended."""

    class Meta:
        model = ContestStanding
        fields = ("person", "rank", "tied", "taking_part", "total_minor", "prize_minor", "currency")
        read_only_fields = fields


class PeriodSerializer(serializers.ModelSerializer[Period]):
    """A period of pay."""

    class Meta:
        model = Period
        fields = ("id", "label", "kind", "start_on", "end_on", "time_zone", "state", "locked_at")
        read_only_fields = fields


class QuotaSerializer(serializers.ModelSerializer[Quota]):
    """A quota. `is_of_things`: `amount_minor` is their number, and the currency means nothing."""

    is_of_things = serializers.BooleanField(read_only=True)

    class Meta:
        model = Quota
        fields = (
            "id",
            "person",
            "measure",
            "start_on",
            "end_on",
            "amount_minor",
            "currency",
            "is_of_things",
            "updated_at",
        )
        read_only_fields = fields


class TransactionSerializer(serializers.ModelSerializer[Transaction]):
    """Something that happened to the business."""

    term_months = serializers.SerializerMethodField()

    class Meta:
        model = Transaction
        fields: tuple[str, ...] = (
            "id",
            "source_key",
            "kind",
            "effective_on",
            "amount_minor",
            "currency",
            "quantity",
            "deal",
            "account",
            "product",
            "credited_to",
            "reverses",
            "term_months",
            "is_void",
            "recorded_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_term_months(self, row: Transaction) -> int | None:
        """How many months the contract runs."""
        months: int | None = row.attributes.get("term_months")
        return months


class TransactionWrittenSerializer(TransactionSerializer):
    """The transaction as it stands now, and what a locked period makes of it: words, or nothing."""

    is_late = serializers.SerializerMethodField()
    notice = serializers.SerializerMethodField()

    class Meta(TransactionSerializer.Meta):
        fields = (*TransactionSerializer.Meta.fields, "is_late", "notice")
        read_only_fields = fields

    def get_is_late(self, row: Transaction) -> bool:
        """Whether a locked period is concerned."""
        return bool(self.context["notice"])

    def get_notice(self, row: Transaction) -> str:
        """In words."""
        return str(self.context["notice"])


class CreditSerializer(serializers.ModelSerializer[Credit]):
    """A person's share in a transaction. `why` holds what it was reckoned from."""

    class Meta:
        model = Credit
        fields = (
            "id",
            "statement",
            "transaction",
            "person",
            "function",
            "rule",
            "share_bp",
            "amount_minor",
            "currency",
            "effective_on",
            "why",
        )
        read_only_fields = fields


class StatementSerializer(serializers.ModelSerializer[Statement]):
    """What a person earned in a period, and what of it is paid."""

    plan = serializers.IntegerField(source="plan_version.plan_id", read_only=True)
    period_label = serializers.CharField(source="period.label", read_only=True)

    class Meta:
        model = Statement
        fields = (
            "id",
            "person",
            "period",
            "period_label",
            "plan",
            "plan_version",
            "state",
            "currency",
            "quota_minor",
            "target_minor",
            "credited_minor",
            "earned_minor",
            "payout_minor",
            "owed_minor",
            "problems",
            "digest",
            "prepared_at",
            "locked_at",
        )
        read_only_fields = fields


class StatementLineSerializer(serializers.ModelSerializer[Earning]):
    """A line of a statement: what one credit earned on the curve of a component."""

    transaction = serializers.IntegerField(source="credit.transaction_id", read_only=True)
    effective_on = serializers.DateField(source="credit.effective_on", read_only=True)
    share_bp = serializers.IntegerField(source="credit.share_bp", read_only=True)
    credited_minor = serializers.IntegerField(source="credit.amount_minor", read_only=True)

    class Meta:
        model = Earning
        fields = (
            "id",
            "component",
            "position",
            "credit",
            "transaction",
            "effective_on",
            "share_bp",
            "credited_minor",
            "from_minor",
            "to_minor",
            "height_from_minor",
            "height_to_minor",
            "amount_minor",
            "currency",
        )
        read_only_fields = fields


class SettlementLineSerializer(serializers.ModelSerializer[SettlementLine]):
    """A step from what was earned to what is paid."""

    class Meta:
        model = SettlementLine
        fields = (
            "id",
            "position",
            "kind",
            "component",
            "reference",
            "amount_minor",
            "currency",
            "is_paid",
            "reason",
            "params",
        )
        read_only_fields = fields


class AdjustmentSerializer(serializers.ModelSerializer[Adjustment]):
    """A signed amount beside what the curves give, with its reason."""

    class Meta:
        model = Adjustment
        fields = (
            "id",
            "kind",
            "state",
            "person",
            "plan",
            "period",
            "amount_minor",
            "currency",
            "reason",
            "cause",
            "about_period",
            "about_transaction",
            "component",
            "paid_minor",
            "due_minor",
            "prepared_by",
            "prepared_at",
            "decided_by",
            "decided_at",
            "decision_note",
        )
        read_only_fields = fields


# --- What is sent -------------------------------------------------------------------------------------------------


class _ChoosingSerializer(serializers.Serializer[Any]):
    """Fields that choose rows offer what the actor may choose."""

    def choices_for(self, actor: Actor) -> dict[str, Any]:
        """The rows of each choosing field."""
        return {}

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With the choices of the actor."""
        fields = super().get_fields()
        actor: Actor | None = self.context.get("actor")
        for name, rows in (self.choices_for(actor) if actor is not None else {}).items():
            if name in fields:
                field: Any = fields[name]
                field.queryset = rows
        return fields


class TransactionEditSerializer(_ChoosingSerializer):
    """Changes to a transaction. `seen_at` is its `updated_at` as it was read: a newer one is not overwritten."""

    kind = serializers.ChoiceField(choices=TransactionKind.choices, required=False)
    effective_on = serializers.DateField(required=False)
    amount_minor = serializers.IntegerField(min_value=MIN_MINOR, max_value=MAX_MINOR, required=False)
    currency = serializers.CharField(max_length=3, required=False)
    quantity = serializers.IntegerField(min_value=MIN_MINOR, max_value=MAX_MINOR, required=False)
    deal = serializers.PrimaryKeyRelatedField(queryset=Deal.objects.none(), required=False, allow_null=True)
    account = serializers.PrimaryKeyRelatedField(queryset=Account.objects.none(), required=False, allow_null=True)
    product = serializers.PrimaryKeyRelatedField(queryset=Product.objects.none(), required=False, allow_null=True)
    credited_to = serializers.PrimaryKeyRelatedField(queryset=User.objects.none(), required=False, allow_null=True)
    term_months = serializers.IntegerField(min_value=1, max_value=1_200, required=False, allow_null=True)
    seen_at = serializers.DateTimeField(required=False, write_only=True)
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, write_only=True)

    def choices_for(self, actor: Actor) -> dict[str, Any]:
        """What the actor sees; everybody knows all people."""
        return {
            "deal": Deal.objects.visible_to(actor),
            "account": Account.objects.visible_to(actor),
            "product": Product.objects.all(),
            "credited_to": User.objects.all(),
            "reverses": Transaction.objects.visible_to(actor),
        }


class TransactionCreateSerializer(TransactionEditSerializer):
    """A new transaction. Without deal, account and person those of what it takes back are meant."""

    source_key = serializers.CharField(max_length=120, required=False, allow_blank=True)
    kind = serializers.ChoiceField(choices=TransactionKind.choices)
    effective_on = serializers.DateField()
    amount_minor = serializers.IntegerField(min_value=MIN_MINOR, max_value=MAX_MINOR)
    currency = serializers.CharField(max_length=3)
    reverses = serializers.PrimaryKeyRelatedField(queryset=Transaction.objects.none(), required=False, allow_null=True)
    seen_at = None  # type: ignore[assignment]  # there is nothing yet that could be newer
    reason = None  # type: ignore[assignment]  # nor anything that is changed


class TransactionVoidSerializer(serializers.Serializer[Any]):
    """Why it no longer counts."""

    reason = serializers.CharField(max_length=300)


class PeriodLabelField(serializers.CharField):
    """A period by its label: 2026Q2, 2026-05, 2026."""

    def to_internal_value(self, data: Any) -> Span:  # type: ignore[override]  # a period instead of its label
        """Read the label."""
        try:
            return parse_label(super().to_internal_value(data).strip().upper())
        except PeriodError as error:
            raise serializers.ValidationError("Write 2026Q2, 2026-05 or 2026.") from error


class QuotaSetSerializer(_ChoosingSerializer):
    """What a person is to reach in a period; of things `amount_minor` is their number."""

    person = serializers.PrimaryKeyRelatedField(queryset=User.objects.none())
    period = PeriodLabelField()
    measure = serializers.CharField(max_length=40, required=False, default=DEFAULT_QUOTA)
    amount_minor = serializers.IntegerField(min_value=0, max_value=MAX_MINOR)
    currency = serializers.CharField(max_length=3)

    def choices_for(self, actor: Actor) -> dict[str, Any]:
        """Managers set quotas of their own people."""
        people = User.objects.filter(is_active=True)
        return {"person": people if actor.has(Role.REVOPS, Role.ADMIN) else people.filter(pk__in=actor.tree_ids)}


class AdjustmentPrepareSerializer(_ChoosingSerializer):
    """An amount for a person in an open period, in the plan's currency. Somebody in finance approves it."""

    person = serializers.PrimaryKeyRelatedField(queryset=User.objects.none())
    plan = serializers.PrimaryKeyRelatedField(queryset=Plan.objects.none())
    period = serializers.PrimaryKeyRelatedField(queryset=Period.objects.none())
    amount_minor = serializers.IntegerField(min_value=MIN_MINOR, max_value=MAX_MINOR)
    currency = serializers.CharField(max_length=3)
    reason = serializers.CharField(max_length=300)

    def choices_for(self, actor: Actor) -> dict[str, Any]:
        """As in the form of the page."""
        return {
            "person": people_to_adjust(actor),
            "plan": Plan.objects.visible_to(actor),
            "period": open_periods(),
        }
