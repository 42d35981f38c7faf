"""Core: Django glue without a business noun."""
