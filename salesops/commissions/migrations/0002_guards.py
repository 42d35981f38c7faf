"""Rules that the database itself keeps about money."""

from django.db import migrations

from salesops.core.guards import AppendOnly, NoOverlap, Refuse

_PERIOD_IS_LOCKED = "EXISTS (SELECT 1 FROM commissions_period WHERE commissions_period.id = {row}.period_id AND commissions_period.state = 'locked')"
_STATEMENT_IS_LOCKED = (
    "EXISTS (SELECT 1 FROM commissions_statement WHERE commissions_statement.id = NEW.statement_id "
    "AND commissions_statement.locked_at IS NOT NULL)"
)
_VERSION_SAYS_SOMETHING_ELSE = (
    "OLD.state <> 'draft' AND (NEW.state = 'draft' OR OLD.digest <> NEW.digest OR OLD.currency <> NEW.currency "
    "OR OLD.time_zone <> NEW.time_zone OR OLD.period_kind <> NEW.period_kind OR OLD.start_on <> NEW.start_on "
    "OR OLD.number <> NEW.number OR OLD.plan_id <> NEW.plan_id "
    "OR CAST(OLD.definition AS text) <> CAST(NEW.definition AS text))"
)
#: After the lock a statement only moves on to paid; everything it says stays.
_STATEMENT_SAYS_SOMETHING_ELSE = (
    "OLD.locked_at IS NOT NULL AND (NEW.locked_at IS NULL OR NEW.locked_at <> OLD.locked_at OR OLD.digest <> NEW.digest "
    "OR OLD.earned_minor <> NEW.earned_minor OR OLD.credited_minor <> NEW.credited_minor OR OLD.person_id <> NEW.person_id "
    "OR OLD.period_id <> NEW.period_id OR OLD.plan_version_id <> NEW.plan_version_id OR OLD.currency <> NEW.currency "
    "OR COALESCE(OLD.quota_minor, -1) <> COALESCE(NEW.quota_minor, -1) OR NEW.state NOT IN ('locked', 'paid') "
    "OR (OLD.state = 'paid' AND NEW.state <> 'paid') "
    "OR COALESCE(CAST(OLD.bundle AS text), '') <> COALESCE(CAST(NEW.bundle AS text), ''))"
)


class Migration(migrations.Migration):
    dependencies = [("commissions", "0001_initial")]

    operations = [
        NoOverlap("commissions_planassignment", keys=("plan_id", "person_id")),
        NoOverlap("commissions_quota", keys=("person_id", "measure")),
        AppendOnly("commissions_approval"),
        AppendOnly("commissions_payrollfile"),
        AppendOnly("commissions_payrollitem"),
        AppendOnly("commissions_ledgerentry"),
        AppendOnly("commissions_credit", when="OLD.locked_at IS NOT NULL"),
        AppendOnly("commissions_earning", when="OLD.locked_at IS NOT NULL"),
        AppendOnly("commissions_period", when="OLD.state = 'locked'"),
        AppendOnly("commissions_statement", when="OLD.locked_at IS NOT NULL", deletes_only=True),
        AppendOnly("commissions_planversion", when="OLD.state <> 'draft'", deletes_only=True),
        Refuse(
            "commissions_statement",
            name="keeps_its_word",
            event="UPDATE",
            condition=_STATEMENT_SAYS_SOMETHING_ELSE,
            message="a locked statement cannot be changed",
        ),
        Refuse(
            "commissions_statement",
            name="not_into_locked",
            event="INSERT",
            condition=_PERIOD_IS_LOCKED.format(row="NEW"),
            message="the period is locked",
        ),
        Refuse(
            "commissions_credit",
            name="not_into_locked",
            event="INSERT",
            condition=_STATEMENT_IS_LOCKED,
            message="the statement is locked",
        ),
        Refuse(
            "commissions_earning",
            name="not_into_locked",
            event="INSERT",
            condition=_STATEMENT_IS_LOCKED,
            message="the statement is locked",
        ),
        Refuse(
            "commissions_planversion",
            name="keeps_its_word",
            event="UPDATE",
            condition=_VERSION_SAYS_SOMETHING_ELSE,
            message="a plan version in force cannot be changed",
        ),
    ]
