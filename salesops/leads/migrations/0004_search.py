"""What the search box of leads looks in."""

from django.db import migrations

from salesops.core.search_index import SearchIndex


class Migration(migrations.Migration):
    dependencies = [("leads", "0003_credit_and_open")]

    operations = [
        SearchIndex("leads_lead", "name"),
        SearchIndex("leads_lead", "company"),
        SearchIndex("leads_lead", "email"),
    ]
