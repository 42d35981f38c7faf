"""Changes what hangs on a deal: its lines, which make its amount, and its shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from salesops.audit.services import state_of
from salesops.core.actor import Actor
from salesops.deals.choices import GuardOccasion, StageKind
from salesops.deals.models import Deal, DealLine, DealSplit, Product
from salesops.deals.rules.amounts import Share, deal_amount, line_amount, problems_of_shares
from salesops.deals.selectors.choices import people_to_share_with
from salesops.deals.services.deals import AUDITED, check_may_change, check_may_edit, locked_deal, refusal, save_changes
from salesops.deals.services.from_leads import plain_shares
from salesops.deals.services.guard import ask_guard, guard_deal, keeps_refusals
from salesops.people.choices import JobFunction
from salesops.values.money import MoneyError, check_minor

#: More lines than any contract has; a form posted by a program is refused before it fills the memory.
MOST_LINES = 500


@dataclass(frozen=True, slots=True)
class LineDraft:
    """A line as it should be. `pk` names a line that exists; `amount_minor` None means quantity × price × (1 − discount)."""

    product_id: int
    quantity: Decimal
    unit_price_minor: int
    discount_bp: int = 0
    amount_minor: int | None = None
    pk: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SplitDraft:
    """A share as it should be, in basis points."""

    person_id: int
    share_bp: int
    function: str = JobFunction.AE
    is_overlay: bool = False


@keeps_refusals
@transaction.atomic
def set_lines(*, actor: Actor, deal_id: int, version: int, lines: Sequence[LineDraft], at: datetime) -> Deal:
    """Make these the lines of a deal, in this order, and their sum its amount. Without lines the amount stays.

    Raises ValidationError (with the number of the line), GuardRefusedError, StaleDealError, Http404, PermissionDenied.
    """
    check_may_edit(actor)
    if len(lines) > MOST_LINES:
        raise ValidationError(
            _("A deal has at most %(most)s lines."), code="too-many-lines", params={"most": MOST_LINES}
        )
    deal = locked_deal(actor, deal_id, version)
    check_may_change(actor, deal, {"lines"})
    stood = ask_guard([deal], at=at)
    before = state_of(deal, names=AUDITED)
    existing = {line.pk: line for line in deal.lines.all()}
    lines_before = [plain_line(line) for line in existing.values()]
    had_products = {line.product_id for line in existing.values()}
    on_sale = set(
        Product.objects.filter(pk__in={line.product_id for line in lines}, is_active=True).values_list("pk", flat=True)
    )
    rows = [
        _line(deal, existing, on_sale | had_products, position, draft) for position, draft in enumerate(lines, start=1)
    ]
    kept = [row.pk for row in rows if row.pk]
    if len(set(kept)) != len(kept):
        raise ValidationError(_("The same line is listed twice."), code="line-twice")
    deal.lines.exclude(pk__in=kept).delete()
    for row in rows:
        row.save()
    if rows:
        try:
            deal.amount_minor = deal_amount(row.amount_minor for row in rows)
        except MoneyError as error:
            raise ValidationError(str(error), code="money") from error
    is_changed = save_changes(
        deal,
        before=before,
        actor=actor,
        action="deal.lines_set",
        at=at,
        parts=({"lines": lines_before}, {"lines": [plain_line(row) for row in rows]}),
    )
    if is_changed:
        is_closing = deal.kind == StageKind.WON
        guard_deal(actor=actor, deal=deal, occasion=GuardOccasion.LINES, at=at, is_closing=is_closing, stood=stood)
    return deal


@transaction.atomic
def set_splits(*, actor: Actor, deal_id: int, version: int, splits: Sequence[SplitDraft], at: datetime) -> Deal:
    """Make these the shares of a deal: 100 % together, or none, when the owner has the whole; others on top of that.

    Raises ValidationError, StaleDealError, Http404, PermissionDenied.
    """
    check_may_edit(actor)
    deal = locked_deal(actor, deal_id, version)
    check_may_change(actor, deal, {"splits"})
    problems = problems_of_shares(
        [Share(part.person_id, part.function, part.share_bp, part.is_overlay) for part in splits]
    )
    if problems:
        raise refusal(problems)
    if any(part.function not in JobFunction.values for part in splits):
        raise ValidationError(_("Choose a function from the list."), code="function")
    existing = {(row.person_id, row.function): row for row in deal.splits.all()}
    people = {part.person_id for part in splits}
    allowed = set(people_to_share_with(actor).filter(pk__in=people).values_list("pk", flat=True))
    if people - allowed - {row.person_id for row in existing.values()}:
        raise ValidationError(_("One of these people no longer works here."), code="person")
    splits_before = plain_shares(existing.values())
    wanted = {(part.person_id, part.function): (part.share_bp, part.is_overlay) for part in splits}
    deal.splits.filter(pk__in=[row.pk for key, row in existing.items() if key not in wanted]).delete()
    for (person_id, function), (share_bp, is_overlay) in wanted.items():
        row = existing.get((person_id, function)) or DealSplit(deal=deal, person_id=person_id, function=function)
        row.share_bp, row.is_overlay = share_bp, is_overlay
        row.save()
    save_changes(
        deal,
        before=state_of(deal, names=AUDITED),
        actor=actor,
        action="deal.splits_set",
        at=at,
        parts=(splits_before, plain_shares(deal.splits.all())),
    )
    return deal


def _line(deal: Deal, existing: dict[int, DealLine], products: set[int], position: int, draft: LineDraft) -> DealLine:
    """The row of a draft, not saved yet. Raises ValidationError that names the line."""
    where = {"number": position}
    if draft.product_id not in products:
        raise ValidationError(_("Line %(number)s: choose a product on sale."), code="product", params=where)
    if draft.pk is not None and draft.pk not in existing:
        raise ValidationError(_("Line %(number)s belongs to another deal."), code="line-elsewhere", params=where)
    try:
        counted = line_amount(draft.quantity, draft.unit_price_minor, draft.discount_bp)
        amount = counted if draft.amount_minor is None else check_minor(draft.amount_minor)
    except MoneyError as error:
        raise ValidationError(
            _("Line %(number)s: %(why)s"), code="money", params={**where, "why": str(error)}
        ) from error
    row = existing[draft.pk] if draft.pk is not None else DealLine(deal=deal)
    row.product_id, row.quantity, row.unit_price_minor = draft.product_id, draft.quantity, draft.unit_price_minor
    row.discount_bp, row.amount_minor, row.position = draft.discount_bp, amount, position
    row.note = " ".join(draft.note.split())[:200]
    return row


def plain_line(line: DealLine) -> dict[str, Any]:
    """A line for the audit."""
    return {
        "product": line.product_id,
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price_minor,
        "discount_bp": line.discount_bp,
        "amount_minor": line.amount_minor,
    } | ({"note": line.note} if line.note else {})
