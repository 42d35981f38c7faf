"""Rules that the database itself keeps about postings, payroll items, the order of steps, and who takes them."""

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
#: To be approved, approved, locked, handed to payroll: no step is left out.
_STEP_LEFT_OUT = (
    "(NEW.state = 'locked' AND OLD.state NOT IN ('approved', 'locked')) "
    "OR (NEW.state = 'paid' AND OLD.state NOT IN ('locked', 'paid')) "
    "OR ((NEW.state IN ('locked', 'paid')) <> (NEW.locked_at IS NOT NULL))"
)
#: Whoever ran the calculation, or is paid by it, says nothing about it; nor do they lock or release it.
_APPROVED_BY_THEMSELVES = (
    "NEW.decision = 'approved' AND EXISTS (SELECT 1 FROM commissions_statement "
    "WHERE commissions_statement.id = NEW.statement_id AND (commissions_statement.prepared_by_id = NEW.decided_by_id "
    "OR commissions_statement.person_id = NEW.decided_by_id))"
)
_LOCKED_BY_WHO_CALCULATED = (
    "OLD.state = 'open' AND NEW.state = 'locked' AND EXISTS (SELECT 1 FROM commissions_statement "
    "WHERE commissions_statement.period_id = NEW.id AND commissions_statement.prepared_by_id = NEW.locked_by_id)"
)
_RELEASED_BY_WHO_CALCULATED = (
    "EXISTS (SELECT 1 FROM commissions_statement JOIN commissions_payrollfile "
    "ON commissions_payrollfile.released_by_id = commissions_statement.prepared_by_id "
    "WHERE commissions_statement.id = NEW.statement_id AND commissions_payrollfile.id = NEW.payroll_file_id)"
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
        Refuse(
            "commissions_statement",
            name="step_by_step",
            event="UPDATE",
            condition=_STEP_LEFT_OUT,
            message="a statement is approved, then locked, then paid",
        ),
        Refuse(
            "commissions_approval",
            name="by_another",
            event="INSERT",
            condition=_APPROVED_BY_THEMSELVES,
            message="whoever prepared a statement does not approve it",
        ),
        Refuse(
            "commissions_period",
            name="by_another",
            event="UPDATE",
            condition=_LOCKED_BY_WHO_CALCULATED,
            message="whoever prepared a statement does not lock it",
        ),
        Refuse(
            "commissions_payrollitem",
            name="by_another",
            event="INSERT",
            condition=_RELEASED_BY_WHO_CALCULATED,
            message="whoever prepared a statement does not release it",
        ),
    ]
