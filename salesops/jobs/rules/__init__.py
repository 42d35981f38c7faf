"""Pure rules of the jobs room."""
