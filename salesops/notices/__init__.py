"""Notices: what a person must be told."""
