"""Deals: deals, lines, products, splits, stages, the board."""
