"""How activities look from the outside."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from salesops.accounts.models import Account, Contact
from salesops.activities.choices import ActivityKind, Outcome
from salesops.activities.models import Activity
from salesops.core.actor import Actor
from salesops.deals.models import Deal
from salesops.leads.models import Lead


class ActivitySerializer(serializers.ModelSerializer[Activity]):
    """Something that was done, or is to be done."""

    class Meta:
        model = Activity
        fields = (
            "id",
            "kind",
            "subject",
            "note",
            "outcome",
            "person",
            "lead",
            "deal",
            "account",
            "contact",
            "happened_at",
            "due_at",
            "done_at",
            "duration_minutes",
            "created_at",
        )
        read_only_fields = fields


class ActivityEditSerializer(serializers.Serializer[Any]):
    """A correction."""

    subject = serializers.CharField(max_length=200, required=False)
    note = serializers.CharField(required=False, allow_blank=True)
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False, allow_blank=True)
    happened_at = serializers.DateTimeField(required=False)
    due_at = serializers.DateTimeField(required=False)
    duration_minutes = serializers.IntegerField(min_value=0, max_value=100_000, required=False, allow_null=True)


class ActivityLogSerializer(ActivityEditSerializer):
    """What was done, or is to be done. The same `client_key` again gives the first activity back."""

    kind = serializers.ChoiceField(choices=ActivityKind.choices)
    lead = serializers.PrimaryKeyRelatedField(queryset=Lead.objects.none(), required=False, allow_null=True)
    deal = serializers.PrimaryKeyRelatedField(queryset=Deal.objects.none(), required=False, allow_null=True)
    account = serializers.PrimaryKeyRelatedField(queryset=Account.objects.none(), required=False, allow_null=True)
    contact = serializers.PrimaryKeyRelatedField(queryset=Contact.objects.none(), required=False, allow_null=True)
    client_key = serializers.UUIDField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With the rows that the actor sees."""
        fields = super().get_fields()
        actor: Actor | None = self.context.get("actor")
        if actor is not None:
            for name, rows in {
                "lead": Lead.objects.visible_to(actor),
                "deal": Deal.objects.visible_to(actor),
                "account": Account.objects.visible_to(actor),
                "contact": Contact.objects.visible_to(actor),
            }.items():
                field: Any = fields[name]
                field.queryset = rows
        return fields


class TaskDoneSerializer(serializers.Serializer[Any]):
    """How a task went."""

    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False, allow_blank=True)
    note = serializers.CharField(required=False, allow_blank=True, max_length=5000)
