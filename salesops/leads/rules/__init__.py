"""Plain decisions about leads, without a database."""
