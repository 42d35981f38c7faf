"""Addresses of the commissions room."""

from django.urls import include, path

from salesops.commissions.views import periods, plans, scenarios, statements

app_name = "commissions"
urlpatterns = [
    path("", include("salesops.commissions.pay_urls")),
    path("", include("salesops.commissions.transaction_urls")),
    path("", include("salesops.commissions.cost_urls")),
    path("", include("salesops.commissions.contest_urls")),
    path("", statements.StatementListView.as_view(), name="statement_list"),
    path("approve/", statements.StatementApproveView.as_view(), name="statement_approve"),
    path("statements/<int:pk>/", statements.StatementDetailView.as_view(), name="statement_detail"),
    path("statements/<int:pk>/lines/", statements.EarningListView.as_view(), name="earning_list"),
    path("statements/<int:pk>/return/", statements.StatementReturnView.as_view(), name="statement_return"),
    path("statements/<int:pk>/bundle.json", statements.StatementBundleView.as_view(), name="statement_bundle"),
    path("statements/<int:pk>/statement.pdf", statements.StatementPdfView.as_view(), name="statement_pdf"),
    path("statements/<int:pk>/forecast/", statements.StatementForecastView.as_view(), name="statement_forecast"),
    path("statements/<int:pk>/what-if/", scenarios.WhatIfView.as_view(), name="what_if"),
    path("scenarios/", scenarios.ScenarioListView.as_view(), name="scenario_list"),
    path("scenarios/new/", scenarios.ScenarioCreateView.as_view(), name="scenario_create"),
    path("scenarios/<int:pk>/", scenarios.ScenarioDetailView.as_view(), name="scenario_detail"),
    path("scenarios/<int:pk>/delete/", scenarios.ScenarioDeleteView.as_view(), name="scenario_delete"),
    path("lines/<int:pk>/", statements.EarningDetailView.as_view(), name="earning_detail"),
    path("periods/", periods.PeriodListView.as_view(), name="period_list"),
    path("periods/<int:pk>/", periods.PeriodDetailView.as_view(), name="period_detail"),
    path("periods/<int:pk>/calculate/", periods.PeriodCalculateView.as_view(), name="period_calculate"),
    path("periods/<int:pk>/lock/", periods.PeriodLockView.as_view(), name="period_lock"),
    path("periods/<int:pk>/release/", periods.PayrollReleaseView.as_view(), name="payroll_release"),
    path("files/<int:pk>/", periods.PayrollFileView.as_view(), name="payrollfile_download"),
    path("", include("salesops.commissions.design_urls")),
    path("plans/", plans.PlanListView.as_view(), name="plan_list"),
    path("plans/mine/", plans.MyPlanView.as_view(), name="plan_mine"),
    path("plans/<int:pk>/", plans.PlanDetailView.as_view(), name="plan_detail"),
    path("plans/<int:pk>/people/", plans.AssignmentCreateView.as_view(), name="assignment_create"),
    path("plans/<int:pk>/people/end/", plans.AssignmentEndView.as_view(), name="assignment_end"),
    path("versions/<int:pk>/force/", plans.VersionActivateView.as_view(), name="version_activate"),
    path("versions/<int:pk>/discard/", plans.VersionDiscardView.as_view(), name="version_discard"),
    path("quotas/", plans.QuotaListView.as_view(), name="quota_list"),
    path("quotas/new/", plans.QuotaCreateView.as_view(), name="quota_create"),
    path("quotas/<int:pk>/", plans.QuotaEditView.as_view(), name="quota_edit"),
]
