"""Finding a deal by a part of its name or id among a million."""

from django.db import migrations

from salesops.core.search_index import SearchIndex


class Migration(migrations.Migration):
    dependencies = [("deals", "0003_default_stages")]

    operations = [SearchIndex("deals_deal", "name"), SearchIndex("deals_deal", "external_id")]
