"""Addresses of the deals room."""

from django.urls import include, path

from salesops.deals import views

app_name = "deals"
urlpatterns = [
    path("", views.DealListView.as_view(), name="deal_list"),
    path("new/", views.DealCreateView.as_view(), name="deal_create"),
    path("board/", views.DealBoardView.as_view(), name="deal_board"),
    path("forecast/", views.ForecastView.as_view(), name="forecast"),
    path("products/", views.ProductListView.as_view(), name="product_list"),
    path("guard/", include("salesops.deals.guard_urls")),
    path("hand-offs/", include("salesops.deals.handoff_urls")),
    path("of-account/<int:pk>/", views.AccountDealsView.as_view(), name="account_deals"),
    path("bulk/edit/", views.DealBulkEditView.as_view(), name="deal_bulk_edit"),
    path("bulk/reassign/", views.DealBulkReassignView.as_view(), name="deal_bulk_reassign"),
    path("<int:pk>/", views.DealDetailView.as_view(), name="deal_detail"),
    path("<int:pk>/restore/", views.DealRestoreView.as_view(), name="deal_restore"),
    path("<int:pk>/edit/", views.DealEditView.as_view(), name="deal_edit"),
    path("<int:pk>/move/", views.DealMoveView.as_view(), name="deal_move"),
    path("<int:pk>/spiced/", views.DealSpicedView.as_view(), name="deal_spiced"),
    path("<int:pk>/place/", views.DealPlaceView.as_view(), name="deal_place"),
    path("<int:pk>/reassign/", views.DealReassignView.as_view(), name="deal_reassign"),
    path("<int:pk>/lines/", views.DealLinesView.as_view(), name="deal_lines"),
    path("<int:pk>/splits/", views.DealSplitsView.as_view(), name="deal_splits"),
]
