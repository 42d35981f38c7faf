"""Indexes for lists of one pod or person, largest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leads", "0005_sorting")]

    operations = [
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(fields=["pod", "-estimated_minor", "-id"], name="leads_lead_pod_value"),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(fields=["owner", "-estimated_minor", "-id"], name="leads_lead_owner_value"),
        ),
    ]
