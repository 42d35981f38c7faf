"""Pure rules of the effort room."""
