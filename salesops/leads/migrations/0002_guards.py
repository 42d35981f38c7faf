"""Rules that the database itself keeps."""

from django.db import migrations

from salesops.core.guards import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("leads", "0001_initial")]

    operations = [
        AppendOnly("leads_leadassignment"),
    ]
