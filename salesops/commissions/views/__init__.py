"""Pages of the commissions room."""
