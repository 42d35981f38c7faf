"""Everything that reads deals, always for an actor."""

from salesops.deals.selectors.board import Board, Column, board_for, column_for, neighbours_place
from salesops.deals.selectors.choices import (
    owners_for,
    people_to_share_with,
    pods_to_choose_for,
    products,
    products_for,
    stages,
)
from salesops.deals.selectors.deals import (
    Total,
    deal_for,
    deals_counted_for,
    deals_for,
    stage_changes_for,
    totals_of,
)
from salesops.deals.selectors.forecast import Forecast, ForecastRow, forecast_for

__all__ = [
    "Board",
    "Column",
    "Forecast",
    "ForecastRow",
    "Total",
    "board_for",
    "column_for",
    "deal_for",
    "deals_counted_for",
    "deals_for",
    "forecast_for",
    "neighbours_place",
    "owners_for",
    "people_to_share_with",
    "pods_to_choose_for",
    "products",
    "products_for",
    "stage_changes_for",
    "stages",
    "totals_of",
]
