"""The stages a company begins with; administrators rename, order and add."""

from django.db import migrations

STAGES = [
    # code, name, kind, probability in basis points
    ("prospecting", "Prospecting", "open", 1_000),
    ("qualified", "Qualified", "open", 2_500),
    ("engaging", "Engaging", "open", 5_000),
    ("proposal", "Proposal", "open", 7_500),
    ("won", "Won", "won", 10_000),
    ("lost", "Lost", "lost", 0),
]


def add(apps, schema_editor):
    stage = apps.get_model("deals", "Stage")
    if not stage.objects.exists():
        stage.objects.bulk_create(
            stage(code=code, name=name, kind=kind, probability_bp=probability, position=position)
            for position, (code, name, kind, probability) in enumerate(STAGES, start=1)
        )


class Migration(migrations.Migration):
    dependencies = [("deals", "0002_guards")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
