"""Template tags of the deals room."""
