"""Decides about moves: pure Python."""
