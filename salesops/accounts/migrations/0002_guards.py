"""Rules that the database itself keeps."""

from django.db import migrations

from salesops.core.guards import NoOverlap


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        NoOverlap("accounts_accountownership", keys=("account_id", "function")),
    ]
