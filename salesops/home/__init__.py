"""Home: the rep's day, the manager's desk, the account page."""
