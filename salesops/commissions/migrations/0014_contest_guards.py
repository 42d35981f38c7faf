"""A contest in force keeps its word: it is only cancelled, by a further step that says why and stays."""

from django.db import migrations

from salesops.core.guards import AppendOnly, Refuse


def _differs(*columns: str) -> str:
    """Whether any of these columns, which may be empty, says something else than before."""
    return " OR ".join(
        f"COALESCE(CAST(OLD.{name} AS text), '') <> COALESCE(CAST(NEW.{name} AS text), '')" for name in columns
    )


#: Standings are reckoned anew as long as anything changes: when, and what was wrong, is no word of the contest.
_SAYS_SOMETHING_ELSE = (
    "OLD.state <> 'draft' AND (NEW.state NOT IN ('active', 'cancelled') OR "
    + _differs(
        "key",
        "name",
        "plan_id",
        "start_on",
        "end_on",
        "currency",
        "time_zone",
        "period_kind",
        "shows_names",
        "definition",
        "digest",
        "created_by_id",
        "created_at",
        "activated_by_id",
        "activated_at",
    )
    + ")"
)
_IS_REVIVED = (
    "OLD.state = 'cancelled' AND (NEW.state <> 'cancelled' OR "
    + _differs("cancelled_by_id", "cancelled_at", "cancel_reason")
    + ")"
)


class Migration(migrations.Migration):
    dependencies = [("commissions", "0013_contests")]

    operations = [
        AppendOnly("commissions_contest", when="OLD.state <> 'draft'", deletes_only=True),
        Refuse(
            "commissions_contest",
            name="keeps_its_word",
            event="UPDATE",
            condition=_SAYS_SOMETHING_ELSE,
            message="a contest in force cannot be changed",
        ),
        Refuse(
            "commissions_contest",
            name="stays_cancelled",
            event="UPDATE",
            condition=_IS_REVIVED,
            message="a cancelled contest stays cancelled",
        ),
    ]
