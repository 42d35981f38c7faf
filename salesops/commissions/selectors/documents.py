"""A statement as a document: everything its page says that one keeps or hands on, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from salesops.commissions.choices import AdjustmentState, Cause, StatementState, TransactionKind
from salesops.commissions.models import Dispute, Earning, Statement
from salesops.commissions.rules.explain import exact_text
from salesops.commissions.rules.plans import PlanDefinition
from salesops.commissions.selectors.adjustments import adjustments_for
from salesops.commissions.selectors.disputes import disputes_for
from salesops.commissions.selectors.statements import (
    ComponentShown,
    approvals_of,
    attainment_of,
    components_of,
    definition_of,
    earnings_for,
    history_of,
    steps_of,
    why_not_counted,
)
from salesops.commissions.selectors.wording import conventions_told
from salesops.core import display
from salesops.core.actor import Actor
from salesops.core.documents import Column, Document, Table, as_pdf, may_be_in
from salesops.values.money import exponent
from salesops.values.outcomes import Problem

#: So many lines are printed; the page has all of them. More would cost the portal half a gigabyte of memory.
LINES_AT_MOST: Final = 1000
#: So many pieces of a line's way along the curve are named.
_PIECES: Final = 3


def statement_pdf(actor: Actor, statement: Statement, language: str) -> bytes:
    """The statement as a PDF in a language; in English, and saying so, where the fonts for the language are missing."""
    if may_be_in(language):
        with override(language):
            return as_pdf(statement_document(actor, statement))
    with override("en"):
        missing = _("The fonts for Chinese are not installed where the portal runs: this file is in English instead.")
        return as_pdf(statement_document(actor, statement, [missing]))


def statement_document(actor: Actor, statement: Statement, notices: Sequence[str] = ()) -> Document:
    """What the document says, as the actor may see it. A constant number of queries."""
    plan = definition_of(statement)
    shown = components_of(statement)
    period, version = statement.period, statement.plan_version
    problems = [Problem.from_plain(each) for each in statement.problems]
    return Document(
        title=_("Commission statement"),
        lead=f"{statement.person} · {period.label} ({_days(statement)})",
        made_at=statement.locked_at or statement.prepared_at,
        stamp=_state(statement),
        notices=[*notices, *(f"{each.text(_)} {each.remedy_text(_)}" for each in problems)],
        facts=[
            (_("Plan"), _("%(plan)s, version %(number)s") % {"plan": version.plan.name, "number": version.number}),
            *_totals(statement),
        ],
        tables=[
            _components(statement, shown),
            *_lines(actor, statement, shown),
            *_steps(statement),
            *_adjustments(actor, statement),
            *_disputes(actor, statement),
            *_uncounted(statement, plan),
            _year(actor, statement),
            *_approvals(statement),
            _conventions(plan),
        ],
        closing=[
            (_("As of"), display.moment(statement.prepared_at)),
            *([(_("Locked"), display.moment(statement.locked_at))] if statement.locked_at else []),
            (_("Engine"), statement.calculation.engine_version),
            (_("Digest of the plan"), version.digest),
            (_("Digest"), statement.digest),
            (
                _("To derive it again"),
                _("Download the bundle of the statement; salesops.commissions.rules.verify needs nothing but Python."),
            ),
        ],
        footer=f"{statement.person} · {period.label} · {statement.digest[:16]}",
    )


def _days(statement: Statement) -> str:
    """The first and the last day of the period."""
    period = statement.period
    return f"{display.day(period.start_on)} – {display.day(period.end_on - timedelta(days=1))}"


def _state(statement: Statement) -> str:
    if statement.state == StatementState.DRAFT:
        return _("Draft, not approved: it may still change")
    return str(statement.get_state_display())


def _totals(statement: Statement) -> list[tuple[str, str]]:
    def money(minor: int) -> str:
        return display.money(minor, statement.currency)

    found = [(_("Paid out"), money(statement.payout_minor)), (_("Earned"), money(statement.earned_minor))]
    if statement.owed_minor:
        found.append((_("Owed by the person"), money(statement.owed_minor)))
    found.append((_("Credited"), money(statement.credited_minor)))
    if statement.quota_minor is not None:
        attainment = attainment_of(statement)
        reached = _("cannot be said of a quota of zero") if attainment is None else display.ratio(attainment)
        found += [(_("Quota"), money(statement.quota_minor)), (_("Attainment"), reached)]
    else:
        found.append((_("Attainment"), _("The plan asks for no quota of money.")))
    if statement.rate is not None:
        found.append((_("Personal rate"), f"{(statement.rate * 100).normalize():f} %"))
    carried: dict[str, Any] = (statement.carried or {}).get("after", {})
    if held := sum(part["total_minor"] - part["released_minor"] for part in carried.get("held", ())):
        found.append((_("Held for later"), money(held)))
    if advanced := sum(balance["owed_minor"] for balance in carried.get("draws", ())):
        found.append((_("Owed from the draw"), money(advanced)))
    return found


def _units(each: ComponentShown, number: int | None, currency: str) -> str:
    """A number of what a component counts: money, or things."""
    return display.money(number, currency) if each.is_money else display.number(number)


def _components(statement: Statement, shown: Sequence[ComponentShown]) -> Table:
    return Table(
        _("What was reached"),
        [
            Column(_("Component")),
            Column(_("Reached"), is_number=True),
            Column(_("Quota"), is_number=True),
            Column(_("Attainment"), is_number=True),
            Column(_("Target pay"), is_number=True),
            Column(_("Earned"), is_number=True),
        ],
        [
            [
                each.component.name,
                _units(each, each.reached, statement.currency),
                _units(each, each.quota, statement.currency),
                display.ratio(each.attainment),
                display.money(each.target_minor, statement.currency),
                display.money(each.earned_minor, statement.currency),
            ]
            for each in shown
        ],
    )


def _lines(actor: Actor, statement: Statement, shown: Sequence[ComponentShown]) -> list[Table]:
    """A table of lines for each component, LINES_AT_MOST in all; what is left out is said with its sum."""
    lines = earnings_for(actor, statement)
    rows = list(lines.order_by("component", "position")[:LINES_AT_MOST])
    tables = []
    for each in shown:
        own = [row for row in rows if row.component == each.component.key]
        if own:
            tables.append(
                Table(
                    _("Every line: %(component)s") % {"component": each.component.name},
                    [
                        Column(_("Day"), is_narrow=True),
                        Column(_("Deal")),
                        Column(_("Account")),
                        Column(_("Share"), is_number=True),
                        Column(_("Stretch of the curve"), is_number=True),
                        Column(_("Rate"), is_number=True),
                        Column(_("Earned"), is_number=True),
                    ],
                    [_line(row, each) for row in own],
                )
            )
    if not tables:
        return [Table(_("Every line"), [], [], [_("No deal of this period was credited to this person.")])]
    if len(rows) == LINES_AT_MOST and (left := lines.count() - LINES_AT_MOST):
        printed = sum(row.amount_minor for row in rows)
        said = ngettext(
            "The first %(shown)s lines are printed. %(count)s further line, which earned %(amount)s, is on the page of the "
            "statement: “Sort, search, export” writes all of them to a file.",
            "The first %(shown)s lines are printed. %(count)s further lines, which earned %(amount)s, are on the page of "
            "the statement: “Sort, search, export” writes all of them to a file.",
            left,
        ) % {
            "shown": display.number(LINES_AT_MOST),
            "count": display.number(left),
            "amount": display.money(statement.earned_minor - printed, statement.currency),
        }
        tables[-1] = Table(tables[-1].title, tables[-1].columns, tables[-1].rows, [said])
    return tables


def _line(row: Earning, each: ComponentShown) -> list[str]:
    transaction = row.credit.transaction
    if row.from_minor == row.to_minor:
        stretch = rate = display.NOTHING
    else:
        ends = (_units(each, end, row.currency) for end in (row.from_minor, row.to_minor))
        stretch, rate = " – ".join(ends), _rate(row, each)
    return [
        display.day(row.credit.effective_on),
        str(getattr(row, "named", "") or transaction.source_key),
        str(transaction.account or ""),
        display.share(row.credit.share_bp),
        stretch,
        rate,
        display.money(row.amount_minor, row.currency),
    ]


def _rate(row: Earning, each: ComponentShown) -> str:
    """The rates of the stretch in the order in which it is walked, each once; more than a few are summed up."""
    if each.curve is None:
        return display.NOTHING
    found: list[str] = []
    for piece in each.curve.stretch(row.from_minor, row.to_minor):
        if piece.kind == "jump":
            text = _("jump")
        elif each.is_money:
            text = f"{exact_text(piece.rate * 100, 4)} %"
        else:
            text = _("%(amount)s each") % {"amount": _exact(piece.rate, row.currency)}
        if text not in found:
            found.append(text)
    return ", ".join(found) if len(found) <= _PIECES else ", ".join([*found[:_PIECES], "…"])


def _exact(minor: Fraction, currency: str) -> str:
    """An amount for each thing, with all its decimals."""
    if minor.denominator == 1:
        return display.money(int(minor), currency)
    return f"{exact_text(minor / 10 ** exponent(currency))} {currency}"


def _steps(statement: Statement) -> list[Table]:
    """From earned to paid, in the order of settlement; nothing where nothing was settled."""
    steps = steps_of(statement)
    if not steps:
        return []

    def money(minor: int) -> str:
        return display.money(minor, statement.currency)

    rows = [[_("Earned"), _("The sum of every line"), money(statement.earned_minor)]]
    for step in steps:
        amount = money(step.line.amount_minor)
        told = f"{step.why} {step.about}".strip()
        is_paid = step.line.is_paid
        rows.append([step.label, told, amount if is_paid else _("(%(amount)s, not paid)") % {"amount": amount}])
    rows.append([_("Paid out"), _("All of it together"), money(statement.payout_minor)])
    columns = [Column(_("Step"), is_narrow=True), Column(_("Why")), Column(_("Amount"), is_number=True)]
    return [Table(_("From earned to paid"), columns, rows, is_total=True)]


def _adjustments(actor: Actor, statement: Statement) -> list[Table]:
    rows = (
        adjustments_for(actor)
        .filter(
            person=statement.person_id,
            plan=statement.plan_version.plan_id,
            period=statement.period_id,
            state=AdjustmentState.APPROVED,
        )
        .select_related("about_period", "about_transaction__deal")
        .order_by("prepared_at", "pk")
    )
    told = [
        [
            str(row.get_kind_display()),
            Cause(row.cause).label if row.cause else row.reason,
            " · ".join(
                str(part)
                for part in (
                    row.about_transaction and (row.about_transaction.deal or row.about_transaction.source_key),
                    row.about_period,
                )
                if part
            ),
            display.money(row.paid_minor, row.currency),
            display.money(row.due_minor, row.currency),
            display.money(row.amount_minor, row.currency),
        ]
        for row in rows
    ]
    columns = [
        Column(_("Adjustment"), is_narrow=True),
        Column(_("Cause")),
        Column(_("About")),
        Column(_("Was paid"), is_number=True),
        Column(_("Should have been paid"), is_number=True),
        Column(_("Amount"), is_number=True),
    ]
    return [Table(_("Adjustments"), columns, [list(map(str, row)) for row in told])] if told else []


def _disputes(actor: Actor, statement: Statement) -> list[Table]:
    rows: QuerySet[Dispute] = disputes_for(actor).filter(statement=statement).select_related("decided_by")
    told = [
        [display.moment(row.opened_at), row.subject, str(row.get_state_display()), row.decision]
        for row in rows.order_by("opened_at", "pk")
    ]
    columns = [
        Column(_("Opened"), is_narrow=True),
        Column(_("What was doubted")),
        Column(_("Outcome"), is_narrow=True),
        Column(_("Decision")),
    ]
    return [Table(_("Disputes"), columns, told)] if told else []


def _uncounted(statement: Statement, plan: PlanDefinition) -> list[Table]:
    """How many transactions were credited and earned nothing, by kind, with the reason."""
    rows = (
        statement.credits.filter(earnings__isnull=True)
        .order_by("transaction__kind")
        .values_list("transaction__kind")
        .annotate(count=Count("pk"), total=Sum("amount_minor"))
    )
    told = [
        [
            str(TransactionKind(kind).label),
            why_not_counted(plan, kind),
            display.number(count),
            display.money(total, statement.currency),
        ]
        for kind, count, total in rows
    ]
    columns = [
        Column(_("What happened"), is_narrow=True),
        Column(_("Why")),
        Column(_("How many"), is_number=True),
        Column(_("Credited"), is_number=True),
    ]
    return [Table(_("Credited, but not counted"), columns, told)] if told else []


def _year(actor: Actor, statement: Statement) -> Table:
    """The year up to this period, the first first, with its sum."""
    history = history_of(actor, statement)[::-1]

    def money(minor: int) -> str:
        return display.money(minor, statement.currency)

    rows = [
        [
            row.period.label,
            row.plan_version.plan.name,
            money(row.credited_minor),
            display.ratio(attainment_of(row)),
            money(row.earned_minor),
            money(row.payout_minor),
            str(row.get_state_display()),
        ]
        for row in history
    ]
    sums = [sum(getattr(row, name) for row in history) for name in ("credited_minor", "earned_minor", "payout_minor")]
    rows.append([_("Together"), "", money(sums[0]), "", money(sums[1]), money(sums[2]), ""])
    columns = [
        Column(_("Period"), is_narrow=True),
        Column(_("Plan")),
        Column(_("Credited"), is_number=True),
        Column(_("Attainment"), is_number=True),
        Column(_("Earned"), is_number=True),
        Column(_("Paid out"), is_number=True),
        Column(_("State"), is_narrow=True),
    ]
    title = _("Year to date %(year)s") % {"year": statement.period.start_on.year}
    return Table(title, columns, rows, is_total=True)


def _approvals(statement: Statement) -> list[Table]:
    rows = [
        [
            str(row.get_decision_display()),
            str(row.decided_by),
            display.moment(row.decided_at),
            row.note,
        ]
        for row in approvals_of(statement).order_by("decided_at", "pk")
    ]
    columns = [
        Column(_("Decision"), is_narrow=True),
        Column(_("By")),
        Column(_("When"), is_narrow=True),
        Column(_("Note")),
    ]
    return [Table(_("Approval"), columns, rows)] if rows else []


def _conventions(plan: PlanDefinition) -> Table:
    rows = [[each.question, each.answer] for each in conventions_told(plan)]
    return Table(_("How it is counted"), [Column(_("Question")), Column(_("Answer"))], rows)
