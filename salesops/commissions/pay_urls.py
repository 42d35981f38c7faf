"""Addresses of adjustments, disputes, plan events and payroll columns, within those of the commissions room."""

from django.urls import path

from salesops.commissions.views import adjustments, disputes, events, payroll

urlpatterns = [
    path("columns/", payroll.MappingListView.as_view(), name="payrollmapping_list"),
    path("columns/new/", payroll.MappingCreateView.as_view(), name="payrollmapping_create"),
    path("columns/<int:pk>/", payroll.MappingEditView.as_view(), name="payrollmapping_edit"),
    path("adjustments/", adjustments.AdjustmentListView.as_view(), name="adjustment_list"),
    path("adjustments/new/", adjustments.AdjustmentCreateView.as_view(), name="adjustment_create"),
    path("adjustments/approve/", adjustments.AdjustmentBulkApproveView.as_view(), name="adjustment_bulk_approve"),
    path("adjustments/<int:pk>/", adjustments.AdjustmentDetailView.as_view(), name="adjustment_detail"),
    path("adjustments/<int:pk>/approve/", adjustments.AdjustmentApproveView.as_view(), name="adjustment_approve"),
    path("adjustments/<int:pk>/refuse/", adjustments.AdjustmentRefuseView.as_view(), name="adjustment_refuse"),
    path("adjustments/<int:pk>/withdraw/", adjustments.AdjustmentWithdrawView.as_view(), name="adjustment_withdraw"),
    path("statements/<int:pk>/dispute/", disputes.DisputeOpenView.as_view(), name="statement_dispute"),
    path("disputes/", disputes.DisputeListView.as_view(), name="dispute_list"),
    path("disputes/<int:pk>/", disputes.DisputeDetailView.as_view(), name="dispute_detail"),
    path("disputes/<int:pk>/message/", disputes.DisputeMessageView.as_view(), name="dispute_message"),
    path("disputes/<int:pk>/decide/", disputes.DisputeDecideView.as_view(), name="dispute_decide"),
    path("disputes/<int:pk>/withdraw/", disputes.DisputeWithdrawView.as_view(), name="dispute_withdraw"),
    path("events/", events.EventListView.as_view(), name="event_list"),
    path("events/new/", events.EventCreateView.as_view(), name="event_create"),
    path("events/file/", events.EventUploadView.as_view(), name="event_upload"),
    path("events/<int:pk>/", events.EventDetailView.as_view(), name="event_detail"),
    path("events/<int:pk>/void/", events.EventVoidView.as_view(), name="event_void"),
]
