"""Addresses of hand-offs."""

from django.urls import path

from salesops.deals.views import handoffs as views

urlpatterns = [
    path("", views.HandOffListView.as_view(), name="handoff_list"),
    path("new/", views.HandOffCreateView.as_view(), name="handoff_create"),
    path("report/", views.HandOffReportView.as_view(), name="handoff_report"),
    path("<int:pk>/", views.HandOffDetailView.as_view(), name="handoff_detail"),
    path("<int:pk>/answer/", views.HandOffAnswerView.as_view(), name="handoff_answer"),
    path("<int:pk>/rate/", views.HandOffRateView.as_view(), name="handoff_rate"),
]
