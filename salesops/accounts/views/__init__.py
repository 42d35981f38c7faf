"""Pages of the accounts room."""

from salesops.accounts.views.accounts import (
    AccountAssignView,
    AccountBulkAssignView,
    AccountBulkEditView,
    AccountCreateView,
    AccountDetailView,
    AccountEditView,
    AccountListView,
    AccountOptionsView,
    AccountResponsibleView,
)
from salesops.accounts.views.contacts import (
    ContactCreateView,
    ContactDetailView,
    ContactEditView,
    ContactListView,
)

__all__ = [
    "AccountAssignView",
    "AccountBulkAssignView",
    "AccountBulkEditView",
    "AccountCreateView",
    "AccountDetailView",
    "AccountEditView",
    "AccountListView",
    "AccountOptionsView",
    "AccountResponsibleView",
    "ContactCreateView",
    "ContactDetailView",
    "ContactEditView",
    "ContactListView",
]
