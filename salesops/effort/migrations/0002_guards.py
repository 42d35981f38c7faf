"""Who looked stays as it was written; so does what was decided about a doubt."""

from django.db import migrations

from salesops.core.guards import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("effort", "0001_initial")]

    operations = [
        AppendOnly("effort_effortlook"),
        AppendOnly("effort_effortcontest", when="OLD.decision <> 'open'"),
    ]
