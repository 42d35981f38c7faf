"""What makes a pod whole: plain decisions without a database."""
