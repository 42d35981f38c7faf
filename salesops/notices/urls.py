"""Addresses of the notices room."""

from django.urls import path

from salesops.notices import views

app_name = "notices"
urlpatterns = [
    path("", views.NoticeListView.as_view(), name="notice_list"),
    path("bell/", views.NoticeBellView.as_view(), name="notice_bell"),
    path("read/", views.NoticeReadView.as_view(), name="notice_read"),
    path("<int:pk>/open/", views.NoticeOpenView.as_view(), name="notice_open"),
]
