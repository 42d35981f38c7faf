"""Addresses of the pods room."""

from django.urls import path

from salesops.pods import views

app_name = "pods"
urlpatterns = [
    path("", views.PodListView.as_view(), name="pod_list"),
    path("new/", views.PodCreateView.as_view(), name="pod_create"),
    path("people/", views.MemberListView.as_view(), name="member_list"),
    path("territories/", views.TerritoryListView.as_view(), name="territory_list"),
    path("territories/new/", views.TerritoryCreateView.as_view(), name="territory_create"),
    path("territories/<int:pk>/", views.TerritoryDetailView.as_view(), name="territory_detail"),
    path("territories/<int:pk>/assign/", views.TerritoryAssignView.as_view(), name="territory_assign"),
    path("territories/people/<int:pk>/end/", views.TerritoryAssignmentEndView.as_view(), name="territory_end"),
    path("members/<int:pk>/move/", views.MemberMoveView.as_view(), name="member_move"),
    path("members/<int:pk>/end/", views.MemberEndView.as_view(), name="member_end"),
    path("<int:pk>/", views.PodDetailView.as_view(), name="pod_detail"),
    path("<int:pk>/edit/", views.PodEditView.as_view(), name="pod_edit"),
    path("<int:pk>/close/", views.PodCloseView.as_view(), name="pod_close"),
    path("<int:pk>/members/new/", views.MemberAddView.as_view(), name="member_add"),
]
