"""Pods: pods, memberships in time, segments, territories; what an actor may see."""
