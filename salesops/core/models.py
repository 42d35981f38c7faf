"""Abstract models and rows without a business noun: what is held in time, saved views, posted forms, feature switches."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Self, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from salesops.core.fields import ExactDecimalField
from salesops.values.money import MoneyError, check_currency

ModelT = TypeVar("ModelT", bound=models.Model)


def validate_currency(value: str) -> None:
    """Refuse what is not a currency the portal can round in."""
    try:
        check_currency(value)
    except MoneyError as error:
        raise ValidationError(_("“%(value)s” is not a currency code such as EUR."), params={"value": value}) from error


def validate_rate(value: Decimal) -> None:
    """Refuse a rate of nothing or less."""
    if value <= 0:
        raise ValidationError(_("A rate of exchange is above zero."))


def held_on(day: date, prefix: str = "") -> Q:
    """The condition for rows held on a day: start_on <= day < end_on, an open end counts."""
    return Q(**{f"{prefix}start_on__lte": day}) & (
        Q(**{f"{prefix}end_on__isnull": True}) | Q(**{f"{prefix}end_on__gt": day})
    )


def held_during(start: date, end: date, prefix: str = "") -> Q:
    """The condition for rows held at any time in the half-open range [start, end)."""
    return Q(**{f"{prefix}start_on__lt": end}) & (
        Q(**{f"{prefix}end_on__isnull": True}) | Q(**{f"{prefix}end_on__gt": start})
    )


class HeldInTimeQuerySet(models.QuerySet[ModelT]):
    """Rows with a half-open range of days."""

    def on(self, day: date) -> Self:
        """Rows held on this day."""
        return self.filter(held_on(day))

    def during(self, start: date, end: date) -> Self:
        """Rows held at any time in [start, end)."""
        return self.filter(held_during(start, end))


class HeldInTime(models.Model):
    """A fact with a first day and the day it no longer holds (half-open; empty means until further notice)."""

    start_on = models.DateField(_("from"))
    end_on = models.DateField(
        _("until"), null=True, blank=True, help_text=_("The first day on which it no longer holds.")
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Say kindly what the constraint would say coldly."""
        super().clean()
        if self.start_on and self.end_on and self.end_on <= self.start_on:
            raise ValidationError({"end_on": _("It has to end after it starts.")})

    @staticmethod
    def range_constraint(table: str) -> models.CheckConstraint:
        """The check each such table carries: it ends after it starts."""
        return models.CheckConstraint(
            condition=Q(end_on__isnull=True) | Q(end_on__gt=F("start_on")), name=f"{table}_ends_after_start"
        )


class Removable(models.Model):
    """A row that may be removed, and restored, without losing what hangs on it.

    Models give it two managers: `objects` (the default one) knows only the rows that are there, `every` all of them. A
    row that is referred to is found in any case, as references go around managers. `merged_into` names the row that
    stands for it now.
    """

    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True, editable=False)
    removed_because = models.CharField(
        _("removed because"), max_length=200, blank=True, default="", db_default="", editable=False
    )
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="merged_from",
        verbose_name=_("merged into"),
    )

    class Meta:
        abstract = True

    @property
    def is_removed(self) -> bool:
        """Whether it is only kept for what refers to it."""
        return self.removed_at is not None


class SavedView(models.Model):
    """A list's filter, sorting and columns under a name, kept by a person and optionally shared with all.

    `owner_id` is a user's id without a foreign key: users live in a room above.
    """

    owner_id = models.BigIntegerField(_("owner"), db_index=True)
    page = models.CharField(_("page"), max_length=80)
    name = models.CharField(_("name"), max_length=80)
    query = models.TextField(_("query"), blank=True)
    is_shared = models.BooleanField(_("shared"), default=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "name"]
        verbose_name, verbose_name_plural = _("saved view"), _("saved views")
        constraints = [models.UniqueConstraint(fields=["owner_id", "page", "name"], name="core_savedview_name")]

    def __str__(self) -> str:
        return self.name


class ListPreference(models.Model):
    """How a person wants one list page: its columns in order (empty: as the page comes), rows a page, opening view."""

    owner_id = models.BigIntegerField(_("owner"))
    page = models.CharField(_("page"), max_length=80)
    columns = models.JSONField(_("columns"), default=list, blank=True)
    page_size = models.PositiveSmallIntegerField(_("rows per page"), null=True, blank=True)
    opening_view = models.ForeignKey(
        SavedView, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("opens with")
    )

    class Meta:
        verbose_name, verbose_name_plural = _("list preference"), _("list preferences")
        constraints = [models.UniqueConstraint(fields=["owner_id", "page"], name="core_listpreference_once")]

    def __str__(self) -> str:
        return self.page


class PostedForm(models.Model):
    """A form that was posted once: the same form key posted again leads to the first result instead of a second row."""

    key = models.UUIDField(primary_key=True)
    actor_id = models.BigIntegerField()
    posted_at = models.DateTimeField(db_index=True)
    location = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("posted form"), _("posted forms")

    def __str__(self) -> str:
        return str(self.key)


class AnsweredRequest(models.Model):
    """A request that a program made with a key of its own: the same key again gets the first answer, and nothing is done
    twice.

    digest: SHA-256 of what was asked. claim: whose turn it is while `status` is empty; whoever takes over a turn that was
    given up writes a new one. body: the answer as JSON.
    """

    actor_id = models.BigIntegerField()
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    claim = models.UUIDField()
    asked_at = models.DateTimeField(db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("answered request"), _("answered requests")
        constraints = [models.UniqueConstraint(fields=["actor_id", "key"], name="core_answeredrequest_once")]

    def __str__(self) -> str:
        return self.key


class FeatureSwitch(models.Model):
    """A part of the portal that administrators can turn off. The parts are declared in code (`core/features.py`).

    `label` and `description` are kept in English and shown in the reader's language.
    """

    code = models.SlugField(_("code"), unique=True)
    label = models.CharField(_("label"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    is_on = models.BooleanField(_("on"), default=True)

    class Meta:
        ordering = ["code"]
        verbose_name, verbose_name_plural = _("feature switch"), _("feature switches")

    def __str__(self) -> str:
        return gettext(self.label)


class ExchangeRate(models.Model):
    """On a day one unit of `base` was worth `rate` units of `quote`, in major units, says `source`.

    Rates entered by hand (source "manual") win over published ones.
    """

    MANUAL = "manual"

    on = models.DateField(_("day"))
    base = models.CharField(_("from currency"), max_length=3, validators=[validate_currency])
    quote = models.CharField(_("to currency"), max_length=3, validators=[validate_currency])
    rate = ExactDecimalField(_("rate"), validators=[validate_rate])
    source = models.CharField(_("source"), max_length=20, default=MANUAL)

    class Meta:
        ordering = ["-on", "base", "quote"]
        verbose_name, verbose_name_plural = _("exchange rate"), _("exchange rates")
        constraints = [
            models.UniqueConstraint(fields=["on", "base", "quote", "source"], name="core_exchangerate_once"),
            models.CheckConstraint(condition=~Q(base=F("quote")), name="core_exchangerate_two_currencies"),
            models.CheckConstraint(
                condition=~Q(rate="") & ~Q(rate="0") & ~Q(rate__startswith="-"), name="core_exchangerate_positive"
            ),
        ]
        indexes = [models.Index(fields=["base", "quote", "on"], name="core_exchangerate_pair")]

    def __str__(self) -> str:
        return f"{self.on}: 1 {self.base} = {self.rate} {self.quote}"
