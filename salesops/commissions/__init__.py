"""Commissions: plans, quotas, credits, statements, payroll files."""
