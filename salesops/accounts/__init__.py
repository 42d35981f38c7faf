"""Accounts: companies, contacts, ownership in time, subscriptions."""
