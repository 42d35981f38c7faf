"""The views that all rooms build their pages from."""

from salesops.core.views.base import PortalView, redirect_for
from salesops.core.views.bulk import BulkView, Change
from salesops.core.views.details import ScopedDetailView
from salesops.core.views.forms import ConfirmView, ScopedCreateView, ScopedEditView, ScopedFormView
from salesops.core.views.lists import BulkAction, Empty, MoneyTotal, ScopedListView

__all__ = [
    "BulkAction",
    "BulkView",
    "Change",
    "ConfirmView",
    "Empty",
    "MoneyTotal",
    "PortalView",
    "ScopedCreateView",
    "ScopedDetailView",
    "ScopedEditView",
    "ScopedFormView",
    "ScopedListView",
    "redirect_for",
]
