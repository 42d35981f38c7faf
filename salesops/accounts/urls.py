"""Addresses of the accounts room."""

from django.urls import path

from salesops.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.AccountListView.as_view(), name="account_list"),
    path("new/", views.AccountCreateView.as_view(), name="account_create"),
    path("options/", views.AccountOptionsView.as_view(), name="account_options"),
    path("bulk/edit/", views.AccountBulkEditView.as_view(), name="account_bulk_edit"),
    path("bulk/assign/", views.AccountBulkAssignView.as_view(), name="account_bulk_assign"),
    path("contacts/", views.ContactListView.as_view(), name="contact_list"),
    path("contacts/new/", views.ContactCreateView.as_view(), name="contact_create"),
    path("contacts/<int:pk>/", views.ContactDetailView.as_view(), name="contact_detail"),
    path("contacts/<int:pk>/restore/", views.ContactRestoreView.as_view(), name="contact_restore"),
    path("contacts/<int:pk>/edit/", views.ContactEditView.as_view(), name="contact_edit"),
    path("<int:pk>/", views.AccountDetailView.as_view(), name="account_detail"),
    path("<int:pk>/restore/", views.AccountRestoreView.as_view(), name="account_restore"),
    path("<int:pk>/edit/", views.AccountEditView.as_view(), name="account_edit"),
    path("<int:pk>/assign/", views.AccountAssignView.as_view(), name="account_assign"),
    path("<int:pk>/responsible/", views.AccountResponsibleView.as_view(), name="account_responsible"),
]
