"""The database itself refuses to change or delete what was recorded."""

from django.db import migrations

from salesops.core.guards import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        AppendOnly("audit_auditentry"),
        AppendOnly("audit_audithead", deletes_only=True),
    ]
