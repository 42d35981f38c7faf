"""Deals, their lines and splits, the stages they pass and each change of stage."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.accounts.models import Account, Contact
from salesops.core.fields import ExactDecimalField
from salesops.core.models import HeldInTime, Removable
from salesops.deals.choices import StageKind
from salesops.deals.querysets import DealManager, DealOwnershipQuerySet, DealQuerySet, OfDealQuerySet
from salesops.leads.models import Lead
from salesops.people.choices import JobFunction
from salesops.pods.models import Pod


class Stage(models.Model):
    """A column of the board. Administrators name and order them; the kind says what they mean."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=60)
    kind = models.CharField(_("kind"), max_length=6, choices=StageKind.choices, default=StageKind.OPEN)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    probability_bp = models.PositiveSmallIntegerField(
        _("probability in basis points"),
        default=0,
        validators=[MaxValueValidator(10_000)],
        help_text=_("10,000 is certain."),
    )
    is_active = models.BooleanField(_("in use"), default=True)
    is_guarded = models.BooleanField(
        _("asks the selling guard"),
        default=False,
        help_text=_("Deals are held against the selling policy when they come here. Won stages always ask."),
    )
    decides_credit = models.BooleanField(
        _("decides the credit"),
        default=False,
        db_default=False,
        help_text=_("Plans that credit as of a stage go by the day on which a deal first came here, or further."),
    )
    spiced_needed = models.PositiveSmallIntegerField(
        _("SPICED components needed"),
        default=0,
        validators=[MaxValueValidator(5)],
        help_text=_("Of five. A deal with fewer does not come here; 0 asks for none."),
    )
    expected_days = models.PositiveSmallIntegerField(
        _("expected days"),
        null=True,
        blank=True,
        help_text=_("How long a deal should stay here. Beyond it a card turns yellow, at one and a half times red."),
    )

    class Meta:
        ordering = ["position", "id"]
        verbose_name, verbose_name_plural = _("stage"), _("stages")
        constraints = [
            models.CheckConstraint(condition=Q(probability_bp__lte=10_000), name="deals_stage_probability"),
            models.CheckConstraint(condition=Q(spiced_needed__lte=5), name="deals_stage_spiced"),
            models.UniqueConstraint(
                fields=["decides_credit"],
                condition=Q(decides_credit=True),
                name="deals_stage_one_decides_credit",
                violation_error_message=_("Another stage decides the credit already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """Something the company sells."""

    code = models.CharField(_("code"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    match_name = models.CharField(
        max_length=120, db_index=True, editable=False, help_text="The name as loose matching compares it."
    )
    series = models.CharField(_("series"), max_length=60, blank=True)
    tier = models.CharField(
        _("price tier"),
        max_length=30,
        default="standard",
        db_default="standard",
        help_text=_("By which the selling policy may set the highest discount."),
    )
    price_minor = models.BigIntegerField(_("list price"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    is_active = models.BooleanField(_("on sale"), default=True)

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("product"), _("products")

    def __str__(self) -> str:
        return self.name


class Deal(Removable):
    """A chance to sell, from first talk to won or lost.

    `amount_minor` is the sum of the lines where there are any. `kind` repeats the stage's kind, so that lists and sums
    need no join. `opened_on` and `closed_on` are days in the company's time zone.
    """

    name = models.CharField(_("name"), max_length=200)
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="deals", verbose_name=_("account")
    )
    contact = models.ForeignKey(
        Contact, models.PROTECT, null=True, blank=True, related_name="deals", verbose_name=_("contact")
    )
    lead = models.ForeignKey(Lead, models.PROTECT, null=True, blank=True, related_name="deals", verbose_name=_("lead"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="deals", verbose_name=_("owner")
    )
    pod = models.ForeignKey(Pod, models.PROTECT, null=True, blank=True, related_name="deals", verbose_name=_("pod"))
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="deals", verbose_name=_("main product")
    )
    stage = models.ForeignKey(Stage, models.PROTECT, related_name="deals", verbose_name=_("stage"))
    kind = models.CharField(_("state"), max_length=6, choices=StageKind.choices, default=StageKind.OPEN, editable=False)
    amount_minor = models.BigIntegerField(_("amount"), default=0)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    term_months = models.PositiveSmallIntegerField(_("term in months"), null=True, blank=True)
    opened_on = models.DateField(_("opened on"), null=True, blank=True)
    expected_close_on = models.DateField(_("expected close"), null=True, blank=True)
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    lost_because = models.CharField(_("lost because"), max_length=200, blank=True)
    next_step = models.CharField(_("next step"), max_length=200, blank=True)
    note = models.TextField(_("note"), blank=True)
    board_position = models.BigIntegerField(default=0, editable=False)
    stage_entered_at = models.DateTimeField(_("in this stage since"), null=True, blank=True, editable=False)
    source = models.CharField(_("source"), max_length=40, blank=True, editable=False)
    external_id = models.CharField(_("external id"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Rises with each change; a stale form is refused."
    )

    objects = DealManager()
    every = DealQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name, verbose_name_plural = _("deal"), _("deals")
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="deals_deal_newest"),
            models.Index(fields=["name", "id"], name="deals_deal_name"),
            models.Index(fields=["kind", "-closed_on", "-id"], name="deals_deal_closed"),
            models.Index(fields=["-closed_on", "-id"], name="deals_deal_closed_day"),
            models.Index(fields=["stage", "board_position", "-amount_minor"], name="deals_deal_board"),
            models.Index(fields=["-amount_minor", "-id"], name="deals_deal_amount"),
            models.Index(fields=["owner", "kind", "-closed_on"], name="deals_deal_owner"),
            models.Index(fields=["pod", "kind", "-closed_on"], name="deals_deal_pod"),
            models.Index(fields=["expected_close_on", "id"], name="deals_deal_expected"),
            models.Index(fields=["kind", "expected_close_on", "id"], name="deals_deal_kind_expected"),
            # Amounts differ by pod: without these, "largest first" reads all larger deals of other pods on its way.
            models.Index(fields=["pod", "-amount_minor", "-id"], name="deals_deal_pod_amount"),
            models.Index(fields=["owner", "-amount_minor", "-id"], name="deals_deal_owner_amount"),
            # Who sees a deal is told by owner and pod: with both in an index, counting reads no row.
            models.Index(fields=["owner", "pod", "removed_at"], name="deals_deal_seen"),
            models.Index(fields=["kind", "owner", "pod", "removed_at"], name="deals_deal_kind_seen"),
            models.Index(fields=["stage", "owner", "pod", "removed_at"], name="deals_deal_stage_seen"),
            models.Index(fields=["closed_on", "owner", "pod", "removed_at"], name="deals_deal_closed_seen"),
            models.Index(fields=["updated_at", "id"], name="deals_deal_updated"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="deals_deal_external"
            ),
            models.CheckConstraint(
                condition=Q(kind=StageKind.OPEN, closed_on__isnull=True)
                | (~Q(kind=StageKind.OPEN) & Q(closed_on__isnull=False)),
                name="deals_deal_closed_has_a_day",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DealOwnership(HeldInTime):
    """Who owned a deal, for a time; days on which nobody did are in none. `Deal.owner` is the one of now.

    Plans may credit as of an earlier day, or by days, so it is kept from the first day on: it cannot be rebuilt later.
    """

    deal = models.ForeignKey(Deal, models.CASCADE, related_name="ownerships", verbose_name=_("deal"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="deal_ownerships", verbose_name=_("person")
    )

    objects = DealOwnershipQuerySet.as_manager()

    class Meta:
        ordering = ["deal", "start_on", "id"]
        verbose_name, verbose_name_plural = _("deal ownership"), _("deal ownerships")
        constraints = [
            HeldInTime.range_constraint("deals_dealownership"),
            models.UniqueConstraint(
                fields=["deal"], condition=Q(end_on__isnull=True), name="deals_dealownership_one_now"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deal} · {self.person}"


class DealLine(models.Model):
    """One product in a deal. The amount is kept, not derived: a contract may state it differently from price times quantity."""

    deal = models.ForeignKey(Deal, models.CASCADE, related_name="lines", verbose_name=_("deal"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="deal_lines", verbose_name=_("product"))
    quantity = ExactDecimalField(_("quantity"))
    unit_price_minor = models.BigIntegerField(_("unit price"))
    discount_bp = models.PositiveSmallIntegerField(
        _("discount in basis points"), default=0, validators=[MaxValueValidator(10_000)]
    )
    amount_minor = models.BigIntegerField(_("amount"))
    note = models.CharField(_("note"), max_length=200, blank=True, default="", db_default="")
    position = models.PositiveSmallIntegerField(default=0, editable=False)
    source = models.CharField(_("source"), max_length=40, blank=True, default="", db_default="", editable=False)
    external_id = models.CharField(
        _("external id"), max_length=80, blank=True, default="", db_default="", editable=False
    )

    objects = OfDealQuerySet.as_manager()

    class Meta:
        ordering = ["deal", "position", "id"]
        verbose_name, verbose_name_plural = _("deal line"), _("deal lines")
        constraints = [
            models.CheckConstraint(condition=Q(discount_bp__lte=10_000), name="deals_dealline_discount"),
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="deals_dealline_external"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} × {self.quantity}"


class DealSplit(models.Model):
    """A person's share in a deal, in basis points; the shares of a deal add up to 10,000. No rows: the owner has all.

    Shares on top (of a specialist, say) are beside that: they take from nobody and add up to nothing.
    """

    deal = models.ForeignKey(Deal, models.CASCADE, related_name="splits", verbose_name=_("deal"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="deal_splits", verbose_name=_("person")
    )
    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices, default=JobFunction.AE)
    share_bp = models.PositiveSmallIntegerField(_("share in basis points"))
    is_overlay = models.BooleanField(_("on top"), default=False)
    source = models.CharField(_("source"), max_length=40, blank=True, default="", db_default="", editable=False)
    external_id = models.CharField(
        _("external id"), max_length=80, blank=True, default="", db_default="", editable=False
    )

    objects = OfDealQuerySet.as_manager()

    class Meta:
        ordering = ["deal", "-share_bp", "person"]
        verbose_name, verbose_name_plural = _("split"), _("splits")
        constraints = [
            models.UniqueConstraint(fields=["deal", "person", "function"], name="deals_dealsplit_once"),
            models.CheckConstraint(condition=Q(share_bp__gt=0, share_bp__lte=10_000), name="deals_dealsplit_share"),
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="deals_dealsplit_external"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.share_bp / 100:g} %"


class StageChange(models.Model):
    """A deal moved from one stage to another. Append-only: the flow cannot be rebuilt later."""

    deal = models.ForeignKey(Deal, models.PROTECT, related_name="stage_changes", verbose_name=_("deal"))
    from_stage = models.ForeignKey(
        Stage, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("from stage")
    )
    to_stage = models.ForeignKey(Stage, models.PROTECT, related_name="+", verbose_name=_("to stage"))
    changed_at = models.DateTimeField(_("changed at"))
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("changed by")
    )
    amount_minor = models.BigIntegerField(_("amount then"), default=0)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    seconds_in_stage = models.BigIntegerField(_("seconds in the stage left"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=40, blank=True, default="", db_default="", editable=False)
    external_id = models.CharField(
        _("external id"), max_length=80, blank=True, default="", db_default="", editable=False
    )

    objects = OfDealQuerySet.as_manager()

    class Meta:
        ordering = ["-changed_at", "-id"]
        verbose_name, verbose_name_plural = _("stage change"), _("stage changes")
        indexes = [models.Index(fields=["changed_at"], name="deals_stagechange_moment")]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="deals_stagechange_external"
            )
        ]

    def __str__(self) -> str:
        return f"{self.deal}: {self.from_stage} → {self.to_stage}"
