"""Customers: companies, their contacts, who was responsible when, what they subscribe to."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from salesops.accounts.choices import AccountStatus, Consent
from salesops.accounts.querysets import (
    AccountManager,
    AccountOwnershipQuerySet,
    AccountQuerySet,
    ContactManager,
    ContactQuerySet,
    SubscriptionQuerySet,
)
from salesops.core.models import HeldInTime, Removable
from salesops.core.telephone import PhoneTail
from salesops.people.choices import JobFunction
from salesops.pods.models import Pod, Segment, Territory


class Account(Removable):
    """A company that buys or may buy. `owner` and `pod` are as of now; AccountOwnership keeps the past."""

    name = models.CharField(_("name"), max_length=200)
    match_name = models.CharField(
        max_length=200, db_index=True, editable=False, help_text="The name as loose matching compares it."
    )
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="subsidiaries", verbose_name=_("parent")
    )
    status = models.CharField(_("status"), max_length=10, choices=AccountStatus.choices, default=AccountStatus.PROSPECT)
    segment = models.ForeignKey(
        Segment, models.PROTECT, null=True, blank=True, related_name="accounts", verbose_name=_("segment")
    )
    territory = models.ForeignKey(
        Territory, models.PROTECT, null=True, blank=True, related_name="accounts", verbose_name=_("territory")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="accounts",
        verbose_name=_("owner"),
    )
    pod = models.ForeignKey(Pod, models.PROTECT, null=True, blank=True, related_name="accounts", verbose_name=_("pod"))
    industry = models.CharField(_("industry"), max_length=80, blank=True)
    country = models.CharField(_("country"), max_length=80, blank=True)
    city = models.CharField(_("city"), max_length=80, blank=True)
    website = models.URLField(_("website"), blank=True)
    employees = models.PositiveIntegerField(_("employees"), null=True, blank=True)
    revenue_minor = models.BigIntegerField(_("annual revenue"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    founded_year = models.PositiveSmallIntegerField(_("founded"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=40, blank=True, editable=False)
    external_id = models.CharField(_("external id"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"), db_index=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = AccountManager()
    every = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        verbose_name, verbose_name_plural = _("account"), _("accounts")
        indexes = [
            models.Index(fields=["name", "id"], name="accounts_account_name"),
            models.Index(fields=["employees", "id"], name="accounts_account_employees"),
            models.Index(fields=["updated_at", "id"], name="accounts_account_updated"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="accounts_account_external"
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="accounts_account_not_own_parent"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AccountOwnership(HeldInTime):
    """Who is responsible for an account in a function, for a time."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="ownerships", verbose_name=_("account"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="account_ownerships", verbose_name=_("person")
    )
    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices, default=JobFunction.AE)

    objects = AccountOwnershipQuerySet.as_manager()

    class Meta:
        ordering = ["account", "start_on"]
        verbose_name, verbose_name_plural = _("account ownership"), _("account ownerships")
        constraints = [HeldInTime.range_constraint("accounts_accountownership")]

    def __str__(self) -> str:
        return f"{self.account} · {self.person}"


class Contact(Removable):
    """A person at a company."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="contacts", verbose_name=_("account"))
    name = models.CharField(_("name"), max_length=120)
    title = models.CharField(_("title"), max_length=120, blank=True)
    email = models.EmailField(_("e-mail"), blank=True, db_index=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    consent = models.CharField(_("may be contacted"), max_length=8, choices=Consent.choices, default=Consent.UNKNOWN)
    is_primary = models.BooleanField(_("main contact"), default=False)
    source = models.CharField(_("source"), max_length=40, blank=True, editable=False)
    external_id = models.CharField(_("external id"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = ContactManager()
    every = ContactQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        verbose_name, verbose_name_plural = _("contact"), _("contacts")
        indexes = [
            models.Index(fields=["name", "id"], name="accounts_contact_name"),
            models.Index(fields=["updated_at", "id"], name="accounts_contact_updated"),
            # Whom a call or a mail reaches.
            models.Index(Lower("email"), name="accounts_contact_lower_email"),
            models.Index(PhoneTail("phone"), name="accounts_contact_phone_tail"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="accounts_contact_external"
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(is_primary=True, removed_at__isnull=True),
                name="accounts_contact_one_primary",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Subscription(HeldInTime):
    """What an account pays again and again: monthly recurring revenue for a time."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="subscriptions", verbose_name=_("account"))
    name = models.CharField(_("name"), max_length=120)
    mrr_minor = models.BigIntegerField(_("monthly recurring revenue"))
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    seats = models.PositiveIntegerField(_("seats"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=40, blank=True, editable=False)
    external_id = models.CharField(_("external id"), max_length=80, blank=True)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["account", "start_on"]
        verbose_name, verbose_name_plural = _("subscription"), _("subscriptions")
        constraints = [
            HeldInTime.range_constraint("accounts_subscription"),
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="accounts_subscription_external"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} · {self.name}"
