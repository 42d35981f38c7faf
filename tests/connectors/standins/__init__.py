"""Servers that speak as the vendors do, for tests: the other side of every connector."""
