"""What the guard said, and what was answered, stays; deals ask the guard from "proposal" on; how long a stage should take."""

from django.db import migrations

from salesops.core.guards import AppendOnly

#: Days that a deal should stay, as printed by others for four stages; administrators set their own.
EXPECTED = {"prospecting": 14, "qualified": 14, "engaging": 10, "proposal": 10}


def begin(apps, schema_editor):
    """Only for the stages a company begins with."""
    stage = apps.get_model("deals", "Stage")
    stage.objects.filter(code="proposal", kind="open").update(is_guarded=True)
    for code, days in EXPECTED.items():
        stage.objects.filter(code=code, kind="open", expected_days=None).update(expected_days=days)


class Migration(migrations.Migration):
    dependencies = [("deals", "0009_guard_spiced_handoffs")]

    operations = [
        migrations.RunPython(begin, migrations.RunPython.noop),
        AppendOnly("deals_guarddecision"),
        AppendOnly("deals_guardescalation", when="OLD.state <> 'open'"),
    ]
