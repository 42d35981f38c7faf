"""Pages of the effort room."""
