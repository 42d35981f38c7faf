"""Reads reorganisations, the rows they touch, and what everybody has before and after."""

from salesops.reorganisations.selectors.books import Books, books_of, locked_books_of
from salesops.reorganisations.selectors.figures import Touched, figures_of, touched_by
from salesops.reorganisations.selectors.reorganisations import (
    changes_for,
    may_arrange,
    may_read,
    move_for,
    reorganisation_for,
    reorganisations_for,
)
from salesops.reorganisations.selectors.snapshots import RowKey, said, snapshot_of

__all__ = [
    "Books",
    "RowKey",
    "Touched",
    "books_of",
    "changes_for",
    "figures_of",
    "locked_books_of",
    "may_arrange",
    "may_read",
    "move_for",
    "reorganisation_for",
    "reorganisations_for",
    "said",
    "snapshot_of",
    "touched_by",
]
