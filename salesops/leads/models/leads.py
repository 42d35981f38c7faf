"""Leads, and each time one was given to somebody."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from salesops.accounts.choices import Consent
from salesops.accounts.models import Account, Contact
from salesops.core.models import Removable
from salesops.core.telephone import PhoneTail
from salesops.leads.choices import WORK_STATUSES, AssignmentMethod, LeadOrigin, LeadStatus
from salesops.leads.querysets import LeadAssignmentQuerySet, LeadManager, LeadQuerySet
from salesops.pods.models import Pod, Segment


class Lead(Removable):
    """Somebody who may become a customer, before there is a deal."""

    name = models.CharField(_("name"), max_length=120)
    title = models.CharField(_("title"), max_length=120, blank=True)
    company = models.CharField(_("company"), max_length=200, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    country = models.CharField(_("country"), max_length=80, blank=True)
    employees = models.PositiveIntegerField(_("employees"), null=True, blank=True)
    origin = models.CharField(_("origin"), max_length=12, choices=LeadOrigin.choices, default=LeadOrigin.INBOUND)
    campaign = models.CharField(_("campaign"), max_length=80, blank=True)
    status = models.CharField(_("status"), max_length=12, choices=LeadStatus.choices, default=LeadStatus.NEW)
    disqualified_because = models.CharField(_("disqualified because"), max_length=200, blank=True)
    consent = models.CharField(_("may be contacted"), max_length=8, choices=Consent.choices, default=Consent.UNKNOWN)
    segment = models.ForeignKey(
        Segment, models.PROTECT, null=True, blank=True, related_name="leads", verbose_name=_("segment")
    )
    # Owner and pod begin indexes of their own; what few leads have is indexed for those only. Whoever is given a lead
    # pays for every index of the table.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="leads",
        verbose_name=_("owner"),
    )
    pod = models.ForeignKey(
        Pod, models.PROTECT, null=True, blank=True, db_index=False, related_name="leads", verbose_name=_("pod")
    )
    pool = models.ForeignKey(
        "leads.Pool",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="leads",
        verbose_name=_("pool"),
        help_text=_("Whose turns brought it to its owner, or where it waits."),
    )
    waits_because = models.CharField(_("waits because"), max_length=200, blank=True, editable=False)
    account = models.ForeignKey(
        Account,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="leads",
        verbose_name=_("account"),
    )
    contact = models.ForeignKey(
        Contact,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="leads",
        verbose_name=_("contact"),
    )
    estimated_minor = models.BigIntegerField(_("estimated value"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    note = models.TextField(_("note"), blank=True)
    created_at = models.DateTimeField(_("created at"))
    assigned_at = models.DateTimeField(_("assigned at"), null=True, blank=True)
    first_touched_at = models.DateTimeField(_("first touched at"), null=True, blank=True)
    last_touched_at = models.DateTimeField(_("last touched at"), null=True, blank=True)
    converted_at = models.DateTimeField(_("converted at"), null=True, blank=True)
    credited_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        editable=False,
        related_name="leads_credited",
        verbose_name=_("credit"),
        help_text=_("The owner when the lead was converted."),
    )
    source = models.CharField(_("source"), max_length=40, blank=True, editable=False)
    external_id = models.CharField(_("external id"), max_length=80, blank=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = LeadManager()
    every = LeadQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name, verbose_name_plural = _("lead"), _("leads")
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="leads_lead_newest"),
            models.Index(fields=["name", "id"], name="leads_lead_name"),
            models.Index(fields=["company", "id"], name="leads_lead_company"),
            models.Index(fields=["status", "-created_at", "-id"], name="leads_lead_status"),
            models.Index(fields=["owner", "-created_at", "-id"], name="leads_lead_owner"),
            models.Index(fields=["pod", "-created_at", "-id"], name="leads_lead_pod"),
            models.Index(fields=["-estimated_minor", "-id"], name="leads_lead_value"),
            # Values differ by pod: without these, "largest first" reads all larger leads of other pods on its way.
            models.Index(fields=["pod", "-estimated_minor", "-id"], name="leads_lead_pod_value"),
            models.Index(fields=["owner", "-estimated_minor", "-id"], name="leads_lead_owner_value"),
            models.Index(fields=["last_touched_at", "id"], name="leads_lead_touched"),
            # Who sees a lead is told by owner and pod: with both in an index, counting within a status reads no row.
            models.Index(fields=["status", "owner", "pod", "removed_at"], name="leads_lead_status_seen"),
            models.Index(
                fields=["pod", "removed_at"], condition=Q(status__in=WORK_STATUSES), name="leads_lead_work_of_pod"
            ),
            models.Index(
                fields=["owner", "removed_at"], condition=Q(status__in=WORK_STATUSES), name="leads_lead_work_of_owner"
            ),
            models.Index(fields=["updated_at", "id"], name="leads_lead_updated"),
            models.Index(fields=["email"], name="leads_lead_email"),
            models.Index(fields=["account"], condition=Q(account__isnull=False), name="leads_lead_of_account"),
            models.Index(fields=["contact"], condition=Q(contact__isnull=False), name="leads_lead_of_contact"),
            models.Index(fields=["credited_to"], condition=Q(credited_to__isnull=False), name="leads_lead_credited"),
            # Whom a call or a mail reaches.
            models.Index(Lower("email"), name="leads_lead_lower_email"),
            models.Index(PhoneTail("phone"), name="leads_lead_phone_tail"),
            models.Index(fields=["created_at"], condition=~Q(waits_because=""), name="leads_lead_waiting"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="leads_lead_external"
            ),
            models.CheckConstraint(
                condition=~Q(status=LeadStatus.DISQUALIFIED) | ~Q(disqualified_because=""),
                name="leads_lead_disqualified_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} · {self.company}" if self.company else self.name


class LeadAssignment(models.Model):
    """One time a lead was given to a person or a pod, by whom and why. Append-only."""

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="assignments", verbose_name=_("lead"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="lead_assignments",
        verbose_name=_("person"),
    )
    pod = models.ForeignKey(
        Pod, models.PROTECT, null=True, blank=True, related_name="lead_assignments", verbose_name=_("pod")
    )
    assigned_at = models.DateTimeField(_("assigned at"))
    assigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("assigned by")
    )
    method = models.CharField(_("how"), max_length=10, choices=AssignmentMethod.choices)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    path = models.JSONField(
        _("path"), default=dict, blank=True, help_text="Rule version, candidates, who was filtered out and why."
    )

    objects = LeadAssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["-assigned_at", "-id"]
        verbose_name, verbose_name_plural = _("lead assignment"), _("lead assignments")
        indexes = [models.Index(fields=["person", "-assigned_at"], name="leads_assignment_of_person")]

    def __str__(self) -> str:
        return f"{self.lead} → {self.person or self.pod}"
