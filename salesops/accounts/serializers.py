"""How accounts and contacts look from the outside. Amounts are whole minor units of the account's currency."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from salesops.accounts.choices import AccountStatus, Consent
from salesops.accounts.models import Account, Contact
from salesops.accounts.selectors import accounts_for
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.people.models import User
from salesops.pods.models import Pod, Segment, Territory
from salesops.pods.selectors import assignees_for, open_pods_for, territories_for


class AccountSerializer(serializers.ModelSerializer[Account]):
    """An account."""

    class Meta:
        model = Account
        fields: tuple[str, ...] = (
            "id",
            "name",
            "parent",
            "status",
            "segment",
            "territory",
            "owner",
            "pod",
            "industry",
            "country",
            "city",
            "website",
            "employees",
            "revenue_minor",
            "currency",
            "founded_year",
            "source",
            "external_id",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class ContactSerializer(serializers.ModelSerializer[Contact]):
    """A person at a company."""

    class Meta:
        model = Contact
        fields: tuple[str, ...] = (
            "id",
            "account",
            "name",
            "title",
            "email",
            "phone",
            "consent",
            "is_primary",
            "source",
            "external_id",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class ChoosingSerializer(serializers.Serializer[Any]):
    """What was sent, with the choices of the actor for each field that has them."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Offer owners, pods, accounts, segments and territories as far as the actor may choose them."""
        fields = super().get_fields()
        actor: Actor | None = self.context.get("actor")
        if actor is None:
            return fields
        day = company_day(self.context["at"])
        for names, rows in (
            (("owner", "person"), assignees_for(actor, day)),
            (("pod",), open_pods_for(actor, day)),
            (("account", "parent"), accounts_for(actor)),
            (("segment",), Segment.objects.all()),
            (("territory",), territories_for(actor)),
        ):
            for name in names:
                if name in fields:
                    field: Any = fields[name]
                    field.queryset = rows
        return fields


class AccountEditSerializer(ChoosingSerializer):
    """Changes to an account. `seen_at` is its `updated_at` as it was read: a newer one is not overwritten."""

    name = serializers.CharField(max_length=200, required=False)
    parent = serializers.PrimaryKeyRelatedField(  # type: ignore[assignment]  # a field's own `parent` is another thing
        queryset=Account.objects.none(), required=False, allow_null=True
    )
    status = serializers.ChoiceField(choices=AccountStatus.choices, required=False)
    segment = serializers.PrimaryKeyRelatedField(queryset=Segment.objects.none(), required=False, allow_null=True)
    territory = serializers.PrimaryKeyRelatedField(queryset=Territory.objects.none(), required=False, allow_null=True)
    industry = serializers.CharField(max_length=80, required=False, allow_blank=True)
    country = serializers.CharField(max_length=80, required=False, allow_blank=True)
    city = serializers.CharField(max_length=80, required=False, allow_blank=True)
    website = serializers.URLField(max_length=200, required=False, allow_blank=True)
    employees = serializers.IntegerField(min_value=0, max_value=2_147_483_647, required=False, allow_null=True)
    revenue_minor = serializers.IntegerField(min_value=0, max_value=2**63 - 1, required=False, allow_null=True)
    currency = serializers.CharField(max_length=3, required=False)
    founded_year = serializers.IntegerField(min_value=1, max_value=9999, required=False, allow_null=True)
    seen_at = serializers.DateTimeField(required=False, write_only=True)


class AccountCreateSerializer(AccountEditSerializer):
    """A new account. What is left out takes the same defaults as in the pages."""

    name = serializers.CharField(max_length=200)
    owner = serializers.PrimaryKeyRelatedField(queryset=User.objects.none(), required=False, allow_null=True)
    pod = serializers.PrimaryKeyRelatedField(queryset=Pod.objects.none(), required=False, allow_null=True)
    seen_at = None  # type: ignore[assignment]  # there is nothing yet that could be newer


class AccountAssignSerializer(ChoosingSerializer):
    """To another owner, from a day on."""

    owner = serializers.PrimaryKeyRelatedField(queryset=User.objects.none(), allow_null=True)
    pod = serializers.PrimaryKeyRelatedField(queryset=Pod.objects.none(), required=False, allow_null=True)
    day = serializers.DateField(required=False)
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True)


class ContactEditSerializer(ChoosingSerializer):
    """Changes to a contact; `seen_at` as for accounts."""

    name = serializers.CharField(max_length=120, required=False)
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    phone = serializers.CharField(max_length=40, required=False, allow_blank=True)
    consent = serializers.ChoiceField(choices=Consent.choices, required=False)
    is_primary = serializers.BooleanField(required=False)
    seen_at = serializers.DateTimeField(required=False, write_only=True)


class ContactCreateSerializer(ContactEditSerializer):
    """A new contact."""

    account = serializers.PrimaryKeyRelatedField(queryset=Account.objects.none())
    name = serializers.CharField(max_length=120)
    seen_at = None  # type: ignore[assignment]  # there is nothing yet that could be newer
