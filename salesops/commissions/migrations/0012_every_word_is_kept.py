"""Everything that a locked statement or a plan version in force says stays, also who prepared it and by which run."""

from django.db import migrations

from salesops.core.guards import Refuse


def _differs(*columns: str) -> str:
    """Whether any of these columns, which may be empty, says something else than before."""
    return " OR ".join(
        f"COALESCE(CAST(OLD.{name} AS text), '') <> COALESCE(CAST(NEW.{name} AS text), '')" for name in columns
    )


#: After the lock a statement only moves on to paid; everything it says stays.
_STATEMENT_SAYS_SOMETHING_ELSE = (
    "OLD.locked_at IS NOT NULL AND (NEW.state NOT IN ('locked', 'paid') OR (OLD.state = 'paid' AND NEW.state <> 'paid') OR "
    + _differs(
        "person_id",
        "period_id",
        "plan_version_id",
        "calculation_id",
        "currency",
        "quota_minor",
        "target_minor",
        "rate",
        "terms",
        "credited_minor",
        "earned_minor",
        "payout_minor",
        "owed_minor",
        "carried",
        "problems",
        "digest",
        "lines_digest",
        "bundle",
        "prepared_by_id",
        "prepared_at",
        "locked_at",
    )
    + ")"
)
#: After it was put in force a version only ends.
_VERSION_SAYS_SOMETHING_ELSE = (
    "OLD.state <> 'draft' AND (NEW.state = 'draft' OR "
    + _differs(
        "plan_id",
        "number",
        "currency",
        "time_zone",
        "period_kind",
        "definition",
        "digest",
        "start_on",
        "created_by_id",
        "created_at",
        "activated_by_id",
        "activated_at",
    )
    + ")"
)


class Migration(migrations.Migration):
    dependencies = [("commissions", "0011_refund_late")]

    operations = [
        Refuse(
            "commissions_statement",
            name="keeps_its_word",
            event="UPDATE",
            condition=_STATEMENT_SAYS_SOMETHING_ELSE,
            message="a locked statement cannot be changed",
        ),
        Refuse(
            "commissions_planversion",
            name="keeps_its_word",
            event="UPDATE",
            condition=_VERSION_SAYS_SOMETHING_ELSE,
            message="a plan version in force cannot be changed",
        ),
    ]
