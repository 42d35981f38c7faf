"""The pure half of the file source: bytes to rows, rows to canonical records, and what would change."""
