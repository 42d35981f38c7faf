"""How leads look from the outside. Amounts are whole minor units of the lead's currency."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from salesops.accounts.choices import Consent
from salesops.accounts.models import Account
from salesops.accounts.serializers import ChoosingSerializer
from salesops.leads.choices import LeadOrigin, LeadStatus
from salesops.leads.models import Lead, LeadAssignment
from salesops.people.models import User
from salesops.pods.models import Pod, Segment


class LeadSerializer(serializers.ModelSerializer[Lead]):
    """A lead. `spiced_filled`: how many of the five components of SPICED are known."""

    spiced_filled = serializers.SerializerMethodField()

    class Meta:
        model = Lead
        fields: tuple[str, ...] = (
            "id",
            "name",
            "title",
            "company",
            "email",
            "phone",
            "country",
            "employees",
            "origin",
            "campaign",
            "consent",
            "status",
            "disqualified_because",
            "segment",
            "owner",
            "pod",
            "pool",
            "waits_because",
            "account",
            "contact",
            "credited_to",
            "estimated_minor",
            "currency",
            "note",
            "created_at",
            "assigned_at",
            "first_touched_at",
            "last_touched_at",
            "converted_at",
            "source",
            "external_id",
            "updated_at",
            "spiced_filled",
        )
        read_only_fields = fields

    def get_spiced_filled(self, lead: Lead) -> int:
        """0 where nobody has written anything."""
        row = getattr(lead, "spiced", None)
        return row.filled if row else 0


class SpicedSerializer(serializers.Serializer[Any]):
    """What is known by SPICED. What is left out stays; `seen_at` is its `updated_at` as it was read."""

    situation = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    pain = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    impact = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    critical_event = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    critical_event_on = serializers.DateField(required=False, allow_null=True)
    decision = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    filled = serializers.IntegerField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True, allow_null=True)
    seen_at = serializers.DateTimeField(required=False, write_only=True)


class LeadAssignmentSerializer(serializers.ModelSerializer[LeadAssignment]):
    """One time a lead was given to somebody."""

    class Meta:
        model = LeadAssignment
        fields = ("id", "person", "pod", "assigned_at", "assigned_by", "method", "reason", "path")
        read_only_fields = fields


class LeadEditSerializer(ChoosingSerializer):
    """Changes to a lead. `seen_at` is its `updated_at` as it was read: a newer one is not overwritten."""

    name = serializers.CharField(max_length=120, required=False)
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    company = serializers.CharField(max_length=200, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    phone = serializers.CharField(max_length=40, required=False, allow_blank=True)
    country = serializers.CharField(max_length=80, required=False, allow_blank=True)
    employees = serializers.IntegerField(min_value=0, max_value=2_147_483_647, required=False, allow_null=True)
    origin = serializers.ChoiceField(choices=LeadOrigin.choices, required=False)
    campaign = serializers.CharField(max_length=80, required=False, allow_blank=True)
    consent = serializers.ChoiceField(choices=Consent.choices, required=False)
    segment = serializers.PrimaryKeyRelatedField(queryset=Segment.objects.none(), required=False, allow_null=True)
    estimated_minor = serializers.IntegerField(min_value=0, max_value=2**63 - 1, required=False, allow_null=True)
    currency = serializers.CharField(max_length=3, required=False)
    note = serializers.CharField(required=False, allow_blank=True)
    seen_at = serializers.DateTimeField(required=False, write_only=True)


class LeadCreateSerializer(LeadEditSerializer):
    """A new lead. What is left out takes the same defaults as in the pages."""

    name = serializers.CharField(max_length=120)
    owner = serializers.PrimaryKeyRelatedField(queryset=User.objects.none(), required=False, allow_null=True)
    pod = serializers.PrimaryKeyRelatedField(queryset=Pod.objects.none(), required=False, allow_null=True)
    seen_at = None  # type: ignore[assignment]  # there is nothing yet that could be newer


class LeadStatusChangeSerializer(ChoosingSerializer):
    """To another status; `because` where it disqualifies."""

    status = serializers.ChoiceField(choices=LeadStatus.choices)
    because = serializers.CharField(max_length=200, required=False, allow_blank=True)


class LeadAssignSerializer(ChoosingSerializer):
    """To another owner, or a pod only."""

    owner = serializers.PrimaryKeyRelatedField(queryset=User.objects.none(), allow_null=True)
    pod = serializers.PrimaryKeyRelatedField(queryset=Pod.objects.none(), required=False, allow_null=True)
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True)


class LeadGiveBackSerializer(ChoosingSerializer):
    """Back to the rules, with the reason; `is_bad` where it is no lead at all."""

    reason = serializers.CharField(max_length=200)
    is_bad = serializers.BooleanField(required=False, default=False)


class LeadMergeSerializer(ChoosingSerializer):
    """Into which lead it is merged, by its id, and why they are the same."""

    into = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True)


class LeadConvertSerializer(ChoosingSerializer):
    """Into a known account, or a new one of this name (the lead's company when left out)."""

    account = serializers.PrimaryKeyRelatedField(queryset=Account.objects.none(), required=False, allow_null=True)
    account_name = serializers.CharField(max_length=200, required=False, allow_blank=True)
