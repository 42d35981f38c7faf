"""Connectors: sources, imports, mappings, the shelf."""
