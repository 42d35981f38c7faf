"""A shelved row knows whether its record came in without what was wrong."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="rejectedrow",
            name="is_taken",
            field=models.BooleanField(default=False, verbose_name="taken in part"),
        ),
    ]
