"""What the search boxes of accounts and contacts look in."""

from django.db import migrations

from salesops.core.search_index import SearchIndex


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_guards")]

    operations = [
        SearchIndex("accounts_account", "name"),
        SearchIndex("accounts_contact", "name"),
        SearchIndex("accounts_contact", "email"),
    ]
