"""Template tags of the connectors room."""
