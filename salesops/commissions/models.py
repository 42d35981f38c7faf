"""Plans and quotas, what was credited and earned, statements and their approval, the ledger, payroll files."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from salesops.accounts.models import Account
from salesops.commissions.choices import (
    AdjustmentKind,
    AdjustmentState,
    Cause,
    ContestState,
    Decision,
    DisputeState,
    EntryKind,
    EventKind,
    LedgerAccount,
    PayrollFormat,
    PeriodKind,
    PeriodState,
    SettledKind,
    StatementState,
    TransactionKind,
    VersionState,
)
from salesops.commissions.querysets import (
    AcknowledgementQuerySet,
    AdjustmentQuerySet,
    ContestQuerySet,
    ContestStandingQuerySet,
    CreditQuerySet,
    DisputeMessageQuerySet,
    DisputeQuerySet,
    EarningQuerySet,
    LedgerEntryQuerySet,
    PayrollFileQuerySet,
    PayrollMappingQuerySet,
    PlanAssignmentQuerySet,
    PlanEventQuerySet,
    PlanQuerySet,
    PlanVersionQuerySet,
    QuotaQuerySet,
    ScenarioQuerySet,
    SettlementLineQuerySet,
    StatementChangeQuerySet,
    StatementQuerySet,
    TransactionQuerySet,
)
from salesops.core.fields import ExactDecimalField
from salesops.core.models import HeldInTime
from salesops.deals.models import Deal, Product
from salesops.people.choices import JobFunction
from salesops.people.models import validate_time_zone


class Plan(models.Model):
    """How some people are paid; what it says stands in its versions."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    description = models.TextField(_("description"), blank=True)
    created_at = models.DateTimeField(_("created at"))

    objects = PlanQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("plan"), _("plans")

    def __str__(self) -> str:
        return self.name


class PlanVersion(HeldInTime):
    """What a plan says from a day on: components, curves, conventions. In force it cannot be changed.

    `definition` is what `rules.plans` reads and writes; `digest` its SHA-256 in canonical form.
    """

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="versions", verbose_name=_("plan"))
    number = models.PositiveIntegerField(_("version"))
    state = models.CharField(_("state"), max_length=8, choices=VersionState.choices, default=VersionState.DRAFT)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    time_zone = models.CharField(
        _("time zone"), max_length=60, default=settings.COMPANY_TIME_ZONE, validators=[validate_time_zone]
    )
    period_kind = models.CharField(_("period"), max_length=8, choices=PeriodKind.choices, default=PeriodKind.QUARTER)
    definition = models.JSONField(_("definition"), default=dict)
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("written by")
    )
    created_at = models.DateTimeField(_("created at"))
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("put in force by"),
    )
    activated_at = models.DateTimeField(_("put in force at"), null=True, blank=True)

    objects = PlanVersionQuerySet.as_manager()

    class Meta:
        ordering = ["plan", "-number"]
        verbose_name, verbose_name_plural = _("plan version"), _("plan versions")
        constraints = [
            HeldInTime.range_constraint("commissions_planversion"),
            models.UniqueConstraint(fields=["plan", "number"], name="commissions_planversion_number"),
            models.CheckConstraint(
                condition=Q(activated_by__isnull=True) | Q(created_by__isnull=True) | ~Q(activated_by=F("created_by")),
                name="commissions_planversion_maker_is_not_checker",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} · {self.number}"


class PlanAssignment(HeldInTime):
    """A person on a plan for a time, with their own rate or target pay where the plan asks for one."""

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="assignments", verbose_name=_("plan"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="plan_assignments", verbose_name=_("person")
    )
    rate = ExactDecimalField(_("personal rate"), null=True, blank=True, help_text=_("A share: 0.012 is 1.2 %."))
    target_pay_minor = models.BigIntegerField(_("target pay of a period"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)

    objects = PlanAssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["plan", "person", "start_on"]
        verbose_name, verbose_name_plural = _("person on a plan"), _("people on plans")
        constraints = [HeldInTime.range_constraint("commissions_planassignment")]

    def __str__(self) -> str:
        return f"{self.person} · {self.plan}"


class Quota(HeldInTime):
    """What a person is to reach in a period. The range is the period's."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="quotas", verbose_name=_("person")
    )
    measure = models.CharField(_("measure"), max_length=40, default="bookings")
    amount_minor = models.BigIntegerField(_("quota"))
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = QuotaQuerySet.as_manager()

    class Meta:
        ordering = ["-start_on", "person"]
        verbose_name, verbose_name_plural = _("quota"), _("quotas")
        constraints = [
            HeldInTime.range_constraint("commissions_quota"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="commissions_quota_not_negative"),
            models.CheckConstraint(condition=Q(end_on__isnull=False), name="commissions_quota_has_an_end"),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.start_on}"


class Period(models.Model):
    """A period of pay in a time zone, half-open."""

    kind = models.CharField(_("kind"), max_length=8, choices=PeriodKind.choices)
    start_on = models.DateField(_("from"))
    end_on = models.DateField(_("until"))
    time_zone = models.CharField(_("time zone"), max_length=60)
    label = models.CharField(_("period"), max_length=20)
    state = models.CharField(_("state"), max_length=8, choices=PeriodState.choices, default=PeriodState.OPEN)
    locked_at = models.DateTimeField(_("locked at"), null=True, blank=True)
    locked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("locked by")
    )

    class Meta:
        ordering = ["-start_on", "kind"]
        verbose_name, verbose_name_plural = _("period"), _("periods")
        constraints = [
            models.UniqueConstraint(fields=["kind", "start_on", "time_zone"], name="commissions_period_once"),
            models.CheckConstraint(condition=Q(end_on__gt=F("start_on")), name="commissions_period_ends_after_start"),
            models.CheckConstraint(
                condition=Q(state=PeriodState.OPEN, locked_at__isnull=True)
                | Q(state=PeriodState.LOCKED, locked_at__isnull=False),
                name="commissions_period_locked_has_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Transaction(models.Model):
    """Something that happened to the business and may be credited. `source_key` says once and for all where it is from.

    credited_to: who is credited where no deal says so. attributes: further fields that formulas may ask for.
    """

    source_key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(_("kind"), max_length=12, choices=TransactionKind.choices, default=TransactionKind.BOOKING)
    deal = models.ForeignKey(
        Deal, models.PROTECT, null=True, blank=True, related_name="transactions", verbose_name=_("deal")
    )
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="transactions", verbose_name=_("account")
    )
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="transactions", verbose_name=_("product")
    )
    effective_on = models.DateField(_("day that counts"), db_index=True)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    quantity = models.BigIntegerField(_("quantity"), default=1)
    credited_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="credited_transactions",
        verbose_name=_("credited to"),
    )
    reverses = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="reversals", verbose_name=_("reverses")
    )
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    is_void = models.BooleanField(_("no longer counts"), default=False)
    recorded_at = models.DateTimeField(_("recorded at"))
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = TransactionQuerySet.as_manager()

    class Meta:
        ordering = ["effective_on", "source_key"]
        verbose_name, verbose_name_plural = _("transaction"), _("transactions")
        # From whoever may be credited to the rows of a few days, however many rows those days have.
        indexes = [
            models.Index(fields=["credited_to", "effective_on"], name="commissions_transaction_of"),
            models.Index(fields=["deal", "effective_on"], name="commissions_tx_of_deal"),
            models.Index(fields=["account", "effective_on"], name="commissions_tx_of_account"),
            # Few rows take another back. Without an index of both columns SQLite reads all rows of the days instead.
            models.Index(
                fields=["reverses", "effective_on"],
                condition=Q(reverses__isnull=False),
                name="commissions_tx_of_reversed",
            ),
        ]

    def __str__(self) -> str:
        return self.source_key


class Calculation(models.Model):
    """One run of the engine over a period."""

    period = models.ForeignKey(Period, models.PROTECT, related_name="calculations", verbose_name=_("period"))
    number = models.PositiveIntegerField(_("run"))
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    run_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("run by")
    )
    engine_version = models.CharField(_("engine"), max_length=20)
    inputs_digest = models.CharField(_("digest of the inputs"), max_length=64, blank=True)
    problems = models.JSONField(_("problems"), default=list, blank=True)
    totals = models.JSONField(_("totals"), default=dict, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        verbose_name, verbose_name_plural = _("calculation"), _("calculations")
        constraints = [models.UniqueConstraint(fields=["period", "number"], name="commissions_calculation_number")]

    def __str__(self) -> str:
        return f"{self.period} · {self.number}"


class Statement(models.Model):
    """What a person earned in a period under a plan version, and what of it is paid. Its totals equal its lines.

    quota, target and rate are those of the first component; `terms` holds those of each. payout_minor: what the period
    pays after settlement, never below zero; owed_minor: what the person owes instead. carried: what goes on into the
    next period, and what each part came to (see rules.settlement.facts). `bundle` is the whole statement with its inputs, frozen when it is locked; `digest` covers inputs and result.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="statements", verbose_name=_("person")
    )
    period = models.ForeignKey(Period, models.PROTECT, related_name="statements", verbose_name=_("period"))
    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="statements", verbose_name=_("plan"))
    calculation = models.ForeignKey(
        Calculation, models.PROTECT, related_name="statements", verbose_name=_("calculation")
    )
    state = models.CharField(_("state"), max_length=8, choices=StatementState.choices, default=StatementState.DRAFT)
    currency = models.CharField(_("currency"), max_length=3)
    quota_minor = models.BigIntegerField(_("quota"), null=True, blank=True)
    credited_minor = models.BigIntegerField(_("credited"), default=0)
    earned_minor = models.BigIntegerField(_("earned"), default=0)
    target_minor = models.BigIntegerField(_("target pay"), null=True, blank=True)
    rate = ExactDecimalField(_("personal rate"), null=True, blank=True)
    terms = models.JSONField(_("terms by component"), default=list, blank=True)
    payout_minor = models.BigIntegerField(_("paid out"), default=0)
    owed_minor = models.BigIntegerField(_("owed by the person"), default=0)
    carried = models.JSONField(_("carried on"), null=True, blank=True)
    problems = models.JSONField(_("problems"), default=list, blank=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    lines_digest = models.CharField(_("digest of the lines"), max_length=130, blank=True)
    bundle = models.JSONField(_("bundle"), null=True, blank=True)
    prepared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("prepared by")
    )
    prepared_at = models.DateTimeField(_("prepared at"))
    locked_at = models.DateTimeField(_("locked at"), null=True, blank=True)

    objects = StatementQuerySet.as_manager()

    class Meta:
        ordering = ["-period__start_on", "person__name"]
        verbose_name, verbose_name_plural = _("statement"), _("statements")
        constraints = [
            models.UniqueConstraint(fields=["person", "period", "plan_version"], name="commissions_statement_once")
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.period}"


class StatementChange(models.Model):
    """What a statement said before a calculation wrote it anew, and what it says since. Append-only.

    lines: what changed in the lines, the largest differences first, as plain data: transaction (id), component, before
    and after in minor units (None where there was, or is, no such line), cause. more: how many changed lines are left out.
    """

    statement = models.ForeignKey(Statement, models.PROTECT, related_name="changes", verbose_name=_("statement"))
    calculation = models.ForeignKey(Calculation, models.PROTECT, related_name="changes", verbose_name=_("calculation"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="statement_changes", verbose_name=_("person")
    )
    earned_before_minor = models.BigIntegerField(_("earned before"))
    earned_after_minor = models.BigIntegerField(_("earned since"))
    payout_before_minor = models.BigIntegerField(_("paid out before"))
    payout_after_minor = models.BigIntegerField(_("paid out since"))
    currency = models.CharField(_("currency"), max_length=3)
    lines = models.JSONField(_("changed lines"), default=list)
    more = models.PositiveIntegerField(_("further changed lines"), default=0)

    objects = StatementChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("change of a statement"), _("changes of statements")
        constraints = [
            models.UniqueConstraint(fields=["statement", "calculation"], name="commissions_statementchange_once")
        ]

    def __str__(self) -> str:
        return f"{self.statement} · {self.calculation}"


class Credit(models.Model):
    """A person's share in a transaction, in a function, by a named rule, as of the transaction's day.

    `why` holds what it was reckoned from: amount and currency of the transaction, shares or holder, rate of exchange,
    and the fields that conditions asked for.
    """

    statement = models.ForeignKey(Statement, models.PROTECT, related_name="credits", verbose_name=_("statement"))
    transaction = models.ForeignKey(Transaction, models.PROTECT, related_name="credits", verbose_name=_("transaction"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="credits", verbose_name=_("person")
    )
    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices, blank=True)
    rule = models.CharField(_("rule"), max_length=40)
    share_bp = models.PositiveIntegerField(_("share in basis points"))
    amount_minor = models.BigIntegerField(_("credited"))
    currency = models.CharField(_("currency"), max_length=3)
    effective_on = models.DateField(_("day that counts"))
    why = models.JSONField(_("why"), default=dict, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CreditQuerySet.as_manager()

    class Meta:
        ordering = ["effective_on", "id"]
        verbose_name, verbose_name_plural = _("credit"), _("credits")
        constraints = [
            models.UniqueConstraint(
                fields=["statement", "transaction", "person", "rule", "function"], name="commissions_credit_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.transaction}"


class Earning(models.Model):
    """The height difference that one credit made on a component's curve: a statement's line.

    from_minor and to_minor are what the person had been credited with before and after, in units of the component's
    measure; the heights are what that was worth, rounded.
    """

    statement = models.ForeignKey(Statement, models.PROTECT, related_name="earnings", verbose_name=_("statement"))
    credit = models.ForeignKey(Credit, models.PROTECT, related_name="earnings", verbose_name=_("credit"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="earnings", verbose_name=_("person")
    )
    component = models.CharField(_("component"), max_length=40)
    position = models.PositiveIntegerField(_("line"))
    from_minor = models.BigIntegerField(_("credited before"))
    to_minor = models.BigIntegerField(_("credited after"))
    height_from_minor = models.BigIntegerField(_("worth before"))
    height_to_minor = models.BigIntegerField(_("worth after"))
    amount_minor = models.BigIntegerField(_("earned"))
    currency = models.CharField(_("currency"), max_length=3)
    locked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EarningQuerySet.as_manager()

    class Meta:
        ordering = ["statement", "component", "position"]
        verbose_name, verbose_name_plural = _("earning"), _("earnings")
        constraints = [
            models.UniqueConstraint(fields=["statement", "component", "position"], name="commissions_earning_position"),
            models.UniqueConstraint(fields=["credit", "component"], name="commissions_earning_once"),
        ]

    def __str__(self) -> str:
        return f"{self.statement} · {self.position}"


class Approval(models.Model):
    """What an approver said of a statement as it was then (its digest). Append-only."""

    statement = models.ForeignKey(Statement, models.PROTECT, related_name="approvals", verbose_name=_("statement"))
    decision = models.CharField(_("decision"), max_length=8, choices=Decision.choices)
    level = models.CharField(_("level"), max_length=20, default="finance")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="approvals", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"))
    digest = models.CharField(_("digest"), max_length=64)
    note = models.TextField(_("note"), blank=True)

    class Meta:
        ordering = ["-decided_at", "-id"]
        verbose_name, verbose_name_plural = _("approval"), _("approvals")

    def __str__(self) -> str:
        return f"{self.statement}: {self.get_decision_display()}"


class PayrollFile(models.Model):
    """A file handed to payroll: the same bytes for ever. Append-only."""

    number = models.PositiveIntegerField(_("number"), unique=True)
    period = models.ForeignKey(Period, models.PROTECT, related_name="payroll_files", verbose_name=_("period"))
    format = models.CharField(_("format"), max_length=10, choices=PayrollFormat.choices)
    name = models.CharField(_("file name"), max_length=120)
    content = models.BinaryField()
    sha256 = models.CharField("SHA-256", max_length=64)
    people = models.PositiveIntegerField(_("people"))
    total_minor = models.BigIntegerField(_("total"))
    currency = models.CharField(_("currency"), max_length=3)
    audit_anchor = models.CharField(_("audit head"), max_length=64, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="payroll_files", verbose_name=_("released by")
    )
    released_at = models.DateTimeField(_("released at"))

    objects = PayrollFileQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        verbose_name, verbose_name_plural = _("payroll file"), _("payroll files")

    def __str__(self) -> str:
        return self.name


class PayrollItem(models.Model):
    """A statement in a payroll file: in one file only. Append-only."""

    payroll_file = models.ForeignKey(PayrollFile, models.PROTECT, related_name="items", verbose_name=_("payroll file"))
    statement = models.OneToOneField(
        Statement, models.PROTECT, related_name="payroll_item", verbose_name=_("statement")
    )
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)

    class Meta:
        ordering = ["payroll_file", "id"]
        verbose_name, verbose_name_plural = _("payroll item"), _("payroll items")

    def __str__(self) -> str:
        return f"{self.payroll_file} · {self.statement}"


class SettlementLine(models.Model):
    """A step from what was earned to what is paid: a cap, a draw, a hold, an adjustment. Seen from the payout.

    reference: what it is about (a transaction, a bonus, an adjustment). reason and params: the sentence that says why
    (see rules.settlement.lines). Lines that are not paid only tell of a balance.
    """

    statement = models.ForeignKey(
        Statement, models.PROTECT, related_name="settlement_lines", verbose_name=_("statement")
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="settlement_lines", verbose_name=_("person")
    )
    position = models.PositiveIntegerField(_("line"))
    kind = models.CharField(_("kind"), max_length=20, choices=SettledKind.choices)
    component = models.CharField(_("component"), max_length=40, blank=True)
    reference = models.CharField(_("reference"), max_length=160, blank=True)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    is_paid = models.BooleanField(_("part of the payout"), default=True)
    reason = models.CharField(_("reason"), max_length=40)
    params = models.JSONField(default=dict, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = SettlementLineQuerySet.as_manager()

    class Meta:
        ordering = ["statement", "position"]
        verbose_name, verbose_name_plural = _("settlement line"), _("settlement lines")
        constraints = [
            models.UniqueConstraint(fields=["statement", "position"], name="commissions_settlementline_position")
        ]

    def __str__(self) -> str:
        return f"{self.statement} · {self.get_kind_display()}"


class Adjustment(models.Model):
    """A signed amount that a person is paid in a period beside what the curves give, with its reason.

    By hand: prepared by one person and approved by another. Late: what a locked period should have paid, less what it
    did pay, with the cause; made by the calculation of the open period and made anew with it.
    """

    kind = models.CharField(_("kind"), max_length=8, choices=AdjustmentKind.choices, default=AdjustmentKind.MANUAL)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="adjustments", verbose_name=_("person")
    )
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="adjustments", verbose_name=_("plan"))
    period = models.ForeignKey(Period, models.PROTECT, related_name="adjustments", verbose_name=_("paid in"))
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=300)
    cause = models.CharField(_("cause"), max_length=20, choices=Cause.choices, blank=True)
    about_period = models.ForeignKey(
        Period, models.PROTECT, null=True, blank=True, related_name="corrections", verbose_name=_("about")
    )
    about_transaction = models.ForeignKey(
        Transaction, models.PROTECT, null=True, blank=True, related_name="adjustments", verbose_name=_("transaction")
    )
    component = models.CharField(_("component"), max_length=40, blank=True)
    paid_minor = models.BigIntegerField(_("was paid"), null=True, blank=True)
    due_minor = models.BigIntegerField(_("should have been paid"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=9, choices=AdjustmentState.choices, default=AdjustmentState.WAITING)
    prepared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("prepared by")
    )
    prepared_at = models.DateTimeField(_("prepared at"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decision_note = models.CharField(_("note"), max_length=300, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AdjustmentQuerySet.as_manager()

    class Meta:
        ordering = ["-prepared_at", "-id"]
        verbose_name, verbose_name_plural = _("adjustment"), _("adjustments")
        constraints = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="commissions_adjustment_not_nothing"),
            models.CheckConstraint(
                condition=Q(prepared_by__isnull=True) | Q(decided_by__isnull=True) | ~Q(prepared_by=F("decided_by")),
                name="commissions_adjustment_maker_is_not_checker",
            ),
            models.CheckConstraint(
                condition=~Q(state=AdjustmentState.APPROVED, kind=AdjustmentKind.MANUAL)
                | Q(prepared_by__isnull=False, decided_by__isnull=False),
                name="commissions_adjustment_by_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.reason}"


class PlanEvent(models.Model):
    """What a settlement needs to know of a person beside their earnings: an objective achieved, a bonus, a payment.

    reference: the key of the objective or bonus, or the source key of the transaction that was paid. share: how much of
    an objective, or of the team's quota, was reached (1 is all). amount, of: paid so far and the whole invoice.
    """

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="events", verbose_name=_("plan"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="plan_events",
        verbose_name=_("person"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=EventKind.choices)
    on = models.DateField(_("day"), db_index=True)
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    share = ExactDecimalField(_("share"), null=True, blank=True)
    amount_minor = models.BigIntegerField(_("amount"), null=True, blank=True)
    of_minor = models.BigIntegerField(_("of"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    note = models.CharField(_("note"), max_length=300, blank=True)
    is_void = models.BooleanField(_("no longer counts"), default=False)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("recorded by")
    )
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = PlanEventQuerySet.as_manager()

    class Meta:
        ordering = ["-on", "-id"]
        verbose_name, verbose_name_plural = _("plan event"), _("plan events")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.on}"


class Contest(models.Model):
    """Who sells most over some days, and what they win. In force it says the same for ever.

    `definition` is what `rules.contests` reads and writes, `digest` its SHA-256 in canonical form; the columns beside it
    say what is asked for in queries. plan: into which prizes are paid. end_on: the first day that no longer counts.
    """

    key = models.CharField(_("key"), max_length=31, unique=True)
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(_("state"), max_length=9, choices=ContestState.choices, default=ContestState.DRAFT)
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="contests", verbose_name=_("paid into"))
    start_on = models.DateField(_("from"))
    end_on = models.DateField(_("until"))
    currency = models.CharField(_("currency"), max_length=3)
    time_zone = models.CharField(_("time zone"), max_length=60)
    period_kind = models.CharField(_("period"), max_length=8, choices=PeriodKind.choices)
    shows_names = models.BooleanField(_("names are shown"), default=False)
    definition = models.JSONField(_("definition"), default=dict)
    digest = models.CharField(_("digest"), max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("written by")
    )
    created_at = models.DateTimeField(_("created at"))
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("put in force by"),
    )
    activated_at = models.DateTimeField(_("put in force at"), null=True, blank=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("cancelled by"),
    )
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    cancel_reason = models.CharField(_("why it was cancelled"), max_length=300, blank=True)
    reckoned_at = models.DateTimeField(_("standings as of"), null=True, blank=True)
    problems = models.JSONField(_("problems"), default=list, blank=True)

    objects = ContestQuerySet.as_manager()

    class Meta:
        ordering = ["-start_on", "key"]
        verbose_name, verbose_name_plural = _("contest"), _("contests")
        constraints = [
            models.CheckConstraint(condition=Q(end_on__gt=F("start_on")), name="commissions_contest_ends_after_start"),
            models.CheckConstraint(
                condition=Q(activated_by__isnull=True) | Q(created_by__isnull=True) | ~Q(activated_by=F("created_by")),
                name="commissions_contest_maker_is_not_checker",
            ),
            models.CheckConstraint(
                condition=~Q(state=ContestState.CANCELLED) | (Q(cancelled_at__isnull=False) & ~Q(cancel_reason="")),
                name="commissions_contest_cancelled_has_a_reason",
            ),
        ]
        # Each calculation asks for those that run or have ended not long ago.
        indexes = [models.Index(fields=["state", "end_on"], name="commissions_contest_running")]

    def __str__(self) -> str:
        return self.name


class ContestStanding(models.Model):
    """Where a person stands in a contest as it was last reckoned. Nothing is paid by it: see services.contests.

    rank: 0 below the minimum. tied: how many have the same total. taking_part: how many take part in all. prize: as
    things stand; once the contest has ended, what is paid.
    """

    contest = models.ForeignKey(Contest, models.CASCADE, related_name="standings", verbose_name=_("contest"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="contest_standings", verbose_name=_("person")
    )
    total_minor = models.BigIntegerField(_("total"))
    currency = models.CharField(_("currency"), max_length=3)
    rank = models.PositiveIntegerField(_("rank"), default=0)
    tied = models.PositiveIntegerField(_("tied"), default=0)
    taking_part = models.PositiveIntegerField(_("taking part"), default=0)
    prize_minor = models.BigIntegerField(_("prize"), default=0)

    objects = ContestStandingQuerySet.as_manager()

    class Meta:
        ordering = ["contest", "-total_minor", "person"]
        verbose_name, verbose_name_plural = _("standing in a contest"), _("standings in contests")
        constraints = [models.UniqueConstraint(fields=["contest", "person"], name="commissions_conteststanding_once")]

    def __str__(self) -> str:
        return f"{self.contest} · {self.person}"


class Acknowledgement(models.Model):
    """A person has read a plan version; the digest says what they saw. Append-only."""

    plan_version = models.ForeignKey(
        PlanVersion, models.PROTECT, related_name="acknowledgements", verbose_name=_("plan version")
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="acknowledgements", verbose_name=_("person")
    )
    digest = models.CharField(_("digest"), max_length=64)
    acknowledged_at = models.DateTimeField(_("acknowledged at"))

    objects = AcknowledgementQuerySet.as_manager()

    class Meta:
        ordering = ["-acknowledged_at", "-id"]
        verbose_name, verbose_name_plural = _("acknowledgement"), _("acknowledgements")
        constraints = [
            models.UniqueConstraint(fields=["plan_version", "person"], name="commissions_acknowledgement_once")
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.plan_version}"


class Dispute(models.Model):
    """A person doubts a statement, or one line of it. It has a clock, messages and a decision."""

    statement = models.ForeignKey(Statement, models.PROTECT, related_name="disputes", verbose_name=_("statement"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="disputes", verbose_name=_("person")
    )
    line = models.CharField(_("line"), max_length=160, blank=True)
    subject = models.CharField(_("subject"), max_length=200)
    state = models.CharField(_("state"), max_length=9, choices=DisputeState.choices, default=DisputeState.OPEN)
    opened_at = models.DateTimeField(_("opened at"))
    due_at = models.DateTimeField(_("answer due"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decision = models.TextField(_("decision"), blank=True)
    adjustment = models.OneToOneField(
        Adjustment, models.PROTECT, null=True, blank=True, related_name="dispute", verbose_name=_("adjustment")
    )

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-id"]
        verbose_name, verbose_name_plural = _("dispute"), _("disputes")
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("person")),
                name="commissions_dispute_judge_is_not_party",
            )
        ]

    def __str__(self) -> str:
        return f"{self.statement} · {self.subject}"


class DisputeMessage(models.Model):
    """What somebody wrote in a dispute. Append-only."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="messages", verbose_name=_("dispute"))
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("author"))
    text = models.TextField(_("message"))
    written_at = models.DateTimeField(_("written at"))

    objects = DisputeMessageQuerySet.as_manager()

    class Meta:
        ordering = ["written_at", "id"]
        verbose_name, verbose_name_plural = _("message"), _("messages")

    def __str__(self) -> str:
        return f"{self.dispute} · {self.author}"


class Scenario(models.Model):
    """What other plans would have paid in a past period. Nothing of it touches pay.

    changes: plan id (as text) to the definition tried instead. result: what it came to, see selectors.scenarios.
    """

    name = models.CharField(_("name"), max_length=120)
    period = models.ForeignKey(Period, models.PROTECT, related_name="scenarios", verbose_name=_("period"))
    changes = models.JSONField(_("changes"), default=dict)
    result = models.JSONField(_("result"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="scenarios", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created at"))
    calculated_at = models.DateTimeField(_("calculated at"), null=True, blank=True)

    objects = ScenarioQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name, verbose_name_plural = _("scenario"), _("scenarios")

    def __str__(self) -> str:
        return self.name


class PayrollMapping(models.Model):
    """Saved columns of a payroll file for a program without a published list: header and what stands below it."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    columns = models.JSONField(_("columns"), default=list)
    created_at = models.DateTimeField(_("created at"))

    objects = PayrollMappingQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("payroll columns"), _("payroll columns")

    def __str__(self) -> str:
        return self.name


class LedgerEntry(models.Model):
    """A signed amount on an account of the ledger. The entries of a posting add up to zero. Append-only."""

    posting = models.CharField(_("posting"), max_length=80, db_index=True)
    account = models.CharField(_("account"), max_length=8, choices=LedgerAccount.choices)
    kind = models.CharField(_("kind"), max_length=12, choices=EntryKind.choices)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="ledger_entries", verbose_name=_("person")
    )
    period = models.ForeignKey(Period, models.PROTECT, related_name="ledger_entries", verbose_name=_("period"))
    statement = models.ForeignKey(
        Statement, models.PROTECT, null=True, blank=True, related_name="ledger_entries", verbose_name=_("statement")
    )
    payroll_file = models.ForeignKey(
        PayrollFile,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="ledger_entries",
        verbose_name=_("payroll file"),
    )
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    reverses = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="reversed_by", verbose_name=_("reverses")
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    posted_at = models.DateTimeField(_("posted at"))
    posted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("posted by")
    )

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        ordering = ["posted_at", "id"]
        verbose_name, verbose_name_plural = _("ledger entry"), _("ledger entries")
        constraints = [models.UniqueConstraint(fields=["posting", "account"], name="commissions_ledgerentry_once")]

    def __str__(self) -> str:
        return f"{self.posting} · {self.get_account_display()}"
