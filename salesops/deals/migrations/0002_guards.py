"""Rules that the database itself keeps."""

from django.db import migrations

from salesops.core.guards import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("deals", "0001_initial")]

    operations = [
        AppendOnly("deals_stagechange"),
    ]
