"""How the selling guard and hand-offs look from the outside."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from salesops.deals.choices import HandOffPair
from salesops.deals.models import GuardDecision, GuardEscalation, HandOff
from salesops.deals.rules.handoffs import RATINGS
from salesops.people.models import User
from salesops.people.selectors import people_for


class DecisionSerializer(serializers.ModelSerializer[GuardDecision]):
    """What the guard said on one occasion: the facts as the rules saw them, and each rule that was broken."""

    class Meta:
        model = GuardDecision
        fields = ("id", "deal", "policy", "occasion", "outcome", "actor", "decided_at", "facts", "reasons")
        read_only_fields = fields


class EscalationSerializer(serializers.ModelSerializer[GuardEscalation]):
    """Reasons that wait for, or got, somebody's answer."""

    class Meta:
        model = GuardEscalation
        fields = (
            "id",
            "deal",
            "decision",
            "reasons",
            "state",
            "owner",
            "asked_by",
            "asked_at",
            "answered_by",
            "answered_at",
            "answer",
        )
        read_only_fields = fields


class EscalationAnswerSerializer(serializers.Serializer[Any]):
    """Approved, or refused with the reason."""

    is_approved = serializers.BooleanField()
    answer = serializers.CharField(max_length=300, required=False, allow_blank=True)


class HandOffSerializer(serializers.ModelSerializer[HandOff]):
    """A hand-off with its ratings, which are empty until the receiver rates."""

    class Meta:
        model = HandOff
        fields = (
            "id",
            "deal",
            "account",
            "lead",
            "pair",
            "giver",
            "receiver",
            "pod",
            "note",
            "state",
            "sent_at",
            "answered_at",
            "declined_because",
            *RATINGS,
            "comment",
            "rated_at",
        )
        read_only_fields = fields


class HandOffGiveSerializer(serializers.Serializer[Any]):
    """To whom one deal, account or lead goes."""

    pair = serializers.ChoiceField(choices=HandOffPair.choices)
    receiver = serializers.PrimaryKeyRelatedField(queryset=User.objects.none())
    deal = serializers.IntegerField(required=False, min_value=1)
    account = serializers.IntegerField(required=False, min_value=1)
    lead = serializers.IntegerField(required=False, min_value=1)
    note = serializers.CharField(max_length=4_000, required=False, allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With the people whom the actor sees."""
        fields = super().get_fields()
        if (actor := self.context.get("actor")) is not None:
            receiver: Any = fields["receiver"]
            receiver.queryset = people_for(actor)
        return fields


class HandOffAnswerSerializer(serializers.Serializer[Any]):
    """Accepted, or declined with the reason."""

    is_accepted = serializers.BooleanField()
    because = serializers.CharField(max_length=300, required=False, allow_blank=True)


class RatingSerializer(serializers.Serializer[Any]):
    """Five ratings of 1 to 5."""

    completeness = serializers.IntegerField(min_value=1, max_value=5)
    promise_alignment = serializers.IntegerField(min_value=1, max_value=5)
    sentiment_continuity = serializers.IntegerField(min_value=1, max_value=5)
    context_transfer = serializers.IntegerField(min_value=1, max_value=5)
    stakeholder_map = serializers.IntegerField(min_value=1, max_value=5)
    comment = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
