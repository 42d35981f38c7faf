"""Addresses of contests, within those of the commissions room."""

from django.urls import path

from salesops.commissions.views import contests

urlpatterns = [
    path("contests/", contests.ContestListView.as_view(), name="contest_list"),
    path("contests/new/", contests.ContestCreateView.as_view(), name="contest_create"),
    path("contests/<int:pk>/", contests.ContestDetailView.as_view(), name="contest_detail"),
    path("contests/<int:pk>/edit/", contests.ContestEditView.as_view(), name="contest_edit"),
    path("contests/<int:pk>/force/", contests.ContestActivateView.as_view(), name="contest_activate"),
    path("contests/<int:pk>/discard/", contests.ContestDiscardView.as_view(), name="contest_discard"),
    path("contests/<int:pk>/cancel/", contests.ContestCancelView.as_view(), name="contest_cancel"),
]
