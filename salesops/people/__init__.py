"""People: users, roles, functions, reporting line in time, hours, leave."""
