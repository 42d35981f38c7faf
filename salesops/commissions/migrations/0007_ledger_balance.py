"""Rules that the database itself keeps about postings and payroll items."""

from django.db import migrations

from salesops.core.guards import Balanced, Refuse

#: What is owed is posted at the moment of the lock; afterwards only the payments of payroll files come in.
_POSTED_AFTER_THE_LOCK = (
    "(NEW.kind <> 'payment' AND EXISTS (SELECT 1 FROM commissions_period WHERE commissions_period.id = NEW.period_id "
    "AND commissions_period.state = 'locked' AND commissions_period.locked_at <> NEW.posted_at)) "
    "OR (NEW.kind = 'payment' AND NEW.payroll_file_id IS NULL)"
)
_NOT_WHAT_THE_STATEMENT_PAYS = (
    "NOT EXISTS (SELECT 1 FROM commissions_statement WHERE commissions_statement.id = NEW.statement_id "
    "AND commissions_statement.locked_at IS NOT NULL AND commissions_statement.payout_minor = NEW.amount_minor "
    "AND commissions_statement.currency = NEW.currency)"
)


class Migration(migrations.Migration):
    dependencies = [("commissions", "0006_statement_changes")]

    operations = [
        Balanced("commissions_ledgerentry", amount="amount_minor", keys=("posting", "currency")),
        Refuse(
            "commissions_ledgerentry",
            name="not_into_locked",
            event="INSERT",
            condition=_POSTED_AFTER_THE_LOCK,
            message="the period is locked",
        ),
        Refuse(
            "commissions_payrollitem",
            name="pays_the_statement",
            event="INSERT",
            condition=_NOT_WHAT_THE_STATEMENT_PAYS,
            message="a payroll item pays what a locked statement says",
        ),
    ]
