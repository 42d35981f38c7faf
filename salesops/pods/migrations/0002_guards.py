"""Rules that the database itself keeps."""

from django.db import migrations

from salesops.core.guards import NoOverlap


class Migration(migrations.Migration):
    dependencies = [("pods", "0001_initial")]

    operations = [
        NoOverlap("pods_podmembership", keys=("person_id",)),
        NoOverlap("pods_territoryassignment", keys=("territory_id", "person_id")),
    ]
