"""What is read in the commissions room."""
