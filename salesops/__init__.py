"""Salesops: a self-hosted sales-operations portal."""

__version__ = "0.1.0"
