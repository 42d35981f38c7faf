"""What is read in the connectors room."""
