"""Indexes for lists of one pod or person, largest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deals", "0005_closed_day")]

    operations = [
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(fields=["kind", "expected_close_on", "id"], name="deals_deal_kind_expected"),
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(fields=["pod", "-amount_minor", "-id"], name="deals_deal_pod_amount"),
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(fields=["owner", "-amount_minor", "-id"], name="deals_deal_owner_amount"),
        ),
    ]
