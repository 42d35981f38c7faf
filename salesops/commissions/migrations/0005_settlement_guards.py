"""Rules that the database itself keeps about what is paid, and about what people said of it."""

from django.db import migrations

from salesops.core.guards import AppendOnly, Refuse

_PERIOD_IS_LOCKED = (
    "EXISTS (SELECT 1 FROM commissions_period WHERE commissions_period.id = NEW.period_id "
    "AND commissions_period.state = 'locked')"
)
_STATEMENT_IS_LOCKED = (
    "EXISTS (SELECT 1 FROM commissions_statement WHERE commissions_statement.id = NEW.statement_id "
    "AND commissions_statement.locked_at IS NOT NULL)"
)
#: After the lock a statement only moves on to paid; everything it says stays.
_STATEMENT_SAYS_SOMETHING_ELSE = (
    "OLD.locked_at IS NOT NULL AND (NEW.locked_at IS NULL OR NEW.locked_at <> OLD.locked_at OR OLD.digest <> NEW.digest "
    "OR OLD.earned_minor <> NEW.earned_minor OR OLD.credited_minor <> NEW.credited_minor "
    "OR OLD.payout_minor <> NEW.payout_minor OR OLD.owed_minor <> NEW.owed_minor OR OLD.person_id <> NEW.person_id "
    "OR OLD.period_id <> NEW.period_id OR OLD.plan_version_id <> NEW.plan_version_id OR OLD.currency <> NEW.currency "
    "OR COALESCE(OLD.quota_minor, -1) <> COALESCE(NEW.quota_minor, -1) OR NEW.state NOT IN ('locked', 'paid') "
    "OR (OLD.state = 'paid' AND NEW.state <> 'paid') "
    "OR COALESCE(CAST(OLD.terms AS text), '') <> COALESCE(CAST(NEW.terms AS text), '') "
    "OR COALESCE(CAST(OLD.carried AS text), '') <> COALESCE(CAST(NEW.carried AS text), '') "
    "OR COALESCE(CAST(OLD.bundle AS text), '') <> COALESCE(CAST(NEW.bundle AS text), ''))"
)


class Migration(migrations.Migration):
    dependencies = [("commissions", "0004_settlement")]

    operations = [
        AppendOnly("commissions_settlementline", when="OLD.locked_at IS NOT NULL"),
        AppendOnly("commissions_adjustment", when="OLD.locked_at IS NOT NULL"),
        AppendOnly("commissions_acknowledgement"),
        AppendOnly("commissions_disputemessage"),
        Refuse(
            "commissions_statement",
            name="keeps_its_word",
            event="UPDATE",
            condition=_STATEMENT_SAYS_SOMETHING_ELSE,
            message="a locked statement cannot be changed",
        ),
        Refuse(
            "commissions_settlementline",
            name="not_into_locked",
            event="INSERT",
            condition=_STATEMENT_IS_LOCKED,
            message="the statement is locked",
        ),
        Refuse(
            "commissions_adjustment",
            name="not_into_locked",
            event="INSERT",
            condition=_PERIOD_IS_LOCKED,
            message="the period is locked",
        ),
    ]
