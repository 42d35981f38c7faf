"""Pages of the connectors room: imports of files, and connections."""
