"""Reads policies, weights, counts and scores, always for an actor."""
