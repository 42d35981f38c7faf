"""Addresses of what managers and finance decide by, within those of the commissions room."""

from django.urls import path

from salesops.commissions.views import cost

urlpatterns = [
    path("team/", cost.TeamPayView.as_view(), name="teampay_list"),
    path("team/<int:pk>/", cost.TeamPayPeriodView.as_view(), name="teampay_period"),
    path("cost/", cost.CostReportView.as_view(), name="cost_report"),
    path("accrual/", cost.AccrualReportView.as_view(), name="accrual_report"),
]
