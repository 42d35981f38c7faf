"""Turns and signals are only added to."""

from django.db import migrations

from salesops.core.guards import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("leads", "0008_routing_and_scores")]

    operations = [
        AppendOnly("leads_turn"),
        AppendOnly("leads_leadsignal"),
    ]
