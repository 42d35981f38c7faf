"""Scores and signals as programs see them."""

from __future__ import annotations

from rest_framework import serializers

from salesops.leads.choices import SignalKind
from salesops.leads.models import LeadScore, LeadSignal


class LeadScoreSerializer(serializers.ModelSerializer[LeadScore]):
    """The score of a lead as last calculated. Fit is in points, engagement and the points of parts in hundredths."""

    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = LeadScore
        fields = ("lead", "version", "grade", "fit", "engagement", "parts", "scored_at", "fades_at")
        read_only_fields = fields


class LeadSignalSerializer(serializers.ModelSerializer[LeadSignal]):
    """Something a lead did."""

    class Meta:
        model = LeadSignal
        fields = ("id", "kind", "happened_at", "known_at", "key")
        read_only_fields = fields


class SignalCreateSerializer(serializers.Serializer[LeadSignal]):
    """A signal to keep. `key` tells it only once; `happened_at` is now where it is left out."""

    kind = serializers.ChoiceField(choices=SignalKind.choices)
    happened_at = serializers.DateTimeField(required=False)
    key = serializers.CharField(max_length=120)
