"""A made-up company with two years of history: pure generators of rows, and the writer that puts them in the database."""
