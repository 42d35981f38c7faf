"""Leads: leads and who they were assigned to."""
