"""Pure rules of the audit room."""
