"""Forms of the people room."""
