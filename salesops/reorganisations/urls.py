"""Addresses of the reorganisations room."""

from django.urls import path

from salesops.reorganisations import views

app_name = "reorganisations"
urlpatterns = [
    path("", views.ReorganisationListView.as_view(), name="reorganisation_list"),
    path("new/", views.ReorganisationCreateView.as_view(), name="reorganisation_create"),
    path("<int:pk>/", views.ReorganisationDetailView.as_view(), name="reorganisation_detail"),
    path("<int:pk>/edit/", views.ReorganisationEditView.as_view(), name="reorganisation_edit"),
    path("<int:pk>/moves/new/", views.MoveCreateView.as_view(), name="move_create"),
    path("moves/<int:pk>/edit/", views.MoveEditView.as_view(), name="move_edit"),
    path("moves/<int:pk>/remove/", views.MoveRemoveView.as_view(), name="move_remove"),
    path("<int:pk>/protect/", views.ProtectView.as_view(), name="reorganisation_protect"),
    path("<int:pk>/preview/", views.PreviewView.as_view(), name="reorganisation_preview"),
    path("<int:pk>/schedule/", views.ScheduleView.as_view(), name="reorganisation_schedule"),
    path("<int:pk>/unschedule/", views.UnscheduleView.as_view(), name="reorganisation_unschedule"),
    path("<int:pk>/carry-out/", views.CarryOutView.as_view(), name="reorganisation_carry_out"),
    path("<int:pk>/undo/", views.UndoView.as_view(), name="reorganisation_undo"),
    path("<int:pk>/drop/", views.DropView.as_view(), name="reorganisation_drop"),
    path("<int:pk>/changes/", views.ChangeListView.as_view(), name="change_list"),
]
