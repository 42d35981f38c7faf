"""Everything that changes accounts and contacts. Each service is one transaction; what is refused changes nothing."""

from salesops.accounts.services.accounts import become_customer, create_account, edit_account
from salesops.accounts.services.bulk import AccountChanges, BulkRow, bulk_edit, bulk_reassign, plan_bulk_edit
from salesops.accounts.services.contacts import create_contact, edit_contact
from salesops.accounts.services.owners import set_owner, set_responsible
from salesops.accounts.services.upserts import (
    AccountRecord,
    ContactRecord,
    SubscriptionRecord,
    upsert_accounts,
    upsert_contacts,
    upsert_subscriptions,
)

__all__ = [
    "AccountChanges",
    "AccountRecord",
    "BulkRow",
    "ContactRecord",
    "SubscriptionRecord",
    "become_customer",
    "bulk_edit",
    "bulk_reassign",
    "create_account",
    "create_contact",
    "edit_account",
    "edit_contact",
    "plan_bulk_edit",
    "set_owner",
    "set_responsible",
    "upsert_accounts",
    "upsert_contacts",
    "upsert_subscriptions",
]
