"""How pools and ways of leads look from the outside. Credits are thousandths of a lead, as in ways."""

from __future__ import annotations

from rest_framework import serializers

from salesops.leads.models import LeadAssignment, Pool
from salesops.leads.rules.pools import thousandths
from salesops.leads.selectors.pools import KeptSetup, MemberStanding
from salesops.leads.selectors.ways import Way


class PoolSerializer(serializers.ModelSerializer[Pool]):
    """A pool. `quantum_minor` is in its currency."""

    class Meta:
        model = Pool
        fields: tuple[str, ...] = (
            "id",
            "name",
            "method",
            "on_return",
            "when_nobody",
            "fallback",
            "on_call",
            "currency",
            "quantum_minor",
            "pod",
            "is_active",
        )
        read_only_fields = fields


class PoolMemberSerializer(serializers.Serializer[MemberStanding]):
    """Somebody in a pool: `place` 1 is next, null for who can take nothing now. Got and entitled are of 30 days."""

    person = serializers.IntegerField(source="row.person_id")
    place = serializers.IntegerField(allow_null=True)
    weight = serializers.IntegerField(source="row.weight")
    is_in = serializers.BooleanField(source="row.is_in")
    takes = serializers.CharField(source="row.takes")
    cap_open = serializers.IntegerField(source="row.cap_open", allow_null=True)
    cap_day = serializers.IntegerField(source="row.cap_day", allow_null=True)
    cap_30_days = serializers.IntegerField(source="row.cap_30_days", allow_null=True)
    open_leads = serializers.IntegerField()
    credit = serializers.SerializerMethodField()
    got = serializers.IntegerField()
    entitled = serializers.SerializerMethodField()
    value_minor = serializers.IntegerField()

    def get_credit(self, standing: MemberStanding) -> int:
        """Thousandths of a lead."""
        return thousandths(standing.row.credit)

    def get_entitled(self, standing: MemberStanding) -> int:
        """Thousandths of a lead."""
        return thousandths(standing.part.entitled)


class PoolSetupSerializer(serializers.Serializer[KeptSetup]):
    """How a pool was set up from `made_at` on. `changes`: what was new in it, in sentences of the asker's language; none for
    the first that is known. `setup`: its settings and, by person, those of its members, as they were kept."""

    id = serializers.IntegerField(source="version.pk")
    number = serializers.IntegerField(source="version.number")
    made_at = serializers.DateTimeField(source="version.made_at")
    made_by = serializers.IntegerField(source="version.made_by_id", allow_null=True)
    is_now = serializers.BooleanField()
    changes = serializers.ListField(child=serializers.CharField())
    setup = serializers.JSONField(source="version.setup")


class WaySerializer(serializers.Serializer[Way]):
    """Which way a lead went, in sentences of the asker's language."""

    version = serializers.IntegerField()
    steps = serializers.ListField(child=serializers.CharField())
    end = serializers.CharField()
    for_reader = serializers.CharField()
    is_readers = serializers.BooleanField()


class RoutingDecisionSerializer(serializers.ModelSerializer[LeadAssignment]):
    """How a lead was routed last: the person, or nobody where it waits; the way in words, and as it was kept."""

    way = WaySerializer(read_only=True)

    class Meta:
        model = LeadAssignment
        fields = ("id", "person", "pod", "assigned_at", "method", "reason", "way", "path")
        read_only_fields = fields
