"""The pages of the deals room."""

from salesops.deals.views.board import DealBoardView, DealPlaceView
from salesops.deals.views.bulk import DealBulkEditView, DealBulkReassignView
from salesops.deals.views.deals import (
    DealCreateView,
    DealDetailView,
    DealEditView,
    DealListView,
    DealMoveView,
    DealReassignView,
    DealRestoreView,
    DealSpicedView,
    ProductListView,
)
from salesops.deals.views.forecast import ForecastView
from salesops.deals.views.of_account import AccountDealsView
from salesops.deals.views.parts import DealLinesView, DealSplitsView

__all__ = [
    "AccountDealsView",
    "DealBoardView",
    "DealBulkEditView",
    "DealBulkReassignView",
    "DealCreateView",
    "DealDetailView",
    "DealEditView",
    "DealLinesView",
    "DealListView",
    "DealMoveView",
    "DealPlaceView",
    "DealReassignView",
    "DealRestoreView",
    "DealSpicedView",
    "DealSplitsView",
    "ForecastView",
    "ProductListView",
]
