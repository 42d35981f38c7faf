"""Template tags of the commissions room."""
