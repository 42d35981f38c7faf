"""Addresses of the pods room."""

from django.urls import URLPattern

app_name = "pods"
urlpatterns: list[URLPattern] = []
