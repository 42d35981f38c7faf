"""How pods look from the outside."""

from __future__ import annotations

from rest_framework import serializers

from salesops.pods.models import Pod, PodMembership, Segment, Territory


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    """A part of the market."""

    class Meta:
        model = Segment
        fields = ("id", "code", "name", "min_employees", "max_employees", "position")
        read_only_fields = fields


class PodSerializer(serializers.ModelSerializer[Pod]):
    """A pod."""

    class Meta:
        model = Pod
        fields = (
            "id",
            "name",
            "segment",
            "template",
            "customer_size",
            "time_zone",
            "opened_on",
            "closed_on",
            "lead_capacity",
        )
        read_only_fields = fields


class MembershipSerializer(serializers.ModelSerializer[PodMembership]):
    """A person in a pod for a time."""

    class Meta:
        model = PodMembership
        fields = ("id", "pod", "person", "function", "start_on", "end_on")
        read_only_fields = fields


class TerritorySerializer(serializers.ModelSerializer[Territory]):
    """A region."""

    class Meta:
        model = Territory
        fields = ("id", "code", "name", "country", "region")
        read_only_fields = fields
