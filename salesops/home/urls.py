"""Addresses of the home room."""

from django.urls import path

from salesops.home.views import DayView, SearchView

app_name = "home"
urlpatterns = [
    path("", DayView.as_view(), name="day"),
    path("search/", SearchView.as_view(), name="search"),
]
