"""Finding a deal by a part of its name or id among a million: trigram indexes, where the database has them."""

from django.db import migrations

NAMES = {"name": "deals_deal_name_trigram", "external_id": "deals_deal_external_id_trigram"}


def add(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for column, index in NAMES.items():
        # UPPER, because that is what icontains compares.
        schema_editor.execute(f"CREATE INDEX {index} ON deals_deal USING gin (UPPER({column}) gin_trgm_ops)")


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for index in NAMES.values():
            schema_editor.execute(f"DROP INDEX IF EXISTS {index}")


class Migration(migrations.Migration):
    dependencies = [("deals", "0003_default_stages")]

    operations = [migrations.RunPython(add, remove)]
