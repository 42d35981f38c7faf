"""Records transactions one at a time: by hand or by a program; changes and voids them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.commissions.choices import TransactionKind
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Transaction
from salesops.commissions.selectors.transactions import DEAL_KEYS, TRANSACTION_WRITERS, is_late, is_of_deal
from salesops.core.actor import Actor
from salesops.deals.models import Deal
from salesops.values.money import MoneyError, check_currency, check_minor

#: A contract of more months is a mistake.
MOST_MONTHS: Final = 1_200
_MOST_REASON: Final = 300
_MOST_KEY: Final = 120
#: What can be changed afterwards. A key, and what a transaction takes back, stay for ever.
CHANGEABLE: Final = (
    "kind",
    "effective_on",
    "amount_minor",
    "currency",
    "quantity",
    "deal_id",
    "account_id",
    "product_id",
    "credited_to_id",
)


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """Something that happened to the business. amount_minor: minor units of `currency`, negative for what takes away.

    reverses_id: the transaction that is taken back. source_key: where it is from; "" makes one. term_months: how long a
    contract runs. Without deal, account and person those of what is taken back are meant.
    """

    kind: TransactionKind
    effective_on: date
    amount_minor: int
    currency: str
    quantity: int = 1
    deal_id: int | None = None
    account_id: int | None = None
    product_id: int | None = None
    credited_to_id: int | None = None
    reverses_id: int | None = None
    term_months: int | None = None
    source_key: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transaction as it stands now. is_late: a locked period is concerned, so what it changes is paid later."""

    transaction: Transaction
    is_late: bool

    @property
    def notice(self) -> str:
        """What a locked period makes of it, in words; empty when none is concerned."""
        if not self.is_late:
            return ""
        return _("It concerns a locked period: what it changes comes as an adjustment in an open one.")


@transaction.atomic
def record_transaction(*, actor: Actor, new: NewTransaction, at: datetime) -> Recorded:
    """Record something that happened. By revenue operations and finance, never for oneself.

    Raises NotAllowedError for others, CommissionRefusedError for what cannot be (see `check_transaction`) or a key that
    is there already.
    """
    _need_writer(actor)
    original = _original(new.reverses_id)
    row = Transaction(
        source_key=new.source_key.strip() or f"hand:{uuid.uuid4()}",
        kind=new.kind,
        effective_on=new.effective_on,
        amount_minor=new.amount_minor,
        currency=new.currency,
        quantity=new.quantity,
        deal_id=new.deal_id,
        account_id=new.account_id,
        product_id=new.product_id,
        credited_to_id=new.credited_to_id,
        reverses=original,
        attributes={} if new.term_months is None else {"term_months": new.term_months},
        recorded_at=at,
    )
    known = around({key for key in (row.deal_id, original and original.deal_id) if key}, {row.pk} if row.pk else set())
    take_place(row, original, known)
    _not_own(actor, row)
    check_transaction(row, original, known)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise CommissionRefusedError({"source_key": _("There is a transaction with this key already.")}) from error
    record(actor=actor, action="transaction.recorded", subject=row, after=told(row), at=at)
    return Recorded(row, is_late(row))


@transaction.atomic
def change_transaction(
    *,
    actor: Actor,
    transaction_id: int,
    changes: Mapping[str, Any],
    at: datetime,
    seen_at: datetime | None = None,
    reason: str = "",
) -> Recorded:
    """Change some of CHANGEABLE, or `term_months`. What a locked statement credits may be changed too: then it is late.

    seen_at: when the row that was read had been saved; a newer one raises the code "stale". Raises as
    `record_transaction` does, and for a deal's own booking, which is changed by its deal, and for what was voided.
    """
    row = _held(actor, transaction_id)
    if seen_at is not None and row.updated_at != seen_at:
        raise CommissionRefusedError(
            _("Somebody else changed this meanwhile. Load it again to see it as it is now."), code="stale"
        )
    if row.is_void:
        raise CommissionRefusedError(_("It was voided. Record a new one."))
    before, was_late = told(row), is_late(row)
    for name in CHANGEABLE:
        if name in changes:
            setattr(row, name, changes[name])
    if "term_months" in changes:
        row.attributes = with_months(row.attributes, changes["term_months"])
    original = _original(row.reverses_id)
    known = around({key for key in (row.deal_id, original and original.deal_id) if key}, {row.pk} if row.pk else set())
    take_place(row, original, known)
    _not_own(actor, row)
    check_transaction(row, original, known)
    after = told(row)
    differing = [name for name in after if before[name] != after[name]]
    if differing:
        row.save()
        record(
            actor=actor,
            action="transaction.changed",
            subject=row,
            before={name: before[name] for name in differing},
            after={name: after[name] for name in differing},
            reason=reason.strip()[:_MOST_REASON],
            at=at,
        )
    return Recorded(row, bool(differing) and (was_late or is_late(row)))


@transaction.atomic
def void_transaction(*, actor: Actor, transaction_id: int, reason: str, at: datetime) -> Recorded:
    """Let a transaction no longer count; it stays readable. What a locked statement credits may be voided too: it is late.

    Raises CommissionRefusedError without a reason, for what is void already, for a deal's own booking and while
    something that counts takes it back.
    """
    row = _held(actor, transaction_id)
    if row.is_void:
        raise CommissionRefusedError(_("It was voided already."))
    if not reason.strip():
        raise CommissionRefusedError({"reason": _("Say why it no longer counts.")})
    if row.reversals.filter(is_void=False).exists():
        raise CommissionRefusedError(_("Something takes it back. Void that first."))
    row.is_void = True
    row.save()
    record(
        actor=actor,
        action="transaction.voided",
        subject=row,
        before={"is_void": False},
        after={"is_void": True},
        reason=reason.strip()[:_MOST_REASON],
        at=at,
    )
    return Recorded(row, is_late(row))


# --- What every way in has in common ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Around:
    """What transactions are checked against. accounts: deal to its account. reversals: what counts and takes a row back,
    by its id."""

    accounts: Mapping[int, int | None]
    reversals: Mapping[int, Sequence[Transaction]]


def around(deals: Collection[int], rows: Collection[int]) -> Around:
    """What is around these deals and stored transactions. Two queries."""
    reversals: dict[int, list[Transaction]] = defaultdict(list)
    for row in Transaction.objects.filter(reverses__in=rows, is_void=False).order_by("pk") if rows else ():
        reversals[row.reverses_id or 0].append(row)
    accounts = Deal.every.filter(pk__in=deals).values_list("pk", "account_id") if deals else ()
    return Around(dict(accounts), reversals)


def take_place(row: Transaction, original: Transaction | None, known: Around) -> None:
    """Fill in what follows: the account of the deal, and who is meant where only what is taken back says so."""
    if original is not None and not (row.deal_id or row.account_id or row.credited_to_id):
        row.deal_id, row.account_id, row.credited_to_id = original.deal_id, original.account_id, original.credited_to_id
        row.product_id = row.product_id or original.product_id
    if row.deal_id and not row.account_id:
        row.account_id = known.accounts.get(row.deal_id)


def check_transaction(row: Transaction, original: Transaction | None, known: Around) -> None:
    """Refuse what cannot be. Raises CommissionRefusedError by field: an amount that no column keeps, a booking of a deal
    (it is made from the deal itself, and would count twice), nobody to credit, an account that is not the deal's, and a
    reversal that does not fit what it takes back.
    """
    wrong: dict[str, str] = {}
    try:
        check_currency(row.currency)
    except MoneyError:
        wrong["currency"] = _("“%(value)s” is not a currency code such as EUR.") % {"value": row.currency}
    for name in ("amount_minor", "quantity"):
        try:
            check_minor(getattr(row, name))
        except MoneyError:
            wrong[name] = _("This is more than can be kept.")
    months = row.attributes.get("term_months")
    if months is not None and not 1 <= months <= MOST_MONTHS:
        wrong["term_months"] = _("Between 1 and %(most)s months.") % {"most": MOST_MONTHS}
    if row.source_key.startswith(DEAL_KEYS):
        wrong["source_key"] = _("Keys that begin with “%(start)s” are the portal's own.") % {"start": DEAL_KEYS}
    elif len(row.source_key) > _MOST_KEY or not row.source_key.isprintable():
        wrong["source_key"] = _("At most %(most)s printable signs.") % {"most": _MOST_KEY}
    if row.kind not in TransactionKind.values:
        wrong["kind"] = _("There is no such kind.")
    elif row.kind == TransactionKind.BOOKING and row.deal_id:
        wrong["kind"] = _("A deal that is won makes its booking by itself. Change the deal, or leave it out here.")
    if not (row.deal_id or row.account_id or row.credited_to_id):
        wrong["credited_to"] = _("Name a deal, an account or a person: nobody would be credited.")
    elif row.deal_id and row.account_id and known.accounts.get(row.deal_id) not in (None, row.account_id):
        wrong["account"] = _("It is not the deal's account.")
    if original is not None:
        wrong |= _misfits(row, original)
    for reversal in known.reversals.get(row.pk or 0, ()):
        for name, why in _misfits(reversal, row).items():
            wrong.setdefault(name, _("“%(key)s” takes it back. %(why)s") % {"key": reversal.source_key, "why": why})
    if wrong:
        raise CommissionRefusedError(wrong)


def _misfits(row: Transaction, original: Transaction) -> dict[str, str]:
    """Why a reversal does not fit what it takes back, by field."""
    wrong: dict[str, str] = {}
    if original.reverses_id is not None:
        wrong["reverses"] = _("“%(key)s” takes something back itself.") % {"key": original.source_key}
    elif original.is_void:
        wrong["reverses"] = _("“%(key)s” was voided: there is nothing to take back.") % {"key": original.source_key}
    elif original.currency != row.currency:
        wrong["currency"] = _("“%(key)s” is in %(currency)s.") % {
            "key": original.source_key,
            "currency": original.currency,
        }
    elif row.effective_on < original.effective_on:
        wrong["effective_on"] = _("It cannot be taken back before it happened (%(day)s).") % {
            "day": original.effective_on.isoformat()
        }
    elif row.amount_minor * original.amount_minor > 0:
        wrong["amount_minor"] = _("What is taken back has the other sign: write the amount with a minus.")
    return wrong


def with_months(attributes: Mapping[str, Any], months: int | None) -> dict[str, Any]:
    """Attributes with a term, or without one."""
    kept = {name: value for name, value in attributes.items() if name != "term_months"}
    return kept if months is None else {**kept, "term_months": months}


def told(row: Transaction) -> dict[str, Any]:
    """What the audit keeps of a transaction."""
    return {
        **{name.removesuffix("_id"): getattr(row, name) for name in CHANGEABLE},
        "reverses": row.reverses_id,
        "term_months": row.attributes.get("term_months"),
    }


def _need_writer(actor: Actor) -> None:
    if not actor.has(*TRANSACTION_WRITERS):
        raise NotAllowedError(_("Only revenue operations and finance record transactions."))


def _not_own(actor: Actor, row: Transaction) -> None:
    if row.credited_to_id is not None and row.credited_to_id == actor.user_id:
        raise NotAllowedError(_("It is your own pay: somebody else must record it."))


def _original(pk: int | None) -> Transaction | None:
    """What is taken back, locked so that nobody voids it meanwhile."""
    return None if pk is None else Transaction.objects.select_for_update().get(pk=pk)


def _held(actor: Actor, pk: int) -> Transaction:
    """A transaction that the actor may change, locked; 404 when it is not theirs."""
    _need_writer(actor)
    row = Transaction.objects.select_for_update(of=("self",)).get_for(actor, pk=pk)
    if is_of_deal(row):
        raise CommissionRefusedError(_("It follows its deal: change the deal instead."))
    _not_own(actor, row)
    return row
