"""Jobs: job rows, leases, progress, schedules."""
