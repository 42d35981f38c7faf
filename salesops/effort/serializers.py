"""Scores as programs see them."""

from __future__ import annotations

from rest_framework import serializers

from salesops.effort.models import EffortScore


class EffortScoreSerializer(serializers.ModelSerializer[EffortScore]):
    """A week of one's own. score in hundredths of a point, days in hundredths of a working day, quality in basis points.

    parts: [[kind, count, good, target, weight, points in hundredths, is capped]].
    """

    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = EffortScore
        fields = (
            "id",
            "week_on",
            "version",
            "function",
            "score",
            "band",
            "quality_bp",
            "days",
            "parts",
            "is_whole",
            "scored_at",
        )
        read_only_fields = fields
