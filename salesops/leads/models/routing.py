"""Rules that say where a lead goes, pools of people who take leads in turn, and the ledger of their turns."""

from __future__ import annotations

from secrets import randbits
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.leads.choices import OnReturn, PoolMethod, RuleAction, TurnKind, VersionState, WhenNobody
from salesops.leads.models.leads import Lead, LeadAssignment
from salesops.leads.models.versions import RuleVersion
from salesops.leads.querysets import PoolQuerySet, PoolVersionQuerySet, TurnQuerySet
from salesops.pods.models import Pod


def tie_key() -> int:
    """A random number that decides between equals: never the name, never who came first."""
    return randbits(62)


class Pool(models.Model):
    """People who take leads in turn. Its row is locked while a turn is taken, so that there is one wheel."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    method = models.CharField(_("how turns go"), max_length=12, choices=PoolMethod.choices, default=PoolMethod.WEIGHTED)
    on_return = models.CharField(
        _("after leave"),
        max_length=4,
        choices=OnReturn.choices,
        default=OnReturn.KEEP,
        help_text=_("What somebody gets for the leads that came while they were on leave."),
    )
    when_nobody = models.CharField(
        _("when nobody can take it"), max_length=8, choices=WhenNobody.choices, default=WhenNobody.HOLD
    )
    fallback = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("the other pool")
    )
    on_call = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person on call"),
    )
    quantum_minor = models.BigIntegerField(
        _("value of a turn"),
        null=True,
        blank=True,
        help_text=_("For turns by value: how much a turn brings to a member of weight 1."),
    )
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    pod = models.ForeignKey(
        Pod,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="pools",
        verbose_name=_("pod"),
        help_text=_("Leads go to this pod; without one, to the pod of whoever takes them."),
    )
    turn_of = models.ForeignKey(
        "PoolMember", models.SET_NULL, null=True, blank=True, editable=False, related_name="+", verbose_name=_("turn")
    )
    is_active = models.BooleanField(_("active"), default=True)

    objects = PoolQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("pool"), _("pools")
        constraints = [
            models.CheckConstraint(
                condition=~Q(when_nobody=WhenNobody.POOL) | Q(fallback__isnull=False),
                name="leads_pool_names_the_other",
            ),
            models.CheckConstraint(
                condition=~Q(when_nobody=WhenNobody.ON_CALL) | Q(on_call__isnull=False),
                name="leads_pool_names_who_is_on_call",
            ),
            models.CheckConstraint(
                condition=~Q(method=PoolMethod.VALUE) | Q(quantum_minor__gt=0), name="leads_pool_has_a_value_of_a_turn"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PoolMember(models.Model):
    """A person in a pool: their weight, their limits, and where they stand.

    credit: what they are owed, in parts of a lead (rules.rotation.LEAD). missed: what came while they were on leave, in
    the same parts. deficit_minor: what is left of their turns by value.
    """

    currency_from = "pool"

    pool = models.ForeignKey(Pool, models.PROTECT, related_name="members", verbose_name=_("pool"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="pool_memberships", verbose_name=_("person")
    )
    weight = models.PositiveSmallIntegerField(
        _("weight"),
        default=1,
        validators=[MaxValueValidator(100)],
        help_text=_("With 2 somebody gets twice what somebody with 1 gets; with 0 nothing."),
    )
    takes = models.CharField(
        _("takes only"),
        max_length=500,
        blank=True,
        help_text=_("A condition on the lead, such as country = “France”. Empty: everything."),
    )
    cap_open = models.PositiveIntegerField(_("most open leads"), null=True, blank=True)
    cap_day = models.PositiveIntegerField(_("most in a day"), null=True, blank=True)
    cap_30_days = models.PositiveIntegerField(_("most in 30 days"), null=True, blank=True)
    is_in = models.BooleanField(_("takes part"), default=True)
    tie_key = models.BigIntegerField(default=tie_key, editable=False)
    credit = models.BigIntegerField(_("credit"), default=0, editable=False)
    missed = models.BigIntegerField(_("missed"), default=0, editable=False)
    deficit_minor = models.BigIntegerField(_("left of the turn"), default=0, editable=False)
    last_given_at = models.DateTimeField(_("last lead"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["pool", "tie_key"]
        verbose_name, verbose_name_plural = _("member of a pool"), _("members of pools")
        constraints = [models.UniqueConstraint(fields=["pool", "person"], name="leads_poolmember_once")]

    def __str__(self) -> str:
        return f"{self.person} · {self.pool}"


class PoolVersion(models.Model):
    """How a pool is set up from a moment on, until its next version. Append-only.

    setup: {"pool": {column: value}, "members": {id of the person: {column: value}}}, the columns of rules.setups.
    """

    pool = models.ForeignKey(Pool, models.PROTECT, related_name="versions", verbose_name=_("pool"))
    number = models.PositiveIntegerField(_("number"))
    setup = models.JSONField(_("setup"))
    made_at = models.DateTimeField(_("since"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )

    objects = PoolVersionQuerySet.as_manager()

    class Meta:
        ordering = ["pool", "-number"]
        verbose_name, verbose_name_plural = _("version of a pool"), _("versions of pools")
        constraints = [models.UniqueConstraint(fields=["pool", "number"], name="leads_poolversion_once")]

    def __str__(self) -> str:
        return f"{self.pool} · {self.number}"


class RoutingVersion(RuleVersion):
    """The rules by which leads find their people, in order, with the clocks that watch them."""

    needs_consent = models.BooleanField(
        _("only with consent"),
        default=False,
        help_text=_(
            "Hold leads of whom it is not known whether they may be contacted. Those who refused are always held."
        ),
    )
    merges_repeats = models.BooleanField(
        _("merge who comes again"),
        default=False,
        help_text=_(
            "A lead with the address and the name of an open one is merged into that one as it comes, and its owner is told."
        ),
    )

    class Meta(RuleVersion.Meta):
        abstract = False
        verbose_name, verbose_name_plural = _("routing rules"), _("routing rules")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=VersionState.ACTIVE), name="leads_routingversion_one_in_force"
            )
        ]


class RoutingRule(models.Model):
    """One rule: the first whose condition holds says where the lead goes."""

    version = models.ForeignKey(RoutingVersion, models.CASCADE, related_name="rules", verbose_name=_("version"))
    position = models.PositiveSmallIntegerField(_("position"))
    name = models.CharField(_("name"), max_length=120)
    condition = models.CharField(
        _("when"), max_length=1000, blank=True, help_text=_("Empty: for every lead that comes as far as this rule.")
    )
    action = models.CharField(_("then"), max_length=14, choices=RuleAction.choices, default=RuleAction.POOL)
    pool = models.ForeignKey(Pool, models.PROTECT, null=True, blank=True, related_name="rules", verbose_name=_("pool"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("person")
    )

    class Meta:
        ordering = ["version", "position", "id"]
        verbose_name, verbose_name_plural = _("routing rule"), _("routing rules")
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="leads_routingrule_position"),
            models.CheckConstraint(
                condition=~Q(action=RuleAction.POOL) | Q(pool__isnull=False), name="leads_routingrule_names_a_pool"
            ),
            models.CheckConstraint(
                condition=~Q(action=RuleAction.PERSON) | Q(person__isnull=False),
                name="leads_routingrule_names_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.name}"


class Turn(models.Model):
    """What one event did to the credits of a pool. Append-only: the credit of a member is the sum of their changes.

    changes: {id of the member: parts of a lead}. A lead that is given back brings a turn that negates the first. The
    value of the lead is in the pool's currency; none where it is not known.
    """

    currency_from = "pool"

    pool = models.ForeignKey(Pool, models.PROTECT, related_name="turns", verbose_name=_("pool"))
    kind = models.CharField(_("kind"), max_length=8, choices=TurnKind.choices)
    member = models.ForeignKey(PoolMember, models.PROTECT, related_name="turns", verbose_name=_("member"))
    lead = models.ForeignKey(Lead, models.PROTECT, null=True, blank=True, related_name="turns", verbose_name=_("lead"))
    assignment = models.ForeignKey(
        LeadAssignment, models.PROTECT, null=True, blank=True, related_name="turns", verbose_name=_("assignment")
    )
    value_minor = models.BigIntegerField(_("value"), null=True, blank=True)
    changes = models.JSONField(_("changes"), default=dict)
    reverses = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="reversed_by", verbose_name=_("takes back")
    )
    taken_at = models.DateTimeField(_("at"))

    objects = TurnQuerySet.as_manager()

    class Meta:
        ordering = ["-taken_at", "-id"]
        verbose_name, verbose_name_plural = _("turn"), _("turns")
        indexes = [models.Index(fields=["pool", "-taken_at", "-id"], name="leads_turn_of_pool")]

    def __str__(self) -> str:
        return f"{self.pool}: {self.member.person}"
