"""Addresses of the leads room."""

from django.urls import include, path

from salesops.leads import views

app_name = "leads"
urlpatterns = [
    path("", views.LeadListView.as_view(), name="lead_list"),
    path("new/", views.LeadCreateView.as_view(), name="lead_create"),
    path("board/", views.LeadBoardView.as_view(), name="lead_board"),
    path("board/suggest/", views.LeadBoardSuggestView.as_view(), name="board_suggest"),
    path("board/assign/", views.LeadBoardAssignView.as_view(), name="board_assign"),
    path("board/undo/", views.LeadBoardUndoView.as_view(), name="board_undo"),
    path("bulk/edit/", views.LeadBulkEditView.as_view(), name="lead_bulk_edit"),
    path("bulk/assign/", views.LeadBulkAssignView.as_view(), name="lead_bulk_assign"),
    path("scores/", include("salesops.leads.score_urls")),
    path("response/", views.ResponseReportView.as_view(), name="response_report"),
    path("pools/", views.PoolListView.as_view(), name="pool_list"),
    path("pools/<int:pk>/", views.PoolDetailView.as_view(), name="pool_detail"),
    path("pools/setups/<int:pk>/bring-back/", views.PoolSetupBackView.as_view(), name="pool_setup_back"),
    path("routing/", include("salesops.leads.routing_urls")),
    path("<int:pk>/", views.LeadDetailView.as_view(), name="lead_detail"),
    path("<int:pk>/restore/", views.LeadRestoreView.as_view(), name="lead_restore"),
    path("<int:pk>/edit/", views.LeadEditView.as_view(), name="lead_edit"),
    path("<int:pk>/spiced/", views.LeadSpicedView.as_view(), name="lead_spiced"),
    path("<int:pk>/status/", views.LeadStatusView.as_view(), name="lead_status"),
    path("<int:pk>/assign/", views.LeadAssignView.as_view(), name="lead_assign"),
    path("<int:pk>/give-back/", views.LeadGiveBackView.as_view(), name="lead_give_back"),
    path("<int:pk>/merge/", views.LeadMergeView.as_view(), name="lead_merge"),
    path("<int:pk>/part/", views.LeadPartView.as_view(), name="lead_part"),
    path("<int:pk>/convert/", views.LeadConvertView.as_view(), name="lead_convert"),
]
