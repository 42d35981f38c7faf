"""Figures of speed: each a ratio to something in the same run; nothing here asserts."""


def gather_statistics() -> None:
    """Let PostgreSQL count what its tables hold, as autovacuum does wherever it is on; servers for tests have it off."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW autovacuum")
            if cursor.fetchone()[0] == "off":
                cursor.execute("ANALYZE")
