"""Small pages over real rows, with which the tests of the core try what rooms build from it."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import include, path

from salesops.config.urls import urlpatterns as portal
from salesops.core.actor import Actor
from salesops.core.charts import Chart, Series
from salesops.core.filters import (
    MoneyRangeFilter,
    NumberRangeFilter,
    OneOfFilter,
    PeriodFilter,
    PortalFilterSet,
    RowsFilter,
    YesNoFilter,
)
from salesops.core.forms import MoneyField, PortalModelForm
from salesops.core.tables import (
    BadgeColumn,
    DayColumn,
    LinkColumn,
    MomentColumn,
    MoneyColumn,
    PersonColumn,
    PortalTable,
)
from salesops.core.views import (
    BulkAction,
    BulkView,
    Change,
    Empty,
    MoneyTotal,
    PortalView,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, Stage
from salesops.people.models import User


def deals_for(actor: Actor) -> QuerySet[Deal]:
    """What the actor may see."""
    return Deal.objects.visible_to(actor)


def deal_for(actor: Actor, pk: int) -> Deal:
    """One of them."""
    return Deal.objects.get_for(actor, pk=pk)


class DealTable(PortalTable):
    """Deals."""

    name = LinkColumn("sample:deal_detail")
    account = LinkColumn("sample:deal_detail", accessor="account__name", pk_field="account_id", verbose_name="Account")
    stage = BadgeColumn(tone_field="kind", tones={"won": "green", "lost": "red", "open": "blue"})
    amount = MoneyColumn(accessor="amount_minor", initial_sort_descending=True)
    owner = PersonColumn(accessor="owner")
    expected_close_on = DayColumn()
    closed_on = DayColumn()
    created_at = MomentColumn(ago=True)
    note = tables.Column()

    default_columns = ("name", "account", "stage", "amount", "owner", "expected_close_on", "created_at")

    class Meta:
        model = Deal
        fields = ()


class DealFilter(PortalFilterSet):
    """Filters of deals."""

    search_fields = ("name", "account__name")
    kind = OneOfFilter(choices=StageKind.choices, label="State")
    stage = RowsFilter(queryset=Stage.objects.all(), label="Stage")
    owner = RowsFilter(queryset=User.objects.all(), label="Owner", none_label="Nobody")
    amount = MoneyRangeFilter(field_name="amount_minor", label="Amount")
    board = NumberRangeFilter(field_name="board_position", label="Position")
    expected = PeriodFilter(field_name="expected_close_on", label="Expected close")
    created = PeriodFilter(field_name="created_at", label="Created", is_moment=True)
    with_note = YesNoFilter(field_name="note", condition=None, label="Note")

    class Meta:
        model = Deal
        fields = ()


class DealListView(ScopedListView):
    """The list."""

    selector = deals_for
    table_class = DealTable
    filterset_class = DealFilter
    totals = (MoneyTotal("Amount", "amount_minor"),)
    bulk_actions = (BulkAction("Rename", "sample:deal_rename", icon="edit"),)
    create_url = "sample:deal_create"
    empty = Empty("No deals yet", "Import your pipeline or add the first deal.", "briefcase")
    template_name = "core/list_page.html"


class DealDetailView(ScopedDetailView):
    """One deal."""

    selector = deal_for
    template_name = "core/list_page.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Its name only."""
        return HttpResponse(self.object.name)


class DealForm(PortalModelForm):
    """A few fields."""

    amount_minor = MoneyField(label="Amount", help_text="In the deal's currency.", least_minor=0)

    class Meta:
        model = Deal
        fields = ("name", "amount_minor", "currency", "stage", "expected_close_on", "note")


class DealCreateView(ScopedCreateView):
    """Makes one."""

    form_class = DealForm
    title = "New deal"
    success_message = "Made %(object)s."
    back_url = "sample:deal_list"

    def save(self, form: DealForm) -> str:
        """Writes the row."""
        if form.values["name"] == "forbidden":
            raise ValidationError({"name": "This name is not allowed."})
        deal = Deal.objects.create(created_at=self.now, owner_id=self.actor.user_id, **form.values)
        return f"/sample/deals/{deal.pk}/"


class DealEditView(ScopedEditView):
    """Changes one."""

    selector = deal_for
    form_class = DealForm
    title = "Edit"

    def get_back_url(self) -> str:
        """Its page."""
        return f"/sample/deals/{self.object.pk}/"

    def save(self, form: DealForm) -> str:
        """Always too late."""
        raise ValidationError("Somebody was faster.", code="stale")


class RenameForm(forms.Form):
    """A new ending."""

    ending = forms.CharField(max_length=20)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class DealRenameView(BulkView):
    """Renames many."""

    list_view = DealListView
    form_class = RenameForm
    title = "Rename deals"
    back_url = "sample:deal_list"

    def preview(self, rows: QuerySet[Deal], form: RenameForm) -> list[Change]:
        """Old and new names."""
        ending = form.cleaned_data["ending"]
        return [Change(deal.name, deal.name, deal.name + ending) for deal in rows]

    def apply(self, rows: QuerySet[Deal], form: RenameForm) -> str:
        """Writes the names."""
        for deal in rows:
            Deal.objects.filter(pk=deal.pk).update(name=deal.name + form.cleaned_data["ending"])
        return "Renamed."


CHARTS = """{% extends "base.html" %}{% load static %}
{% block scripts %}<script src="{% static 'vendor/echarts.min.js' %}" defer></script><script src="{% static 'js/charts.js' %}" defer></script>{% endblock %}
{% block content %}<header class="head"><h1>{{ title }}</h1></header>
<div class="columns columns-even">{% for chart in charts %}<section class="card card-pad">{% include "parts/chart.html" %}</section>{% endfor %}</div>
{% endblock %}"""


class ChartView(PortalView):
    """Three charts."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
        won = Series.of_money("Won", [120_000_00, 98_500_50, None, 134_000_00, 150_250_00, 90_000_00], "USD")
        quota = Series.of_money("Quota", [110_000_00] * 6, "USD", kind="line", tone="muted")
        charts = [
            Chart("won", "Won by month", months, [won, quota], currency="USD", links=[f"?m={m}" for m in months]),
            Chart(
                "people",
                "Won and weighted by owner",
                ["Ana Alvarez", "Alba Abe", "Carl Chen"],
                [
                    Series.of_money("Won", [500_00, 300_00, 100_00], "USD", tone="good"),
                    Series.of_money("Weighted", [100_00, 50_00, 0], "USD"),
                ],
                kind="bar",
                currency="USD",
                is_stacked=True,
            ),
            Chart(
                "rate",
                "Win rate",
                months,
                [Series.of_shares("Rate", [2500, 2750, 3000, 2850, 3333, 4000])],
                kind="line",
                unit="%",
            ),
        ]
        return HttpResponse(Template(CHARTS).render(RequestContext(request, {"title": "Charts", "charts": charts})))


sample = (
    [
        path("deals/", DealListView.as_view(), name="deal_list"),
        path("charts/", ChartView.as_view(), name="charts"),
        path("deals/new/", DealCreateView.as_view(), name="deal_create"),
        path("deals/rename/", DealRenameView.as_view(), name="deal_rename"),
        path("deals/<int:pk>/", DealDetailView.as_view(), name="deal_detail"),
        path("deals/<int:pk>/edit/", DealEditView.as_view(), name="deal_edit"),
    ],
    "sample",
)
urlpatterns = [path("sample/", include(sample)), *portal]
