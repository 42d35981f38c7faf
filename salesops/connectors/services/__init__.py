"""What changes in the connectors room: uploads, mappings, imports, the shelf."""
