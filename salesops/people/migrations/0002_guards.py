"""Rules that the database itself keeps."""

from django.db import migrations

from salesops.core.guards import NoOverlap


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]

    operations = [
        NoOverlap("people_rolegrant", keys=("person_id", "role")),
        NoOverlap("people_functionassignment", keys=("person_id",)),
        NoOverlap("people_reportingline", keys=("person_id",)),
        NoOverlap("people_leave", keys=("person_id",)),
    ]
