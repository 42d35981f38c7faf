"""Activities: calls, mails, meetings, notes, tasks."""
