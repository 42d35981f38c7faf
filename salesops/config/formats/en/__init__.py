"""How English readers see days and times."""
