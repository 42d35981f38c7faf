"""Plain decisions about accounts, without a database."""
