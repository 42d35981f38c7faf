"""Addresses of the selling guard."""

from django.urls import path

from salesops.deals.views import guard, policies

urlpatterns = [
    path("", guard.EscalationListView.as_view(), name="escalation_list"),
    path("<int:pk>/answer/", guard.EscalationAnswerView.as_view(), name="escalation_answer"),
    path("log/", guard.DecisionListView.as_view(), name="decision_list"),
    path("report/", guard.GuardReportView.as_view(), name="guard_report"),
    path("policies/", policies.PolicyListView.as_view(), name="policy_list"),
    path("policies/new/", policies.PolicyCreateView.as_view(), name="policy_create"),
    path("policies/<int:pk>/", policies.PolicyDetailView.as_view(), name="policy_detail"),
    path("policies/<int:pk>/edit/", policies.PolicyEditView.as_view(), name="policy_edit"),
    path("policies/<int:pk>/activate/", policies.PolicyActivateView.as_view(), name="policy_activate"),
    path("policies/<int:pk>/discard/", policies.PolicyDiscardView.as_view(), name="policy_discard"),
    path("policies/<int:pk>/dry-run/", policies.PolicyDryRunView.as_view(), name="policy_dry_run"),
    path("policies/<int:pk>/try/", policies.PolicyTryView.as_view(), name="policy_try"),
    path("policies/<int:pk>/rules/new/", policies.GuardRuleCreateView.as_view(), name="guardrule_create"),
    path("policies/<int:pk>/rules/<int:rule>/", policies.GuardRuleEditView.as_view(), name="guardrule_edit"),
    path("policies/<int:pk>/rules/<int:rule>/drop/", policies.GuardRuleDropView.as_view(), name="guardrule_drop"),
]
