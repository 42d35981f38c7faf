"""Moves of people between pods: drafted, previewed, carried out as one, undone."""
