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
    AccountRestoreView,
)
from salesops.accounts.views.contacts import (
    ContactCreateView,
    ContactDetailView,
    ContactEditView,
    ContactListView,
    ContactRestoreView,
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
    "AccountRestoreView",
    "ContactCreateView",
    "ContactDetailView",
    "ContactEditView",
    "ContactListView",
    "ContactRestoreView",
]
