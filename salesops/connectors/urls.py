"""Addresses of the connectors room."""

from django.urls import path

from salesops.connectors import views

app_name = "connectors"
urlpatterns = [
    path("", views.ImportListView.as_view(), name="import_list"),
    path("new/", views.ImportCreateView.as_view(), name="import_create"),
    path("<int:pk>/", views.ImportDetailView.as_view(), name="import_detail"),
    path("<int:pk>/kind/", views.ImportKindView.as_view(), name="import_kind"),
    path("<int:pk>/reading/", views.ImportReadingView.as_view(), name="import_reading"),
    path("<int:pk>/mapping/", views.ImportMappingView.as_view(), name="import_mapping"),
    path("<int:pk>/names/", views.ImportNameView.as_view(), name="import_name"),
    path("<int:pk>/save/", views.ImportSaveMappingView.as_view(), name="import_save_mapping"),
    path("<int:pk>/start/", views.ImportStartView.as_view(), name="import_start"),
    path("<int:pk>/retry/", views.ImportRetryView.as_view(), name="import_retry"),
    path("<int:pk>/shelf/", views.ShelfView.as_view(), name="row_list"),
    path("shelf/<int:pk>/", views.RowEditView.as_view(), name="row_edit"),
    path("shelf/<int:pk>/aside/", views.RowDismissView.as_view(), name="row_dismiss"),
]
