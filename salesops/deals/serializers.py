"""How deals look from the outside. Amounts are whole minor units of the deal's currency."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from salesops.accounts.models import Account, Contact
from salesops.core.actor import Actor
from salesops.deals.models import Deal, DealLine, DealSplit, Product, Stage, StageChange
from salesops.deals.selectors import owners_for, pods_to_choose_for, products, stages
from salesops.leads.models import Lead
from salesops.people.models import User
from salesops.pods.models import Pod


class StageSerializer(serializers.ModelSerializer[Stage]):
    """A column of the board."""

    class Meta:
        model = Stage
        fields = (
            "id",
            "code",
            "name",
            "kind",
            "position",
            "probability_bp",
            "is_active",
            "is_guarded",
            "spiced_needed",
            "expected_days",
        )
        read_only_fields = fields


class ProductSerializer(serializers.ModelSerializer[Product]):
    """Something the company sells."""

    class Meta:
        model = Product
        fields = ("id", "code", "name", "series", "tier", "price_minor", "currency", "is_active")
        read_only_fields = fields


class DealLineSerializer(serializers.ModelSerializer[DealLine]):
    """One product in a deal. The quantity is exact text."""

    quantity = serializers.SerializerMethodField()

    class Meta:
        model = DealLine
        fields = ("id", "product", "quantity", "unit_price_minor", "discount_bp", "amount_minor", "note")
        read_only_fields = fields

    def get_quantity(self, line: DealLine) -> str:
        """Without exponent and needless zeros."""
        return format(line.quantity, "f")


class DealSplitSerializer(serializers.ModelSerializer[DealSplit]):
    """A person's share in basis points."""

    class Meta:
        model = DealSplit
        fields = ("person", "function", "share_bp", "is_overlay")
        read_only_fields = fields


class StageChangeSerializer(serializers.ModelSerializer[StageChange]):
    """One move."""

    class Meta:
        model = StageChange
        fields = (
            "id",
            "from_stage",
            "to_stage",
            "changed_at",
            "changed_by",
            "amount_minor",
            "currency",
            "seconds_in_stage",
        )
        read_only_fields = fields


class DealSerializer(serializers.ModelSerializer[Deal]):
    """A deal in a list. `spiced_filled`: how many of the five components of SPICED are known."""

    spiced_filled = serializers.SerializerMethodField()

    class Meta:
        model = Deal
        fields: tuple[str, ...] = (
            "id",
            "name",
            "account",
            "contact",
            "lead",
            "owner",
            "pod",
            "product",
            "stage",
            "kind",
            "amount_minor",
            "currency",
            "term_months",
            "opened_on",
            "expected_close_on",
            "closed_on",
            "lost_because",
            "next_step",
            "note",
            "source",
            "external_id",
            "created_at",
            "updated_at",
            "version",
            "spiced_filled",
        )
        read_only_fields = fields

    def get_spiced_filled(self, deal: Deal) -> int:
        """0 where nobody has written anything."""
        row = getattr(deal, "spiced", None)
        return row.filled if row else 0


class DealDetailSerializer(DealSerializer):
    """A deal with its lines and shares."""

    lines = DealLineSerializer(many=True, read_only=True)
    splits = DealSplitSerializer(many=True, read_only=True)

    class Meta(DealSerializer.Meta):
        fields = (*DealSerializer.Meta.fields, "lines", "splits")
        read_only_fields = fields


class DealCreateSerializer(serializers.Serializer[Any]):
    """A new deal. What is left out takes the same defaults as in the pages."""

    name = serializers.CharField(max_length=200)
    stage = serializers.PrimaryKeyRelatedField(queryset=Stage.objects.none(), required=False)
    account = serializers.PrimaryKeyRelatedField(queryset=Account.objects.none(), required=False, allow_null=True)
    contact = serializers.PrimaryKeyRelatedField(queryset=Contact.objects.none(), required=False, allow_null=True)
    lead = serializers.PrimaryKeyRelatedField(queryset=Lead.objects.none(), required=False, allow_null=True)
    owner = serializers.PrimaryKeyRelatedField(queryset=User.objects.none(), required=False, allow_null=True)
    pod = serializers.PrimaryKeyRelatedField(queryset=Pod.objects.none(), required=False, allow_null=True)
    product = serializers.PrimaryKeyRelatedField(queryset=Product.objects.none(), required=False, allow_null=True)
    amount_minor = serializers.IntegerField(required=False)
    currency = serializers.CharField(required=False, max_length=3)
    term_months = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1_200)
    opened_on = serializers.DateField(required=False, allow_null=True)
    expected_close_on = serializers.DateField(required=False, allow_null=True)
    closed_on = serializers.DateField(required=False, allow_null=True)
    lost_because = serializers.CharField(required=False, max_length=200, allow_blank=True)
    next_step = serializers.CharField(required=False, max_length=200, allow_blank=True)
    note = serializers.CharField(required=False, allow_blank=True)
    external_id = serializers.CharField(required=False, max_length=80, allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With the choices of the actor."""
        fields = super().get_fields()
        actor: Actor | None = self.context.get("actor")
        if actor is not None:
            for name, rows in {
                "stage": stages(),
                "account": Account.objects.visible_to(actor),
                "contact": Contact.objects.visible_to(actor),
                "lead": Lead.objects.visible_to(actor),
                "owner": owners_for(actor, at=self.context["at"]),
                "pod": pods_to_choose_for(actor),
                "product": products(),
            }.items():
                field: Any = fields[name]
                field.queryset = rows
        return fields


class DealEditSerializer(DealCreateSerializer):
    """Changes to a deal; `version` is the one that was read. Owner and pod go by reassigning, the stage by moving."""

    name = serializers.CharField(max_length=200, required=False)
    version = serializers.IntegerField(min_value=1)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Without what has a service of its own."""
        fields = super().get_fields()
        return {name: field for name, field in fields.items() if name not in {"stage", "owner", "pod"}}


class DealMoveSerializer(serializers.Serializer[Any]):
    """To a stage; `closed_on` and `lost_because` where it closes the deal."""

    stage = serializers.PrimaryKeyRelatedField(queryset=Stage.objects.all())
    version = serializers.IntegerField(min_value=1, required=False)
    closed_on = serializers.DateField(required=False, allow_null=True)
    lost_because = serializers.CharField(required=False, max_length=200, allow_blank=True)


class DealReassignSerializer(DealCreateSerializer):
    """To another owner or pod."""

    version = serializers.IntegerField(min_value=1, required=False)
    reason = serializers.CharField(required=False, max_length=200, allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Only those two, the version and the reason."""
        fields = super().get_fields()
        return {name: field for name, field in fields.items() if name in {"owner", "pod", "version", "reason"}}
