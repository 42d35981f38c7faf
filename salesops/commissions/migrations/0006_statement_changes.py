"""What a statement said before a calculation wrote it anew."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from salesops.core.guards import AppendOnly


class Migration(migrations.Migration):
    dependencies = [
        ("commissions", "0005_settlement_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="StatementChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("earned_before_minor", models.BigIntegerField(verbose_name="earned before")),
                ("earned_after_minor", models.BigIntegerField(verbose_name="earned since")),
                ("payout_before_minor", models.BigIntegerField(verbose_name="paid out before")),
                ("payout_after_minor", models.BigIntegerField(verbose_name="paid out since")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("lines", models.JSONField(default=list, verbose_name="changed lines")),
                ("more", models.PositiveIntegerField(default=0, verbose_name="further changed lines")),
                (
                    "calculation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="commissions.calculation",
                        verbose_name="calculation",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statement_changes",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
                (
                    "statement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="commissions.statement",
                        verbose_name="statement",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of a statement",
                "verbose_name_plural": "changes of statements",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("statement", "calculation"), name="commissions_statementchange_once"
                    )
                ],
            },
        ),
        AppendOnly("commissions_statementchange"),
    ]
